"""What is wrong with a data set, and what is in it: for `evenodds data check` and `evenodds data info`."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import ConfigError, DataError
from .arrays import array_problems, load_arrays, named_parts
from .dataset import Array, Dataset, Split
from .sources import DATASETS, source_for

IMBALANCE = 10  # a class this many times rarer than the commonest is worth a word
FEW = 100  # examples below which no generator learns a distribution


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Args:
        severity: "error" keeps the data from being trained on, "warning" may spoil the result.
        kind: a word to search for, such as "duplicates".
        split: where, or "" for the whole.
        count: how many examples, values or classes it concerns.
        message: one sentence with the remedy.
    """

    severity: Literal["error", "warning"]
    kind: str
    split: str
    count: int
    message: str


def check(data: Dataset | str | Path) -> list[Finding]:
    """Every problem of a data set in one run; empty if there is none.

    Args:
        data: a data set, or a name or path as given to `--data`.
    """
    if not isinstance(data, Dataset):
        errors = _array_errors(Path(data))
        if errors:
            return errors
        try:
            data = _open(str(data))
        except (ConfigError, DataError) as error:
            return [Finding("error", "unreadable", "", 1, str(error))]
    # Points drawn independently from a density coincide by chance once they are rounded to float32.
    independent = data.density is not None
    findings = [
        finding
        for name, split in data.splits.items()
        for finding in _split_findings(name, split, independent)
    ]
    return findings + ([] if independent else _overlap_findings(data)) + _class_findings(data)


def info(data: Dataset | str | Path) -> dict[str, Any]:
    """What is in a data set, as JSON-ready values.

    Returns:
        name, source, fingerprint, sample_shape, dtype, value_range, class_names, bytes, and for each of
        `splits` its examples, minimum, maximum, mean, std (of the stored values) and, with labels, per_class.

    Raises:
        DataError: the name or path can't be opened.
    """
    if not isinstance(data, Dataset):
        data = _open(str(data))
    return {
        "name": data.name,
        "source": data.source,
        "fingerprint": data.fingerprint,
        "sample_shape": list(data.sample_shape),
        "dtype": str(data.train.x.dtype),
        "value_range": None if data.value_range is None else list(data.value_range),
        "class_names": list(data.class_names),
        "bytes": sum(split.x.nbytes for split in data.splits.values()),
        "splits": {name: _summary(split, data.classes) for name, split in data.splits.items()},
    }


def _open(argument: str) -> Dataset:
    options = source_for(argument)
    return DATASETS[options.pop("name")](**options)


def _summary(split: Split, classes: int) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "examples": len(split),
        "minimum": float(split.x.min()),
        "maximum": float(split.x.max()),
        "mean": float(split.x.mean(dtype=np.float64)),
        "std": float(split.x.std(dtype=np.float64)),
    }
    if split.y is not None:
        summary["per_class"] = np.bincount(split.y, minlength=classes).tolist()
    return summary


def _array_errors(path: Path) -> list[Finding]:
    """All that is wrong with each array of an .npy or .npz, which opening it would stop at one by one."""
    if path.suffix not in (".npy", ".npz") or not path.is_file():
        return []
    try:
        parts = named_parts(load_arrays(path), str(path))
    except DataError:
        return []  # opening the file says it
    return [
        Finding("error", "array", "" if name == "all" else name, 1, f"{path} can't be used: {problem}")
        for name, (x, y) in parts.items()
        for problem in array_problems(x, y)
    ]


def _split_findings(name: str, split: Split, independent: bool) -> list[Finding]:
    """Duplicates unless independent, constant examples, too few examples and bad values within one split."""
    count = len(split)
    findings = []
    if name == "train" and count < FEW:
        text = f"train has only {count} examples, which a discriminator learns by heart; add data"
        findings.append(Finding("warning", "few", name, count, text))
    duplicates = 0 if independent else count - len(set(_digests(split.x)))
    if duplicates:
        text = f"{duplicates} of {count} {name} examples repeat an earlier one exactly; remove them"
        findings.append(Finding("warning", "duplicates", name, duplicates, text))
    flat = split.x.reshape(count, -1)
    constant = int((flat.min(1) == flat.max(1)).sum()) if flat.shape[1] > 1 else 0
    if constant:
        text = f"{constant} of {count} {name} examples have one value everywhere; remove empty images"
        findings.append(Finding("warning", "constant", name, constant, text))
    return findings + _scale_findings(name, split.x)


def _scale_findings(name: str, x: Array) -> list[Finding]:
    """Non-finite floats, and bytes that use next to nothing of 0..255."""
    if x.dtype != np.uint8:
        bad = int((~np.isfinite(x)).sum())
        text = f"{bad} values in {name} are NaN or infinite; remove those examples"
        return [Finding("error", "non-finite", name, bad, text)] if bad else []
    high = int(x.max())
    text = f"the values in {name} reach only {high} of 255, as if scaled wrongly; save them as 0 to 255"
    return [Finding("warning", "dark", name, len(x), text)] if high < 32 else []


def _overlap_findings(data: Dataset) -> list[Finding]:
    """Examples of validation and test that are in an earlier split too."""
    digests = {name: _digests(split.x) for name, split in data.splits.items()}
    names = list(digests)
    findings = []
    for position, later in enumerate(names):
        for earlier in names[:position]:
            known = set(digests[earlier])
            shared = sum(digest in known for digest in digests[later])
            if shared:
                of = len(digests[later])
                text = f"{shared} of {of} {later} examples are also in {earlier}; remove them from one"
                findings.append(Finding("warning", "overlap", later, shared, text))
    return findings


def _class_findings(data: Dataset) -> list[Finding]:
    """Classes that a split lacks, and classes far rarer in train than others."""
    findings = []
    for name, split in data.splits.items():
        if split.y is None or not data.classes:
            continue
        counts = Counter(split.y.tolist())
        lacking = [label for index, label in enumerate(data.class_names) if not counts[index]]
        if lacking:
            shown = ", ".join(lacking[:10]) + (", …" if lacking[10:] else "")
            missing = f"{len(lacking)} of {data.classes} classes ({shown})"
            text = f"{name} has no example of {missing}; number the classes without gaps, or add examples"
            findings.append(Finding("warning", "missing classes", name, len(lacking), text))
        rare = [label for label, count in counts.items() if count * IMBALANCE < max(counts.values())]
        if name == "train" and rare:
            text = (
                f"{len(rare)} classes have less than a {IMBALANCE}th of the examples of the commonest; "
                "expect poor samples of them, or add data"
            )
            findings.append(Finding("warning", "imbalance", name, len(rare), text))
    return findings


def _digests(x: Array) -> list[bytes]:
    """16 bytes for each example, the same for equal examples and, in practice, only for those."""
    return [hashlib.blake2b(example.tobytes(), digest_size=16).digest() for example in x]
