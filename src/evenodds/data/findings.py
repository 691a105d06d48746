"""One thing that is wrong with a data set, and how it is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .dataset import Dataset

Severity = Literal["error", "warning", "note"]
SHOWN = 3  # names in a sentence
KEPT = 100  # names in a finding


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Args:
        severity: "error" keeps the data from being trained on, "warning" may spoil the result, "note" won't.
        kind: a word to search for, such as "duplicates".
        split: where, or "" for the whole.
        count: how many examples, values or classes it concerns.
        message: one sentence with the remedy.
        names: of the files or examples that it concerns, the first KEPT.
    """

    severity: Severity
    kind: str
    split: str
    count: int
    message: str
    names: tuple[str, ...] = ()


def example_names(data: Dataset, split: str, rows: Iterable[int]) -> list[str]:
    """Names of the files of these examples, or `train 17` where they came from no files."""
    names: Sequence[str] = () if data.files is None else data.files.names.get(split, ())
    return [names[row] if row < len(names) else f"{split} {row}" for row in rows]


def some(names: Sequence[str], count: int | None = None) -> str:
    """The first names and how many more there are.

    Args:
        names: all, or the first of them.
        count: of all.
    """
    more = (len(names) if count is None else count) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
