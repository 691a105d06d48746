"""Exemplars found by measuring, "thick − thin + another", and whether the sum is what it should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..data.dataset import Array
from ..errors import ConfigError
from .arithmetic import CENTRE, Arithmetic, Concept
from .attributes import WORDS, Measure
from .figures import need_images
from .neighbours import unit
from .space import Space

POOL = 2_000  # samples that exemplars are chosen from
TAIL = 0.15  # of a kind's samples: those with most of the attribute, and those with least
EXEMPLARS = 3  # the paper's
LEAST = 2 * EXEMPLARS  # samples in a tail, so that another draw finds others
Classify = Callable[[Array], Array]  # samples (N, C, H, W) -> (N,) what they show


@dataclass(frozen=True, eq=False)
class Pool:
    """Samples of the seeds 0 … N − 1, measured.

    Args:
        values: (N,) of the attribute.
        flat: (N, pixels), for likeness where there are no kinds.
        kinds: (N,) what each sample shows, −1 where that isn't clear; None if nobody can tell.
        labels: (N,) the classes that the generator was given; None without classes.
    """

    values: Array
    flat: Array
    kinds: Array | None
    labels: Array | None


class Changed(NamedTuple):
    """An attribute in one sum a − b + c.

    Args:
        target: mean over a's exemplars, which have it.
        before: of the sample at c's mean latent.
        after: of the sample at Y.
        around: mean over all nine of the panel.
        images: of the same sum of images.
        kept: whether the sample at Y still shows what c's exemplars do; None if nobody can tell.
        images_kept: whether the sum of images does.
    """

    target: float
    before: float
    after: float
    around: float
    images: float
    kept: bool | None = None
    images_kept: bool | None = None

    def has(self, value: float) -> bool:
        """Whether a value is nearer to the target than to what there was before."""
        return abs(value - self.target) < abs(value - self.before)


def unit_images(space: Space, x: Array) -> Array:
    """Samples as attributes are measured on: in [0, 1], clipped; colours multiplied by alpha."""
    low = space.sampler.value_range[0] if space.sampler.value_range else 0.0
    scaled: Array = np.clip((x - low) / unit(space.sampler.value_range), 0, 1)
    if x.shape[1] == 4 and not space.sampler.premultiplied:
        scaled[:, :3] *= scaled[:, 3:]
    return scaled


def measured_pool(
    space: Space,
    measure: Measure,
    *,
    count: int = POOL,
    classify: Classify | None = None,
    label: int | None = None,
) -> Pool:
    """The samples to choose from.

    Args:
        measure: of the attribute.
        count: of samples.
        classify: tells what a sample shows, −1 if unclear, for a generator without classes.
        label: draw only that class.

    Raises:
        ConfigError: vectors.
    """
    need_images(space.sampler, "an attribute")
    classes = len(space.sampler.class_names)
    labels = None
    if classes:
        labels = np.arange(count) % classes if label is None else np.full(count, label)
    x = space.sampler(range(count), None if labels is None else labels.tolist())
    kinds = labels if labels is not None else classify(x) if classify else None
    return Pool(measure(unit_images(space, x)), x.reshape(count, -1), kinds, labels)


def choose(pool: Pool, seed: int) -> tuple[Concept, Concept, Concept]:
    """a with much of the attribute, b alike with little of it, c something else with little of it.

    Args:
        seed: another one chooses others.

    Raises:
        ConfigError: too few samples, or all of them have the same amount.
    """
    if float(pool.values.max() - pool.values.min()) < 1e-6:
        raise ConfigError("the attribute is the same in all samples; choose another")
    random = np.random.default_rng(seed)
    seeds = _by_kind(pool, random) if pool.kinds is not None else _by_likeness(pool, random)
    return tuple(_concept(pool, one) for one in seeds)  # type: ignore[return-value]


def _concept(pool: Pool, seeds: Array) -> Concept:
    label = None if pool.labels is None else int(pool.labels[seeds[0]])
    kind = None if pool.kinds is None else int(pool.kinds[seeds[0]])
    return Concept(tuple(int(seed) for seed in seeds), label, kind)


def names_of(attribute: str, concepts: Sequence[Concept], kinds: Sequence[str]) -> tuple[str, str, str]:
    """thick 8, thin 8, thin 5: the chosen concepts in words.

    Args:
        kinds: names of what samples show; empty if nobody can tell.
    """
    much, little = WORDS.get(attribute, (f"much {attribute}", f"little {attribute}"))
    shown = [f" {kinds[one.kind]}" if kinds and one.kind is not None else "" for one in concepts]
    a, b, c = (f"{word}{kind}" for word, kind in zip((much, little, little), shown, strict=True))
    return (a, b, c) if kinds else (a, b, f"another {c}")


def _by_kind(pool: Pool, random: np.random.Generator) -> list[Array]:
    """a and b of one kind, c of another, of the same where there is only one; each three that are alike."""
    assert pool.kinds is not None
    kinds = [int(kind) for kind in np.unique(pool.kinds) if kind >= 0]
    tails = {kind: _tails(pool, np.flatnonzero(pool.kinds == kind)) for kind in kinds}
    able = [kind for kind, (most, _) in tails.items() if len(most) >= LEAST]
    if not able:
        raise ConfigError(f"{len(pool.values)} samples are too few to choose exemplars from; give more")
    first = able[int(random.integers(len(able)))]
    others = [kind for kind in able if kind != first] or [first]
    other = others[int(random.integers(len(others)))]
    a, b = (_alike(pool, pool.flat[random.choice(tail)], tail) for tail in tails[first])
    rest = np.setdiff1d(tails[other][1], b)
    return [a, b, _alike(pool, pool.flat[random.choice(rest)], rest)]


def _by_likeness(pool: Pool, random: np.random.Generator) -> list[Array]:
    """a, a random sample with much and two like it; b like a's mean; c as a, but with little."""
    most, least = _tails(pool, np.arange(len(pool.values)))
    if len(most) < LEAST:
        raise ConfigError(f"{len(pool.values)} samples are too few to choose exemplars from; give more")
    a = _alike(pool, pool.flat[random.choice(most)], most)
    b = _alike(pool, pool.flat[a].mean(0), least)
    rest = np.setdiff1d(least, b)
    return [a, b, _alike(pool, pool.flat[random.choice(rest)], rest)]


