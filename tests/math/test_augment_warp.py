"""Moving pixels: against torch.flip, torch.rot90, numpy.roll, Pillow, a transposed matrix, derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from evenodds.augment import warp

EYE = torch.eye(3)


def images(count=2, channels=3, height=16, width=16, dtype=torch.float32, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, height, width, generator=random, dtype=dtype) * 2 - 1


def smooth(count=1, channels=1, height=40, width=40, waves=1.5):
    """Without anything near the highest frequency, so that every careful interpolation agrees."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    picture = (2 * math.pi * (waves * x + 0.7 * y)).sin() + (2 * math.pi * (0.8 * x - waves * y)).cos()
    return (0.45 * picture).expand(count, channels, height, width).clone()


def numbers(*values):
    return torch.tensor(values, dtype=torch.float32)


@pytest.mark.parametrize("shape", [(9, 9), (8, 12), (7, 4)])
def test_a_mirrored_image_is_the_flipped_one(shape):
    x = images(1, 3, *shape)
    matrix = warp.stretch(numbers(-1), numbers(1))
    assert torch.equal(warp.moved(x, matrix, "mirrored"), torch.flip(x, (3,)))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [8, 9])
def test_quarter_turns_are_rot90(turns, size):
    x = images(1, 2, size, size)
    turned = warp.moved(x, warp.quarter_turns(numbers(turns)), "mirrored")
    assert torch.equal(turned, torch.rot90(x, turns, (2, 3)))


def test_a_shift_is_a_roll_with_a_mirror_image_coming_in():
    x = images(1, 1, 6, 10)
    found = warp.moved(x, warp.shift(numbers(3), numbers(-2)), "mirrored")[0, 0].numpy()
    rolled = np.roll(x[0, 0].numpy(), (-2, 3), (0, 1))
    np.testing.assert_array_equal(found[:4, 3:], rolled[:4, 3:])
    padded = np.pad(x[0, 0].numpy(), ((0, 2), (3, 0)), mode="symmetric")
    np.testing.assert_array_equal(found, padded[2:, :10])


def test_a_shift_of_a_transparent_image_lets_nothing_in():
    x = images(1, 4, 6, 6)
    found = warp.moved(x, warp.shift(numbers(2), numbers(1)), "zero")
    assert torch.equal(found[..., 1:, 2:], x[..., :5, :4])
    assert found[..., 0, :].abs().sum() == 0
    assert found[..., :2].abs().sum() == 0


@pytest.mark.parametrize("outside", ["mirrored", "zero"])
def test_the_warp_leaves_a_smooth_image_as_it_is(outside):
    x = smooth(2, 3)
    inner = (warp.warped(x, EYE.expand(2, 3, 3), outside) - x)[..., 8:-8, 8:-8]
    assert inner.abs().max() < 0.01


def test_the_warp_keeps_a_constant_to_the_edge():
    x = torch.full((1, 1, 9, 14), 0.7)
    turned = warp.warped(x, warp.turn(numbers(0.4)), "mirrored")
    assert (turned - 0.7).abs().max() < 0.01


@pytest.mark.parametrize("matrix", ["flip", "quarter"])
def test_the_warp_agrees_with_exact_moves(matrix):
    """Also near the edge: no half pixel is lost, as it would be with a filter that is not symmetric."""
    x = smooth(1, 1, 24, 24)
    source = warp.stretch(numbers(-1), numbers(1)) if matrix == "flip" else warp.quarter_turns(numbers(1))
    assert (warp.warped(x, source, "mirrored") - warp.moved(x, source, "mirrored")).abs().max() < 0.03


@pytest.mark.parametrize("degrees", [20, -75])
def test_a_turn_agrees_with_pillow(degrees):
    x = smooth()
    picture = Image.fromarray(x[0, 0].numpy(), mode="F")
    wanted = np.asarray(picture.rotate(degrees, resample=Image.Resampling.BICUBIC))
    found = warp.warped(x, warp.turn(numbers(math.radians(degrees))), "mirrored")[0, 0].numpy()
    middle = slice(12, 28)
    assert np.abs(found - wanted)[middle, middle].max() < 0.03
    assert np.abs(found - x[0, 0].numpy())[middle, middle].max() > 0.3


