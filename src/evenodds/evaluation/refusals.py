"""What the mathematics refuses, as the user is told it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..errors import ConfigError


@contextlib.contextmanager
def refusing(metric: str) -> Iterator[None]:
    """Turn a ValueError of the mathematics into a sentence on the metric.

    Raises:
        ConfigError: in the place of any ValueError.
    """
    try:
        yield
    except ValueError as error:
        raise ConfigError(f"{metric} can't be measured: {error}") from None
