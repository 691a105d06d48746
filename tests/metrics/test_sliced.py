"""Sliced Wasserstein distances against closed forms, scipy, and the pyramid's own inverse."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import wasserstein_distance

from evenodds.metrics import sliced
from evenodds.metrics.sliced import laplacian_pyramid, patches, sliced_wasserstein


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("power", [1, 2])
def test_a_shift_moves_every_line_by_its_component(power):
    """W_p^p along θ is |θ·m|^p exactly, whatever the data; over θ the mean of (θ·m)² is ‖m‖²/d."""
    x, shift = normal(50, 10, seed=1).double(), normal(10, seed=2).double()
    found = sliced_wasserstein(x, x + shift, directions=4_000, power=power)
    drawn = torch.randn(4_000, 10, generator=generator(), dtype=torch.float64)
    along = (drawn / drawn.norm(dim=1, keepdim=True)) @ shift
    assert torch.allclose(found.by_direction, along.abs() ** power, rtol=1e-9, atol=1e-12)
    if power == 2:
        truth = float(shift.norm()) / 10**0.5
        assert found.value == pytest.approx(truth, rel=0.04)
        assert found.interval[0] < truth < found.interval[1]
        assert found.interval[1] / found.interval[0] < 1.1


def test_gaussians_of_two_sizes():
    """W_2² of N(0, I) and N(m, s²I) is (θ·m)² + (1 − s)² along every line."""
    x, y = normal(20_000, 4, seed=3), 0.5 + 2 * normal(15_000, 4, seed=4)
    assert sliced_wasserstein(x, y, directions=48).value ** 2 == pytest.approx(0.25 + 1, rel=0.05)


@pytest.mark.parametrize("n, m", [(50, 50), (50, 80), (7, 100), (1, 3)])
def test_along_a_line_it_is_scipys(n, m, monkeypatch):
    monkeypatch.setattr(sliced, "BLOCK", 300)  # several blocks of directions
    x, y = normal(n, 1, seed=5), normal(m, 1, seed=6)
    found = sliced_wasserstein(x, y, directions=9, power=1)
    expected = wasserstein_distance(x[:, 0].double().numpy(), y[:, 0].double().numpy())
    assert found.by_direction.tolist() == pytest.approx([expected] * 9, rel=1e-9)
    repeated = sliced_wasserstein(x.repeat(m, 1), y.repeat(n, 1), directions=9)
    assert sliced_wasserstein(x, y, directions=9).value == pytest.approx(repeated.value, rel=1e-9)


def test_equal_sets_and_one_image_repeated():
    x = normal(60, 3, 4, 4, seed=7)
    assert sliced_wasserstein(x, x.flip(0)).value == 0
    one = sliced_wasserstein(x, x[:1].expand(60, 3, 4, 4))
    assert 0 < one.value < 10


def test_the_pyramid_can_be_undone_and_finds_the_scale():
    images = normal(2, 3, 64, 64, seed=8).double()
    pyramid = laplacian_pyramid(images, 3)
    assert [level.shape[-1] for level in pyramid] == [64, 32, 16]
    back = pyramid[-1]
    for level in pyramid[-2::-1]:
        back = level + sliced._blow_up(back)
    assert torch.allclose(back, images, atol=1e-12)
    flat = laplacian_pyramid(torch.full((1, 1, 32, 32), 5.0), 2)
    assert flat[0][:, :, 4:-4, 4:-4].abs().max() < 1e-5
    assert torch.allclose(flat[1], torch.full((1, 1, 16, 16), 5.0), atol=1e-5)


def test_patches_lie_in_the_images_and_are_standardized():
    images = normal(40, 2, 32, 32, seed=9)
    levels = patches(images, generator=generator(1), per_image=16)
    assert [tuple(level.shape) for level in levels] == [(640, 98), (640, 98)]
    channels = levels[0].view(640, 2, 49).double()
    assert torch.allclose(channels.mean((0, 2)), torch.zeros(2, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(channels.std((0, 2)), torch.ones(2, dtype=torch.float64), atol=1e-3)
    # a patch is where the generator says: the position itself as the picture, one level only
    rows = torch.arange(16.0)[:, None].expand(16, 16)
    raw = sliced._cut(torch.stack([rows, rows.T])[None], torch.tensor([[[3]], [[9]]]), 7)
    assert raw[0, 0, :, 0].tolist() == [3, 4, 5, 6, 7, 8, 9]
    assert raw[0, 1, 0].tolist() == [9, 10, 11, 12, 13, 14, 15]


def test_blur_is_seen_at_the_finest_level_most():
    images = normal(60, 1, 32, 32, seed=10)
    smooth = sliced._blur(sliced._blur(images)) + 0.01 * normal(60, 1, 32, 32, seed=12)
    other = normal(60, 1, 32, 32, seed=11)

    def apart(fake: torch.Tensor) -> list[float]:
        sets = [patches(x, generator=generator(1), per_image=32) for x in (images, fake)]
        return [sliced_wasserstein(a, b, directions=128, power=1).value for a, b in zip(*sets, strict=True)]

    (fine, coarse), (fine_noise, coarse_noise) = apart(smooth), apart(other)
    assert fine / fine_noise > 2.5 > coarse / coarse_noise > 1.4


def test_constant_images_have_finite_patches():
    for level in patches(torch.full((5, 3, 32, 32), 7.0), generator=generator(2), per_image=3):
        assert bool(level.isfinite().all())


def test_what_has_no_distance_is_refused():
    with pytest.raises(ValueError, match="power 3"):
        sliced_wasserstein(torch.ones(2, 2), torch.ones(2, 2), power=3)
    with pytest.raises(ValueError, match="one shape"):
        sliced_wasserstein(torch.ones(2, 2), torch.ones(2, 3))
    with pytest.raises(ValueError, match="not finite"):
        sliced_wasserstein(torch.ones(2, 2), torch.full((2, 2), torch.inf))
    with pytest.raises(ValueError, match="16, 32, 64"):
        patches(torch.ones(2, 3, 28, 28), generator=generator())
