"""`evenodds evaluate`: names, options, what is printed, what is kept, and what is refused."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import torch

from evenodds.checkpoint import load_tensors, save_tensors
from evenodds.evaluation import METRICS


@pytest.fixture
def run(trained, tmp_path):
    """A run of one's own."""
    copy = tmp_path / "run"
    copy.mkdir()
    for name in ("config.yaml", "generator.safetensors", "metrics.jsonl"):
        shutil.copy(trained / name, copy / name)
    return copy


def kept(run):
    return [json.loads(line) for line in (run / "evaluations.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_metric_is_listed(cli):
    told = cli("evaluate", "--metrics", "help")
    assert told.code == 0
    for name, metric in METRICS.items():
        assert re.search(rf"^{name}\d+k? ", told.out, re.MULTILINE), name
        assert metric.says
    assert max(map(len, told.out.splitlines())) <= 80


def test_a_distance_with_its_interval_and_floor(run, cli, tmp_path):
    told = cli("evaluate", run, "--metrics", "kernel200")
    assert told.code == 0
    assert re.search(r"^kernel200  −?[\d.]+ ± [\d.]+ squared MMD$", told.out, re.MULTILINE)
    text = " ".join(told.out.split())
    assert re.search(r"95 % interval −?[\d.]+ to [\d.]+; floor −?[\d.e+-]+", text)
    assert "200 real train examples in the samples' place score" in text
    assert "200 samples against all 250 test examples in" in text
    assert max(map(len, told.out.splitlines())) <= 80
    (line,) = kept(run)
    assert line["seeds"] == [0, 200]
    assert line["generator"] == "last"
    assert line["seconds"] > 0
    assert line["labels"] == "as frequent as in the training data"
    (result,) = line["results"]
    assert result["setting"]["extractor"]["name"] == "random"
    # again, from the cache, from other seeds, and without the floor
    more = cli("evaluate", run, "--metrics", "kernel200", "--first-seed", "500", "--no-reference", "--json")
    again = json.loads(more.out)
    assert again["seeds"] == [500, 200]
    assert again["results"][0]["floor"] is None
    assert again["results"][0]["value"] != result["value"]
    assert again["results"][0]["setting"] == result["setting"]
    assert len(kept(run)) == 2


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--metrics", "kernl10k"), ("unknown metric 'kernl10k'", "did you mean 'kernel'", "--metrics help")),
        (("--metrics", "fid100"), ("fid100", "--inception PATH", "extractors fetch inception", "frechet100")),
        (("--metrics", "kid100", "--inception", "none.pth"), ("none.pth",)),
        (("--metrics", "kernel100", "--inception", "none.pth"), ("none.pth", "leave it out")),
        (("--metrics", "modes"), ("'modes'", "digits")),
        (("--metrics", "kernel100", "--extractor", "randm"), ("did you mean 'random'",)),
        (("--metrics", "kernel100", "--extractor", "cifar10.onnx"), ("cifar10.onnx",)),
        (("--metrics", "kernel100", "--extractor", "mnist"), ("8",)),
        (("--metrics", "classifier_score100"), ("gives no classes",)),
        (("--metrics", "kernel100", "--device", "tpu9"), ("tpu9",)),
        (("--metrics", "kernel100", "--first-seed", "4294967290"), ("seeds beyond",)),
        (("--metrics", "kernel100", "--first-seed", "-3"), ("seed",)),
        (("--metrics", "kernel1"), ("kernel1",)),
        (("--metrics", ""), ("unknown metric ''",)),
    ],
)
def test_what_is_refused(run, refused, words, parts):
    said = refused("evaluate", run, *words)
    for part in parts:
        assert part in said
    assert not (run / "evaluations.jsonl").exists()


def test_nothing_to_evaluate(refused):
    assert "give a run" in refused("evaluate")


def test_other_data_and_another_split(run, cli):
    images = np.random.default_rng(0).integers(0, 256, (300, 1, 8, 8), np.uint8)
    np.save("other.npy", images)
    words = ("--data", "other.npy", "--metrics", "kernel50", "--split", "validation")
    told = cli("evaluate", run, *words)
    assert told.code == 0
    assert "validation examples in" in " ".join(told.out.split())
    assert "trained on other data" in " ".join(told.err.split())
    assert kept(run)[0]["data"]["split"] == "validation"


def test_a_generator_that_broke_down(run, refused):
    tensors, facts = load_tensors(run / "generator.safetensors", "generator")
    facts = {name: value for name, value in facts.items() if name not in ("format", "kind")}
    broken = {
        name: torch.full_like(x, torch.nan) if x.is_floating_point() else x for name, x in tensors.items()
    }
    save_tensors(run / "generator.safetensors", broken, facts, "generator")
    said = refused("evaluate", run, "--metrics", "kernel100")
    assert "no finite numbers" in said
    assert "--generator best" in said
    assert not (run / "evaluations.jsonl").exists()


def test_a_damaged_cache_is_made_again(run, cli, tmp_path):
    words = ("evaluate", run, "--metrics", "kernel100", "--json")
    first = json.loads(cli(*words).out)
    files = list((tmp_path / "cache" / "features").glob("*.safetensors"))
    assert len(files) == 2  # the test split, and as many training examples as samples
    for path in files:
        path.write_bytes(path.read_bytes()[:-9])
    assert json.loads(cli(*words).out)["results"] == first["results"]


def test_interrupted_nothing_is_half_written(run, cli, tmp_path, monkeypatch):
    def interrupted(self, images):
        raise KeyboardInterrupt

    monkeypatch.setattr("evenodds.features.random_features.RandomFeatures.__call__", interrupted)
    told = cli("evaluate", run, "--metrics", "kernel100")
    assert told.code == 130
    assert not (run / "evaluations.jsonl").exists()
    assert [path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()] in ([], [".lock"])


def test_defaults_suit_the_data(run, cli):
    told = json.loads(cli("evaluate", run, "--json", "--no-reference").out)
    assert [result["name"] for result in told["results"]] == ["kernel200", "coverage200"]
