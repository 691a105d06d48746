"""Mean and covariance of features, streamed: what a Fréchet distance needs to know of the examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, distributed

ROWS = 1024  # examples in float64 at once: 16 MB at 2048 features
COLUMNS = 256  # a square of the scatter matrix that is computed at once; those below the diagonal are copied
LARGEST = 1e70  # fourth powers of larger values, summed over all examples, would not fit float64


class Moments:
    """Mean and scatter matrix Σ (x − mean)(x − mean)ᵀ in float64, added to in blocks.

    Each block is centred on its own mean before it is squared, so that nothing cancels: features of mean 1e4
    and spread 1e-2 keep their covariance.

    Args:
        count: examples N.
        mean: (F,) float64, in units of the features.
        scatter: (F, F) float64, (N − 1) times the covariance.

    Raises:
        ValueError: shapes, types or a count that don't belong together.
    """

    def __init__(self, count: int, mean: Tensor, scatter: Tensor) -> None:
        dim = mean.numel()
        if count < 0 or dim == 0 or mean.shape != (dim,) or scatter.shape != (dim, dim):
            raise ValueError(
                f"moments need a count, a mean (F,) and a scatter matrix (F, F), F at least 1: got {count}, "
                f"{tuple(mean.shape)} and {tuple(scatter.shape)}"
            )
        if mean.dtype != torch.float64 or scatter.dtype != torch.float64:
            raise ValueError(
                f"moments are kept in float64, not in {mean.dtype} and {scatter.dtype}; convert them"
            )
        self.count, self.mean, self.scatter = count, mean, scatter

    @classmethod
    def empty(cls, dim: int, device: torch.device | str = "cpu") -> Moments:
        """Of no examples yet; on the CPU where the device doesn't have float64.

        Args:
            dim: features F.
            device: where the sums are kept and done.
        """
        place = "cpu" if torch.device(device).type == "mps" else device
        zeros = torch.zeros(dim, dim + 1, dtype=torch.float64, device=place)
        return cls(0, zeros[:, 0].clone(), zeros[:, 1:].clone())

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """Of all the rows of one tensor (N, F), on its device."""
        if features.ndim != 2:
            raise ValueError(
                f"features must have the shape (N, F), not {tuple(features.shape)}; flatten them"
            )
        moments = cls.empty(features.shape[1], features.device)
        moments.add(features)
        return moments

    @property
    def dim(self) -> int:
        """Features F."""
        return len(self.mean)

    @property
    def covariance(self) -> Tensor:
        """(F, F) float64, exactly symmetric, divisor N − 1, in squared units of the features.

        Raises:
            ValueError: fewer than 2 examples.
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 examples, not {self.count}; give more of them")
        return self.scatter / (self.count - 1)

    def add(self, features: Tensor) -> None:
        """Count more examples: Chan, Golub and LeVeque (1983), Eq. 2.1, for blocks.

        Args:
            features: (N, F) of any type and on any device; N may be 0.

        Raises:
            ValueError: another shape, or a value that is not finite; nothing of its block has been added.
        """
        if features.ndim != 2 or features.shape[1] != self.dim:
            raise ValueError(f"features must have the shape (N, {self.dim}), not {tuple(features.shape)}")
        for start in range(0, len(features), ROWS):
            block = features[start : start + ROWS].detach().to(self.mean.device, torch.float64)
            largest = float(block.abs().amax())  # NaN where one value is
            if not largest < LARGEST:
                raise ValueError(_not_finite(block, start))
            self._add_block(block)

    def _add_block(self, block: Tensor) -> None:
        """Scatter of the block about its own mean, and of the two means about the new one."""
        rows = len(block)
        total = self.count + rows
        mean = block.mean(0)
        shift = mean - self.mean
        centred = block - mean
        between = shift * (self.count * rows / total) ** 0.5
        _add_squares(self.scatter, torch.cat([centred, between[None]]))
        self.mean = self.mean + shift * (rows / total)
        self.count = total

    def merged(self, others: Iterable[Moments]) -> Moments:
        """These and the others' examples together; none of them is changed.

        Raises:
            ValueError: another number of features.
        """
        count, mean, scatter = self.count, self.mean, self.scatter.clone()
        for other in others:
            if other.dim != self.dim:
                raise ValueError(f"moments of {self.dim} and of {other.dim} features can't be merged")
            if other.count == 0:
                continue
            total = count + other.count
            shift = other.mean.to(mean.device) - mean
            scatter += other.scatter.to(mean.device)
            between = shift * (count * other.count / total) ** 0.5  # as one factor: the result is symmetric
            scatter.addr_(between, between)
            count, mean = total, mean + shift * (other.count / total)
        return Moments(count, mean.clone(), scatter)

    def gathered(self) -> Moments:
        """Of the examples of all ranks, the same to the bit on each; itself where torch.distributed is off.

        Every rank must call it.  Ranks are merged in their order, one at a time in memory.
        """
        if not (distributed.is_available() and distributed.is_initialized()):
            return self
        place = "cuda" if distributed.get_backend() == "nccl" else self.mean.device
        parts = (_broadcast(self, rank, place) for rank in range(distributed.get_world_size()))
        return Moments.empty(self.dim, place).merged(parts)

    def tensors(self) -> dict[str, Tensor]:
        """`count` int64 (), `mean` (F,) and `scatter` (F, F) on the CPU, as a safetensors file takes them."""
        return {
            "count": torch.tensor(self.count, dtype=torch.int64),
            "mean": self.mean.cpu().contiguous(),
            "scatter": self.scatter.cpu().contiguous(),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Moments:
        """What `tensors` gave.

        Raises:
            ValueError: a tensor is missing, of another shape or type, or not finite.
        """
        missing = {"count", "mean", "scatter"} - set(tensors)
        if missing:
            raise ValueError(f"moments lack {', '.join(sorted(missing))}; compute them again")
        moments = cls(int(tensors["count"]), tensors["mean"], tensors["scatter"])
        if not (moments.mean.isfinite().all() and moments.scatter.isfinite().all()):
            raise ValueError("moments hold values that are not finite; compute them again")
        return moments


def _add_squares(scatter: Tensor, rows: Tensor) -> None:
    """scatter += rowsᵀ rows, half of it computed: the other half is its mirror image."""
    for low in range(0, len(scatter), COLUMNS):
        part = slice(low, low + COLUMNS)
        scatter[part, low:].addmm_(rows[:, part].T, rows[:, low:])
        square = scatter[part, part]
        square.copy_(
            square.triu() + square.triu(1).T
        )  # exactly symmetric, whatever the matrix product rounds
        scatter[low + COLUMNS :, part] = scatter[part, low + COLUMNS :].T


def _broadcast(mine: Moments, rank: int, place: torch.device | str) -> Moments:
    """One rank's moments, on every rank."""
    count = torch.tensor([mine.count], dtype=torch.int64, device=place)
    parts = (count, mine.mean.to(place, copy=True), mine.scatter.to(place, copy=True))
    for part in parts:
        distributed.broadcast(part, rank)
    return Moments(int(count), parts[1], parts[2])


def _not_finite(block: Tensor, start: int) -> str:
    """The sentence about the first value that can't be used."""
    row, column = (~(block.abs() < LARGEST)).nonzero()[0].tolist()
    value = float(block[row, column])
    what = "too large for float64" if abs(value) < float("inf") else "not finite"
    return (
        f"feature {column} of example {start + row} is {value}, which is {what}; look at that example and at "
        "what the feature extractor makes of it"
    )
