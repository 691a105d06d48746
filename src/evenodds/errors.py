"""What a user can cause to go wrong, each said in one sentence with its remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EvenoddsError(Exception):
    """The message is one sentence with the remedy; the command line prints it and exits with 2."""


class ConfigError(EvenoddsError):
    """A setting, name or option that cannot be used."""


class DataError(EvenoddsError):
    """Data that cannot be read or trained on."""


class RunError(EvenoddsError):
    """A run directory, checkpoint or generator file that cannot be used."""


class NonFiniteError(RunError):
    """A loss or weight that became infinite or not a number while training."""


def suggest(word: object, choices: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest choice, else `; choose one of: …`."""
    names = sorted(str(choice) for choice in choices)
    close = difflib.get_close_matches(str(word), names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; choose one of: {', '.join(names)}" if names else ""
