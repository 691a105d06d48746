"""What the wrappers of all metrics say alike."""

from __future__ import annotations

from .subject import VALUES, Subject


def space(subject: Subject) -> str:
    """features of inception (2,048; weights 6726825d…; tf): where distances are measured."""
    extractor = subject.extractor
    if extractor.name == VALUES:
        return f"their {extractor.dim:,} values themselves"
    weights = f"weights {extractor.sha256[:8]}…; " if extractor.sha256 else ""
    return f"{extractor.dim:,} features of {extractor.name} ({weights}{extractor.preprocessing})"


def in_place(subject: Subject, count: int, score: str) -> str:
    """10,000 other real examples (train) score 1.2: said of the floor or ceiling, and if they are too few.

    Args:
        subject: what is measured.
        count: samples, that as many real examples should stand for.
        score: theirs.
    """
    there = min(count, len(subject.dataset.split(subject.floor_split)))
    few = "" if there == count else f" ({subject.floor_split} has no {count:,}, so their n is another)"
    return f"{there:,} real {subject.floor_split} examples in the samples' place score {score}{few}"
