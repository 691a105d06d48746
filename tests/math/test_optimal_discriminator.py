"""Two known densities, and a discriminator free at every point: its best loss is a known divergence.

p = N(0, 1) is real and q = N(μ, 1) generated.  D is one logit per node of a grid, the expectation over p × q
a sum over pairs of nodes; the minimum of every loss is then a closed form in nats.
"""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from torch.nn.functional import softplus

from evenodds.losses import LOSSES, PairLoss

MEANS = (1, 2, 5)
DOUBLE = torch.float64
KINKED = ("hinge", "wasserstein")

# −C(G) = log 4 − 2 JSD
MINIMAX = {1: 1.163451, 2: 0.712633, 5: 0.034409}
TOTAL_VARIATION = {1: 0.382925, 2: 0.682689, 5: 0.987581}
# ∫ (p − q)² / (p + q)
TRIANGULAR = {1: 0.408109, 2: 1.100801, 5: 1.962096}
OPTIMA = {
    "minimax": MINIMAX,
    "non_saturating": MINIMAX,
    # with |f| ≤ 1 in place of the Lipschitz bound, the dual of total variation
    "wasserstein": {mean: -2 * tv for mean, tv in TOTAL_VARIATION.items()},
    "hinge": {mean: 2 * (1 - tv) for mean, tv in TOTAL_VARIATION.items()},
    # D* = p / (p + q), so the minimum is ½ ∫ pq / (p + q) = (2 − ∫ (p − q)² / (p + q)) / 8
    "least_squares": {mean: (2 - delta) / 8 for mean, delta in TRIANGULAR.items()},
    # log 2 − JS(p⊗q, q⊗p)
    "relativistic": {1: 0.491802, 2: 0.193075, 5: 0.000593},
}


