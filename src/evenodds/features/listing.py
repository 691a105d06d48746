"""Facts of every extractor, as far as they are known without running one."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import EvenoddsError
from .classifiers import SHAPES
from .classifying import facts_of
from .inception_network import CLASSES, FEATURES
from .opening import EXTRACTORS
from .random_features import RandomFeatures
from .weights import WEIGHTS, weights_path


class Entry(NamedTuple):
    """One extractor.

    Args:
        name: as --extractor takes it.
        purpose: what it is for, in words.
        dim: features; None where the data decides.
        classes: None where it doesn't classify.
        sha256: of its weights, 64 hexadecimal digits; "" without any.
        accuracy: fraction of the test images that it classifies right; None where that isn't known.
        test_examples: of these; None likewise.
        place: of its weights: "comes with evenodds", or the file; "" where there are none.
        problem: why it can't be used now, with the remedy; "" if it can.
    """

    name: str
    purpose: str
    dim: int | None = None
    classes: int | None = None
    sha256: str = ""
    accuracy: float | None = None
    test_examples: int | None = None
    place: str = ""
    problem: str = ""


def entries() -> list[Entry]:
    """Of all extractors, in the order of EXTRACTORS."""
    return [_entry(name, purpose) for name, purpose in EXTRACTORS.items()]


def _entry(name: str, purpose: str) -> Entry:
    facts: dict[str, Any] = {}
    if name == "random":
        extractor = RandomFeatures()
        facts = {"dim": extractor.dim, "sha256": extractor.sha256, "place": "made from a seed"}
    elif name in SHAPES:
        facts = {"dim": SHAPES[name].widths[-1], "classes": len(SHAPES[name].class_names)}
    elif name == "inception":
        facts = {"dim": FEATURES, "classes": CLASSES}
    if name in WEIGHTS:
        facts["sha256"] = WEIGHTS[name].sha256
        facts |= _of_weights(name)
    return Entry(name, purpose, **facts)


def _of_weights(name: str) -> dict[str, Any]:
    """Where an extractor's weights are and what they say of themselves, or why they can't be used."""
    try:
        path = weights_path(name)
        if WEIGHTS[name].remote is not None:
            return {"place": str(path)}
        said = facts_of(path)
        return {key: said[key] for key in ("accuracy", "test_examples")} | {"place": "comes with evenodds"}
    except EvenoddsError as error:
        return {"problem": str(error)}
