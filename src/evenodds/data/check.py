"""What is wrong with a data set, and what is in it: for `evenodds data check` and `evenodds data info`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError
from .advice import Advice, Facts, advise
from .arrays import array_problems, load_arrays, named_parts
from .check_images import digests, file_findings, pixel_findings, repeated
from .dataset import Array, Dataset, Split
from .findings import KEPT, Finding, example_names, some
from .sources import DATASETS, source_for
from .thumbnails import chunks

IMBALANCE = 10  # a class this many times rarer than the commonest is worth a word
FEW = 100  # examples below which no generator learns a distribution


@dataclass(frozen=True, eq=False)
class Report:
    """What came of looking at a data set.

    Args:
        findings: every problem, errors first.
        data: the data set, or None where it can't be opened.
        advice: what to train on it, likewise.
    """

    findings: tuple[Finding, ...]
    data: Dataset | None = None
    advice: Advice | None = None

    def count(self, severity: str) -> int:
        """How many findings of that severity there are."""
        return sum(finding.severity == severity for finding in self.findings)


def check(data: Dataset | str | Path) -> list[Finding]:
    """Every problem of a data set in one run; empty if there is none.

    Args:
        data: a data set, or a name or path as given to `--data`.
    """
    return list(examine(data).findings)


def examine(data: Dataset | str | Path) -> Report:
    """Every problem of a data set, and proposals for training on it.

    Args:
        data: as in `check`.
    """
    if not isinstance(data, Dataset):
        errors = _array_errors(Path(data))
        if errors:
            return Report(tuple(errors))
        try:
            data = _open(str(data))
        except (ConfigError, DataError) as error:
            return Report((Finding("error", "unreadable", "", 1, str(error)),))
    findings = _findings(data)
    order = ("error", "warning", "note")
    findings.sort(key=lambda finding: order.index(finding.severity))
    return Report(tuple(findings), data, advised(data))


def advised(data: Dataset) -> Advice:
    """`advise`, with what the original files tell."""
    files = data.files
    sizes = [] if files is None else [size for split in files.sizes.values() for size in split]
    return advise(data, Facts(sizes=sizes))


def _findings(data: Dataset) -> list[Finding]:
    # Points drawn independently from a density coincide by chance once they are rounded to float32.
    independent = data.density is not None
    images = len(data.sample_shape) == 3
    known = {} if independent else {name: digests(split.x) for name, split in data.splits.items()}
    findings = file_findings(data) if images else []
    for name, split in data.splits.items():
        findings += _split_findings(data, name, split, known.get(name))
    findings += _overlap_findings(data, known) + _class_findings(data)
    return findings + (pixel_findings(data) if images else [])


def info(data: Dataset | str | Path) -> dict[str, Any]:
    """What is in a data set, as JSON-ready values.

    Returns:
        name, source, fingerprint, sample_shape, dtype, value_range, class_names, bytes, how image files were
        decoded as `decoded`, `notes` on reading them, the fields of `Advice` as `advice`, and for each of
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
        "decoded": dict(data.files.options) if data.files else {},
        "notes": list(data.notes),
        "advice": asdict(advised(data)),
        "splits": {name: _summary(split, data.classes) for name, split in data.splits.items()},
    }


def _open(argument: str) -> Dataset:
    options = source_for(argument)
    return DATASETS[options.pop("name")](**options)


def _summary(split: Split, classes: int) -> dict[str, Any]:
    low, high, mean, std = _moments(split.x)
    summary: dict[str, Any] = {
        "examples": len(split),
        "minimum": low,
        "maximum": high,
        "mean": mean,
        "std": std,
    }
    if split.y is not None:
        summary["per_class"] = np.bincount(split.y, minlength=classes).tolist()
    return summary


def _moments(x: Array) -> tuple[float, float, float, float]:
    """Minimum, maximum, mean and standard deviation, a part of a memory map at a time."""
    low, high, total = np.inf, -np.inf, 0.0
    for part in chunks(x):
        low, high = min(low, float(x[part].min())), max(high, float(x[part].max()))
        total += float(x[part].sum(dtype=np.float64))
    mean = total / x.size
    squares = sum(float(((x[part].astype(np.float64) - mean) ** 2).sum()) for part in chunks(x))
    return low, high, mean, float(np.sqrt(squares / x.size))


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


def _split_findings(data: Dataset, name: str, split: Split, known: list[bytes] | None) -> list[Finding]:
    """Duplicates where there are digests, constant examples, too few examples and bad values of one split."""
    count = len(split)
    findings = []
    if name == "train" and count < FEW:
        text = f"train has only {count} examples, which a discriminator learns by heart; add data"
        findings.append(Finding("warning", "few", name, count, text))
    again = repeated(known or [])
    if len(again):
        text = f"{len(again)} of {count} {name} examples repeat an earlier one exactly"
        findings.append(_about(data, "duplicates", name, again.tolist(), text, "remove them"))
    flat = split.x.reshape(count, -1)
    constant = np.flatnonzero(flat.min(1) == flat.max(1)) if flat.shape[1] > 1 else np.empty(0, int)
    if len(constant):
        text = f"{len(constant)} of {count} {name} examples have one value everywhere"
        findings.append(_about(data, "constant", name, constant.tolist(), text, "remove empty images"))
    return findings + _scale_findings(name, split.x)


def _about(data: Dataset, kind: str, split: str, rows: list[int], text: str, remedy: str) -> Finding:
    """A warning about these examples, with their names where they came from files."""
    names = example_names(data, split, rows[:KEPT])
    shown = f": {some(names, len(rows))}" if data.files is not None else ""
    return Finding("warning", kind, split, len(rows), f"{text}{shown}; {remedy}", tuple(names))


def _scale_findings(name: str, x: Array) -> list[Finding]:
    """Non-finite floats, and bytes that use next to nothing of 0..255."""
    if x.dtype != np.uint8:
        bad = int((~np.isfinite(x)).sum())
        text = f"{bad} values in {name} are NaN or infinite; remove those examples"
        return [Finding("error", "non-finite", name, bad, text)] if bad else []
    high = int(x.max())
    text = f"the values in {name} reach only {high} of 255, as if scaled wrongly; save them as 0 to 255"
    return [Finding("warning", "dark", name, len(x), text)] if high < 32 else []


def _overlap_findings(data: Dataset, digests: dict[str, list[bytes]]) -> list[Finding]:
    """Examples of validation and test that are in an earlier split too."""
    names = list(digests)
    findings = []
    for position, later in enumerate(names):
        for earlier in names[:position]:
            known = set(digests[earlier])
            shared = [row for row, digest in enumerate(digests[later]) if digest in known]
            if shared:
                text = f"{len(shared)} of {len(digests[later])} {later} examples are also in {earlier}"
                findings.append(_about(data, "overlap", later, shared, text, "remove them from one"))
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