def grid(mean: float, nodes: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Nodes symmetric about μ/2, where hinge and total variation have their kink, and p dx, q dx on them."""
    x = torch.linspace(-7, mean + 7, nodes, dtype=DOUBLE)
    dx = (x[1] - x[0]) / math.sqrt(2 * math.pi)
    return x, torch.exp(-(x**2) / 2) * dx, torch.exp(-((x - mean) ** 2) / 2) * dx


def expected(loss: PairLoss, logits: torch.Tensor, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """E over x ~ p, y ~ q of loss(D(x), D(y)), one pair of nodes per example."""
    pairs = loss(logits.repeat_interleave(len(q)), logits.repeat(len(p)))  # (N²,)
    return (torch.outer(p, q).flatten() * pairs).sum()


@cache
def fit(name: str, mean: int) -> tuple[float, torch.Tensor, torch.Tensor]:
    """The least loss that is found, the nodes and their logits.  Rprop: the nodes' scales differ by e^50."""
    # where there is a kink, the trapezoid rule's error is that of the spacing squared: 3e-4 with 281 nodes
    nodes, steps = (281, 60) if name in KINKED else (141, 200)
    x, p, q = grid(mean, nodes)
    logits = torch.zeros(nodes, dtype=DOUBLE, requires_grad=True)
    optimizer = torch.optim.Rprop([logits], lr=0.1, step_sizes=(1e-9, 10))
    for _ in range(steps):
        optimizer.zero_grad()
        expected(LOSSES[name].discriminator, logits, p, q).backward()
        optimizer.step()
        if name == "wasserstein":
            logits.data.clamp_(-1, 1)
    return expected(LOSSES[name].discriminator, logits, p, q).item(), x, logits.detach()


def test_every_loss_has_its_optimum_here():
    assert set(OPTIMA) == set(LOSSES)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("name", LOSSES)
def test_the_best_discriminator_reaches_the_known_value(name, mean):
    value, _, _ = fit(name, mean)
    assert value == pytest.approx(OPTIMA[name][mean], abs=5e-4 if name in KINKED else 2e-6)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_the_best_discriminator_is_p_over_p_plus_q(name, mean):
    _, x, logits = fit(name, mean)
    assert logits.sigmoid() == pytest.approx((mean**2 / 2 - mean * x).sigmoid(), abs=1e-4)


@pytest.mark.parametrize("mean", MEANS)
def test_least_squares_finds_the_same_ratio_as_its_output(mean):
    _, x, logits = fit("least_squares", mean)
    assert logits == pytest.approx((mean**2 / 2 - mean * x).sigmoid(), abs=1e-4)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("name", KINKED)
def test_hinge_and_bounded_wasserstein_find_the_sign(name, mean):
    _, x, logits = fit(name, mean)
    apart = (x - mean / 2).abs() > 0.05
    assert logits[apart] == pytest.approx(torch.sign(mean / 2 - x)[apart], abs=1e-3)


@pytest.mark.parametrize("mean", MEANS)
def test_relativistic_odds_are_those_of_the_ratio_up_to_a_constant(mean):
    _, x, logits = fit("relativistic", mean)
    near = (x > -1) & (x < mean + 1)  # where examples are
    rest = (logits - (mean**2 / 2 - mean * x))[near]
    assert rest == pytest.approx(rest.mean().item(), abs=2e-2)


@pytest.mark.parametrize("mean", MEANS)
def test_a_lipschitz_critic_measures_the_distance_moved(mean):
    # Kantorovich and Rubinstein: sup over |f′| ≤ 1 of E_p f − E_q f is W₁(p, q) = μ
    x, p, q = grid(mean, 141)
    slopes = torch.zeros(len(x), dtype=DOUBLE, requires_grad=True)
    optimizer = torch.optim.Rprop([slopes], lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        expected(LOSSES["wasserstein"].discriminator, slopes.cumsum(0) * (x[1] - x[0]), p, q).backward()
        optimizer.step()
        slopes.data.clamp_(-1, 1)
    value = expected(LOSSES["wasserstein"].discriminator, slopes.cumsum(0) * (x[1] - x[0]), p, q)
    assert value.item() == pytest.approx(-mean, abs=1e-6)


def jensen_shannon(mean: torch.Tensor) -> torch.Tensor:
    """JSD(p, q) = log 2 − ½ ∫ p softplus(−l) − ½ ∫ q softplus(l) with l = log p/q; its derivative too."""
    x = torch.linspace(-9, 16, 2001, dtype=DOUBLE)
    dx = (x[1] - x[0]) / math.sqrt(2 * math.pi)
    p, q = torch.exp(-(x**2) / 2) * dx, torch.exp(-((x - mean) ** 2) / 2) * dx
    ratio = mean**2 / 2 - mean * x
    return math.log(2) - (p * softplus(-ratio) + q * softplus(ratio)).sum() / 2


@pytest.mark.parametrize("mean", MEANS)
def test_generator_gradients_at_the_best_discriminator(mean):
    """Minimax descends 2 JSD (2014, section 4.1), the other loss KL(q‖p) − 2 JSD.

    The latter is theorem 2.5 of Arjovsky and Bottou (2017).
    """
    moved = torch.tensor(float(mean), dtype=DOUBLE, requires_grad=True)
    (divergence,) = torch.autograd.grad(jensen_shannon(moved), moved)
    x = torch.linspace(-9, 9, 801, dtype=DOUBLE)
    weights = torch.exp(-(x**2) / 2) * (x[1] - x[0]) / math.sqrt(2 * math.pi)
    odds = mean**2 / 2 - mean * (moved + x)  # D* is held fixed while G(z) = μ + z moves
    truths = {"minimax": 2 * divergence, "non_saturating": mean - 2 * divergence}
    for name, truth in truths.items():
        loss = (weights * LOSSES[name].generator(odds, odds)).sum()
        (gradient,) = torch.autograd.grad(loss, moved, retain_graph=True)
        assert gradient.item() == pytest.approx(truth.item(), rel=1e-6)


@pytest.mark.parametrize("mean", MEANS)
def test_the_two_tables_agree_with_the_density_itself(mean):
    assert jensen_shannon(torch.tensor(float(mean))).item() == pytest.approx(
        (math.log(4) - MINIMAX[mean]) / 2, abs=1e-6
    )
    # TV of two unit Gaussians a distance μ apart: 2 Φ(μ/2) − 1 = erf(μ / √8)
    assert TOTAL_VARIATION[mean] == pytest.approx(math.erf(mean / math.sqrt(8)), abs=1e-6)
