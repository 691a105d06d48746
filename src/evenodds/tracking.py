"""TensorBoard events of a run, for those who watch many runs at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .data.dataset import Array


class TensorBoard:
    """Scalars and pictures, written to `directory`; TensorBoard itself is imported at the first call."""

    def __init__(self, directory: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(directory))

    def scalars(self, examples: int, values: Mapping[str, object]) -> None:
        """Every number among `values`."""
        for name, value in values.items():
            if isinstance(value, (int, float)) and name not in ("examples", "iteration"):
                self._writer.add_scalar(name, value, examples)

    def picture(self, examples: int, pixels: Array) -> None:
        """(H, W, C) uint8."""
        self._writer.add_image("samples", pixels, examples, dataformats="HWC")

    def close(self) -> None:
        """Flush to disk."""
        self._writer.close()
