"""What is wrong with images, and what is worth knowing: files, sizes, colours, duplicates near and exact."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .dataset import Array, Dataset, Files
from .findings import KEPT, Finding, Severity, example_names, some
from .near_duplicates import groups, near_duplicates
from .thumbnails import chunks

TELLING = 16  # pixels of the shorter side below which different images may be nearly the same
MOST_COMPARED = 200_000  # images of a split among which near-duplicates are looked for
A_FEW = 0.01  # the share of images up to which near-duplicates are no more than a note
CUT = 0.25  # of an image's area: losing more of it is worth a word
CUT_IMAGES = 0.1  # of the images, that lose so much
SAID_ELSEWHERE = (
    "files were left out",
    "that they are enlarged to",
)  # notes that findings say in more detail


def file_findings(data: Dataset) -> list[Finding]:
    """Files that can't be used, and what their sizes mean for the data set's; nothing without files."""
    if data.files is None:
        return []
    height, width = data.sample_shape[1:]
    notes = [
        Finding("warning", "labels", "", 1, note)
        for note in data.notes
        if not any(words in note for words in SAID_ELSEWHERE)
    ]
    return (
        _bad_files(data.files)
        + notes
        + _small(data.files, height, width)
        + _shapes(data.files, height, width)
    )


def pixel_findings(data: Dataset) -> list[Finding]:
    """Grey among coloured images, transparency, and duplicates near and across splits."""
    return _colours(data) + _near(data)


def digests(x: Array) -> list[bytes]:
    """16 bytes for each example, the same for equal examples and, in practice, only for those."""
    return [hashlib.blake2b(example.tobytes(), digest_size=16).digest() for example in x]


def repeated(digests: Sequence[bytes]) -> NDArray[np.int64]:
    """Which of these occurred before."""
    seen: set[bytes] = set()
    later = []
    for row, digest in enumerate(digests):
        if digest in seen:
            later.append(row)
        seen.add(digest)
    return np.array(later, np.int64)


def _bad_files(files: Files) -> list[Finding]:
    """For each reason, its count and the first names; the commonest first."""
    reasons: dict[str, list[str]] = {}
    for name, reason in files.bad:
        # what stands in brackets is a file's own: how many bytes were missing, how large it is
        reasons.setdefault(reason.partition(" (")[0], []).append(name)
    found = []
    for reason, names in sorted(reasons.items(), key=lambda group: -len(group[1])):
        text = (
            f"{_count(len(names), 'file')} left out ({reason}): {some(names)}; repair or remove what is bad"
        )
        found.append(Finding("warning", "unusable files", "", len(names), text, tuple(names[:KEPT])))
    return found


def _small(files: Files, height: int, width: int) -> list[Finding]:
    """Originals that were enlarged; a warning where many are, or much."""
    names = [
        (name, 2 * size[0] < height or 2 * size[1] < width)
        for split in files.names
        for name, size in zip(files.names[split], files.sizes[split], strict=True)
        if size[0] < height or size[1] < width
    ]
    if not names:
        return []
    much = [name for name, tiny in names if tiny]
    text = (
        f"{_count(len(names), 'image')} smaller than {height} × {width} pixels, and blurred when enlarged "
        f"({len(much)} of them less than half as high or wide): {some(much or [name for name, _ in names])}; "
        "remove them, or choose a smaller size"
    )
    severity: Severity = "warning" if much else "note"
    return [Finding(severity, "small", "", len(names), text, tuple(name for name, _ in names[:KEPT]))]


def _shapes(files: Files, height: int, width: int) -> list[Finding]:
    """Different sizes, and how many images lose a good part by being cropped."""
    sizes = np.array([size for split in files.sizes.values() for size in split], float)  # (N, 2)
    if len(np.unique(sizes, axis=0)) == 1:
        return []
    aspects = sizes[:, 1] / sizes[:, 0] * height / width  # 1 where nothing is cut off
    lost = 1 - np.minimum(aspects, 1 / aspects)
    low, high = sizes.min(0).astype(int), sizes.max(0).astype(int)
    text = f"the {len(sizes):,} images are {low[0]} to {high[0]} pixels high and {low[1]} to {high[1]} wide"
    much = int((lost > CUT).sum())
    if much <= CUT_IMAGES * len(sizes):
        brought = f"all are cropped and resized to {height} × {width}; change that by size= and fit="
        return [Finding("note", "sizes", "", len(sizes), f"{text}; {brought}")]
    cut = f"cropping to {height} × {width} cuts more than a quarter off {much:,} of them"
    return [Finding("warning", "cropped", "", much, f"{text}, and {cut}; set size=[h, w] or fit=pad")]


def _colours(data: Dataset) -> list[Finding]:
    """Grey images among coloured ones, and images through which something shows."""
    channels, found = data.sample_shape[0], []
    if channels in (3, 4) and data.train.x.dtype == np.uint8:
        grey, count = _matching(data, lambda x: (x[:, 0] == x[:, 1]) & (x[:, 1] == x[:, 2]))
        total = sum(len(split) for split in data.splits.values())
        if 0 < count < total:
            text = (
                f"{count:,} of {total:,} images have no colours: {some(grey, count)}; generated images will "
                "be grey as often, unless you remove them or set channels=1 for all"
            )
            found.append(Finding("note", "grey among coloured", "", count, text, tuple(grey)))
    if data.premultiplied:
        solid, count = _matching(data, lambda x: x[:, 3] == 255)
        text = (
            "the images show something through, and so will generated ones; set channels=3 to put them on "
            f"white ({count:,} show nothing through{': ' + some(solid, count) if count else ''})"
        )
        found.append(Finding("note", "transparent", "", count, text, tuple(solid)))
    return found


def _matching(data: Dataset, test: Callable[[Array], Array]) -> tuple[list[str], int]:
    """Names of the first images all of whose pixels pass a test, and how many do.

    Args:
        data: images.
        test: (n, C, H, W) -> bool (n, H, W).
    """
    names: list[str] = []
    count = 0
    for split, part in data.splits.items():
        for run in chunks(part.x):
            rows = run.start + np.flatnonzero(test(np.asarray(part.x[run])).all((1, 2)))
            count += len(rows)
            names += example_names(data, split, rows[: KEPT - len(names)].tolist())
    return names, count


def _near(data: Dataset) -> list[Finding]:
    """Groups of images that are nearly the same, within splits and across them."""
    if min(data.sample_shape[1:]) < TELLING:
        return []
    splits = {name: split.x[:MOST_COMPARED] for name, split in data.splits.items()}
    parts = list(splits.values())
    equal = repeated([digest for part in parts for digest in digests(part)])
    owner = [split for split, part in splits.items() for _ in part]
    names = [name for split, part in splits.items() for name in example_names(data, split, range(len(part)))]
    found = groups(near_duplicates(parts, skip=equal))
    named = [[(owner[image], names[image]) for image in group] for group in found]
    across = [group for group in named if len({split for split, _ in group}) > 1]
    total = len(owner)
    return list(_near_findings(named, across, total))


def _near_findings(
    named: Sequence[Sequence[tuple[str, str]]], across: Sequence[Sequence[tuple[str, str]]], total: int
) -> Iterator[Finding]:
    """For all groups, and for those that several splits share."""
    for kind, chosen, text, remedy in (
        (
            "near-duplicates",
            named,
            "are nearly the same as others",
            "if they are copies, keep one of each group",
        ),
        (
            "near-overlap",
            across,
            "are nearly the same as images of another split",
            "put each group into one split",
        ),
    ):
        count = sum(len(group) for group in chosen)
        if not count:
            continue
        severity: Severity = "warning" if count > A_FEW * total else "note"
        alike = [" ~ ".join(name for _, name in group[:2]) for group in chosen]
        message = f"{count:,} of {total:,} images, in {len(chosen):,} groups, {text}: {some(alike)}; {remedy}"
        names = tuple(name for group in chosen for _, name in group)[:KEPT]
        yield Finding(severity, kind, "", count, message, names)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what} is" if number == 1 else f"{number:,} {what}s are"
