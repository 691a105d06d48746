"""benchmarks/loss_study.py, every loss with every penalty: what its cells compare, how they are summed up."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import pyplot

from evenodds.algorithm import train_step
from evenodds.build import build_gan
from evenodds.config import config_from, differences
from evenodds.data.dataset import Dataset, Split
from evenodds.data.loader import loader_of
from evenodds.losses import LOSSES
from evenodds.opening import open_run

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def imported(name):
    """A script of the folder as a module; it imports its neighbours."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


study = imported("loss_study")
report = imported("loss_study_report")
trained = imported("trained").trained


MNIST = study.STUDIES["mnist"]
SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}


def noise(shape):
    x = np.random.default_rng(0).integers(0, 256, (64, *shape), dtype=np.uint8)
    return Dataset("noise", Split(x), Split(x[:8]), None, value_range=(-1.0, 1.0))


@pytest.fixture(scope="module")
def images():
    return noise(SHAPES["mnist"])


def test_every_loss_meets_every_penalty_and_clipping_its_own():
    cells = study.cells()
    assert len(cells) == len(set(cells)) == 25
    assert {loss for loss, _ in cells} == set(LOSSES)
    for penalty in ("none", "R1", "R1 + R2", "WGAN-GP"):
        assert [loss for loss, other in cells if other == penalty] == list(LOSSES)
    assert [loss for loss, other in cells if other == "weight clipping"] == ["wasserstein"]
    assert len({study.name_of(*cell, 0) for cell in cells}) == 25


@pytest.mark.parametrize(("loss", "penalty"), study.cells())
@pytest.mark.parametrize("data", study.STUDIES)
def test_every_cell_can_be_trained(data, loss, penalty):
    torch.manual_seed(0)
    images = noise(SHAPES[data])
    config = study.config_of(study.STUDIES[data], loss, penalty, 0)
    gan, _ = build_gan(config, images, torch.device("cpu"))
    stats = train_step(gan, loader_of(images.train, config, images.value_range, torch.device("cpu")))
    assert all(value.isfinite().all() for value in stats.values())
    largest = max(float(weight.detach().abs().max()) for weight in gan.discriminator.parameters())
    assert (largest <= 0.01) == (penalty == "weight clipping")


@pytest.mark.parametrize("data", study.STUDIES)
def test_cells_differ_in_loss_penalties_and_seed_alone(data):
    of = study.STUDIES[data]
    first = study.config_of(of, "minimax", "none", 0)
    for loss, penalty in study.cells():
        changed = differences(first, study.config_of(of, loss, penalty, 3))
        assert {line.split(":")[0].split(".")[0] for line in changed} <= {"loss", "penalties", "seed"}


def run(value, seed=0, loss="hinge", penalty="none", failure=None):
    row = {"loss": loss, "penalty": penalty, "seed": seed, "examples": 48_000, "seconds": 20.0 + seed}
    return row | {"value": value, "floor": 1.5, "interval": [value - 1, value + 1], "failure": failure}


def test_a_cell_is_mean_and_deviation_over_seeds():
    rows = [run(10.0), run(14.0, seed=1), run(18.0, seed=2, failure="a loss is nan"), run(5.0, penalty="R1")]
    plain, penalized = study.summary(rows)
    assert (plain["value"], plain["deviation"], plain["seconds"]) == (14.0, 4.0, 21.0)  # by hand
    assert plain["failed"] == 1
    assert plain["seeds"] == [0, 1, 2]
    assert penalized["deviation"] is None  # of a single run nothing is known


def test_the_page_marks_what_was_not_run():
    rows = [run(10.0), run(250.04, penalty="R1"), run(1234.0, loss="minimax")]
    text = report.page_of(MNIST, study.summary(rows), rows, "Made by …")
    assert "| `hinge` | 10.0 | 250 |" in text
    assert "| `minimax` | 1,234 | not run |" in text
    assert "real training images score 1.50" in text
    assert "worst: `minimax` with none" in text
    assert text.startswith("# Loss × penalty on MNIST\n")
    assert "![samples](loss_study_samples.png)" in text


def test_seeds_tell_what_the_best_cell_is_told_apart_from():
    rows = [run(100.0), run(104.0, seed=1), run(105.0, penalty="R1"), run(109.0, penalty="R1", seed=1)]
    rows += [run(150.0, loss="minimax"), run(156.0, loss="minimax", seed=1)]
    text = report.page_of(MNIST, study.summary(rows), rows, "Made by …")
    assert "| `hinge` | 102 ± 3 | 107 ± 3 |" in text  # 2√2 by hand; 107 − 102 is less than twice that
    assert "nearer than the deviations of both together: 1.\n" in text


def test_each_table_has_its_own_page():
    pages = [report.page_of(of, study.summary([run(10.0)]), [run(10.0)], "") for of in study.STUDIES.values()]
    assert len({of.result for of in study.STUDIES.values()}) == len(set(pages)) == len(pages)
    assert "the repository's CIFAR-10 classifier" in pages[1]


@pytest.mark.parametrize("data", study.STUDIES)
def test_samples_of_gray_and_of_colour_images_are_drawn(data, tmp_path, monkeypatch):
    of, written = study.STUDIES[data], []
    config = study.config_of(of, "hinge", "none", 0)
    values = config.model_dump(mode="json") | {"examples": 32, "report_every": 32, "checkpoint_every": 32}
    trained(config_from(values), tmp_path / "a", noise(SHAPES[data]))
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    lines = study.summary([run(10.0), run(20.0, penalty="R1")])
    report.pictures(of, lines, {("hinge", "none"): tmp_path / "a"})
    for name in (f"{of.result}.png", f"{of.result}_samples.png"):
        written.append(pyplot.imread(tmp_path / name))
    assert all(picture.shape[0] > 300 for picture in written)
    colours = np.ptp(written[1][..., :3], axis=2).max()  # how far from gray the most colourful pixel is
    assert (colours > 0.01) == (data == "cifar10")


def test_a_run_is_gone_on_with_and_its_cost_adds_up(tmp_path, images):
    values = study.config_of(MNIST, "hinge", "none", 0).model_dump(mode="json")
    values |= {"batch_size": 8, "report_every": 16, "checkpoint_every": 16}
    first = trained(config_from(values | {"examples": 32}), tmp_path / "runs" / "a", images)
    again = trained(config_from(values | {"examples": 32}), tmp_path / "runs" / "a", images)
    longer = trained(config_from(values | {"examples": 64}), tmp_path / "runs" / "a", images)
    assert 0 < first.seconds < longer.seconds < 60
    assert again == first  # nothing was left to do
    assert longer.failure is None
    assert open_run(tmp_path / "runs" / "a", dataset=images).examples == 64


def test_a_run_that_breaks_down_is_a_row_all_the_same(tmp_path, images):
    values = study.config_of(MNIST, "wasserstein", "none", 0).model_dump(mode="json")
    values |= {"batch_size": 8, "report_every": 8, "checkpoint_every": 8, "examples": 400}
    values["discriminator"]["optimizer"] = {"name": "sgd", "learning_rate": 1e30}
    cost = trained(config_from(values), tmp_path / "a", images)
    assert cost.failure is not None
    assert cost.seconds > 0
