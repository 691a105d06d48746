"""What the computer has that a plan depends on."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from ..run import device_name, resolve_device
from ..system_memory import free_bytes


@dataclass(frozen=True)
class Machine:
    """A computer, as far as a plan looks at it.

    Args:
        device: cpu, cuda, …
        name: of the device, for people.
        cores: of the CPU that this process may use.
        free: bytes of memory; None where that can't be known.
    """

    device: str
    name: str
    cores: int
    free: int | None

    @property
    def text(self) -> str:
        """As in: 2 CPU cores, 23 GB of memory free."""
        cores = f"{self.cores} CPU core" + "s" * (self.cores > 1)
        place = cores if self.device == "cpu" else f"{self.name}, {cores}"
        return place if self.free is None else f"{place}, {self.free / 1e9:.2g} GB of memory free"


def inspect_machine(device: str = "auto") -> Machine:
    """This computer.

    Args:
        device: as in a configuration.

    Raises:
        ConfigError: no such device.
    """
    found = torch.device(resolve_device(device))
    allowed = getattr(os, "sched_getaffinity", None)  # on Linux alone
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    return Machine(str(found), device_name(found), cores, free_bytes(found))
