"""One loader for every data set: infinite, resumable, shared among ranks, with the whole split in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ..algorithm import Batch
from ..config import Config
from ..errors import ConfigError, DataError, RunError
from .dataset import Array, Split, pair


def to_range(x: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    """float32 x, with 0..255 of uint8 mapped linearly to [low, high]; floats stay as they are.

    Args:
        x: of any shape, uint8 or float.
        value_range: (low, high); None leaves 0..255.
    """
    if x.dtype != torch.uint8:
        return x.float()
    if value_range is None:
        return x.float()
    low, high = value_range
    return x.float().mul_((high - low) / 255).add_(low)


class Loader(Iterator[Batch]):
    """Minibatches without end: each pass is a permutation of its own, drawn from (seed, pass).

    A batch never straddles two passes: the last len(split) % batch_size examples of a pass are left out of it
    (others in the next); in the 2014 protocol, 500 batches of 100 from 50,000, there are none.

    Args:
        split: the examples; uint8 stays uint8 in memory and is converted batch by batch.
        batch_size: of all ranks together.
        seed: of the permutations, 0 or more.
        value_range: what 0..255 of uint8 is mapped to, see `to_range`.
        device: where the examples are kept and the batches are made.
        mirror: of every two passes, each image is turned left to right in one; which one is drawn at random.
        rank: which share of each batch this process gets, 0 .. world_size − 1.
        world_size: among how many processes each batch is divided.

    Raises:
        DataError: the split is empty or smaller than a batch.
        ConfigError: the batch can't be divided among the ranks, a number is out of range, or what is to be
            mirrored is no image.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        seed: int,
        value_range: Sequence[float] | None,
        device: str | torch.device = "cpu",
        mirror: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        _check(len(split), batch_size, seed, rank, world_size)
        if mirror and split.x.ndim != 4:
            shape = tuple(split.x.shape[1:])
            raise ConfigError(f"only images have mirror images, and an example has {shape}; set mirror=false")
        self._mirror = mirror
        self.batch_size = batch_size
        self.batches_per_pass = len(split) // batch_size
        self.value_range = pair(value_range)
        self._x = _resident(split.x, device)
        self._y = None if split.y is None else _resident(split.y, device)
        self._seed = seed
        share = batch_size // world_size
        self._share = slice(rank * share, (rank + 1) * share)
        self._position = 0
        self._pass = -1  # the pass that `_order` belongs to
        self._order = torch.empty(0, dtype=torch.int64)
        self._turned = torch.empty(0, dtype=torch.bool)  # by example, in this pass

    @property
    def position(self) -> int:
        """How many batches were drawn so far; set it to go on as an uninterrupted loader would from there."""
        return self._position

    @position.setter
    def position(self, batches: int) -> None:
        if isinstance(batches, bool) or not isinstance(batches, int) or batches < 0:
            raise RunError(f"the data loader can't go to position {batches!r}; give a whole number from 0")
        self._position = batches

    def __iter__(self) -> Loader:
        return self

    def __next__(self) -> Batch:
        """This rank's share of the next batch: x (share, *sample_shape) float32, y (share,) int64 or None."""
        number, within = divmod(self._position, self.batches_per_pass)
        if number != self._pass:
            self._order = self._permutation(number).to(self._x.device)
            self._turned = self._mirrored(number).to(self._x.device)
            self._pass = number
        batch = self._order[within * self.batch_size : (within + 1) * self.batch_size]
        indices = batch[self._share]
        x = to_range(self._x.index_select(0, indices), self.value_range)
        if self._mirror:
            x = torch.where(self._turned[indices, None, None, None], x.flip(3), x)
        y = None if self._y is None else self._y.index_select(0, indices)
        self._position += 1
        return Batch(x, y)

    def _permutation(self, number: int) -> Tensor:
        """The order in that pass, from the seed and the pass alone, so that resuming is O(1)."""
        return torch.randperm(len(self._x), generator=_generator(self._seed, number))

    def _mirrored(self, number: int) -> Tensor:
        """(examples,) whether each is turned in that pass; in the other pass of the two the others are."""
        if not self._mirror:
            return self._turned
        coin = torch.rand(len(self._x), generator=_generator(self._seed, number // 2, 1)) < 0.5
        return coin if number % 2 == 0 else ~coin


def loader_of(
    split: Split, config: Config, value_range: tuple[float, float] | None, device: str | torch.device = "cpu"
) -> Loader:
    """The batches of a run.

    Args:
        split: what they are drawn from.
        config: of the run.
        value_range: of its data.
        device: where the batches are made.

    Raises:
        DataError, ConfigError: see `Loader`.
    """
    return Loader(
        split,
        config.batch_size,
        seed=config.seed,
        value_range=value_range,
        device=device,
        mirror=config.mirror,
    )


def _generator(*numbers: int) -> torch.Generator:
    """On the CPU, whatever the device: a seed gives the same batches everywhere."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))  # it takes an int64


def _resident(values: Array, device: str | torch.device) -> Tensor:
    """The array as a tensor; shared memory on the CPU where it can be."""
    return torch.from_numpy(np.require(values, requirements=["C", "W"])).to(device)


def _check(count: int, batch_size: int, seed: int, rank: int, world_size: int) -> None:
    if count == 0:
        raise DataError("the split to train on has no examples; add data, or lower validation= and test=")
    if batch_size < 1:
        raise ConfigError(f"batch_size={batch_size} is not a number of examples; use at least 1")
    if batch_size > count:
        raise DataError(
            f"a batch of {batch_size} can't be drawn from a split of {count} examples; "
            f"set batch_size to at most {count} or add data"
        )
    if not 0 <= rank < world_size:
        raise ConfigError(f"rank {rank} does not exist among {world_size} processes; use 0 to world_size − 1")
    if batch_size % world_size:
        raise ConfigError(
            f"a batch of {batch_size} can't be divided among {world_size} processes; "
            f"use a multiple of {world_size} as batch_size"
        )
    if seed < 0:
        raise ConfigError(f"seed={seed} is negative; use 0 or more")
