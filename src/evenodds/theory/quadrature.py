"""Integrals over the line and the plane, by panels of Gauss-Legendre nodes that split where it is needed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .density import Density

# (log p, log q, log weight), each (N,), to the integrands times the weight, (N, F).
Terms = Callable[[Tensor, Tensor, Tensor], Tensor]

NODES = {1: 16, 2: 8}  # per panel and coordinate
PANELS = 12  # per coordinate across each density at the start: edges of boards of 2, 3, 4, 6, 12 squares fit
MARGIN = 2  # panels beyond the bounds on each side, which are as wide as the box: χ² lives in the tails
SCOUTS = 2_048  # samples of each density that say where its mass is


class Panels(NamedTuple):
    """A box cut into P panels of n nodes each.

    Args:
        low: (P, d) lower corners.
        high: (P, d) upper corners.
        log_p: (P, n) log p at the nodes.
        log_q: (P, n) log q at the nodes.
        weight: (P, n) what a node's value is multiplied by.
        integrals: (P, F) of each integrand over each panel.
        errors: (P, F) by how much splitting the panel's parent has changed them, this panel's share of it.
    """

    low: Tensor
    high: Tensor
    log_p: Tensor
    log_q: Tensor
    weight: Tensor
    integrals: Tensor
    errors: Tensor


def quadrature(p: Density, q: Density, terms: Terms, *, evaluations: int, tolerance: float = 1e-10) -> Panels:
    """Panels on which the integrals of `terms` are known to `tolerance`, or as well as `evaluations` allow.

    Args:
        p: a density on the line or in the plane.
        q: another of the same dimension.
        terms: the integrands.
        evaluations: at how many points the densities are evaluated, at most.
        tolerance: at which the sum of all errors is small enough, as a share of the integral, or of 1.
    """
    edges = _edges(torch.stack([p.bounds, q.bounds]))
    panels = _scouted(_evaluate(*_boxes(edges), p, q, terms), p, q)
    spent, corners = panels.weight.numel(), 2**p.dimension
    while True:
        error = _relative_errors(panels)  # (P,)
        cost = panels.weight.shape[1] * corners
        room = (evaluations - spent) // cost
        if error.sum() <= tolerance or room < 1:
            return panels
        worst = _worst(error, room)
        split = _split(_pick(panels, worst), p, q, terms)
        rest = torch.ones(len(error), dtype=torch.bool)
        rest[worst] = False
        panels = Panels(*(torch.cat(pair) for pair in zip(_pick(panels, rest), split, strict=True)))
        spent += len(worst) * cost


def total(panels: Panels) -> tuple[Tensor, Tensor]:
    """The integrals (F,), and their errors (F,): what the last splits have changed, and what the edge holds.

    An integral that is mostly at the edge of the box, far outside both densities' bounds, grows with the
    box: it is infinite, and so is one beyond the largest number of float64.  Their error is 0.
    """
    value, error = panels.integrals.sum(0), panels.errors.sum(0)
    at_edge = ((panels.low == panels.low.amin(0)) | (panels.high == panels.high.amax(0))).any(1)
    tail = panels.integrals[at_edge].abs().sum(0)
    infinite = ~value.isfinite() | ((tail > 0.01 * value.abs()) & (tail > 1e-6))
    return torch.where(infinite, torch.inf, value), torch.where(infinite, 0.0, error + tail)


def gauss_legendre(low: Tensor, high: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Nodes (P, count^d, d) and weights (P, count^d) in boxes with corners `low` and `high`, (P, d)."""
    nodes, weights = (torch.from_numpy(part) for part in np.polynomial.legendre.leggauss(count))
    dimension = low.shape[1]
    unit = torch.cartesian_prod(*[nodes] * dimension).reshape(-1, dimension)
    product = torch.cartesian_prod(*[weights] * dimension).reshape(-1, dimension).prod(1)
    half = (high - low) / 2  # (P, d)
    return (low + high)[:, None] / 2 + half[:, None] * unit, half.prod(1)[:, None] * product


