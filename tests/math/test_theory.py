"""Divergences and optima against the published table, scipy's integrals and closed forms."""

import math
from functools import cache

import pytest
import torch
from scipy import integrate, stats

from evenodds import theory
from evenodds.data.densities import DENSITIES, checkerboard, gaussian, gaussian_mixture, grid, points, ring
from evenodds.errors import ConfigError
from evenodds.losses import LOSSES
from evenodds.theory import F_DIVERGENCES

# N(0, 1) against N(μ, 1): JSD, C(G), TV, hinge, KL, 1 − BC, triangular, relativistic sup + log 2 and loss
TABLE = {
    1: (0.111421, -1.163451, 0.382925, 1.234150, 0.5, 0.117503, 0.408109, 0.201345, 0.491802),
    2: (0.336831, -0.712633, 0.682689, 0.634621, 2, 0.393469, 1.100801, 0.500072, 0.193075),
    5: (0.675943, -0.034409, 0.987581, 0.024839, 12.5, 0.956063, 1.962096, 0.692554, 0.000593),
}
LAST_DIGIT = 0.6e-6
UNEVEN = gaussian_mixture(means=[-1.5, 0.3, 2.0], std=0.4, weights=[3, 1, 2])
WIDE = gaussian_mixture(means=[-1.0, 1.0], std=0.9)


@cache
def shifted(mean: float) -> theory.Divergences:
    return theory.divergences(gaussian(), gaussian(mean=mean))


@pytest.mark.parametrize("mean", TABLE)
def test_every_digit_of_the_table(mean):
    found = shifted(mean)
    assert found.method == "quadrature"
    values = [
        found.jsd,
        found.value,
        found.total_variation,
        theory.optimal_loss("hinge", found),
        found.kl,
        found.hellinger,
        found.triangular,
        found.relativistic,
        theory.optimal_loss("relativistic", found),
    ]
    assert [estimate.value for estimate in values] == pytest.approx(TABLE[mean], abs=LAST_DIGIT)
    assert max(estimate.error for estimate in values) < 1e-6
    # χ² = e^{μ²} − 1; W₁ = W₂ = μ
    assert found.pearson.value == pytest.approx(math.expm1(mean**2), rel=1e-9)
    assert found.reverse_kl.value == pytest.approx(mean**2 / 2, abs=1e-9)
    for moved in (found.wasserstein1, found.wasserstein2):
        assert moved.value == pytest.approx(mean, abs=2e-6)


def test_jsd_of_two_widths():
    assert theory.divergences(gaussian(), gaussian(std=2.0)).jsd.value == pytest.approx(0.0927334, abs=6e-8)


def by_scipy(integrand) -> float:
    """∫ integrand(p(x), q(x)) dx for UNEVEN and WIDE, with scipy's densities and scipy's quadrature."""

    def pdf(mixture, x):
        shares = [1 / len(mixture.modes)] * len(mixture.modes)
        if mixture.weights is not None:
            shares = mixture.weights.tolist()
        centres = mixture.modes[:, 0].tolist()
        return sum(w * stats.norm.pdf(x, m, mixture.std) for w, m in zip(shares, centres, strict=True))

    def at(x):
        return integrand(pdf(UNEVEN, x), pdf(WIDE, x))

    return integrate.quad(at, -9, 9, limit=500, points=[-1.5, 0.3, 2], epsabs=1e-10)[0]


@pytest.mark.parametrize(
    "name, integrand",
    [
        ("kl", lambda p, q: p * math.log(p / q)),
        ("reverse_kl", lambda p, q: q * math.log(q / p)),
        ("total_variation", lambda p, q: abs(p - q) / 2),
        ("hellinger", lambda p, q: (math.sqrt(p) - math.sqrt(q)) ** 2 / 2),
        ("pearson", lambda p, q: (p - q) ** 2 / q),
        ("triangular", lambda p, q: (p - q) ** 2 / (p + q)),
        ("jsd", lambda p, q: p / 2 * math.log(2 * p / (p + q)) + q / 2 * math.log(2 * q / (p + q))),
    ],
)
def test_uneven_mixtures_as_scipy_integrates_them(name, integrand):
    found = getattr(theory.divergences(UNEVEN, WIDE), name)
    assert found.value == pytest.approx(by_scipy(integrand), abs=1e-7)


