"""Distances of all pairs of many points, a tile at a time: what tests on nearest neighbours read.

All distances of 50,000 points are 20 GB; nothing here holds more than a tile of them.  Two properties hold
that a matrix product alone doesn't give, and that neighbours need: equal points are at distance 0 exactly,
and equal distances compare as equal wherever in a matrix they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

TILE = 2_048  # points on each side: 32 MB of float64, twice while it is made
_SPLIT = 2.0**21 + 1  # Veltkamp (1968): keeps 32 of float64's 53 bits


class Points(NamedTuple):
    """Points and a fingerprint of each.

    Args:
        values: (N, F) of any real type.
        keys: (N,) int64, equal where the points are.
    """

    values: Tensor
    keys: Tensor


class Tile(NamedTuple):
    """A part of the matrix of distances.

    Args:
        rows: of the first points.
        columns: of the second.
        distance: (B, C) float64, Euclidean.
    """

    rows: slice
    columns: slice
    distance: Tensor


def as_points(x: Tensor, name: str = "x") -> Points:
    """Points (N, F) from examples of any shape, with their fingerprints.

    Args:
        x: (N, …) examples, N at least 1.
        name: what errors call them.

    Raises:
        ValueError: there is none, or a value is not finite.
    """
    # Apple's GPUs don't have float64
    values = x.detach().flatten(1).to("cpu" if x.device.type == "mps" else x.device)
    if not values.numel():
        raise ValueError(f"there are no {name} examples to compare; give at least one, with a feature")
    random = torch.Generator().manual_seed(0)
    odd = (torch.randint(2**62, (values.shape[1],), generator=random) * 2 + 1).to(values.device)
    keys = []
    for part in values.split(TILE):
        wide = part.double() + 0.0  # −0 becomes 0
        if not bool(wide.isfinite().all()):
            raise ValueError(f"{name} has values that are not finite; a distance to them says nothing")
        # a sum of integers modulo 2^64 does not depend on its order, as one of floats does
        keys.append(_hashed(wide.view(torch.int64), odd).sum(1))
    return Points(values, torch.cat(keys))


def _hashed(bits: Tensor, odd: Tensor) -> Tensor:
    """64 well-mixed bits of each value, other ones for each feature; Vigna's splitmix64 is built alike.

    High bits go into low ones twice: the low bits of small integers as float64 are all 0, and a product keeps
    them so.
    """
    mixed = (bits ^ (bits >> 32 & 0xFFFFFFFF)) * odd
    return (mixed ^ (mixed >> 29 & 0x7FFFFFFFF)) * -0x61C8864680B583EB


def tiles(x: Points, y: Points | None = None) -> Iterator[Tile]:
    """‖x_i − y_j‖ for every pair, tile by tile.

    By a matrix product in float64, about the mean of x so that a common offset costs no digits, and rounded
    to 32 bits: the last ones depend on where in the product a pair stands, so that they would break ties.

    Args:
        x: N points.
        y: M points of as many features; None for x itself, of which then only tiles on and above the diagonal
            come, infinite on the diagonal: no point is its own neighbour.

    Raises:
        ValueError: the points have different numbers of features.
    """
    other = x if y is None else y
    if x.values.shape[1] != other.values.shape[1]:
        raise ValueError(
            f"points with {x.values.shape[1]} and {other.values.shape[1]} features have no distance;"
            " compute both with one extractor"
        )
    centre = x.values.sum(0, dtype=torch.float64) / len(x.values)
    for start in range(0, len(x.values), TILE):
        rows = slice(start, min(start + TILE, len(x.values)))
        first = x.values[rows].double() - centre
        for begin in range(start if y is None else 0, len(other.values), TILE):
            columns = slice(begin, min(begin + TILE, len(other.values)))
            mirror = y is None and begin == start
            second = first if mirror else other.values[columns].double() - centre
            distance = _distances(first, second)
            distance.masked_fill_(x.keys[rows, None] == other.keys[None, columns], 0.0)
            yield Tile(rows, columns, distance.fill_diagonal_(torch.inf) if mirror else distance)


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """‖x_i − y_j‖ of float64 points, to 32 bits."""
    squared = torch.addmm(y.square().sum(1), x, y.T, alpha=-2).add_(x.square().sum(1, keepdim=True))
    carried = squared.clamp_min_(0) * _SPLIT
    return carried.sub_(carried - squared).sqrt_()


def neighbour_distances(x: Points, k: int, name: str = "x") -> Tensor:
    """Distances from each point to its 1st, …, k-th nearest other point, (N, k) float64, ascending.

    Args:
        x: N points; copies of a point are other points, at distance 0.
        k: 1 … N − 1.
        name: what errors call the points.

    Raises:
        ValueError: there are too few points.
    """
    if not 1 <= k < len(x.values):
        raise ValueError(
            f"the {k} nearest neighbours of a point need k of at least 1 and {k + 1} {name} examples,"
            f" not {len(x.values)}; give more examples or another k"
        )
    nearest = torch.full((len(x.values), k), torch.inf, dtype=torch.float64, device=x.values.device)
    for rows, columns, distance in tiles(x):
        sides = [(rows, distance)] if rows == columns else [(rows, distance), (columns, distance.T)]
        for part, matrix in sides:
            least = matrix.topk(min(k, matrix.shape[1]), dim=1, largest=False).values
            nearest[part] = torch.cat([nearest[part], least], 1).topk(k, dim=1, largest=False).values
    return nearest.sort(1).values
