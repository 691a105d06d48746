"""Captured modes and reverse KL against protocol numbers, closed forms and simulation."""

from __future__ import annotations

import math

import pytest
import torch

from evenodds.metrics.class_modes import (
    class_modes,
    divergence_from_uniform,
    expected_plug_in,
    product_prior,
    stacked,
)

# digits 0 … 9 among MNIST's 60,000 training images
MNIST = torch.tensor([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
UNIFORM = torch.full((1_000,), 1e-3, dtype=torch.float64)


def draw(p: torch.Tensor, n: int, seed: int) -> torch.Tensor:
    return torch.multinomial(p, n, True, generator=torch.Generator().manual_seed(seed))


def test_labels_are_stacked_as_digits_are_written():
    assert stacked(torch.tensor([[1, 2, 3], [9, 9, 9], [0, 0, 7]], dtype=torch.uint8), 10).tolist() == [
        123,
        999,
        7,
    ]
    prior = product_prior(MNIST)
    assert prior[123] == pytest.approx(6742 * 5958 * 6131 / 60_000**3, rel=1e-12)
    assert float(prior.sum()) == pytest.approx(1, rel=1e-12)


def test_the_floor_of_stacked_mnist():
    """999/2N of counting, .0192 at 26,000, and .0043 of MNIST's own digits; all 1,000 modes."""
    assert divergence_from_uniform(product_prior(MNIST)) == pytest.approx(0.0043, abs=5e-5)
    assert expected_plug_in(UNIFORM, 26_000) == pytest.approx(999 / 52_000, abs=2e-4)
    assert expected_plug_in(UNIFORM, 50_000) == pytest.approx(0.0100, abs=5e-5)
    found = class_modes(draw(product_prior(MNIST), 26_000, 1), 1_000, prior=product_prior(MNIST))
    assert found.floor == pytest.approx(0.0235, abs=2e-4)
    assert found.captured == 1_000
    assert found.ceiling == pytest.approx(1_000, abs=1e-3)
    assert found.reverse_kl == pytest.approx(found.floor, abs=4e-3)
    assert found.corrected == pytest.approx(0.0043, abs=4e-3)


def test_the_floor_is_the_mean_of_the_plug_in_value():
    p = torch.tensor([0.7, 0.2, 0.05, 0.05, 0.0], dtype=torch.float64)
    # 3 samples: every outcome by itself
    expected = 0.0
    for a, b, c in ((a, b, c) for a in range(4) for b in range(4) for c in range(4)):
        f = torch.bincount(torch.tensor([a, b, c]), minlength=5).double() / 3
        expected += float(p[a] * p[b] * p[c]) * divergence_from_uniform(f)
    assert expected_plug_in(p, 3) == pytest.approx(expected, rel=1e-12)
    one = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert expected_plug_in(one, 1_000) == pytest.approx(math.log(2), rel=1e-9)


def test_known_answers():
    every = class_modes(torch.arange(1_000).repeat(50), 1_000)
    assert (every.captured, every.reverse_kl) == (1_000, pytest.approx(0, abs=1e-12))
    collapsed = class_modes(torch.full((26_000,), 7), 1_000)
    assert collapsed.captured == 1
    assert collapsed.reverse_kl == pytest.approx(math.log(1_000), rel=1e-12)
    assert collapsed.corrected == pytest.approx(math.log(1_000), abs=1e-3)
    assert collapsed.interval[1] <= math.log(1_000)
    half = class_modes(draw(torch.ones(500, dtype=torch.float64), 26_000, 2), 1_000)
    assert half.captured == 500
    assert half.corrected == pytest.approx(math.log(2), abs=3e-3)


@pytest.mark.parametrize("n", [26_000, 10_000, 3_000])
@pytest.mark.parametrize("alpha", [30.0, None, 2.0])
def test_the_correction_is_right_and_the_interval_holds_the_truth(n, alpha):
    """Frequencies that are equal, nearly equal and very different (Dirichlet)."""
    random = torch.Generator().manual_seed(3)
    p = UNIFORM if alpha is None else torch._sample_dirichlet(torch.full_like(UNIFORM, alpha), random)
    truth = divergence_from_uniform(p)
    found = [class_modes(draw(p, n, seed), 1_000) for seed in range(60)]
    corrected = torch.tensor([each.corrected for each in found], dtype=torch.float64)
    # at 3 samples per mode a bias is left where rare modes are not seen; the plug-in's is .17
    assert float(corrected.mean()) == pytest.approx(truth, abs=0.001 if n > 5_000 else 0.01)
    held = sum(each.interval[0] <= truth <= each.interval[1] for each in found)
    assert held >= (51 if n > 5_000 else 45)  # of 60
    width = float(torch.tensor([each.interval[1] - each.interval[0] for each in found]).mean())
    assert width < 2 * 1.96 * 1.4 * float(corrected.std())  # no wider than it must


def test_what_is_no_label_or_no_prior_is_refused():
    with pytest.raises(ValueError, match="0 to 10 do not fit 10 modes"):
        class_modes(torch.tensor([0, 10]), 10)
    with pytest.raises(ValueError, match="at least one"):
        class_modes(torch.tensor([], dtype=torch.int64), 10)
    with pytest.raises(ValueError, match="none below 0"):
        class_modes(torch.tensor([1]), 2, prior=torch.tensor([1.0, -0.1]))
