"""The verbs on a small run: what they print, what they write, and that it is what the library says."""

from __future__ import annotations

import json
import re
import shlex
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image
from small_run import TINY

from evenodds.config import config_from, load_config
from evenodds.data.digits import load_digits
from evenodds.sampling import Sampler


def commands(out: str) -> dict[str, list[str]]:
    """What the summary suggests: name -> words."""
    found = re.findall(r"^  ([a-z ]+?)  +(evenodds .+)$", out, re.MULTILINE)
    return {name: shlex.split(line)[1:] for name, line in found}


def test_training_names_all_it_made_and_its_commands_work(cli, tmp_path):
    result = cli("train", *TINY)
    assert result.code == 0
    assert result.err == ""
    run = tmp_path / "runs" / "00000-gan-digits"
    for path in (
        "samples/0000001280.png",
        "movie.webp",
        "report.html",
        "generator.safetensors",
        "checkpoints",
    ):
        assert (run / path).exists()
        assert f"runs/00000-gan-digits/{path}" in result.out
    assert re.search(
        r"1,280/1,280 examples · [\d,.]+/s · loss D [\d.]+ G [\d.]+ · D\(x\) 0\.\d\d", result.out
    )
    suggested = commands(result.out)
    assert cli(*suggested["sample"]).code == 0
    with Image.open("samples.png") as image:
        assert image.width > 300
    longer = cli(*suggested["train longer"])
    assert longer.code == 0
    assert load_config(run / "config.yaml").examples == 2560
    assert "resuming runs/00000-gan-digits at 1,280 examples" in longer.out
    assert (run / "samples/0000002560.png").exists()


def test_a_complete_run_is_only_drawn_again(trained, cli, tmp_path, no_drawing):
    shutil.copytree(trained, "runs/00004-copy")
    before = (tmp_path / "runs/00004-copy/generator.safetensors").read_bytes()
    result = cli("train", "--resume")
    assert result.code == 0
    assert "runs/00004-copy has seen 1,280 examples" in result.out
    assert (tmp_path / "runs/00004-copy/generator.safetensors").read_bytes() == before


def test_a_dry_run_writes_nothing_and_prints_a_recipe(cli, tmp_path):
    result = cli("train", "--dry-run", "--seed", "3", "--set", "loss=hinge")
    assert result.code == 0
    assert list(tmp_path.iterdir()) == []
    config = config_from(yaml.safe_load(result.out))
    assert (config.seed, config.loss) == (3, {"name": "hinge"})
    assert "1,297 train, 250 validation, 250 test examples of 1 × 8 × 8" in result.out
    assert "runs/00000-gan-digits (nothing has been written)" in result.out
    (tmp_path / "mine.yaml").write_text(result.out, encoding="utf-8")
    again = cli("train", "mine.yaml", "--dry-run")
    assert again.out == result.out


def test_the_parameters_of_a_dry_run_are_counted_by_hand(cli):
    size = "discriminator.network.widths=[5, 3]"
    result = cli("train", "--dry-run", "--set", "conditional=false", "--set", size)
    assert "discriminator: mlp, 347 parameters" in result.out  # 64·5 + 5 + 5·3 + 3 + 3·1 + 1


def test_data_of_ones_own_keeps_working_from_another_folder(cli, tmp_path, monkeypatch, no_drawing):
    images = np.random.default_rng(0).integers(0, 256, (200, 6, 6), dtype=np.uint8)
    np.save("mine.npy", images)
    words = ("--set", "conditional=false", "--set", "batch_size=32")
    assert cli("train", "--data", "mine.npy", *TINY, *words).code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    result = cli("evaluate", "../runs/00000-gan-digits", "--metrics", "parzen100")
    assert result.code == 0
    assert "mean over 20" in result.out


def test_samples_are_the_library_s(trained, cli):
    sampler = Sampler.load(trained)
    assert cli("sample", trained, "--seeds", "0,3,5-6", "--out", "x.npz").code == 0
    with np.load("x.npz", allow_pickle=False) as arrays:
        assert arrays["seeds"].tolist() == [0, 3, 5, 6]
        np.testing.assert_array_equal(arrays["x"], sampler.images([0, 3, 5, 6]))
    assert cli("sample", trained, "--seeds", "3,9", "--out", "each").code == 0
    for row, seed in enumerate((3, 9)):
        with Image.open(f"each/seed{seed:04d}.png") as image:
            assert image.mode == "L"
            np.testing.assert_array_equal(np.asarray(image), sampler.images([3, 9])[row, 0])
    assert cli("sample", trained, "--seeds", "3", "--out", "one.png").code == 0
    with Image.open("one.png") as image:
        assert image.size == (8, 8)


