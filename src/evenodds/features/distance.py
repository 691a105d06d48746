"""A distance between images, such as LPIPS, in a Python file; it is run, since its user names it as code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ConfigError
from ..plugins import blaming, run_file
from .custom import defined, digest_of

MODULE = "evenodds_distance_of_its_user"


class Distance:
    """What a file's `distance` says of two images; in float64, as paths of small steps need it.

    Args:
        path: of a .py file that defines `distance`: an nn.Module, or a function that makes one; it takes two
            batches (N, 3, H, W) in [−1, 1], as LPIPS does, and returns N distances of any shape.
        device: where it runs.

    Raises:
        ConfigError: no such file, one that fails, or that defines no distance.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        if path.suffix != ".py":
            raise ConfigError(f"--distance {path} is no .py file; give one that defines distance")
        network = defined(run_file(path, MODULE, "a distance"), path, "distance")
        self.name, self.sha256 = path.stem, digest_of(path, network)
        self._network = network.to(device).double().eval().requires_grad_(False)
        self._path, self._device = path, torch.device(device)

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """(N,) float64 on the CPU.

        Args:
            a: (N, 3, H, W) float64 in [−1, 1].
            b: the same.

        Raises:
            ConfigError: the network fails, or gives something else than a distance for each pair.
        """
        with blaming(self._path):
            found: Any = self._network(a.to(self._device), b.to(self._device))
        if not isinstance(found, Tensor) or found.numel() != len(a):
            given = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ConfigError(
                f"{self._path} gives {given} for {len(a)} pairs of images; return a number of each"
            )
        return found.detach().flatten().double().cpu()