def test_transport_as_scipy_measures_it():
    """W₁ is the area between the distribution functions, W₂² that between the quantiles, squared."""
    found = theory.divergences(UNEVEN, WIDE)

    def below(mixture, x):
        shares = [1 / 2] * 2 if mixture is WIDE else mixture.weights.tolist()
        pairs = zip(shares, mixture.modes[:, 0].tolist(), strict=True)
        return sum(w * stats.norm.cdf(x, m, mixture.std) for w, m in pairs)

    area = integrate.quad(lambda x: abs(below(UNEVEN, x) - below(WIDE, x)), -9, 9, limit=500)[0]
    assert found.wasserstein1.value == pytest.approx(area, abs=1e-5)
    x = torch.linspace(-9, 9, 200_001, dtype=torch.float64).numpy()
    u = (torch.arange(100_000, dtype=torch.float64) + 0.5).numpy() / 100_000
    quantiles = [
        torch.from_numpy(x)[torch.searchsorted(torch.from_numpy(below(m, x)), torch.from_numpy(u))]
        for m in (UNEVEN, WIDE)
    ]
    squared = float((quantiles[0] - quantiles[1]).square().mean())
    assert found.wasserstein2.value == pytest.approx(math.sqrt(squared), abs=2e-4)


def test_two_widths_in_the_plane():
    """Modes far apart, std s against 2s: BC = 4/5, KL = log 4 − 3/4, χ² = 9/7 in two dimensions."""
    found = theory.divergences(ring(), ring(std=0.02))
    assert found.hellinger.value == pytest.approx(0.2, abs=1e-7)
    assert found.kl.value == pytest.approx(math.log(4) - 0.75, abs=1e-6)
    assert found.reverse_kl.value == pytest.approx(3 - math.log(4), abs=1e-6)
    assert found.pearson.value == pytest.approx(9 / 7, abs=1e-6)
    # TV between the radii where the densities cross, r² = 8/3 s² log 4
    crossing = 4 / 3 * math.log(4)
    assert found.total_variation.value == pytest.approx(
        math.exp(-crossing / 4) - math.exp(-crossing), abs=2e-5
    )
    assert found.wasserstein1 is None


@pytest.mark.parametrize("kept, of", [(4, ring()), (24, grid())])
def test_a_generator_that_lacks_modes(kept, of):
    """Of K equal modes k are left: JSD, KL(q ‖ p), TV and Hellinger are those of two coins."""
    collapsed = gaussian_mixture(means=of.modes[:kept].tolist(), std=of.std)
    found, share = theory.divergences(of, collapsed), kept / len(of.modes)
    truth = math.log(2) + (share * math.log(share) - (1 + share) * math.log(1 + share)) / 2
    assert found.jsd.value == pytest.approx(truth, abs=1e-7)
    assert found.reverse_kl.value == pytest.approx(-math.log(share), abs=1e-7)
    assert found.total_variation.value == pytest.approx(1 - share, abs=1e-7)
    assert found.hellinger.value == pytest.approx(1 - math.sqrt(share), abs=1e-7)
    # of pairs: both kept (share²… for x ~ p, always for y ~ q) says nothing, one lost says all
    assert found.relativistic.value == pytest.approx(math.log(2) * (1 - share), abs=1e-6)


def test_what_is_infinite_is_said_to_be():
    board, whole = checkerboard(), checkerboard(side=1)
    found = theory.divergences(whole, board)
    assert found.kl == found.pearson == theory.Estimate(math.inf, 0.0)
    assert found.reverse_kl.value == pytest.approx(math.log(2), abs=1e-9)
    assert found.total_variation.value == pytest.approx(0.5, abs=1e-9)
    assert theory.divergences(whole, board, method="monte_carlo").kl == theory.Estimate(math.inf, 0.0)
    # χ² of N(0, 4) from N(0, 1) is ∫ e^{x²/4}
    wide = theory.divergences(gaussian(std=2.0), gaussian())
    assert wide.pearson == theory.Estimate(math.inf, 0.0)
    assert wide.kl.value == pytest.approx(1.5 - math.log(2), abs=1e-9)
    # 1.3 is below √2: finite
    assert theory.divergences(gaussian(std=1.3), gaussian()).pearson.value == pytest.approx(
        1 / (1.3 * math.sqrt(2 - 1.69)) - 1, rel=1e-5
    )


