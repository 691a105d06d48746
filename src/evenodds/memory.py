"""Memory: measured on small steps before training, and what is done when it runs out all the same.

A step in micro-batches of b examples needs about  fixed + b · per_example  bytes: weights, gradients and
moments on one side, activations on the other.  Steps of growing size give both numbers.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.optim import Optimizer

from .algorithm import GAN, Batch, Stats, train_step
from .config import Config
from .data.loader import Loader
from .errors import RunError
from .networks.layers import BATCH_NORMS
from .system_memory import Meter, free_bytes

HEADROOM = 0.9  # of what is free: the rest is for reports, pictures and whatever else the machine does
SHARE_MEASURED = 8  # the smallest step measured has about this part of the batch, the largest half of it
# what an allocator says that has no class of errors of its own
SAID = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED", "unable to mmap")
Context = Callable[[], contextlib.AbstractContextManager[object]]


class Need(NamedTuple):
    """Bytes that training takes beyond what is in use before its first step."""

    fixed: float  # whatever the size of the micro-batch
    per_example: float  # of the micro-batch

    def of(self, size: int) -> float:
        """Bytes of a step in micro-batches of `size` examples."""
        return self.fixed + size * self.per_example


def micro_batches(config: Config, *, batch_norm: bool) -> list[int]:
    """Sizes that the batch can be cut into, ascending: divisors of it, made of whole packs.

    Args:
        config: of the run.
        batch_norm: a single example has no spread to normalize by, so that two are the least.
    """
    batch, least = config.batch_size, min(2, config.batch_size) if batch_norm else 1
    return [n for n in range(least, batch + 1) if batch % n == 0 and n % config.packing == 0]


def largest_fitting(need: Need, free: float, sizes: Sequence[int]) -> int:
    """The largest of the sizes whose step fits into the free bytes, the smallest if none does."""
    return max((size for size in sizes if need.of(size) <= HEADROOM * free), default=min(sizes))


def has_batch_norm(gan: GAN) -> bool:
    """Whether an example's gradient depends on what else is in its micro-batch."""
    players = (gan.generator, gan.discriminator)
    return any(isinstance(module, BATCH_NORMS) for player in players for module in player.modules())


