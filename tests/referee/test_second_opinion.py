"""Even odds have two meanings; a fresh discriminator tells them apart."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from evenodds.algorithm import GAN
from evenodds.build import build_gan
from evenodds.data.dataset import Dataset, Split
from evenodds.data.densities import gaussian
from evenodds.referee.second_opinion import AGAIN, FIRST, SecondOpinion, opinion
from evenodds.trainer import training

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))
from tiny_runs import BATCH, DIGITS, metrics, tiny


def report(examples, gauge, **probe):
    return {"examples": examples, "gauge/jsd": gauge} | {f"probe/{k}": v for k, v in probe.items()}


PROVED = {"jsd": 0.3, "jsd/low": 0.2}
NOTHING = {"jsd": 0.01, "jsd/low": 0.0}


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([report(1, 0.0)], None),
        ([report(1, 0.3), report(2, 0.0)], None),
        ([report(1, 0.0, **PROVED)], "weak_discriminator"),
        ([report(1, 0.0, **NOTHING)], "even"),
        ([report(1, 0.0, **NOTHING), report(2, 0.01)], "even"),
        ([report(1, 0.0, **NOTHING), report(2, 0.3)], None),
        ([report(1, 0.0, **NOTHING), report(2, 0.3), report(3, 0.0)], None),
        ([report(1, 0.0, **PROVED), report(2, 0.0, **NOTHING)], "even"),
        ([], None),
        ([{"examples": 1}], None),
    ],
)
def test_the_last_probe_counts_while_odds_are_even(lines, kind):
    found = opinion(lines)
    assert (found and found.kind) == kind
    if found:
        assert not found.trouble
        assert "of 0.69 nats" in found.text


def two_gaussians(apart: float) -> tuple[SecondOpinion, GAN]:
    """Data N(0, 1) and a generator that makes N(apart, 1) of its latents."""
    random = torch.Generator().manual_seed(0)
    density = gaussian()
    parts = [Split(density.sample(n, random).numpy()) for n in (4_000, 1_000)]
    dataset = Dataset("gaussian", parts[0], parts[1], None, value_range=None, density=density)
    config = tiny("data=gaussian", "generator.network.output=linear", "prior.dim=1", "held_out=1000")
    gan, _ = build_gan(config, dataset, torch.device("cpu"))
    gan.generator.forward = lambda z, y=None: z + apart
    return SecondOpinion(config, gan, dataset), gan


@pytest.mark.parametrize(("apart", "truth"), [(0.0, 0.0), (1.0, 0.111421), (2.0, 0.336831)])
def test_the_probe_finds_what_is_there(apart, truth):
    """The truths are JSD of N(0, 1) and N(μ, 1); a probe of so few steps finds most of it, and never more."""
    asked, gan = two_gaussians(apart)
    state, mode = torch.get_rng_state(), gan.generator.training
    found = asked.ask(500)
    assert 0.7 * truth - 0.01 <= found["probe/jsd"] <= truth + 0.03
    assert found["probe/jsd/low"] <= truth
    assert asked.ask(500) == found
    assert torch.equal(torch.get_rng_state(), state)
    assert gan.generator.training is mode


def test_when_it_is_asked():
    asked, _ = two_gaussians(0.0)
    before = [report(100 * n, 0.0) for n in range(1, FIRST + 1)]
    assert not asked.due(report(1_000, 0.0), before[:-1])
    assert asked.due(report(1_000, 0.0), before)
    assert not asked.due(report(1_000, 0.1), before)
    assert not asked.due({"examples": 1_000}, before)
    probed = [*before, report(1_000, 0.0, **NOTHING)]
    assert not asked.due(report(AGAIN * 1_000 - 1, 0.0), probed)
    assert asked.due(report(AGAIN * 1_000, 0.0), probed)


def test_a_lazy_discriminator_is_found_out(tmp_path):
    still = "{name: sgd, learning_rate: 0}"
    often = [f"report_every={BATCH}", f"examples={12 * BATCH}", "held_out=250", "checkpoint_every=never"]
    config = tiny(f"discriminator.optimizer={still}", *often, base=DIGITS)
    for progress in training(config, tmp_path):
        if progress.examples == BATCH:
            with torch.no_grad():
                for weight in progress.session.gan.discriminator.parameters():
                    weight.zero_()
    (line,) = [line for line in metrics(tmp_path) if "probe/jsd" in line]
    assert line["gauge/jsd"] == 0
    assert line["probe/jsd/low"] > 0.3  # an untrained generator
    assert "weak_discriminator" in line["verdicts"] or "lazy_discriminator" in line["verdicts"]
