"""Path lengths against linear generators, whose lengths are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from evenodds.metrics.path_length import path_length, slerp


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def squared(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (x - y).flatten(1).square().sum(1)


MATRIX = normal(40, 6, seed=1)


def linear(z: torch.Tensor) -> torch.Tensor:
    return 100 + z @ MATRIX.T  # the offset costs float32 two digits


@pytest.mark.parametrize("epsilon", [1e-1, 1e-4, 1e-6])
@pytest.mark.parametrize("sampling", ["full", "end"])
def test_of_a_linear_generator_in_w_it_is_the_square_of_the_path(epsilon, sampling):
    """‖A(b − a)‖² at every step: no ε, no t."""
    w = normal(60, 6, seed=2)
    expected = ((w[30:] - w[:30]) @ MATRIX.T).square().sum(1)
    found = path_length(
        linear, squared, w, space="w", sampling=sampling, epsilon=epsilon, percentiles=(0, 100)
    )
    assert found.lengths.tolist() == pytest.approx(expected.tolist(), rel=1e-6)
    assert found.value == pytest.approx(float(expected.mean()), rel=1e-6)
    assert found.kept == 30
    assert found.standard_error == pytest.approx(float(expected.std()) / 30**0.5, rel=1e-6)


def test_in_z_the_speed_along_the_sphere_is_the_angle():
    """The identity on equal norms r: a chord of angle ωε is 2r sin(ωε/2)."""
    z = 3 * torch.nn.functional.normalize(normal(40, 5, seed=3))
    angle = torch.acos((z[:20] * z[20:]).sum(1) / 9)
    for epsilon in (1e-4, 0.3):
        found = path_length(lambda z: z, squared, z, epsilon=epsilon, percentiles=(0, 100))
        expected = (2 * 3 * (angle * epsilon / 2).sin() / epsilon).square()
        assert found.lengths.tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_slerp_has_the_ends_and_keeps_the_plane():
    a, b = normal(7, 4, seed=4), 2 * normal(7, 4, seed=5)
    zero, one = torch.zeros(7, 1, dtype=torch.float64), torch.ones(7, 1, dtype=torch.float64)
    assert torch.allclose(slerp(a, b, zero), a, atol=1e-12)
    assert torch.allclose(slerp(a, b, one), b, atol=1e-12)
    half = slerp(a, b, one / 2)
    assert torch.allclose(half.norm(dim=1), (a.norm(dim=1) + b.norm(dim=1)) / 2)
    bisector = torch.nn.functional.normalize(a) + torch.nn.functional.normalize(b)
    assert torch.allclose(half / half.norm(dim=1, keepdim=True), torch.nn.functional.normalize(bisector))
    # on a line there is no plane to turn in
    line, other = torch.tensor([[2.0], [1.0]]).double(), torch.tensor([[4.0], [-1.0]]).double()
    assert slerp(line, other, one[:2] / 4).flatten().tolist() == pytest.approx([2.5, 0.5])
    assert bool(slerp(zero, zero, one / 2).isfinite().all())


def test_batches_and_generators_change_nothing_but_what_they_draw():
    z = normal(100, 6, seed=6)

    def nonlinear(z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(linear(z) - 100)

    whole, parts = (path_length(nonlinear, squared, z, batch=b) for b in (1_000, 7))
    assert torch.allclose(whole.lengths, parts.lengths, rtol=1e-7, atol=0)
    other = path_length(nonlinear, squared, z, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(whole.lengths, other.lengths, rtol=1e-2)
    # small enough a step: the limit is reached at ε = 1e-4 already
    tiny = path_length(nonlinear, squared, z, epsilon=1e-6)
    assert tiny.value == pytest.approx(whole.value, rel=1e-3)


def test_the_outermost_percent_is_left_out():
    lengths = torch.cat([torch.arange(1.0, 1_000.0), torch.tensor([1e9])]).double()
    z = torch.stack([torch.zeros(1_000, dtype=torch.float64), lengths.sqrt()]).flatten()[:, None]
    found = path_length(lambda z: z, squared, z, space="w")
    low, high = np.percentile(lengths, 1, method="lower"), np.percentile(lengths, 99, method="higher")
    kept = lengths[(lengths >= low) & (lengths <= high)]
    assert found.kept == len(kept)
    assert found.value == pytest.approx(float(kept.mean()), rel=1e-6)
    assert found.standard_error == pytest.approx(1_000 / 12**0.5 / math.sqrt(1_000), rel=0.05)


def test_float32_and_odd_numbers_are_refused():
    z = normal(10, 6, seed=7)
    with pytest.raises(ValueError, match="float32, too coarse"):
        path_length(lambda z: z.float(), squared, z)
    with pytest.raises(ValueError, match="even number"):
        path_length(linear, squared, z[:9])
    with pytest.raises(ValueError, match="not finite"):
        path_length(lambda z: z * torch.inf, squared, z)
