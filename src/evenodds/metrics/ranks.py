"""Examples that are spread over processes, brought together."""

from __future__ import annotations

import math

import torch
from torch import Tensor, distributed


def gathered_rows(x: Tensor) -> Tensor:
    """The rows of all ranks in their order, the same on each; x itself where torch.distributed is off.

    Every rank must call it.  Ranks may have different numbers of rows, also none.

    Args:
        x: (N, …), of equal shape but for N and of equal type on all ranks.

    Raises:
        ValueError: rows of another shape on another rank.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return x
    place = torch.device("cuda") if distributed.get_backend() == "nccl" else x.device
    world = distributed.get_world_size()
    shape = torch.tensor([len(x), math.prod(x.shape[1:])], device=place)
    shapes = [torch.zeros_like(shape) for _ in range(world)]
    distributed.all_gather(shapes, shape)
    if len({int(each[1]) for each in shapes}) > 1:
        raise ValueError(f"ranks have rows of {[int(each[1]) for each in shapes]} values; they must be alike")
    parts = []
    for rank in range(world):
        rows = int(shapes[rank][0])
        part = x.to(place) if rank == distributed.get_rank() else x.new_empty(rows, *x.shape[1:]).to(place)
        part = part.contiguous()
        distributed.broadcast(part, rank)
        parts.append(part)
    return torch.cat(parts)
