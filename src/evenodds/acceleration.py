"""Precision and threads, applied from outside: neither networks nor mathematics know of them."""

from __future__ import annotations

import contextlib

import torch

from .config import Config


def use_threads(config: Config) -> None:
    """Let PyTorch use as many CPU threads as the config says, in this process from now on."""
    if config.threads is not None:
        torch.set_num_threads(config.threads)


def precision(config: Config, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Matrix products in bfloat16 where the config says so; weights and their updates stay float32.

    Args:
        config: of the run; the context is for one iteration of it.
        device: where the players are.
    """
    if config.precision != "bfloat16":
        return contextlib.nullcontext()
    # Autocast keeps the rounded weights until the context ends: a player that has moved since then would go
    # on playing with its old ones.  Only where both players move once, and at the end, may they be kept.
    one_update = config.simultaneous and config.critic_steps == 1
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=one_update)