def _edges(bounds: Tensor) -> list[Tensor]:
    """Sorted panel edges of each coordinate from both densities' bounds (2, d, 2)."""
    edges = []
    for low, high in zip(bounds[:, :, 0].T, bounds[:, :, 1].T, strict=True):  # (2,) each
        ends = zip(low.tolist(), high.tolist(), strict=True)
        inner = [torch.linspace(a, b, PANELS + 1, dtype=torch.float64) for a, b in ends]
        width = float(high.max() - low.min())
        steps = width * torch.arange(1, MARGIN + 1, dtype=torch.float64) / MARGIN
        edges.append(torch.cat([*inner, low.min() - steps, high.max() + steps]).unique())
    return edges


def _boxes(edges: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Lower and upper corners (P, d) of all boxes between edges."""
    lower, upper = ([part[cut] for part in edges] for cut in (slice(None, -1), slice(1, None)))
    dimension = len(edges)
    corners = [torch.cartesian_prod(*side).reshape(-1, dimension) for side in (lower, upper)]
    return corners[0], corners[1]


def _evaluate(low: Tensor, high: Tensor, p: Density, q: Density, terms: Terms) -> Panels:
    """Panels with their integrals; their errors are still taken to be the integrals themselves."""
    x, weight = gauss_legendre(low, high, NODES[p.dimension])
    points = x.reshape(-1, p.dimension)
    log_p, log_q = p.log_density(points), q.log_density(points)
    values = terms(log_p, log_q, torch.zeros_like(log_p)).reshape(*weight.shape, -1)
    integrals = (weight[..., None] * values).sum(1)
    shape = weight.shape
    return Panels(low, high, log_p.reshape(shape), log_q.reshape(shape), weight, integrals, integrals.abs())


def _scouted(panels: Panels, p: Density, q: Density) -> Panels:
    """Panels in which samples fall are not trusted before they have been split once."""
    random = torch.Generator().manual_seed(0)
    held = torch.zeros(len(panels.low), dtype=torch.bool)
    for x in torch.cat([p.sample(SCOUTS, random), q.sample(SCOUTS, random)]).double().split(256):
        inside = (x[:, None] >= panels.low) & (x[:, None] <= panels.high)
        held |= inside.all(2).any(0)
    return panels._replace(errors=torch.where(held[:, None], torch.inf, panels.errors))


def _relative_errors(panels: Panels) -> Tensor:
    """(P,) the largest error among the integrands, as a share of the integral where that is above 1."""
    whole = panels.integrals.sum(0)
    shares = panels.errors / whole.abs().clamp(min=1)
    return torch.where(whole.isfinite(), shares, 0.0).amax(1).clamp(max=1e6)


def _worst(error: Tensor, room: int) -> Tensor:
    """Indices of the fewest panels that hold nine tenths of the error, at most `room` of them."""
    ordered, index = error.sort(descending=True)
    enough = int((ordered.cumsum(0) < 0.9 * ordered.sum()).sum()) + 1
    return index[: min(enough, room)]


def _split(panels: Panels, p: Density, q: Density, terms: Terms) -> Panels:
    """Each panel cut in the middle of every coordinate; the parts share the change as their error."""
    middle = (panels.low + panels.high) / 2
    lows, highs = [], []
    for upper in itertools.product((False, True), repeat=p.dimension):
        chosen = torch.tensor(upper)
        lows.append(torch.where(chosen, middle, panels.low))
        highs.append(torch.where(chosen, panels.high, middle))
    parts = _evaluate(torch.cat(lows), torch.cat(highs), p, q, terms)
    sums = parts.integrals.reshape(len(lows), *panels.integrals.shape).sum(0)
    change = (sums - panels.integrals).abs()
    change = torch.where(sums.isfinite() & panels.integrals.isfinite(), change, 0.0)
    return parts._replace(errors=(change / len(lows)).repeat(len(lows), 1))


def _pick(panels: Panels, which: Tensor) -> Panels:
    return Panels(*(part[which] for part in panels))