def test_equal_densities_are_even():
    for density in (gaussian(), ring(), checkerboard()):
        found = theory.divergences(density, density)
        measured = [e for e in found._replace(value=found.jsd) if isinstance(e, theory.Estimate)]
        assert max(abs(estimate.value) for estimate in measured) < 1e-9
        assert found.value.value == pytest.approx(-math.log(4), abs=1e-12)


PAIRS = [(gaussian(), gaussian(mean=2.0)), (UNEVEN, WIDE), (checkerboard(), DENSITIES["two_moons"](std=0.3))]


@pytest.mark.parametrize("p, q", PAIRS)
def test_sampling_agrees_with_quadrature_within_its_errors(p, q):
    exact = theory.divergences(p, q)._asdict()
    drawn = theory.divergences(p, q, method="monte_carlo", samples=40_000)._asdict()
    for name in ("jsd", "value", "total_variation", "hellinger", "triangular", "relativistic", "kl"):
        estimate, truth = drawn[name], exact[name].value
        assert abs(estimate.value - truth) < 4.5 * estimate.error + 1e-9 or estimate.value == truth, name
        assert estimate.error < 0.1


def test_standard_errors_of_sampling_are_those_of_repetition():
    seeds = range(60)
    runs = [
        theory.divergences(
            gaussian(),
            gaussian(mean=1.0),
            method="monte_carlo",
            samples=1_000,
            generator=torch.Generator().manual_seed(seed),
        )
        for seed in seeds
    ]
    for name, truth in (("jsd", 0.111421), ("total_variation", 0.382925), ("relativistic", 0.201345)):
        z = torch.tensor([(getattr(r, name).value - truth) / getattr(r, name).error for r in runs])
        assert 0.7 < float(z.square().mean().sqrt()) < 1.35, name


def test_the_error_of_too_few_panels_covers_what_they_miss():
    p, q = ring(), gaussian_mixture(means=[[0.0, 0.0], [1.0, 1.0]], std=0.5)
    good = theory.divergences(p, q, evaluations=600_000)
    rough = theory.divergences(p, q, evaluations=150_000)
    for name in ("jsd", "total_variation", "triangular", "kl"):
        ours, truth = getattr(rough, name), getattr(good, name)
        assert abs(ours.value - truth.value) <= ours.error + truth.error
        assert ours.error > truth.error


def test_dimensions_that_quadrature_cannot_do_are_sampled():
    def at(shift):
        return gaussian_mixture(means=[[shift, 0.0, 0.0]], std=1.0)

    found = theory.divergences(at(0.0), at(2.0), samples=20_000)
    assert found.method == "monte_carlo"
    assert abs(found.jsd.value - TABLE[2][0]) < 4.5 * found.jsd.error
    with pytest.raises(ValueError, match="use method=monte_carlo"):
        theory.divergences(at(0.0), at(2.0), method="quadrature")


def test_what_cannot_be_measured_is_refused_in_one_sentence():
    with pytest.raises(ConfigError, match=r"'points' has no density.*use gaussian_mixture"):
        theory.divergences(gaussian(), points())
    with pytest.raises(ValueError, match="densities of 1 and 2 dimensions"):
        theory.divergences(gaussian(), ring())
    needle = gaussian_mixture(means=[[0.3, 0.2], [1, 1]], std=1e-6)
    with pytest.raises(ValueError, match="too narrow for 10000 evaluations"):
        theory.divergences(needle, ring(), method="quadrature", evaluations=10_000)
    assert theory.divergences(needle, ring(), evaluations=10_000, samples=1_000).method == "monte_carlo"
    with pytest.raises(ValueError, match="no optimum is known for loss 'hinges'"):
        theory.optimal_value("hinges", gaussian(), gaussian())
    with pytest.raises(ValueError, match="'wasserstein' is known on the line"):
        theory.optimal_value("wasserstein", ring(), ring(std=0.02))
    with pytest.raises(ValueError, match="no f-divergence 'js'"):
        theory.f_divergence("js", gaussian(), gaussian())


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_its_optimum(name):
    """By the expected loss of the best logits, written out for each loss, over a grid of pairs."""
    x = torch.linspace(-8, 9, 1_701, dtype=torch.float64)
    p, q = (torch.exp(-((x - mean) ** 2) / 2) * 0.01 / math.sqrt(2 * math.pi) for mean in (0, 1))
    best = {"hinge": torch.sign(0.5 - x), "least_squares": (0.5 - x).sigmoid(), "wasserstein": -x}
    logits = best.get(name, 0.5 - x)
    real, fake = logits[:, None].expand(-1, len(x)), logits.expand(len(x), -1)
    loss = LOSSES[name].discriminator(real.flatten(), fake.flatten())
    truth = float((torch.outer(p, q).flatten() * loss).sum())
    found = theory.optimal_value(name, gaussian(), gaussian(mean=1.0))
    assert found.value == pytest.approx(truth, abs=1e-5)
    assert found.error < 1e-5