def test_samples_of_one_class(trained, cli):
    sampler = Sampler.load(trained)
    assert sampler.class_names, "gan-digits sees the classes"
    assert cli("sample", trained, "--seeds", "0-3", "--class", "7", "--out", "x.npz").code == 0
    with np.load("x.npz", allow_pickle=False) as arrays:
        assert arrays["y"].tolist() == [7, 7, 7, 7]
        np.testing.assert_array_equal(arrays["x"], sampler.images(range(4), [7] * 4))


def test_samples_of_vectors(cli, no_drawing):
    words = ("--data", "ring", "--set", "conditional=false", "--set", "generator.network.output=linear")
    assert cli("train", *TINY, *words).code == 0
    assert cli("sample", "runs/00000-gan-digits", "--seeds", "4", "--out", "points").code == 0
    point = np.load("points/seed0004.npy", allow_pickle=False)
    assert (point.shape, point.dtype) == ((2,), np.float32)
    assert cli("sample", "runs/00000-gan-digits", "--grid", "--out", "points.png").code == 0
    result = cli("evaluate", "runs/00000-gan-digits", "--json")
    assert json.loads(result.out)["results"][0]["unit"] == "of 8 modes"


def test_an_evaluation_says_how_it_was_made_and_is_kept(trained, cli):
    log = trained / "evaluations.jsonl"
    log.unlink(missing_ok=True)
    result = cli("evaluate", trained, "--metrics", "parzen300")
    assert result.code == 0
    assert re.search(r"^parzen300  −?[\d.]+ ± [\d.]+ nats$", result.out, re.MULTILINE)
    assert "mean over 250" in result.out
    assert "300 real training examples score" in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    printed = json.loads(cli("evaluate", trained, "--metrics", "parzen300", "--json").out)
    kept = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [record["results"][0]["value"] for record in kept] == [printed["results"][0]["value"]] * 2
    assert printed["data"]["fingerprint"] == load_digits().fingerprint
    log.unlink()


def test_a_bare_generator_needs_data_and_other_data_is_a_warning(trained, cli, refused):
    shutil.copy(trained / "generator.safetensors", "g.safetensors")
    assert "--data (it was trained on digits)" in refused("evaluate", "g.safetensors")
    words = ("evaluate", "g.safetensors", "--metrics", "parzen100")
    assert cli(*words, "--data", "digits").err == ""
    digits = load_digits()
    np.save("fewer.npy", digits.train.x[:300])
    assert "trained on other data" in cli(*words, "--data", "fewer.npy").err.replace("\n", " ")


def test_a_report_is_drawn_again(trained, cli, tmp_path):
    run = tmp_path / "copy"
    shutil.copytree(trained, run)
    for path in ("movie.webp", "report.html"):
        (run / path).unlink()
    result = cli("report", run)
    assert result.code == 0
    assert (run / "report.html").read_bytes()
    assert str(run / "movie.webp") in result.out


def test_recipes_are_listed_and_printed(cli):
    listed = cli("recipes").out
    assert "gan-digits" in listed
    assert "gan-mnist-2014" in listed
    printed = cli("recipes", "gan-digits").out
    assert yaml.safe_load(printed)["recipe"] == "gan-digits"
    assert printed.startswith("#")


def test_data_is_described_and_checked(cli):
    described = cli("data", "info", "digits").out
    assert "1,297 examples" in described
    assert load_digits().fingerprint in described
    assert cli("data", "check", "digits").code == 0
    twice = np.zeros((150, 3), np.float32)
    twice[75:] = np.arange(225, dtype=np.float32).reshape(75, 3)
    np.save("twice.npy", twice)
    doubtful = cli("data", "check", "twice.npy")
    assert doubtful.code == 0
    assert "warning: " in doubtful.out
    np.save("broken.npy", np.full((150, 3), np.inf, np.float32))
    broken = cli("data", "check", "broken.npy")
    assert broken.code == 2
    assert "error: " in broken.out


def test_the_doctor_times_a_training(cli, monkeypatch):
    monkeypatch.setattr("evenodds.doctor.TIMED_S", 0.1)
    result = cli("doctor")
    assert result.code == 0
    speed = int(re.search(r"([\d,]+) examples/s", result.out)[1].replace(",", ""))
    assert 20 < speed < 1_000_000
    assert "evenodds data fetch mnist" in result.out


@pytest.mark.parametrize(
    "words", [(), ("--help",), ("train", "--help"), ("data", "check", "--help"), ("--version",)]
)
def test_help_fits_eighty_columns(words, cli):
    result = cli(*words)
    assert result.code == 0
    assert result.out
    assert max(len(line.rstrip()) for line in result.out.splitlines()) <= 80
