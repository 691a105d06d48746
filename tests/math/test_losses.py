"""Every loss against its formula written with probabilities, its asymptotes, and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evenodds.losses import LOSSES, AdversarialLoss, scaled

SIDES = ("discriminator", "generator")


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


# (discriminator, generator), with D = σ(logit) where the papers write probabilities
FORMULAE = {
    "minimax": (
        lambda r, f: -(np.log(sigmoid(r)) + np.log(1 - sigmoid(f))),
        lambda r, f: np.log(1 - sigmoid(f)),
    ),
    "non_saturating": (
        lambda r, f: -(np.log(sigmoid(r)) + np.log(1 - sigmoid(f))),
        lambda r, f: -np.log(sigmoid(f)),
    ),
    "wasserstein": (lambda r, f: f - r, lambda r, f: -f),
    "hinge": (lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f), lambda r, f: -f),
    "least_squares": (lambda r, f: 0.5 * (r - 1) ** 2 + 0.5 * f**2, lambda r, f: 0.5 * (f - 1) ** 2),
    "relativistic": (lambda r, f: -np.log(sigmoid(r - f)), lambda r, f: -np.log(sigmoid(f - r))),
}


def log1pexp(x):
    return np.logaddexp(0, x)


# The same without overflow far from 0.
ASYMPTOTES = FORMULAE | {
    "minimax": (lambda r, f: log1pexp(-r) + log1pexp(f), lambda r, f: -log1pexp(f)),
    "non_saturating": (lambda r, f: log1pexp(-r) + log1pexp(f), lambda r, f: log1pexp(-f)),
    "relativistic": (lambda r, f: log1pexp(f - r), lambda r, f: log1pexp(r - f)),
}


def side(loss: AdversarialLoss, name: str):
    return {"discriminator": loss.discriminator, "generator": loss.generator}[name]


def logits(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Float64 in (−6, 6), of unequal distributions so that exchanging them shows."""
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.uniform(-6, 6, 50)), torch.tensor(rng.uniform(-4, 6, 50))


def test_every_loss_has_its_formula_here():
    assert set(FORMULAE) == set(LOSSES) == set(ASYMPTOTES)


@pytest.mark.parametrize("which", SIDES)
@pytest.mark.parametrize("name", LOSSES)
def test_equals_the_formula_in_probabilities(name, which):
    real, fake = logits(0)
    found = side(LOSSES[name], which)(real, fake)
    expected = FORMULAE[name][SIDES.index(which)](real.numpy(), fake.numpy())
    assert found.shape == (50,)  # one value per example
    assert found.dtype == torch.float64
    assert found.numpy() == pytest.approx(expected, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("which", SIDES)
@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_reach_the_asymptote_in_float32(name, which):
    real, fake = torch.tensor([[1e4, 1e4, -1e4, -1e4, 100], [1e4, -1e4, 1e4, -1e4, -100]]).requires_grad_()
    found = side(LOSSES[name], which)(real, fake)
    points = real.detach().double().numpy(), fake.detach().double().numpy()
    expected = ASYMPTOTES[name][SIDES.index(which)](*points)
    assert found.detach().numpy() == pytest.approx(expected, rel=1e-6, abs=1e-6)
    for part in torch.autograd.grad(found.sum(), (real, fake), allow_unused=True):
        assert part is None or part.isfinite().all()


@pytest.mark.parametrize("which", SIDES)
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_by_finite_differences(name, which):
    real, fake = (part.requires_grad_() for part in logits(1))
    for kink in (real - 1, fake + 1):  # the hinge has no derivative there
        assert kink.abs().min() > 1e-3
    assert torch.autograd.gradcheck(side(LOSSES[name], which), (real, fake))


@pytest.mark.parametrize("name", LOSSES)
def test_each_player_pulls_its_way(name):
    real, fake = (torch.zeros(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    on_real, on_fake = torch.autograd.grad(LOSSES[name].discriminator(real, fake).sum(), (real, fake))
    assert (on_real < 0).all()  # D wants the real logit higher
    assert (on_fake >= 0).all()
    # at 0 least squares has reached its target for the fake logit: its pull begins above
    assert (on_fake > 0).all() or name == "least_squares"
    (on_fake,) = torch.autograd.grad(LOSSES[name].generator(real, fake).sum(), fake)
    assert (on_fake < 0).all()  # G wants the fake logit higher


@pytest.mark.parametrize("name", LOSSES)
def test_paired_says_whether_the_generator_looks_at_real_logits(name):
    real, fake = logits(2)
    moved = LOSSES[name].generator(real + 1, fake)
    unchanged = torch.equal(moved, LOSSES[name].generator(real, fake))
    assert LOSSES[name].paired is not unchanged


def test_even_odds_cost_log_4():
    zeros = torch.zeros(1, dtype=torch.float64)
    assert LOSSES["minimax"].discriminator(zeros, zeros).item() == pytest.approx(np.log(4), abs=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_scaled_multiplies_each_side_by_its_own_factor(name):
    real, fake = logits(3)
    loss, game = LOSSES[name], scaled(LOSSES[name], discriminator=0.5, generator=3.0)
    assert torch.equal(game.discriminator(real, fake), loss.discriminator(real, fake) * 0.5)
    assert torch.equal(game.generator(real, fake), loss.generator(real, fake) * 3)
    assert game.paired == loss.paired
