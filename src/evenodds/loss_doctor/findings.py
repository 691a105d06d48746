"""What a test of a loss has found."""

from __future__ import annotations

from typing import Literal, NamedTuple

Mark = Literal["good", "bad", "note"]


class Finding(NamedTuple):
    """One test and its outcome.

    Args:
        name: what was looked at.
        mark: good; bad, so that the loss should not be trained with; or a note, a property to know about.
        text: what was found, and what to do about it.
    """

    name: str
    mark: Mark
    text: str
