"""The Stacked MNIST table of benchmarks/stacked_mnist.py: what its rows compare, and how it is read."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from evenodds.algorithm import train_step
from evenodds.build import build_gan
from evenodds.config import differences
from evenodds.data.dataset import Dataset, Split
from evenodds.data.loader import loader_of
from evenodds.errors import ConfigError

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
ROWS = ("DCGAN", "PacDCGAN2", "RpGAN+R1+R2", "GAN+R1+R2", "RpGAN+R1", "GAN+R1")
ABLATION = ROWS[2:]


def imported(name):
    """A script of the folder as a module; it imports its neighbours."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


study = imported("stacked_mnist")
report = imported("stacked_mnist_report")


@pytest.fixture(scope="module")
def images():
    x = np.random.default_rng(0).integers(0, 256, (64, 3, 28, 28), dtype=np.uint8)
    return Dataset("noise", Split(x), Split(x[:8]), None, value_range=(-1.0, 1.0))


@pytest.fixture(scope="module")
def games(images):
    torch.manual_seed(0)
    return {name: build_gan(study.config_of(name), images, torch.device("cpu"))[0] for name in ROWS}


def parameters(player):
    return sum(weight.numel() for weight in player.parameters())


def test_the_rows_are_the_issues_and_the_papers():
    assert tuple(study.ROWS) == ROWS
    assert {name for name, *_ in report.PUBLISHED} >= set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_every_row_can_be_trained(name, images, games):
    config = study.config_of(name)
    stats = train_step(games[name], loader_of(images.train, config, images.value_range, torch.device("cpu")))
    assert all(value.isfinite().all() for value in stats.values())
    assert len(stats["logits/real"]) == config.batch_size // config.packing
    assert {key for key in stats if key.startswith("penalty/")} == {
        f"penalty/{key}" for key in config.penalties
    }


def test_a_row_differs_from_its_neighbour_in_what_it_is_named_for_alone():
    configs = {name: study.config_of(name) for name in ROWS}
    assert differences(configs["DCGAN"], configs["PacDCGAN2"]) == ["packing: 1 -> 2"]
    ours = configs["RpGAN+R1+R2"]
    (loss,) = differences(ours, configs["GAN+R1+R2"])
    assert loss.startswith("loss")
    for name in ("RpGAN+R1", "GAN+R1"):
        settings = {line.split(":")[0].split(".")[0] for line in differences(ours, configs[name])}
        assert settings <= {"loss", "penalties"}
        assert configs[name].penalties.keys() == {"r1"}


def test_the_ablations_players_are_the_same_and_without_batch_norm(games):
    for player in ("generator", "discriminator"):
        sizes = {parameters(getattr(games[name], player)) for name in ABLATION}
        assert len(sizes) == 1
    assert not any(
        isinstance(layer, nn.BatchNorm2d)
        for name in ABLATION
        for layer in games[name].discriminator.modules()
    )
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in games["DCGAN"].discriminator.modules())


def test_penalties_are_due_at_every_step_and_fall_as_in_the_paper(images):
    gan, rules = build_gan(study.config_of("RpGAN+R1+R2"), images, torch.device("cpu"))
    for examples, gamma in ((0, 1.0), (50_000, 0.55), (100_000, 0.1), (200_000, 0.1)):
        rules.apply(gan, examples, examples)
        found = {(penalty.weight, penalty.every) for penalty in gan.penalties.values()}
        assert len(found) == 1
        ((weight, every),) = found
        assert every == 1
        assert weight == pytest.approx(gamma, abs=1e-9)


def test_the_floor_is_what_perfect_samples_score():
    # by simulation: 26,000 stacks of digits as frequent as MNIST's 60,000
    counts = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
    digit = counts / counts.sum()
    triples = np.einsum("i,j,k->ijk", digit, digit, digit).ravel()
    random = np.random.default_rng(0)
    shares = random.multinomial(26_000, triples, size=40) / 26_000
    kl = np.where(shares > 0, shares * np.log(np.maximum(shares, 1e-300) * 1000), 0).sum(1)
    assert report.floor() == pytest.approx(kl.mean(), abs=4e-4)
    assert report.floor() == pytest.approx(0.0235, abs=5e-5)


def measured(name, modes, kl, seed=0):
    found = {"captured": modes, "reverse_kl": kl, "corrected": kl - 0.02, "interval": [kl - 0.03, kl - 0.01]}
    found["floor"] = 0.0241
    facts = {
        "name": name,
        "seed": seed,
        "seconds": 90.0,
        "examples": 80_000,
        "reached": 80_000,
        "failure": None,
    }
    return facts | {"averaged": found}


def test_two_rows_are_compared_by_their_intervals():
    good, bad, near = measured("a", 1000, 0.03), measured("b", 600, 0.9), measured("c", 999, 0.04)
    assert report.compared([good], [bad]).startswith("better, as published")
    assert "reverse" in report.compared([bad], [good])
    assert report.compared([good], [near]).startswith("no difference")


def test_seeds_of_a_method_are_one_line_and_compared_by_their_ranges():
    rows = [measured("DCGAN", modes, kl, seed) for seed, (modes, kl) in enumerate([(990, 0.3), (996, 0.5)])]
    rows += [measured("PacDCGAN2", 1000, 0.1, seed) for seed in range(2)]
    text = report.page_of(rows, [], "Made by …", "stacked_mnist")
    assert "| DCGAN | 993.0 ± 4.2 | 0.4000 ± 0.1414 | 0.3800 ± 0.1414 | 80,000 | 1.5 |" in text  # by hand
    assert "| PacDCGAN2 | 1000.0 ± 0.0 |" in text
    assert "PacDCGAN2 against DCGAN: better, as published (0.100 against 0.400 nats)" in text
    assert "over seeds 0, 1" in text
    assert "one seed" not in text.lower()
    among = [measured("PacDCGAN2", 1000, kl, seed) for seed, kl in enumerate([0.45, 0.1])]
    assert report.compared(among, rows[:2]).startswith("no difference that 2 seeds could show")


def test_the_page_has_every_row_floor_and_source():
    rows = [measured("DCGAN", 99, 3.4), measured("PacDCGAN2", 1000, 0.06)]
    timed = {"clock_seconds": 5_280.0, "config": {"threads": 1}}
    runs = [{"name": "best", "seed": 0, "reached": 700_000, "averaged": rows[1]["averaged"], **timed}]
    text = report.page_of(rows, runs, "Made by …", "stacked_mnist")
    for part in (
        "| DCGAN | 99 | 3.4000 | 3.3800 (3.3700 to 3.3900) |",
        "0.0241 nats",
        "PacDCGAN2 against DCGAN: better",
        "| best | 1000 |",
        "| 700,000 | 88 by the clock, threads: 1 |",
        "2,500 updates of each",
    ):
        assert part in text
    assert "GAN+R1+R2 against" not in text  # rows that weren't run are not compared


def test_named_runs():
    assert study.named_run("best=runs/00000-mine") == ("best", Path("runs/00000-mine"))
    for wrong in ("runs/mine", "=runs/mine", "best="):
        with pytest.raises(ConfigError, match="NAME=PATH"):
            study.named_run(wrong)


def test_the_command_line_takes_rows_of_the_table_alone(capsys):
    options = study.options_of(["--dir", "x", "--rows", "DCGAN", "GAN+R1", "--examples", "640"])
    assert (options.rows, options.examples) == (["DCGAN", "GAN+R1"], 640)
    with pytest.raises(SystemExit):
        study.options_of(["--dir", "x", "--rows", "WGAN"])
    assert "invalid choice: 'WGAN'" in capsys.readouterr().err