def measure(gan: GAN, loader: Loader, config: Config, context: Context) -> Need | None:
    """What a step needs, by a few small ones that a copy of the game makes and takes with it.

    The game, the loader and the random numbers stay as they were, to the last bit.

    Args:
        gan: before its first iteration.
        loader: of its batches.
        config: of the run.
        context: that an iteration runs in.

    Returns:
        None where the machine doesn't tell, or the batch can't be cut.
    """
    device, sizes = _device(gan), micro_batches(config, batch_norm=has_batch_norm(gan))
    small = max((n for n in sizes if n <= config.batch_size // SHARE_MEASURED), default=min(sizes))
    larger = [n for n in sizes if n >= 2 * small]
    if device.type not in ("cpu", "cuda") or not larger:
        return None
    half = max((n for n in larger if n <= config.batch_size // 2), default=larger[0])
    position, meter = loader.position, Meter(device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            sizes = sorted({small, larger[0], half})
            need = _line(gan, sizes, lambda step: meter.peak(partial(step, loader, context)), device)
        finally:
            loader.position = position
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return need and Need(max(0.0, need.fixed - _weight_bytes(gan)), need.per_example)


def _line(
    gan: GAN, sizes: list[int], peak: Callable[[Callable[..., None]], int | None], device: torch.device
) -> Need | None:
    """The line through the last two of the sizes whose steps fit, taken by a copy of the game.

    A small step has its peak where gradients are complete and activations gone, a large one before: the line
    through two small ones would leave out most of the activations.
    """
    # in a game's first iteration every lazy penalty is due, so that no later one needs more
    double = replace(copy.deepcopy(gan), iteration=0, critic_steps=1, micro_batch=None)
    smallest = partial(_small_step, double, sizes[0])
    peak(smallest)  # leaves the optimizers' moments, which the other steps begin with
    need, size, less = None, sizes[0], peak(smallest)
    for larger in sizes[1:]:
        free = free_bytes(device)
        if need and free is not None and need.of(larger) > HEADROOM * free:
            break
        more = peak(partial(_small_step, double, larger))
        if less is None or more is None:
            return None
        slope = max(0.0, (more - less) / (larger - size))
        need, size, less = Need(max(0.0, less - size * slope), slope), larger, more
    return need


def _small_step(gan: GAN, size: int, loader: Loader, context: Context) -> None:
    with context():
        train_step(gan, (Batch(x[:size], None if y is None else y[:size]) for x, y in loader))


class Memory:
    """Keeps a game's steps within memory; `gan.micro_batch` is what it turns.

    Args:
        gan: the game.
        loader: of its batches.
        config: of the run.
    """

    def __init__(self, gan: GAN, loader: Loader, config: Config) -> None:
        self._gan, self._loader, self._config = gan, loader, config
        self._updates: dict[Optimizer, int] = {}  # made in the iteration that is being played
        for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
            optimizer.register_step_post_hook(self._count)

    def fit(self, context: Context) -> str | None:
        """Choose the micro-batch where the config leaves that open; a sentence if the whole would not fit.

        Args:
            context: makes what an iteration runs in.
        """
        free = free_bytes(_device(self._gan))
        if self._config.micro_batch or free is None:
            return None
        try:
            need = measure(self._gan, self._loader, self._config, context)
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            return None  # the first real step will be cut smaller
        batch = self._config.batch_size
        sizes = micro_batches(self._config, batch_norm=has_batch_norm(self._gan))
        if need is None or (size := largest_fitting(need, free, sizes)) == batch:
            return None
        self._gan.micro_batch = size
        wanted = f"a step on {batch} examples at once would take {need.of(batch) / 1e9:.2g} GB"
        return f"{wanted} of memory and {free / 1e9:.2g} GB are free, so it is taken {self._cut()}"

    def careful(self, iteration: Callable[[], Stats], say: Callable[[str], None]) -> Stats:
        """The result of `iteration()`, begun again in smaller parts where memory runs out in it.

        An update that was made before memory ran out is not made twice.

        Args:
            iteration: plays one of the game.
            say: told what had to be changed.

        Raises:
            RunError: the smallest parts don't fit either.
        """
        gan, position = self._gan, self._loader.position
        players = gan.generator_optimizer, gan.discriminator_optimizer
        self._updates.clear()
        try:
            while True:
                try:
                    return iteration()
                except (MemoryError, RuntimeError) as error:
                    if not ran_out(error):
                        raise
                # out of the except block, where the traceback would keep every tensor alive
                say(self._halve())
                self._loader.position = position
                made = (_Made(optimizer, self._updates.get(optimizer, 0)) for optimizer in players)
                gan.generator_optimizer, gan.discriminator_optimizer = made
        finally:
            gan.generator_optimizer, gan.discriminator_optimizer = players

    def _halve(self) -> str:
        gan, sizes = self._gan, micro_batches(self._config, batch_norm=has_batch_norm(self._gan))
        now = gan.micro_batch or self._config.batch_size
        for player in (gan.generator, gan.discriminator):
            player.zero_grad()
        if _device(gan).type == "cuda":
            torch.cuda.empty_cache()
        smaller = [size for size in sizes if size <= now // 2]
        if not smaller:
            examples = f"{now} example{'s' * (now > 1)} at a time"
            raise RunError(
                f"memory ran out in a training step on {examples}, and the batch can't be cut smaller; "
                "choose smaller images or networks, a batch_size with more divisors, or end other programs"
            )
        gan.micro_batch = max(smaller)
        return f"memory ran out, so every step is now taken {self._cut()}"

    def _cut(self) -> str:
        size, batch = self._gan.micro_batch, self._config.batch_size
        text = f"in micro-batches of {size}; the batch that an update learns from still has {batch} examples"
        if has_batch_norm(self._gan):
            text += f", but batch norm normalizes over {size} of them at a time instead of {batch}"
        return text

    def _count(self, optimizer: Optimizer, *_: Any) -> None:
        self._updates[optimizer] = self._updates.get(optimizer, 0) + 1


class _Made(Optimizer):
    """Stands for an optimizer in an iteration that is begun again: its first updates were made already."""

    def __init__(self, optimizer: Optimizer, made: int) -> None:
        self._optimizer, self._made = optimizer, made  # without super().__init__: it has no weights

    def zero_grad(self, set_to_none: bool = True) -> None:
        """See torch.optim.Optimizer."""
        self._optimizer.zero_grad(set_to_none)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """See torch.optim.Optimizer."""
        if self._made:
            self._made -= 1
        else:
            self._optimizer.step()


def ran_out(error: BaseException) -> bool:
    """Whether that is what an allocator says when there is no more memory."""
    known = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, known) or any(words in str(error) for words in SAID)


def _device(gan: GAN) -> torch.device:
    return next(gan.generator.parameters()).device


def _weight_bytes(gan: GAN) -> int:
    """Of both players and what their optimizers keep: what a copy of the game takes."""
    players = (gan.generator, gan.discriminator)
    tensors = [t for player in players for t in (*player.parameters(), *player.buffers())]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
