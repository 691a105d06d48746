"""Which split and which class each file belongs to: from folder names, dataset.json or a CSV table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError
from .listing import Source
from .naming import TABLES, natural

SPLITS = {"train": "train", "test": "test", "val": "validation", "valid": "validation"}
SPLITS |= {"training": "train", "testing": "test", "validation": "validation"}
NAME_COLUMNS = ("file_name", "filename", "file", "image", "image_name", "image_path", "path", "name", "id")
LABEL_COLUMNS = ("label", "class", "class_name", "category", "target", "y", "labels")
NO_LABEL = "no label"  # why a file is left out of data that has labels


@dataclass(frozen=True)
class Assigned:
    """What is known of each file of a source.

    Args:
        splits: train, validation or test for each file; empty where no splits are given.
        labels: for each file an index into class_names, or None where it has none; empty without labels.
        class_names: in label order.
        warnings: sentences about what could not be used.
    """

    splits: tuple[str, ...] = ()
    labels: tuple[int | None, ...] = ()
    class_names: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def assign(source: Source, labels: str | None) -> Assigned:
    """Splits from the top folders; labels from `labels`, or from what is there.

    Args:
        source: the files.
        labels: None takes dataset.json, else labels.csv or metadata.csv, beside the images or the folders of
            splits, else one sub-folder per class; "folders" the last of these, "none" no labels; else the
            path of a CSV file.

    Raises:
        DataError: the labels asked for can't be used.
    """
    splits, below = split_names(source.names)
    if labels == "none":
        return Assigned(splits)
    if labels == "folders":
        return _by_folder(source, splits, below)
    if labels is not None:
        return _by_table(source, splits, csv_labels(content_of(Path(labels)), labels), labels)
    for name in TABLES:
        found = _tables(source, name)
        if found:
            where = f"{name} in {source.path}"
            table = _merged(found, json_labels if name.endswith(".json") else csv_labels, where)
            return Assigned(splits) if table is None else _by_table(source, splits, table, where)
    return _by_folder(source, splits, below)


def _tables(source: Source, name: str) -> dict[str, bytes]:
    """Folder -> content of the tables of that name: at the top, around all images, or in splits' folders."""
    outer = len(source.names[0]) - len(_unwrapped(source.names)[0]) if source.names else 0
    top = source.names[0][:outer] if source.names else ""
    splits = {name[: outer + name[outer:].find("/") + 1] for name in source.names}
    splits = {folder for folder in splits if folder[outer:-1].lower() in SPLITS}
    places = {file.removesuffix(name): file for file in source.tables if file.rpartition("/")[2] == name}
    return {place: source.tables[places[place]] for place in sorted({"", top, *splits} & places.keys())}


def _merged(
    found: Mapping[str, bytes], read: Callable[[bytes, str], dict[str, str] | None], where: str
) -> dict[str, str] | None:
    """One table of several, whose names are relative to the folder that each is in."""
    merged: dict[str, str] = {}
    for place, content in found.items():
        table = read(content, where)
        if table is None:
            return None
        merged |= {place + name: label for name, label in table.items()}
        merged |= table if len(found) == 1 else {}
    return merged


