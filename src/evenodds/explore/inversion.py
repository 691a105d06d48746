"""Inversion: the point of latent space whose sample is nearest to a given image, by gradient descent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import Array
from ..errors import ConfigError
from ..latents import Uniform
from .features import Features
from .figures import Cell, Table, heading, need_images, tiles
from .neighbours import unit
from .space import Space, styled

STEPS, RESTARTS = 400, 8
CANDIDATES = 1_024  # samples among which the descents begin
# The schedule of Karras et al. (2020), appendix D: up over 5 % of the steps, down over the last quarter.
RATE, RISE, FALL = 0.1, 0.05, 0.25  # RATE in standard deviations of a coordinate
FEATURE_WEIGHT = 0.1  # of the features' relative error, where D is asked


class Candidates(NamedTuple):
    """Samples of the seeds 0 … N − 1, where descents may begin.

    Args:
        points: (N, F).
        x: (N, *sample_shape).
        labels: (N,) of the samples; None without classes.
    """

    points: Tensor
    x: Tensor
    labels: Tensor | None


class Inverted(NamedTuple):
    """R descents towards one image, the nearest first.

    Args:
        points: (R, F).
        errors: (R,) root mean square error of the pixels, on a scale from 0 to 1.
        x: (R, *sample_shape), the samples there.
        labels: (R,) their classes; None without classes.
        nearest: the error of the nearest of the candidates: what is reached without any descent.
    """

    points: Tensor
    errors: Tensor
    x: Array
    labels: list[int] | None
    nearest: float


def candidates(space: Space, label: int | None = None, count: int = CANDIDATES) -> Candidates:
    """Where descents towards any image may begin.

    Args:
        label: of all of them; None for all classes in turn.

    Raises:
        ConfigError: vectors.
    """
    need_images(space.sampler, "invert")
    classes = len(space.sampler.class_names)
    labels = None
    if classes:
        labels = [seed % classes for seed in range(count)] if label is None else [label] * count
    x = torch.from_numpy(space.sampler(range(count), labels))
    return Candidates(space.points(range(count), labels), x, None if labels is None else torch.tensor(labels))


def invert(
    space: Space,
    target: Array,
    begin: Candidates,
    *,
    steps: int = STEPS,
    restarts: int = RESTARTS,
    features: Features | None = None,
) -> Inverted:
    """Descend from several candidates: half of them the nearest to the image, the others the first ones.

    Args:
        target: (*sample_shape) in the generator's range.
        steps: of Adam, with a rate that rises and falls.
        restarts: descents at the same time.
        features: compare these, too; weighed by FEATURE_WEIGHT over the mean square of the target's.

    Raises:
        ConfigError: no steps, or more restarts than candidates.
    """
    if steps < 1 or not 1 <= restarts <= len(begin.points):
        raise ConfigError(
            f"{steps} steps and {restarts} restarts can't be made; give at least 1 step and "
            f"1 to {len(begin.points)} restarts"
        )
    device, scale = space.sampler.device, unit(space.sampler.value_range)
    wanted = torch.from_numpy(np.array(target)).float().to(device)[None]  # (1, C, H, W)
    far = _errors(begin.x, wanted.cpu(), scale)
    chosen = _beginnings(far, restarts)
    labels = None if begin.labels is None else begin.labels[chosen].to(device)
    points = begin.points[chosen].to(device).clone()
    points = _descended(space, points, labels, _loss(wanted, labels, scale, features), steps)
    with torch.no_grad():
        x = _generated(space, points, labels)
    errors = _errors(x, wanted, scale).cpu()
    order = errors.argsort(stable=True)
    kept = None if labels is None else labels.cpu()[order].tolist()
    return Inverted(points.cpu()[order], errors[order], x.cpu()[order].numpy(), kept, float(far.min()))


def _descended(
    space: Space, points: Tensor, labels: Tensor | None, loss: Callable[[Tensor], Tensor], steps: int
) -> Tensor:
    """(R, F) after so many steps of Adam; no restart's step depends on the others."""
    points.requires_grad_()
    optimizer = torch.optim.Adam([points], betas=(0.9, 0.999))
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * space.spread * rate(step / steps)
        points.grad = torch.autograd.grad(loss(_generated(space, points, labels)).sum(), points)[0]
        optimizer.step()
        with torch.no_grad():
            points.copy_(_within(space, points))
    return points.detach()


def rate(progress: float) -> float:
    """The learning rate's factor: rising, at 1, and falling to 0 on a cosine."""
    rise = min(1.0, progress / RISE) if progress > 0 else 0.2
    left = min(1.0, (1 - progress) / FALL)
    return rise * (0.5 - 0.5 * math.cos(left * math.pi))


def inversion_table(
    space: Space, targets: Sequence[Array], found: Sequence[Inverted], names: Sequence[str]
) -> Table:
    """A row for each image: itself, the nearest sample, and the other descents, with their errors.

    Args:
        targets: (*sample_shape) each, in the generator's range.
        found: what `invert` returned for each.
        names: of the images.
    """
    cells: list[list[Cell]] = []
    words: list[list[str]] = []
    for target, one in zip(targets, found, strict=True):
        cells.append([*tiles(space.sampler, np.array(target)[None]), None, *tiles(space.sampler, one.x)])
        words.append(["", "", *(f"{error:.3f}" for error in one.errors)])
    others = max(0, len(found[0].errors) - 1)
    return Table(
        cells=cells,
        words=words,
        rows=names,
        columns=["image", "", "best", *(f"restart {index + 2}" for index in range(others))],
        title=heading(space.sampler, f"inverted in {space.name}; root mean square error of pixels, 0 to 1"),
    )


def _beginnings(errors: Tensor, restarts: int) -> Tensor:
    """(R,) positions: the nearest candidates, and for variety the first of the others."""
    order = errors.argsort(stable=True)
    near = order[: -(-restarts // 2)]
    rest = [index for index in range(len(errors)) if index not in set(near.tolist())]
    return torch.cat([near, torch.tensor(rest[: restarts - len(near)], dtype=torch.int64)])


def _loss(
    wanted: Tensor, labels: Tensor | None, scale: float, features: Features | None
) -> Callable[[Tensor], Tensor]:
    """(R, C, H, W) -> (R,): the mean square error of pixels, and of features if they are given."""

    def pixels(x: Tensor) -> Tensor:
        return ((x - wanted) / scale).square().flatten(1).mean(1)

    if features is None:
        return pixels
    label = labels[:1] if labels is not None else None
    with torch.no_grad():
        aim = features(wanted, label)  # (1, F)
    size = aim.square().mean().clamp_min(1e-12)

    def both(x: Tensor) -> Tensor:
        return pixels(x) + FEATURE_WEIGHT * (features(x, labels) - aim).square().mean(1) / size

    return both


def _generated(space: Space, points: Tensor, labels: Tensor | None) -> Tensor:
    if space.name == "w":
        return styled(space.sampler, "has no space w").synthesize(points).float()
    x: Tensor = space.sampler.generator(points, labels)
    return x.float()


def _within(space: Space, points: Tensor) -> Tensor:
    """Points moved back to where the prior can draw: its cube, its sphere; a normal prior draws anywhere."""
    if space.name == "z" and isinstance(space.sampler.prior, Uniform):
        return points.clamp(-space.sampler.prior.bound, space.sampler.prior.bound)
    return space.on(points)


def _errors(x: Tensor, wanted: Tensor, scale: float) -> Tensor:
    """(N,) root mean square error of pixels on a scale from 0 to 1."""
    return ((x - wanted) / scale).square().flatten(1).mean(1).sqrt()