def test_the_best_discriminator_is_the_log_ratio():
    x = torch.linspace(-3, 5, 41)[:, None]
    logits = theory.optimal_discriminator(gaussian(), gaussian(mean=2.0))(x)
    torch.testing.assert_close(logits, (2 - 2 * x[:, 0]).double(), atol=1e-6, rtol=0)
    # in a square of the board, in a hole of it, and outside of both supports
    places = torch.tensor([[-1.5, -1.5], [-0.5, -1.5], [3.0, 0.0]])
    odds = theory.optimal_discriminator(checkerboard(), checkerboard(side=1))(places)
    assert odds.tolist() == [pytest.approx(math.log(2)), -math.inf, 0.0]
    assert theory.optimal_discriminator(checkerboard(side=1), checkerboard())(places)[1] == math.inf


# ∫ q f(p/q) for N(0, 1) against N(1, 1)
F_TABLE = {
    "kl": 0.5,
    "reverse_kl": 0.5,
    "pearson": 1.718282,
    "squared_hellinger": 0.235006,
    "jensen_shannon": 0.222843,
    "gan": -1.163451,
}


@pytest.mark.parametrize("name", F_DIVERGENCES)
def test_the_f_gan_table(name):
    """As measured; as ∫ q f(p/q); and as the score of T* = f′(p/q), through the conjugate."""
    row = F_DIVERGENCES[name]
    x = torch.linspace(-12, 12, 4_801, dtype=torch.float64)
    p, q = (torch.exp(-((x - mean) ** 2) / 2) * 0.005 / math.sqrt(2 * math.pi) for mean in (0, 1))
    ratio = 0.5 - x
    truth = pytest.approx(F_TABLE[name], abs=LAST_DIGIT)
    assert theory.f_divergence(name, gaussian(), gaussian(mean=1.0)).value == truth
    assert float((q * row.f(ratio.exp())).sum()) == truth
    best = row.best(ratio)
    assert float((p * best - q * row.conjugate(best)).sum()) == truth


@pytest.mark.parametrize("name", F_DIVERGENCES)
def test_conjugates_and_slopes(name):
    row = F_DIVERGENCES[name]
    u = torch.linspace(0.05, 6, 100, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(row.f(u).sum(), u)
    torch.testing.assert_close(row.best(u.detach().log()), slope)
    # f* is the largest of t u − f(u), which is had at the u whose slope is t
    among = torch.linspace(1e-4, 12, 120_000, dtype=torch.float64)
    t = slope.detach()[::9]
    largest = (t[:, None] * among - row.f(among)).amax(1)
    torch.testing.assert_close(row.conjugate(t), largest, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", F_DIVERGENCES)
def test_no_critic_scores_above_the_divergence(name):
    row = F_DIVERGENCES[name]
    x = torch.linspace(-8, 9, 1_701, dtype=torch.float64)
    p, q = (torch.exp(-((x - mean) ** 2) / 2) * 0.01 / math.sqrt(2 * math.pi) for mean in (0, 1))
    for slope, offset in ((0.0, 0.0), (-0.5, 0.3), (-1.0, 0.4), (0.3, 0.2)):
        v = offset + slope * x
        score = float((p * row.activation(v)).sum() - (q * row.conjugate(row.activation(v))).sum())
        assert score < F_TABLE[name] + LAST_DIGIT
        assert row.score(v, v).isfinite().all()