def split_names(names: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The split of each file, none if they are not in train, test … folders, and the names below these."""
    below = _unwrapped(names)
    tops = [name.partition("/") for name in below]
    if not below or not all(rest and top.lower() in SPLITS for top, _, rest in tops):
        return (), below
    splits = tuple(SPLITS[top.lower()] for top, _, _ in tops)
    if "train" not in splits:
        return (), below
    return splits, _unwrapped([rest for _, _, rest in tops])


def _unwrapped(names: Sequence[str]) -> list[str]:
    """Names without the folders that all of them are in."""
    rest = list(names)
    while rest:
        top = rest[0].partition("/")[0] + "/"
        if not all(name.startswith(top) for name in rest):
            break
        rest = [name[len(top) :] for name in rest]
    return rest


def _by_folder(source: Source, splits: tuple[str, ...], below: Sequence[str]) -> Assigned:
    """One class per folder at the first level, if every file is in one."""
    flat = [name for name in below if "/" not in name]
    if len(flat) == len(below):
        return Assigned(splits)
    if flat:
        text = (
            f"{len(flat)} of {len(below)} images in {source.path} lie outside the sub-folders (first: "
            f"{printable(flat[0])}), so that these are not taken for classes; move them, or set labels=none"
        )
        return Assigned(splits, warnings=(text,))
    folders = [name.partition("/")[0] for name in below]
    return Assigned(splits, *_numbered(folders))


def _by_table(source: Source, splits: tuple[str, ...], table: Mapping[str, str], where: str) -> Assigned:
    """Labels by name, or by the last part of the name, or that without its ending."""
    found = [_looked_up(name, table) for name in source.names]
    missing = [name for name, label in zip(source.names, found, strict=True) if label is None]
    if 2 * len(missing) > len(found):
        raise DataError(
            f"{len(missing)} of {len(found)} images in {source.path} have no label in {where} (first: "
            f"{printable(missing[0])}); name the files there as they are named, or set labels=none"
        )
    return Assigned(splits, *_numbered(found))


def _looked_up(name: str, table: Mapping[str, str]) -> str | None:
    base = name.rpartition("/")[2]
    stem = base.rpartition(".")[0]
    return next((table[key] for key in (name, base, stem) if key in table), None)


def _numbered(labels: Sequence[str | None]) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    """Labels as numbers, and their names in natural order; nothing where all are the same."""
    names = sorted({label for label in labels if label is not None}, key=natural)
    if len(names) < 2:
        return (), ()
    number = {name: index for index, name in enumerate(names)}
    return tuple(None if label is None else number[label] for label in labels), tuple(names)


def json_labels(content: bytes, where: str) -> dict[str, str] | None:
    """Of StyleGAN's {"labels": [[name, label], …]}: whole numbers, or vectors of one 1 among 0s.

    Raises:
        DataError: it is not that.
    """
    try:
        rows = json.loads(content)["labels"]
        if rows is None:
            return None
        return {str(name): str(_whole(label)) for name, label in rows}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(
            f'{where} is not of the form {{"labels": [[name, number], …]}} with whole numbers or one-hot '
            f"vectors ({str(error)[:100]}); correct it, or set labels=none"
        ) from error


def _whole(label: object) -> int:
    if isinstance(label, list):
        if sorted(label) != [0] * (len(label) - 1) + [1]:
            raise ValueError(f"label {label!r:.60}")
        return label.index(1)
    if isinstance(label, bool) or not isinstance(label, (int, float)) or label != int(label) or label < 0:
        raise ValueError(f"label {label!r:.60}")
    return int(label)


def csv_labels(content: bytes, where: str) -> dict[str, str]:
    """name -> label, of the columns with such names, else the first two.

    Raises:
        DataError: it is no such table.
    """
    try:
        text = content.decode("utf-8-sig")
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{where} is not a CSV table in UTF-8 ({error}); save it as one") from error
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    name = next((head.index(column) for column in NAME_COLUMNS if column in head), None)
    label = next((head.index(column) for column in LABEL_COLUMNS if column in head), None)
    titled = name is not None or label is not None
    name = name if name is not None else (1 if label == 0 else 0)
    label = label if label is not None else (0 if name == 1 else 1)
    rows = rows[1:] if titled else rows
    if not rows or any(len(row) <= max(name, label) for row in rows):
        raise DataError(f"{where} needs a column of file names and a column of labels; add them")
    return {row[name].strip().removeprefix("./"): row[label].strip() for row in rows}


def content_of(path: Path) -> bytes:
    """The content of a table of labels.

    Raises:
        DataError: it can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"labels={path} can't be read ({error.strerror}); give a CSV file, folders or none"
        ) from error


def printable(name: str) -> str:
    """A name for a message: what is no text is replaced, and very long ones are shortened."""
    text = "".join(c if c.isprintable() else "?" for c in name.encode("utf-8", "replace").decode())
    return text if len(text) <= 80 else f"{text[:50]}…{text[-25:]}"


def counted(names: Iterable[str]) -> str:
    """The first three names and how many more there are."""
    shown = [printable(name) for name in names]
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if shown[3:] else "")
