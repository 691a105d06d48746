"""The cost of moving one density on the line onto another: Wasserstein-1 and -2 by their quantiles."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .density import Density
from .quadrature import gauss_legendre

PARTS = 128  # into which a panel is cut, between whose edges the quantile function is taken to be straight
NODES = 4  # per part
Floats = NDArray[np.float64]


def wasserstein(p: Density, q: Density, edges: Tensor) -> list[tuple[float, float]]:
    """W_k = (∫ |F_p⁻¹(u) − F_q⁻¹(u)|^k du)^(1/k) for k = 1 and 2, each as (distance, error).

    On the line no transport is cheaper than the one that keeps the order; Villani (2003), Thm. 2.18.

    Args:
        p: a density on the line.
        q: another.
        edges: (P + 1,) ascending, of panels on which both densities are smooth, and which hold all mass.
    """
    steps = torch.arange(PARTS, dtype=torch.float64) / PARTS
    inner = (edges[:-1, None] + (edges[1:] - edges[:-1])[:, None] * steps).flatten()
    fine = torch.cat([inner, edges[-1:]])
    x, weight = gauss_legendre(fine[:-1, None], fine[1:, None], NODES)  # (M, n, 1), (M, n)
    shares = [_cumulative(density, x, weight) for density in (p, q)]
    places = fine.numpy()
    full = _costs(places, *shares)
    half = _costs(places[::2], *(share[::2] for share in shares))
    return [(value, abs(value - rough)) for value, rough in zip(full, half, strict=True)]


def _cumulative(density: Density, x: Tensor, weight: Tensor) -> Floats:
    """Share of the mass below each edge, (M + 1,), from 0 to 1."""
    mass = (weight * density.log_density(x.reshape(-1, 1)).exp().reshape(weight.shape)).sum(1).numpy()
    below = np.concatenate([[0.0], np.cumsum(mass)])
    return np.asarray(below / below[-1], dtype=np.float64)


def _costs(x: Floats, share_p: Floats, share_q: Floats) -> tuple[float, float]:
    """W₁ and W₂ of two distributions whose quantile functions are straight between the edges x."""
    u = np.unique(np.concatenate([share_p, share_q]))
    # Two Gauss nodes per interval are exact for squares of straight lines, and never fall on an edge, where
    # a quantile function jumps if there is a gap in its density.
    offset = (u[1:] - u[:-1]) * (1 - 1 / math.sqrt(3)) / 2
    nodes = np.stack([u[:-1] + offset, u[1:] - offset])
    apart = np.abs(_quantiles(nodes, share_p, x) - _quantiles(nodes, share_q, x))
    weight = (u[1:] - u[:-1]) / 2
    return float((weight * apart).sum()), math.sqrt(float((weight * apart**2).sum()))


def _quantiles(u: Floats, share: Floats, x: Floats) -> Floats:
    """Where a share u lies below; np.interp's slopes overflow where shares are smaller than 1e-308."""
    right = np.searchsorted(share, u, side="right").clip(1, len(share) - 1)
    step = share[right] - share[right - 1]
    part = (u - share[right - 1]) / np.where(step > 0, step, 1.0)
    return np.asarray(x[right - 1] + part * (x[right] - x[right - 1]), dtype=np.float64)
