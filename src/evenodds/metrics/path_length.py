"""Path length: how far a generator's output moves when its latent moves a little, along random paths."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Space = Literal["z", "w"]
Sampling = Literal["full", "end"]


class PathLength(NamedTuple):
    """A mean over paths without the outermost ones.

    Args:
        value: mean of distance/ε² over the paths kept, in units of the distance.
        standard_error: of that mean over other paths (Tukey and McLaughlin 1963: winsorized deviation).
        kept: paths from the lower to the upper percentile, both included.
        lengths: (N,) float64, of every path.
    """

    value: float
    standard_error: float
    kept: int
    lengths: Tensor


@torch.no_grad()
def path_length(
    generate: Callable[[Tensor], Tensor],
    distance: Callable[[Tensor, Tensor], Tensor],
    latents: Tensor,
    *,
    space: Space = "z",
    sampling: Sampling = "full",
    epsilon: float = 1e-4,
    percentiles: tuple[float, float] = (1.0, 99.0),
    batch: int = 64,
    generator: torch.Generator | None = None,
) -> PathLength:
    """E d(G(z(t)), G(z(t + ε)))/ε² over paths; Karras et al. (2019), section 4.1.

    It is their perceptual path length (PPL) with LPIPS as the distance only.  Everything is computed in
    float64: at ε = 1e-4 the outputs agree in four digits, and float32 has seven.

    Args:
        generate: latents (B, L) to outputs (B, …), float64 both, not rounded to uint8.
        distance: two outputs to (B,), a squared distance; computed in float64 if it can be.
        latents: (2N, L), each path from one of the first N to one of the others.
        space: "z" slerps, "w" lerps; latents of "w" are what the mapping network gives.
        sampling: "full" has t uniform on [0, 1), "end" t = 0.
        epsilon: step along the path.
        percentiles: paths whose length lies outside are left out, as published; `batch` paths run at once.
        generator: on the CPU, that draws t; None for one of seed 0.

    Raises:
        ValueError: an odd number of latents, float32 outputs, lengths that are not finite.
    """
    starts, ends = _pairs(latents)
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    t = torch.rand(len(starts), 1, generator=generator, dtype=torch.float64).to(starts.device)
    t = t if sampling == "full" else torch.zeros_like(t)
    along = slerp if space == "z" else torch.lerp
    lengths = []
    for a, b, at in zip(starts.split(batch), ends.split(batch), t.split(batch), strict=True):
        first, second = (_output(generate, along(a, b, step)) for step in (at, at + epsilon))
        lengths.append(distance(first, second).double().flatten().cpu() / epsilon**2)
    return trimmed(torch.cat(lengths), percentiles)


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """From a at t = 0 to b at t = 1 at constant angular speed; Shoemake (1985).

    The norm goes linearly from ‖a‖ to ‖b‖, so that latents keep the norm that the generator knows; generators
    that normalize z, as those of Karras et al. do, see the direction only.  Parallel vectors are lerped.

    Args:
        a: (N, L).
        b: (N, L).
        t: (N, 1).
    """
    near, far = (x.norm(dim=1, keepdim=True) for x in (a, b))
    u, v = a / near.clamp_min(1e-300), b / far.clamp_min(1e-300)
    cosine = (u * v).sum(1, keepdim=True)
    across = v - cosine * u
    sine = across.norm(dim=1, keepdim=True)
    angle = torch.atan2(sine, cosine)  # acos has no digits near 0
    turned = u * (t * angle).cos() + across / sine.clamp_min(1e-300) * (t * angle).sin()
    return torch.where(sine > 1e-12, turned * torch.lerp(near, far, t), torch.lerp(a, b, t))


def _pairs(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Starts and ends, (N, L) float64 each."""
    if len(latents) < 2 or len(latents) % 2:
        raise ValueError(f"{len(latents)} latents are not the two ends of paths; give an even number of them")
    device = torch.device("cpu") if latents.device.type == "mps" else latents.device
    starts, ends = latents.detach().flatten(1).to(device, torch.float64).chunk(2)
    return starts, ends


def _output(generate: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """What the generator makes, in the precision that the difference needs."""
    x = generate(z)
    if x.dtype != torch.float64:
        raise ValueError(
            f"outputs are {str(x.dtype).removeprefix('torch.')}, too coarse for the steps of a path length;"
            " generate in float64, as copy.deepcopy(generator).double() does"
        )
    return x


def trimmed(lengths: Tensor, percentiles: tuple[float, float]) -> PathLength:
    """The mean between two percentiles, the lower one rounded down to a path, the upper one up.

    Args:
        lengths: (N,) float64, of all paths.
        percentiles: lower and upper, 0 … 100.

    Raises:
        ValueError: a length is not finite.
    """
    if not bool(lengths.isfinite().all()):
        raise ValueError("lengths of paths are not finite; the generator or the distance has diverged")
    low, high = percentiles
    least = torch.quantile(lengths, low / 100, interpolation="lower")
    most = torch.quantile(lengths, high / 100, interpolation="higher")
    kept = lengths[(lengths >= least) & (lengths <= most)]
    deviation = float(lengths.clamp(least, most).std()) if len(lengths) > 1 else math.inf
    share = max(high - low, 1e-9) / 100
    return PathLength(float(kept.mean()), deviation / (share * math.sqrt(len(lengths))), len(kept), lengths)