def test_a_shift_by_half_a_pixel_moves_a_wave_by_it():
    x = torch.sin(torch.arange(48) * 0.4).expand(1, 1, 48, 48).contiguous()
    found = warp.warped(x, warp.shift(numbers(0.5), numbers(0)), "mirrored")[0, 0, 20, 10:-10]
    assert (found - torch.sin((torch.arange(48) - 0.5) * 0.4)[10:-10]).abs().max() < 0.01


def test_what_is_wider_is_wider():
    x = torch.zeros(1, 1, 33, 33)
    x[..., 12:21, 12:21] = 1  # 9 × 9
    wider = warp.warped(x, warp.stretch(numbers(2), numbers(1)), "mirrored")
    assert wider[0, 0, 16].sum() == pytest.approx(18, abs=0.3)
    assert wider[0, 0, :, 16].sum() == pytest.approx(9, abs=0.3)
    lower = warp.warped(x, warp.stretch(numbers(1), numbers(0.5)), "zero")
    assert lower.sum() == pytest.approx(81 / 2, abs=0.5)


def test_a_stripe_too_fine_for_a_smaller_image_becomes_gray():
    """Bilinear sampling alone would leave stripes of another width, 0.8 strong."""
    stripes = (torch.arange(48) % 2 * 2.0 - 1).expand(1, 1, 48, 48).contiguous()
    found = warp.warped(stripes, warp.stretch(numbers(0.7), numbers(0.7)), "mirrored")[..., 12:-12, 12:-12]
    assert found.abs().max() < 0.12


def test_two_matrices_one_after_the_other():
    """`a @ b` does a first: mirrored, then turned by 90° counter-clockwise."""
    x = images(1, 1, 5, 5)
    both = warp.stretch(numbers(-1), numbers(1)) @ warp.quarter_turns(numbers(1))
    assert torch.equal(warp.moved(x, both, "mirrored"), torch.rot90(torch.flip(x, (3,)), 1, (2, 3)))


@pytest.mark.parametrize("outside", ["mirrored", "zero"])
def test_the_adjoint_is_the_transposed_matrix(outside):
    x = images(1, 1, 5, 4, torch.float64).requires_grad_()
    source = (warp.turn(numbers(0.5)) @ warp.shift(numbers(0.7), numbers(-0.4))).double()
    matrix = torch.stack([
        warp.warped(basis.reshape(1, 1, 5, 4), source, outside).flatten()
        for basis in torch.eye(20, dtype=torch.float64)
    ], 1)  # fmt: skip
    y = warp.warped(x, source, outside)
    torch.testing.assert_close(y.flatten(), matrix @ x.flatten())
    (gradient,) = torch.autograd.grad(y, x, images(1, 1, 5, 4, torch.float64, seed=1))
    torch.testing.assert_close(
        gradient.flatten(), matrix.T @ images(1, 1, 5, 4, torch.float64, seed=1).flatten()
    )


@pytest.mark.parametrize("outside", ["mirrored", "zero"])
def test_differentiable_twice(outside):
    x = images(2, 1, 4, 5, torch.float64).requires_grad_()
    sources = torch.cat([warp.turn(numbers(0.5)), warp.shift(numbers(0.7), numbers(-0.4))]).double()

    def cubed(x):
        return warp.warped(x, sources, outside).pow(3)

    assert torch.autograd.gradcheck(cubed, x)
    assert torch.autograd.gradgradcheck(cubed, x, fast_mode=True)


def test_the_fourth_derivative():
    """A^T and A take turns for as long as anyone asks."""
    x = images(1, 1, 4, 4, torch.float64).requires_grad_()
    source = warp.turn(numbers(0.3)).double()
    value = warp.warped(x, source, "mirrored").pow(4).sum()
    for _ in range(4):
        (gradient,) = torch.autograd.grad(value, x, create_graph=True)
        value = gradient.sum()
    row_sums = warp.warped(torch.ones_like(x), source, "mirrored")
    assert value.item() == pytest.approx(24 * row_sums.pow(4).sum().item(), rel=1e-9)
