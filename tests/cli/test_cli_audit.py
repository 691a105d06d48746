"""`evenodds audit`: what it says and leaves behind, and what it refuses."""

from __future__ import annotations

import functools
import json
import re
import signal
import time

import numpy as np
import pytest
from PIL import Image

from evenodds.cli.main import main
from evenodds.referee import audit

ONE = ("--discriminators", "1")


@pytest.fixture
def short(monkeypatch):
    """Discriminators that are trained for a moment."""
    monkeypatch.setattr(audit, "trials", functools.partial(audit.trials, steps=150))


@pytest.fixture(scope="module")
def ring_run(tmp_path_factory):
    """A run of gan-ring that has hardly begun."""
    base = tmp_path_factory.mktemp("ring")
    tiny = ("--examples", "1280", "--threads", "1", "--set", "samples_every=never")
    assert main(["train", "gan-ring", *tiny, "--dir", str(base)]) == 0
    return base / "00000-gan-ring"


def test_it_says_what_is_proved_and_shows_it(cli, short, trained):
    result = cli("audit", trained, *ONE, "--seed", "3")
    assert result.code == 0, result
    said = " ".join(result.out.split())
    found = re.match(r"JSD is at least (0\.\d+) of the possible 0\.693 nats, TV at least (0\.\d+) of 1", said)
    assert found, said
    assert 0.1 < float(found[1]) < 0.6931  # after so little training the samples are hardly digits
    assert "(95 %)" in said
    assert "250 test examples and 500 samples (of all classes" in said
    assert {path.name for path in (trained / "audit").iterdir()} == {
        "audit.json", "betrayed.png", "missed.png",
    }  # fmt: skip
    for name in ("betrayed.png", "missed.png"):
        pixels = np.asarray(Image.open(trained / "audit" / name))
        assert pixels.shape[0] > 400
        assert len(np.unique(pixels)) > 50


def test_every_audit_is_added_to_the_record(cli, short, trained, tmp_path):
    for seed in (1, 2):
        result = cli("audit", trained, *ONE, "--seed", seed, "--out", tmp_path / "a", "--json")
        assert result.code == 0, result
        printed = json.loads(result.out)
    records = json.loads((tmp_path / "a" / "audit.json").read_text(encoding="utf-8"))
    assert [record["seed"] for record in records] == [1, 2]
    assert records[-1] == printed
    facts = printed["result"]
    assert 0 < facts["jsd_at_least"] < 0.6932
    assert facts["real"] == 250
    assert facts["finalists"][0]["accuracy"]["low"] <= facts["finalists"][0]["accuracy"]["estimate"]
    assert printed["data"]["name"] == "digits"
    assert len(printed["generator_sha256"]) == 64


def test_points_are_drawn_in_the_plane(cli, short, ring_run):
    result = cli("audit", ring_run, *ONE)
    assert result.code == 0, result
    assert [path.name for path in sorted((ring_run / "audit").iterdir())] == ["audit.json", "odds.png"]
    assert Image.open(ring_run / "audit" / "odds.png").width > 1000


def test_a_bare_file_needs_its_data_and_leaves_nothing_behind(cli, short, refused, trained, tmp_path):
    file = trained / "generator.safetensors"
    assert "add --data" in refused("audit", file)
    result = cli("audit", file, "--data", "digits", *ONE)
    assert result.code == 0, result
    assert "add --out" in result.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--minutes", "0"), "more than 0"),
        (("--minutes", "nan"), "more than 0"),
        (("--discriminators", "0"), "at least 1"),
        (("--seed", "-1"), "0 or more"),
        (("--data", "ring"), "audit it on the data it was trained on"),
        (("--generator", "best"), "no generator-best"),
    ],
)
def test_what_cannot_be_done_is_refused(refused, trained, words, said):
    assert said in refused("audit", trained, *words)


def test_too_few_examples_are_refused_with_the_number_needed(refused, trained, tmp_path):
    np.save(tmp_path / "few.npy", np.zeros((60, 8, 8), np.uint8), allow_pickle=False)
    said = refused("audit", trained, "--data", tmp_path / "few.npy")
    assert re.search(r"6 test examples are too few .* give at least \d+", said), said


def test_a_record_that_is_none_is_not_overwritten(refused, trained, tmp_path):
    (tmp_path / "audit.json").write_text("not a list", encoding="utf-8")
    assert "move it away" in refused("audit", trained, "--out", tmp_path)
    assert (tmp_path / "audit.json").read_text(encoding="utf-8") == "not a list"


def test_ctrl_c_leaves_nothing_behind(command, trained, tmp_path):
    process = command("audit", trained, "--minutes", "5", "--out", tmp_path / "never")
    line = process.stderr.readline()  # the first progress comes after five seconds
    assert line
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "nothing was written" in err
    assert "Traceback" not in err
    assert not (tmp_path / "never").exists()
