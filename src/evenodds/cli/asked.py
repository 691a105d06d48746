"""What `evenodds train` was asked for, and the data set that an argument means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Where values are always bytes, or any size is to be had, the recipe's own range and size hold for --data.
KEEP_THEIR_RANGE = (
    "digits", "mnist", "fashion_mnist", "stacked_mnist", "cifar10", "emoji", "idx", "images"
)  # fmt: skip
KEEP_THEIR_SIZE = ("emoji", "images")
PATHS = ("path", "folder", "labels")  # options of data sets that are or may be paths


@dataclass(frozen=True)
class Asked:
    """The arguments of `evenodds train`, as they were given.

    Args:
        recipe: name, YAML file, or data; None for the default, or for the config of the run that is resumed.
        directory: --dir.
        data: --data.
        assignments: those of --set.
        shorthands: setting -> value of --examples and its like; None where one was left out.
        resume: whether `directory` is to be resumed.
        origin: --from.
        minutes: --minutes.
    """

    recipe: str | None
    directory: Path
    data: str | None
    assignments: Sequence[str]
    shorthands: Mapping[str, Any]
    resume: bool
    origin: str | None
    minutes: float | None

    @property
    def given(self) -> dict[str, Any]:
        """The shorthands that were not left out."""
        return {name: value for name, value in self.shorthands.items() if value is not None}


def source_of(argument: str, before: Mapping[str, Any]) -> dict[str, Any]:
    """The component for --data, in the range and size that the recipe's networks were made for.

    Args:
        argument: name or path.
        before: the component that it replaces.

    Raises:
        DataError: it is neither a name nor a readable path.
    """
    from ..data.sources import source_for

    source: dict[str, Any] = dict(source_for(argument))
    source = anchored(source)
    if "value_range" in before and source["name"] in KEEP_THEIR_RANGE:
        source["value_range"] = before["value_range"]
    if "size" in before and source["name"] in KEEP_THEIR_SIZE:
        source["size"] = before["size"]
    return source


def anchored(source: Mapping[str, Any]) -> dict[str, Any]:
    """A data set whose paths are whole, so that a run can be resumed and evaluated from another folder.

    Args:
        source: the component; a path that leads nowhere stays as it is, for the message about it.
    """

    def whole(option: str, value: Any) -> Any:
        if option not in PATHS or not isinstance(value, str) or not Path(value).exists():
            return value
        # labels may also be a word, such as none
        return str(Path(value).resolve()) if option != "labels" or Path(value).suffix else value

    return {option: whole(option, value) for option, value in source.items()}
