"""Small networks: one thread is fastest, and leaves the other cores to others."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(2014)
    yield
    torch.set_num_threads(threads)
