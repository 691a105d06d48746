"""`evenodds train --from`: a run without its recipe's name, a generator file, and what is refused."""

from __future__ import annotations

import json
import shutil

import yaml

from evenodds.config import config_from

QUICK = ("--examples", "128", "--threads", "1", "--set", "report_every=64", "--set", "referee=false")


def test_a_run_takes_its_settings_and_weights_along(cli, trained, no_drawing, tmp_path):
    result = cli("train", "--from", trained, *QUICK)
    assert result.code == 0, result
    assert "started from G and D of 00000-gan-digits/" in result.out
    run = tmp_path / "runs" / "00000-gan-digits"
    config = config_from(yaml.safe_load((run / "config.yaml").read_text("utf-8")))
    assert (config.recipe, config.examples) == ("gan-digits", 128)
    assert config.start is not None
    first = json.loads((run / "metrics.jsonl").read_text("utf-8").splitlines()[0])
    assert first["event"][0]["kind"] == "start"


def test_a_generator_file_alone_brings_a_warning(cli, trained, tmp_path):
    shutil.copy(trained / "generator.safetensors", tmp_path / "mine.safetensors")
    result = cli("train", "--from", "mine.safetensors", "--data", "digits", "--dry-run")
    assert result.code == 0, result
    assert "mine.safetensors" in result.out
    assert "D starts fresh" in result.out
    assert yaml.safe_load(result.out)["start"]["file"] == str(tmp_path / "mine.safetensors")


def test_what_does_not_fit_is_refused_before_anything_is_written(refused, trained, tmp_path):
    assert "2" in refused("train", "gan-ring", "--from", trained)
    assert "does not exist" in refused("train", "--from", tmp_path / "none.safetensors")
    assert "--resume" in refused("train", "--from", trained, "--resume", "--dir", trained)
    assert "--from" in refused("train", "digits", "--from", trained)
    assert not (tmp_path / "runs").exists()
