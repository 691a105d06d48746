"""One thread per test process: the suite runs one process per core, and waiting threads are slow."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, here and in every process that a test starts

import torch

torch.set_num_threads(1)
