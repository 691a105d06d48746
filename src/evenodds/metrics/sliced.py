"""Sliced Wasserstein distances, which need no network: of vectors, and of images' patches at every scale."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 2**23  # projections held at once: 64 MB of float64


class SlicedWasserstein(NamedTuple):
    """A distance averaged over directions.

    Args:
        value: (mean over directions of W_p^p)^{1/p}, in units of the data.
        interval: of 95 %, over other directions and for these examples.
        directions: how many.
        by_direction: (directions,) float64, W_p^p along each.
    """

    value: float
    interval: tuple[float, float]
    directions: int
    by_direction: Tensor


def sliced_wasserstein(
    real: Tensor,
    fake: Tensor,
    *,
    directions: int = 512,
    power: int = 2,
    generator: torch.Generator | None = None,
) -> SlicedWasserstein:
    """(E_θ W_p^p(θ·real, θ·fake))^{1/p}, θ uniform; Rabin et al. (2011), Bonneel et al. (2015).

    Along a line the sorted coupling is optimal, so that W_p between the examples is exact.  A shift by m of
    data in d dimensions gives W_2 = ‖m‖/√d.  Two draws of one distribution are apart, too: real examples in
    the samples' place say how far.

    Args:
        real: (N, …).
        fake: (M, …) of as many values; M may differ from N.
        directions: lines to project onto.
        power: p, 1 or 2.
        generator: on the CPU, that draws the directions; None for one of seed 0.

    Raises:
        ValueError: shapes that differ, values that are not finite, or another p.
    """
    x, y = real.detach().flatten(1), fake.detach().flatten(1)
    if not (len(x) and len(y)) or x.shape[1] != y.shape[1] or power not in (1, 2) or directions < 1:
        raise ValueError(
            f"sliced distances of {tuple(x.shape)} and {tuple(y.shape)} with power {power} in {directions}"
            " directions are not defined; give examples of one shape, power 1 or 2, and a direction or more"
        )
    if not (bool(x.isfinite().all()) and bool(y.isfinite().all())):
        raise ValueError("values that are not finite have no distance; look for what made them")
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    drawn = torch.randn(directions, x.shape[1], generator=generator, dtype=torch.float64)
    lines = functional.normalize(drawn, dim=1)
    parts = lines.split(max(1, BLOCK // (len(x) + len(y))))
    each = torch.cat([_along(_project(x, part), _project(y, part), power) for part in parts])
    return _summary(each, power)


def _project(x: Tensor, lines: Tensor) -> Tensor:
    """θ·x for every direction, (directions, N) float64, sorted; a few examples at a time become float64."""
    device = torch.device("cpu") if x.device.type == "mps" else x.device  # Apple's GPUs don't have float64
    lines = lines.to(device)
    rows = max(1, BLOCK // x.shape[1])
    projections = torch.cat([lines @ part.to(device).double().T for part in x.split(rows)], 1)
    return projections.sort(1).values


def _along(x: Tensor, y: Tensor, power: int) -> Tensor:
    """W_p^p of sorted values on lines, (directions,): ∫ |Q_x(u) − Q_y(u)|^p du over both step functions."""
    n, m = x.shape[1], y.shape[1]
    if n == m:
        each: Tensor = (x - y).abs().pow(power).mean(1)
        return each
    # the steps of both quantile functions in units of 1/nm, which integers hold exactly
    ends = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique().to(x.device)
    begins = torch.cat([ends.new_zeros(1), ends[:-1]])
    gaps = (x[:, begins // m] - y[:, begins // n]).abs().pow(power)
    average: Tensor = gaps @ ((ends - begins).double() / (n * m))
    return average


def _summary(each: Tensor, power: int) -> SlicedWasserstein:
    """The mean over directions and its interval, both brought to units of the data."""
    each = each.cpu()
    mean, count = float(each.mean()), len(each)
    half = NormalDist().inv_cdf(0.975) * float(each.std()) / math.sqrt(count) if count > 1 else math.inf
    low, high = max(0.0, mean - half), mean + half
    return SlicedWasserstein(mean ** (1 / power), (low ** (1 / power), high ** (1 / power)), count, each)


def laplacian_pyramid(images: Tensor, levels: int) -> list[Tensor]:
    """Detail of images at every scale, finest first, the last level the image that is left.

    Burt and Adelson (1983) with their 5 × 5 kernel (1, 4, 6, 4, 1)/16 both ways, borders reflected.

    Args:
        images: (N, C, H, W) floats; H and W divisible by 2^{levels − 1}.
        levels: at least 1.

    Returns:
        Level l is (N, C, H/2^l, W/2^l); blown up and summed they are the images.
    """
    pyramid = []
    for _ in range(levels - 1):
        smaller = _blur(images)[:, :, ::2, ::2]
        pyramid.append(images - _blow_up(smaller))
        images = smaller
    return [*pyramid, images]


def _blur(images: Tensor, gain: float = 1.0) -> Tensor:
    """Each channel by itself, the sizes kept."""
    taps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=images.dtype, device=images.device) / 16
    channels = images.shape[1]
    kernel = (gain * torch.outer(taps, taps)).expand(channels, 1, 5, 5)
    return functional.conv2d(functional.pad(images, (2, 2, 2, 2), "reflect"), kernel, groups=channels)


def _blow_up(images: Tensor) -> Tensor:
    """Twice the size: zeros between the pixels, blurred; the gain of 4 makes up for the zeros."""
    n, c, h, w = images.shape
    wide = images.new_zeros(n, c, 2 * h, 2 * w)
    wide[:, :, ::2, ::2] = images
    return _blur(wide, 4.0)


def patches(
    images: Tensor, *, generator: torch.Generator, per_image: int = 128, size: int = 7
) -> list[Tensor]:
    """Patches of a Laplacian pyramid, finest level first; Karras et al. (2018), section 5.

    Levels halve from the images' size down to 16 pixels.  Each level's channels are brought to mean 0 and
    deviation 1 over the set, as the paper does, so that real and fake descriptors differ in shape, not in
    contrast.  Their sliced W_1, times 1,000, is the number of the paper's Table 1.

    Args:
        images: (N, C, H, W), H = W = 16 · 2^k.
        generator: on the CPU, that draws where the patches lie.
        per_image: patches of each image and level.
        size: pixels, odd.

    Returns:
        For each level (N · per_image, C · size²) float32.
    """
    levels = _levels(images.shape)
    places = [
        torch.randint(
            0, images.shape[-1] // 2**level - size + 1, (2, len(images), per_image), generator=generator
        )
        for level in range(levels)
    ]
    found: list[list[Tensor]] = [[] for _ in range(levels)]
    step = max(1, BLOCK // images[0].numel() // 4)
    for start in range(0, len(images), step):
        pyramid = laplacian_pyramid(images[start : start + step].float(), levels)
        for level, detail in enumerate(pyramid):
            found[level].append(_cut(detail, places[level][:, start : start + step].to(detail.device), size))
    return [_standardized(torch.cat(parts)).flatten(1) for parts in found]


def _levels(shape: torch.Size) -> int:
    """From the size of the images down to 16 pixels."""
    size = shape[-1]
    doublings = (size // 16).bit_length() - 1 if size >= 16 else 0
    if len(shape) != 4 or shape[-2] != size or size != 16 * 2**doublings:
        raise ValueError(
            f"images of shape {tuple(shape[1:])} have no pyramid down to 16 × 16; pad or resize them to a"
            " square of 16, 32, 64, … pixels"
        )
    return doublings + 1


def _cut(images: Tensor, corners: Tensor, size: int) -> Tensor:
    """(B · P, C, size, size) patches with these top left corners, (2, B, P)."""
    windows = images.unfold(2, size, 1).unfold(3, size, 1)  # (B, C, H', W', size, size), a view
    which = torch.arange(len(images), device=images.device)[:, None]
    cut: Tensor = windows[which, :, corners[0], corners[1]]  # (B, P, C, size, size)
    return cut.flatten(0, 1)


def _standardized(x: Tensor) -> Tensor:
    """Each channel with mean 0 and deviation 1 over the set; one that does not vary stays 0."""
    deviation, mean = torch.std_mean(x.double(), dim=(0, 2, 3), correction=0, keepdim=True)
    scale = torch.where(deviation > 1e-12 * mean.abs(), 1 / deviation, 0.0)
    return ((x - mean) * scale).float()
