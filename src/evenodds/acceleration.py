"""Precision and threads, applied from outside: neither networks nor mathematics know of them."""

from __future__ import annotations

import contextlib

import torch

from .config import Config


def use_threads(config: Config) -> None:
    """Let PyTorch use as many CPU threads as the config says."""
    if config.threads is not None:
        torch.set_num_threads(config.threads)


def precision(config: Config, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Matrix products in bfloat16 where the config says so; weights and their updates stay float32."""
    if config.precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
