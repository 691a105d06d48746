"""Rows of several processes are brought together; processes of which one has fewer, or none."""

from __future__ import annotations

import os

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import multiprocessing

from evenodds.metrics.ranks import gathered_rows

ROWS = torch.arange(60.0).view(10, 2, 3)


def gather_on(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    place = f"file://{folder}/rendezvous"
    torch.distributed.init_process_group("gloo", init_method=place, rank=rank, world_size=2)
    uneven = gathered_rows(ROWS.tensor_split([7])[rank])
    empty = gathered_rows(ROWS.tensor_split([0])[rank].long())
    with pytest.raises(ValueError, match=r"rows of \[6, 3\] values"):
        gathered_rows(ROWS[:, rank:])
    save_file({"uneven": uneven, "empty": empty}, f"{folder}/{rank}.safetensors")
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(os.name == "nt", reason="there is no fork")
def test_every_process_has_all_rows(tmp_path):
    multiprocessing.start_processes(gather_on, (str(tmp_path),), nprocs=2, start_method="fork")
    for rank in range(2):
        found = load_file(tmp_path / f"{rank}.safetensors")
        assert torch.equal(found["uneven"], ROWS)
        assert torch.equal(found["empty"], ROWS.long())


def test_alone_nothing_changes():
    assert gathered_rows(ROWS) is ROWS