def _tails(pool: Pool, among: Array) -> tuple[Array, Array]:
    """Those with most of the attribute and those with least, of some positions in the pool."""
    order = among[np.argsort(pool.values[among], kind="stable")]
    size = round(TAIL * len(among))
    return order[len(order) - size :], order[:size]


def _alike(pool: Pool, image: Array, among: Array) -> Array:
    """The exemplars among those positions whose samples are nearest to an image, the nearest first."""
    distance = np.square(pool.flat[among] - image).sum(1)
    nearest: Array = among[np.argsort(distance, kind="stable")[:EXEMPLARS]]
    return nearest


def changed(space: Space, result: Arithmetic, measure: Measure, classify: Classify | None = None) -> Changed:
    """The attribute before and after, in latents and in images.

    Args:
        classify: tells what a sample shows.
    """
    x = np.concatenate([result.exemplars[0], result.means[2:], result.panel, result.image[None]])
    values = measure(unit_images(space, x))
    count = len(result.exemplars[0])
    panel = values[count + 1 : -1]
    kept = images_kept = None
    if classify is not None:
        shown = classify(
            np.concatenate([result.panel[CENTRE][None], result.image[None], result.exemplars[2]])
        )
        wanted = np.bincount(shown[2:]).argmax()
        kept, images_kept = bool(shown[0] == wanted), bool(shown[1] == wanted)
    return Changed(
        target=float(values[:count].mean()),
        before=float(values[count]),
        after=float(panel[CENTRE]),
        around=float(panel.mean()),
        images=float(values[-1]),
        kept=kept,
        images_kept=images_kept,
    )


def shares(found: Sequence[Changed]) -> tuple[float, float]:
    """Of several sums, the share with the attribute: those of latents, and those of images."""
    return (
        sum(one.has(one.after) for one in found) / len(found),
        sum(one.has(one.images) for one in found) / len(found),
    )
