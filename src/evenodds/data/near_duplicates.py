"""Images that are nearly the same: saved again as JPEG, shifted by a pixel, brighter or darker.

Candidates come from a perceptual descriptor, the low frequencies of a small grey copy (those whose signs make
the 64-bit "pHash": Zauner 2010, section 3.2.1), compared within cells of similar images, so that the work
grows hardly faster than the number of images. A candidate counts if the pixels agree, too, everywhere, up to
a shift of one pixel and a change of brightness and contrast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .dataset import Array
from .thumbnails import Floats, chunks, grey, shrunk

SIDE = 32  # pixels of the copy that is described
FREQUENCIES = 8  # along each axis; the mean is left out
SHARP = 64  # pixels of the copies that are compared in the end
CELL = 500  # images in a cell, on average
PROBES = 3  # cells that an image looks for its neighbour in
CANDIDATE = 0.95  # correlation of two descriptors
# Correlation of the pixels. Of 500 images each, the nearest others reach 0.987 at most in MNIST and 0.966 in
# CIFAR-10, and copies saved as JPEG of quality 75 do not fall below 0.994.
SAME = 0.985
# Largest difference of 8 × 8 boxes, in standard deviations of the image, of which copies have at most 0.24 in
# CIFAR-10 and 0.15 in MNIST as JPEG of quality 75, and 0.45 when they are brighter by a fifth and clipped.
BOXES, DIFFERENT = 8, 0.45
# A shift of one image by s is one of the other by −s, so that half of the shifts finds every pair.
HALF_OF_THE_SHIFTS = ((0, 0), (0, 1), (1, -1), (1, 0), (1, 1))
SHIFTS = (*HALF_OF_THE_SHIFTS, *((-y, -x) for y, x in HALF_OF_THE_SHIFTS[1:]))
PAIR_BYTES = 1 << 26  # of pairs that are compared at a time

Indices = NDArray[np.int64]


class Pair(NamedTuple):
    """Two images that are nearly the same, by their numbers, and the correlation of their pixels."""

    first: int
    second: int
    similarity: float


def near_duplicates(parts: Sequence[Array], *, skip: Indices | None = None, seed: int = 0) -> list[Pair]:
    """Pairs that connect every image to the ones nearly the same, the most similar first.

    Of many images that are all alike, not all pairs are listed: each has one to the nearest of them.

    Args:
        parts: (N, C, H, W) each, of one shape; numbered through, one part after the other.
        skip: images to leave out, such as exact copies.
        seed: of the images around which the cells are.
    """
    described = np.concatenate([descriptors(part) for part in parts], axis=1)  # (shifts, N, F)
    if skip is not None:
        described[:, skip] = 0
    pairs = _candidates(described, np.random.default_rng(seed))
    similar = [
        _agreement(*(shrunk(_taken(parts, ends), SHARP) for ends in chunk.T))
        for chunk in _chunked(pairs, parts[0])
    ]
    found = np.concatenate(similar) if similar else np.empty(0)
    kept = np.flatnonzero(found >= SAME)
    kept = kept[np.argsort(-found[kept], kind="stable")]
    return [Pair(int(pairs[at, 0]), int(pairs[at, 1]), float(found[at])) for at in kept]


def groups(pairs: Sequence[Pair]) -> list[list[int]]:
    """Images connected by pairs, in groups, each in order; the largest group first."""
    parent: dict[int, int] = {}

    def root(image: int) -> int:
        while parent.setdefault(image, image) != image:
            parent[image] = parent[parent[image]]
            image = parent[image]
        return image

    for pair in pairs:
        parent[root(pair.second)] = root(pair.first)
    together: dict[int, list[int]] = {}
    for image in sorted(parent):
        together.setdefault(root(image), []).append(image)
    return sorted(together.values(), key=lambda group: (-len(group), group))


def descriptors(x: Array) -> Floats:
    """Low frequencies of length 1 for each of HALF_OF_THE_SHIFTS, (shifts, N, F); 0 for images of one value.

    Args:
        x: (N, C, H, W).
    """
    out = np.zeros((len(HALF_OF_THE_SHIFTS), len(x), FREQUENCIES**2 - 1), np.float32)
    for part in chunks(x):
        small = shrunk(grey(x[part]), SIDE)[:, 0]
        padded = np.pad(small, ((0, 0), (1, 1), (1, 1)), mode="edge")
        height, width = small.shape[1:]
        rows, columns = _cosines(height), _cosines(width)
        for number, (down, right) in enumerate(HALF_OF_THE_SHIFTS):
            moved = padded[:, 1 - down : 1 - down + height, 1 - right : 1 - right + width]
            low = (rows @ moved @ columns.T).reshape(len(moved), -1)[:, 1:]
            length = np.linalg.norm(low, axis=1, keepdims=True)
            # an image of one value has none but rounding errors
            values = np.divide(low, length, where=length > 1e-2, out=np.zeros_like(low))
            out[number, part, : low.shape[1]] = values
    return out


def similarity(a: Floats, b: Floats) -> Floats:
    """Correlation of the pixels of a and b, (P, C, H, W) each, at the best of the shifts: (P,)."""
    height, width = a.shape[2:]
    edge = 1 if min(height, width) > 2 else 0
    inner = b[:, :, edge : height - edge, edge : width - edge]
    inner = inner - inner.mean((1, 2, 3), keepdims=True)
    a = a - a.mean((1, 2, 3), keepdims=True)  # else its squares would swallow its variance
    count, length = inner[0].size, _dot(inner, inner)
    best = np.full(len(a), -1.0, np.float32)
    for down, right in SHIFTS if edge else ((0, 0),):
        over = a[:, :, edge + down : height - edge + down, edge + right : width - edge + right]
        variance = _dot(over, over) - over.sum((1, 2, 3)) ** 2 / count
        scale = np.sqrt(np.maximum(variance, 0.0) * length)
        np.maximum(best, _dot(over, inner) / np.maximum(scale, 1e-3), out=best)
    return best


def largest_difference(a: Floats, b: Floats) -> Floats:
    """Of 8 × 8 boxes of a and b, the one that differs most, at the best shift: (P,), in standard deviations.

    Two keys with different digits, or two clocks, are nearly the same all over but in one place.
    """
    height, width = a.shape[2:]
    edge = 1 if min(height, width) > 2 else 0
    inner = _standard(b[:, :, edge : height - edge, edge : width - edge])
    best, found = np.full(len(a), -np.inf, np.float32), np.zeros(len(a), np.float32)
    for down, right in SHIFTS if edge else ((0, 0),):
        over = _standard(a[:, :, edge + down : height - edge + down, edge + right : width - edge + right])
        dots = _dot(over, inner)
        better = dots > best
        best[better] = dots[better]
        found[better] = np.abs(shrunk(over[better] - inner[better], BOXES)).max((1, 2, 3), initial=0.0)
    return found


def _agreement(a: Floats, b: Floats) -> Floats:
    """`similarity`, but 0 where the two differ in one place."""
    found = similarity(a, b)
    close = np.flatnonzero(found >= SAME)
    found[close[largest_difference(a[close], b[close]) > DIFFERENT]] = 0.0
    return found


def _standard(x: Floats) -> Floats:
    """Every image without its mean, in units of its standard deviation."""
    x = x - x.mean((1, 2, 3), keepdims=True)
    return np.asarray(x / np.maximum(x.std((1, 2, 3), keepdims=True), 1e-3), np.float32)


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("pchw,pchw->p", a, b), np.float32)


def _cosines(length: int) -> Floats:
    """The first rows of the discrete cosine transform of `length` values."""
    count = min(FREQUENCIES, length)
    angles = np.pi / length * np.outer(np.arange(count), np.arange(length) + 0.5)
    scale = np.where(np.arange(count) == 0, np.sqrt(0.5), 1.0)[:, None]
    return np.asarray(np.cos(angles) * scale / length, np.float32)


def _candidates(shifted: Floats, random: np.random.Generator) -> Indices:
    """(P, 2) pairs first < second: for each image and shift the nearest other, if near enough."""
    plain = shifted[0]
    usable = np.flatnonzero(plain.any(1))
    if len(usable) < 2:
        return np.empty((0, 2), np.int64)
    centres = plain[random.choice(usable, max(1, len(usable) // CELL), replace=False)]
    order, ends = _cells(plain, usable, centres)
    pairs = [_nearest(queries, plain, usable, centres, order, ends) for queries in shifted]
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)


def _cells(plain: Floats, usable: Indices, centres: Floats) -> tuple[Indices, Indices]:
    """Images sorted by the cell they are in, and where each cell ends."""
    cell = np.concatenate([(plain[part] @ centres.T).argmax(1) for part in np.array_split(usable, 64)])
    counts = np.bincount(cell, minlength=len(centres))
    return usable[np.argsort(cell, kind="stable")], np.cumsum(counts)


def _nearest(
    queries: Floats, plain: Floats, usable: Indices, centres: Floats, order: Indices, ends: Indices
) -> Indices:
    """(P, 2) of each image with sides and its nearest in each of the cells that it probes."""
    probes = min(PROBES, len(centres))
    cells = np.concatenate(
        [
            np.argpartition(-(queries[part] @ centres.T), probes - 1, axis=1)[:, :probes]
            for part in np.array_split(usable, 64)
        ]
    )
    by_cell = np.argsort(cells.ravel(), kind="stable")
    asked = np.searchsorted(cells.ravel()[by_cell], np.arange(len(centres) + 1))
    pairs = [np.empty((0, 2), np.int64)]
    for cell, end in enumerate(ends):
        members = order[ends[cell - 1] if cell else 0 : end]
        images = usable[by_cell[asked[cell] : asked[cell + 1]] // probes]
        for some in np.array_split(images, 1 + len(images) * len(members) // 4_000_000):
            if len(members) and len(some):
                pairs.append(_nearest_member(queries[some], some, plain[members], members))
    return np.concatenate(pairs)


def _nearest_member(queries: Floats, images: Indices, described: Floats, members: Indices) -> Indices:
    """(P, 2) of those images that have a near enough member other than themselves."""
    near = queries @ described.T
    near[images[:, None] == members[None, :]] = -1.0
    best = near.argmax(1)
    good = near[np.arange(len(images)), best] >= CANDIDATE
    return np.stack([images[good], members[best[good]]], axis=1)


def _chunked(pairs: Indices, part: Array) -> Iterator[Indices]:
    """Pairs in runs, each of images that fit in memory."""
    each = 8 * max(int(np.prod(part.shape[1:])), SHARP)
    step = max(1, PAIR_BYTES // each)
    for start in range(0, len(pairs), step):
        yield pairs[start : start + step]


def _taken(parts: Sequence[Array], images: Indices) -> Array:
    """The images with these numbers, (P, C, H, W)."""
    out = np.empty((len(images), *parts[0].shape[1:]), parts[0].dtype)
    start = 0
    for part in parts:
        inside = (images >= start) & (images < start + len(part))
        out[inside] = part[images[inside] - start]
        start += len(part)
    return out
