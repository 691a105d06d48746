"""evaluations.jsonl: what evaluating and training write to it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from known_generators import gaussian, gaussian_data, subject_of

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))
from tiny_runs import last_state, tiny, train

from evenodds.errors import ConfigError, RunError
from evenodds.evaluation import measure
from evenodds.evaluation.log import append_line, forget_after, line_of


@pytest.fixture
def log(tmp_path):
    return tmp_path / "evaluations.jsonl"


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_line_says_what_it_depends_on(log):
    subject = subject_of(gaussian(4, 200), gaussian_data(200), first_seed=0)
    results = measure(subject, ["kernel200", "frechet100"])
    line = line_of(subject, results, source="somewhere", generator="last", sha256="ab", seconds=1.5)
    append_line(log, line)
    (kept,) = lines(log)
    assert kept["seeds"] == [0, 200]
    assert kept["labels"] is None
    assert kept["data"] == {"name": "gaussian", "fingerprint": subject.dataset.fingerprint, "split": "test"}
    assert [result["name"] for result in kept["results"]] == ["kernel200", "frechet100"]
    for result in kept["results"]:
        assert result["setting"]["metric"] == result["name"]
        assert result["setting"]["extractor"]["name"] == "values"
        assert result["interval"][0] <= result["value"] <= result["interval"][1]
        assert result["floor"] is not None
    assert "NaN" not in log.read_text(encoding="utf-8")


def test_no_number_becomes_null(log):
    subject = subject_of(gaussian(4, 20), gaussian_data(20))
    (result,) = measure(subject, ["kernel20"])
    result.details["strange"] = [np.inf, float("nan")]
    line = line_of(subject, [result], source="s", generator="last", sha256=None, seconds=0)
    append_line(log, line)
    assert lines(log)[0]["results"][0]["details"]["strange"] == [None, None]


def test_a_line_cut_short_does_not_swallow_the_next(log):
    log.write_bytes(b'{"whole": 1}\n{"cut')
    append_line(log, {"next": 2})
    assert log.read_bytes() == b'{"whole": 1}\n{"cut\n{"next": 2}\n'


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(RunError, match="could not be written"):
        append_line(tmp_path / "gone" / "evaluations.jsonl", {})


def test_what_training_measured_after_a_checkpoint_is_forgotten(log):
    records = [("training", 100), ("last", 900), ("training", 900), ("training", 200), ("best", None)]
    text = "".join(json.dumps({"generator": g, "examples": n}) + "\n" for g, n in records)
    log.write_text(text + "no json\n", encoding="utf-8")
    forget_after(log, 200)
    kept = log.read_text(encoding="utf-8").splitlines()
    assert kept[-1] == "no json"
    found = [json.loads(line) for line in kept[:-1]]
    assert [(one["generator"], one["examples"]) for one in found] == [
        ("training", 100),
        ("last", 900),
        ("training", 200),
        ("best", None),
    ]
    forget_after(log.with_name("none.jsonl"), 0)


EVERY = ("metrics_every=32", "samples_every=never")


@pytest.fixture(scope="module")
def measured_run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("measured") / "run"
    train(tiny("metrics=[kernel100,parzen50]", *EVERY), directory)
    return directory


def test_training_writes_the_same_lines(measured_run):
    found = lines(measured_run / "evaluations.jsonl")
    assert [line["examples"] for line in found] == [32, 64, 96]
    recorded = [json.loads(line) for line in (measured_run / "metrics.jsonl").open(encoding="utf-8")]
    values = [line["metric/kernel100"] for line in recorded if "metric/kernel100" in line]
    assert [line["results"][0]["value"] for line in found] == values
    for line in found:
        assert line["generator"] == "training"
        assert line["data"]["split"] == "validation"
        assert [result["name"] for result in line["results"]] == ["kernel100", "parzen50"]
        assert line["results"][0]["floor"] is None
        assert line["results"][0]["setting"]["real"] == 250


def test_measuring_changes_nothing_in_training(measured_run, tmp_path):
    """Bit for bit: weights, optimizers and random states are those of a run that measured nothing."""
    train(tiny("samples_every=never"), tmp_path / "run")
    measured, quiet = last_state(measured_run)[0], last_state(tmp_path / "run")[0]
    assert measured.keys() == quiet.keys()
    for name in quiet:
        assert torch.equal(measured[name], quiet[name]), name


def test_resuming_measures_once(measured_run, tmp_path):
    """A run that was stopped and went on has the lines of one that was not."""
    config = tiny("metrics=[kernel100,parzen50]", *EVERY)
    train(config, tmp_path / "run", 7)
    train(config, tmp_path / "run")
    for whole, resumed in zip(
        lines(measured_run / "evaluations.jsonl"), lines(tmp_path / "run" / "evaluations.jsonl"), strict=True
    ):
        assert whole["results"] == resumed["results"]


def test_training_is_refused_where_weights_are_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENODDS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EVENODDS_DATA", raising=False)
    with pytest.raises(ConfigError, match=r"fid1k .* or measure frechet1k"):
        train(tiny("metrics=[fid1k]", *EVERY), tmp_path / "run")
    assert not (tmp_path / "run").exists()
