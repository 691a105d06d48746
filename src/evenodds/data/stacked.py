"""Stacked MNIST: three digits as red, green and blue, whose 1000 triples are modes that can be counted.

Metz et al. (2017), section 3.3.1; 128,000 stacks as in Srivastava et al. (2017) and Lin et al. (2018), who
stack digits of MNIST's training and test images alike.  Here no digit stands in two splits, so that copying
can be told from learning.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError
from .dataset import Array, Dataset, Split, pair
from .named import load_named

MODES = 1_000


def stacked_mnist(
    *,
    folder: str | None = None,
    size: int = 32,
    stacks: int = 128_000,
    seed: int = 0,
    value_range: Sequence[float] | None = (-1.0, 1.0),
) -> Dataset:
    """Colour images (N, 3, size, size) of MNIST digits, labelled 100 · red + 10 · green + blue.

    Args:
        folder: where MNIST's four files are; None looks where `mnist` does.
        size: 28, or 32 with a border of two black pixels.
        stacks: in the training split; the validation and test splits have 10,000 each.
        seed: of the permutations that stack.
        value_range: what 0..255 is mapped to for the players.

    Raises:
        DataError, ConfigError: MNIST's files are missing or damaged; an option is out of range.
    """
    if size not in (28, 32):
        raise ConfigError(f"stacked_mnist comes in size=28 and size=32, not {size}; give one of these")
    if stacks < 1 or seed < 0:
        raise ConfigError(f"stacks={stacks} must be at least 1 and seed={seed} at least 0; change it")
    mnist = load_named("mnist", folder=folder, value_range=pair(value_range))
    splits = {
        name: stacked(split, stacks if name == "train" else len(split), size=size, seed=(seed, number))
        for number, (name, split) in enumerate(mnist.splits.items())
    }
    return Dataset(
        name="stacked_mnist",
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        class_names=tuple(f"{mode:03d}" for mode in range(MODES)),
        value_range=pair(value_range),
        source=mnist.source,
        mode_classifier="mnist",
    )


def stacked(split: Split, count: int, *, size: int, seed: tuple[int, int]) -> Split:
    """`count` stacks of three digits of `split`, which come equally often, to one, in each colour.

    Args:
        split: grey images (N, 1, h, w) with labels 0..9.
        count: how many.
        size: side to which images are padded with 0, evenly.
        seed: of the permutations.
    """
    random = np.random.default_rng(seed)
    chosen = np.stack([_in_turn(len(split), count, random) for _ in range(3)])  # (3, count)
    before = (size - split.x.shape[-1]) // 2
    inside = slice(before, before + split.x.shape[-1])
    x = np.zeros((count, 3, size, size), np.uint8)
    for channel, order in enumerate(chosen):
        x[:, channel, inside, inside] = split.x[order, 0]
    if split.y is None:
        return Split(x)
    red, green, blue = split.y[chosen]
    return Split(x, 100 * red + 10 * green + blue)


def _in_turn(examples: int, count: int, random: np.random.Generator) -> Array:
    """`count` indices below `examples`: one permutation after the other."""
    passes = -(-count // examples)
    return np.concatenate([random.permutation(examples) for _ in range(passes)])[:count]
