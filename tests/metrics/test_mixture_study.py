"""The ring and grid study of benchmarks/mixtures.py: what its rows compare, and how they are summed up."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from evenodds.config import config_from, differences, override
from evenodds.metrics.modes import mode_coverage
from evenodds.opening import open_run
from evenodds.recipes import recipe
from evenodds.trainer import training

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def study():
    """The script as a module; it imports its neighbours."""
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location("mixtures_benchmark", FOLDER / "mixtures.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


@pytest.mark.parametrize("data", ["ring", "grid"])
def test_the_methods_differ_in_what_they_are_named_for_alone(study, data):
    plain, packed, ours = (study.config_of(data, method, 3) for method in study.METHODS)
    assert differences(plain, packed) == ["packing: 1 -> 2"]
    settings = {line.split(":")[0].split(".")[0] for line in differences(plain, ours)}
    assert settings == {"loss", "penalties"}
    recipe_itself = {line.split(":")[0].split(".")[0] for line in differences(recipe(f"gan-{data}"), ours)}
    assert recipe_itself <= {"seed", "metrics", "metrics_every", "samples_every", "report_every"}


def row(seed, captured, share, kl):
    found = {"captured": captured, "total": 8, "high_quality": share, "reverse_kl": kl, "perfect": 0.9889}
    return {"data": "ring", "method": "GAN", "seed": seed, "averaged": found, "last": found, "seconds": 30.0}


def test_a_line_is_mean_and_standard_error_over_runs(study):
    rows = [row(0, 8, 0.9, 0.1), row(1, 6, 0.8, 0.3), row(2, 7, 0.7, 0.2)]
    # standard errors by hand: 1/√3, 10/√3, 0.1/√3
    assert study.line_of("GAN", rows, "averaged") == [
        "GAN", "7.0 ± 0.6", "1 of 3", 6, "80.0 ± 5.8", "0.200 ± 0.058", "30"
    ]  # fmt: skip


def test_a_run_without_a_good_sample_is_named_not_averaged(study):
    rows = [row(0, 8, 0.9, 0.1), row(1, 0, 0.0, float("inf")), row(2, 8, 0.9, 0.1)]
    assert study.line_of("GAN", rows, "averaged")[5] == "0.100 ± 0.000 (of 2 runs)"
    assert study.mean_and_error([float("inf")], 1) == "none"


def test_a_study_cut_short_has_our_own_runs_first(study):
    runs = study.order(["ring", "grid"], 10)
    assert len(set(runs)) == 60
    assert {method for _, method, _ in runs[:20]} == {"RpGAN+R1+R2"}
    assert {seed for _, _, seed in runs[20:24]} == {0}


@pytest.mark.slow
def test_gan_ring_finds_all_modes_in_a_quarter_of_its_examples(tmp_path):
    values = recipe("gan-ring").model_dump(mode="json")
    quiet = ["metrics=[]", "metrics_every=never", "samples_every=never"]
    config = config_from(override(values, [*quiet, "examples=250_000", "seed=100"]))
    for _ in training(config, tmp_path / "run"):
        pass
    opened = open_run(tmp_path / "run")
    density = opened.dataset.density
    found = mode_coverage(torch.from_numpy(opened.sampler(range(2_500))), density.modes, density.std)
    assert found.captured == 8
    assert 0.2 < found.high_quality < 0.95
