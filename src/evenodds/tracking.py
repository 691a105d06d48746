"""TensorBoard events of a run, for those who watch many runs at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from .data.dataset import Array
from .errors import RunError


class TensorBoard:
    """Scalars and pictures over training examples; TensorBoard itself is imported only when one is made.

    Args:
        directory: where the event files go; those of earlier sessions stay.
        seen: training examples that the run goes on from; what earlier sessions wrote after them is hidden.

    Raises:
        RunError: nothing can be written there.
    """

    def __init__(self, directory: Path, *, seen: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._directory = directory
        with self._refusing():
            hidden_from = (seen + 1 if seen else 0) if any(directory.glob("events.*")) else None
            self._writer = SummaryWriter(str(directory), purge_step=hidden_from)

    def scalars(self, examples: int, values: Mapping[str, object]) -> None:
        """Every number among `values`."""
        with self._refusing():
            for name, value in values.items():
                if isinstance(value, (int, float)) and name not in ("examples", "iteration"):
                    self._writer.add_scalar(name, value, examples)

    def text(self, examples: int, name: str, text: str) -> None:
        """A sentence; TensorBoard reads it as Markdown."""
        with self._refusing():
            self._writer.add_text(name, text, examples)

    def picture(self, examples: int, pixels: Array) -> None:
        """(H, W, C) uint8."""
        with self._refusing():
            self._writer.add_image("samples", pixels, examples, dataformats="HWC")

    def close(self) -> None:
        """Flush to disk."""
        with self._refusing():
            self._writer.close()

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise RunError(f"{self._directory} could not be written ({reason}); free some space") from error
