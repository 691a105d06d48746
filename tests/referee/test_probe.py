"""The probe finds what is there to find, and nothing where there is nothing."""

from __future__ import annotations

import functools
import math

import pytest
import torch

from evenodds.data.densities import ring
from evenodds.errors import DataError
from evenodds.referee.judges import ParzenJudge, conv_judge, mlp_judge, parzen_judges
from evenodds.referee.probe import Pairs, fit, p_value, probe

JSD_1 = 0.111421  # N(0,1) against N(1,1), nats


def normal(n: int, random: torch.Generator, *, mean: float = 0.0) -> torch.Tensor:
    return torch.randn(n, 1, generator=random) + mean


@pytest.fixture(scope="module")
def numbers():
    random = torch.Generator().manual_seed(1)
    return normal(4000, random), normal(3000, random)


def test_it_reaches_most_of_the_divergence(numbers):
    found = probe(*numbers, functools.partial(normal, mean=1.0))
    assert found.bounds.jsd.estimate == pytest.approx(JSD_1, abs=0.015)
    assert 0.085 < found.bounds.jsd.low < JSD_1
    assert found.p_value < 1e-12
    assert (found.bounds.real, found.bounds.fake) == (3000, 3000)


def test_it_finds_nothing_where_there_is_nothing(numbers):
    found = [probe(*numbers, normal, seed=seed, steps=60) for seed in range(3)]
    assert all(one.bounds.jsd.low < 0.003 for one in found)
    assert max(one.p_value for one in found) > 0.05


def test_the_same_seed_gives_the_same_result_and_nobody_elses_numbers_change(numbers):
    state = torch.get_rng_state()
    one, again = (probe(*numbers, functools.partial(normal, mean=0.5), steps=40, seed=3) for _ in range(2))
    assert one == again
    assert torch.equal(torch.get_rng_state(), state)
    assert probe(*numbers, functools.partial(normal, mean=0.5), steps=40, seed=4) != one


def test_it_sees_modes_that_are_too_wide():
    """No plain network resolves 0.01 against 0.02 in so few steps; Parzen windows do."""
    random = torch.Generator().manual_seed(0)
    right, wide = ring(), ring(std=0.02)
    found = probe(right.sample(4000, random), right.sample(1000, random), wide.sample, steps=20)
    assert found.steps == 0
    assert 0.12 < found.bounds.jsd.low < 0.1733  # two Gaussians in the plane, one twice as wide


def test_images_of_any_shape():
    random = torch.Generator().manual_seed(0)
    real = torch.randn(300, 2, 5, 6, generator=random)
    found = probe(real, real[:100] + 0, lambda n, r: torch.randn(n, 2, 5, 6, generator=r) + 1, steps=60)
    assert found.bounds.jsd.low > 0.4


def test_it_refuses_too_few_examples(numbers):
    with pytest.raises(DataError, match=r"20 examples to train a probe on .*; give at least 50"):
        probe(numbers[0][:20], numbers[1], normal)
    with pytest.raises(DataError, match="5 held-out examples"):
        probe(numbers[0], numbers[1][:5], normal)


def test_over_fitting_is_stopped_and_calibrated_away():
    """30 examples in 20 dimensions are learnt by heart; on others D must not claim what isn't there."""
    random = torch.Generator().manual_seed(0)
    seen, stopping, fresh = (
        Pairs(*(torch.randn(n, 20, generator=random) for _ in range(2))) for n in (30, 400, 2000)
    )
    fitted = fit(mlp_judge(seen.real, seed=0), seen, stopping, steps=400, seed=0)
    assert fitted.steps < 400
    value = -(torch.nn.functional.softplus(-fitted.logits(fresh.real)).mean()
              + torch.nn.functional.softplus(fitted.logits(fresh.fake)).mean())  # fmt: skip
    assert float(value) == pytest.approx(-math.log(4), abs=0.02)


def test_what_is_learnt_in_a_short_time_is_kept():
    random = torch.Generator().manual_seed(0)
    seen, stopping = (
        Pairs(torch.randn(2000, 2, generator=random), torch.randn(2000, 2, generator=random) + 2)
        for _ in range(2)
    )
    judge = mlp_judge(seen.real, seed=0)
    fit(judge, seen, stopping, steps=2, seed=0)  # what is imported by the first optimizer takes seconds
    fitted = fit(judge, seen, stopping, steps=100_000, seed=0, seconds=1.5)
    assert 0 < fitted.steps < 50_000
    assert fitted.loss < 0.8  # log 4 = 1.386 where nothing is learnt


def test_the_p_value_is_the_binomial_tail():
    real, fake = torch.tensor([1.0, 1, -1, 1]), torch.tensor([-1.0, -1, -1, 1, 1, 1])
    # of the first 4 of either kind 6 are told right: P(Bin(8, ½) ≥ 6) = (28 + 8 + 1)/256
    assert p_value(real, fake) == pytest.approx(37 / 256, rel=1e-9)


def test_parzen_windows_are_the_ratio_of_their_sums():
    real, fake, x = torch.randn(7, 2), torch.randn(9, 2), torch.randn(130, 2)
    width = 0.7

    def window(points):
        squares = (x[:, None].double() - points[None].double()).square().sum(2)
        return ((-squares / (2 * width**2)).exp().sum(1) + 0.5) / (len(points) + 0.5)

    expected = (window(real) / window(fake)).log()
    assert torch.allclose(ParzenJudge(real, fake, width)(x).double(), expected, atol=1e-5)


def test_the_widths_of_parzen_windows_span_the_scales_of_the_data():
    points = ring().sample(2000, torch.Generator().manual_seed(0))
    widths = [judge.width for judge in parzen_judges(points, points)]
    assert widths == sorted(widths)
    assert widths[0] < 0.01 < widths[-1] < 1
    constant = parzen_judges(torch.ones(50, 1), torch.ones(50, 1))
    assert all(math.isfinite(judge.width) and judge.width > 0 for judge in constant)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 4), (1, 28, 28), (2, 33, 17)])
def test_convolutions_take_images_of_any_size(shape):
    x = torch.randn(6, *shape)
    assert conv_judge(x, seed=0, width=4)(x).shape == (6,)


def test_a_constant_coordinate_is_not_blown_up():
    x = torch.randn(200, 3)
    x[:, 1] = 5.0
    logits = mlp_judge(x, seed=0)(x + torch.tensor([0.0, 1e-3, 0.0]))
    assert torch.allclose(logits, mlp_judge(x, seed=0)(x), atol=0.02)
