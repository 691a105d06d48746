"""Arrays in .npy and .npz files: images or vectors, with or without labels and splits.

The files are parsed here, byte by byte, rather than by numpy.load: nothing is ever unpickled, and a file that
is shorter or longer than its header says is refused before memory is taken for it.
"""

from __future__ import annotations

import ast
import math
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np

from ..errors import ConfigError, DataError, suggest
from .dataset import Array

NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK"
LAYOUTS = ("auto", "nchw", "nhwc")
MOST_CHANNELS = 4  # grey, grey and alpha, RGB, RGBA
# Names an .npz may use: (examples, labels), in the order in which they are looked for.
WHOLE = (("x", "y"), ("images", "labels"), ("arr_0", "arr_1"))
GIVEN_SPLITS = ("train", "validation", "test")


def load_arrays(path: Path) -> dict[str, Array]:
    """The arrays in an .npz by name, or the one of an .npy under the name `x`.

    Raises:
        DataError: the file is missing, damaged, of another format, or holds Python objects.
    """
    try:
        with open(path, "rb") as file:
            magic = file.read(len(NPY_MAGIC))
            file.seek(0)
            if magic == NPY_MAGIC:
                return {"x": _read_npy(file, path.stat().st_size, str(path))}
            if magic.startswith(ZIP_MAGIC):
                return _read_npz(file, path)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; check the path") from error
    except OSError as error:
        raise DataError(
            f"{path} can't be read ({error.strerror}); check the file and its permissions"
        ) from error
    raise DataError(f"{path} is neither an .npy nor an .npz file; save it with numpy.save or numpy.savez")


def named_parts(arrays: dict[str, Array], where: str) -> dict[str, tuple[Array, Array | None]]:
    """Which arrays are examples and which labels: `{"all": (x, y)}`, or train, perhaps validation and test.

    Names looked for: x, y; images, labels; arr_0, arr_1; or x_train, y_train, x_validation, …, y_test.

    Raises:
        DataError: no such names, or labels for only some of the splits.
    """
    if "x_train" in arrays:
        names = [name for name in GIVEN_SPLITS if f"x_{name}" in arrays]
        parts = {name: (arrays[f"x_{name}"], arrays.get(f"y_{name}")) for name in names}
        if len({labels is None for _, labels in parts.values()}) > 1:
            lacking = ", ".join(f"y_{name}" for name, (_, labels) in parts.items() if labels is None)
            raise DataError(
                f"{where} lacks {lacking} where another split has labels; add it or leave all out"
            )
        return parts
    for x, y in WHOLE:
        if x in arrays:
            return {"all": (arrays[x], arrays.get(y))}
    found = ", ".join(sorted(arrays)) or "no array"
    wanted = "x (labels in y), images (labels in labels), or x_train and x_test"
    raise DataError(f"{where} holds {found}; name the examples {wanted}")


def array_problems(x: Array, y: Array | None, layout: str = "auto") -> list[str]:
    """All that keeps these arrays from being trained on, each with its remedy; empty if nothing."""
    if len(x.shape) == 0 or x.size == 0:
        return [f"it is empty (shape {x.shape}); give at least one example"]
    problems = [problem for problem in (_type_problem(x), _shape_problem(x, layout)) if problem]
    problems += _value_problems(x)
    return problems + ([] if y is None else _label_problems(y, len(x)))


def as_examples(x: Array, layout: str = "auto") -> Array:
    """Images as (N, C, H, W), vectors as (N, d); uint8 stays, floats become float32.

    With `layout="auto"` the second or the last of four axes is the channels: whichever is at most 4, the
    second if both are, else the one that is shorter than the other two, if these are equal.
    """
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and _channels_last(x.shape, layout):
        x = x.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(x, dtype=np.uint8 if x.dtype == np.uint8 else np.float32)


def check_layout(layout: str) -> None:
    """Refuse a layout that does not exist.

    Raises:
        ConfigError: it is not one of LAYOUTS.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"layout {layout!r} does not exist{suggest(layout, LAYOUTS)}")


def rescaled(x: Array, data_range: tuple[float, float], where: str) -> Array:
    """Numbers of any type as float32, with `data_range` brought to [-1, 1].

    Raises:
        DataError: there are numbers outside the range, or none at all.
    """
    low, high = data_range
    if x.dtype.kind not in "iuf" or x.size == 0:
        raise DataError(f"{where} is {x.dtype} of shape {x.shape}; data_range needs numbers")
    outside = ~((x >= low) & (x <= high))  # NaN too
    if outside.any():
        example = x[outside][0]
        raise DataError(
            f"{where} has {int(outside.sum())} values outside data_range [{low:g}, {high:g}], such as "
            f"{example:g}; widen it, or remove them"
        )
    return np.asarray((x.astype(np.float64) - low) * (2 / (high - low)) - 1, np.float32)


def _channels_last(shape: tuple[int, ...], layout: str) -> bool:
    return layout == "nhwc" or (layout == "auto" and _channel_axis(shape) == 3)


def _channel_axis(shape: tuple[int, ...]) -> int | None:
    """1 or 3, None where it can't be told."""
    if min(shape[1], shape[3]) <= MOST_CHANNELS:
        return 1 if shape[1] <= MOST_CHANNELS else 3
    if shape[1] < shape[2] == shape[3]:
        return 1
    return 3 if shape[3] < shape[1] == shape[2] else None


def _type_problem(x: Array) -> str | None:
    if x.dtype == np.uint8 or x.dtype.kind == "f":
        return None
    return f"its type is {x.dtype}; convert it to uint8 (0 to 255) or float32, or say data_range=[low, high]"


def _shape_problem(x: Array, layout: str) -> str | None:
    if x.ndim == 4 and layout == "auto" and _channel_axis(x.shape) is None:
        return (
            f"neither axis 1 nor axis 3 of {x.shape} is surely the channels; say layout=nchw or layout=nhwc"
        )
    if x.ndim in (3, 4) or (x.ndim == 2 and x.dtype != np.uint8):
        return None
    wanted = "(N, H, W), (N, H, W, C) or (N, C, H, W) for images, (N, d) of floats for vectors"
    return f"its shape is {x.shape}; reshape it to {wanted}"


def _value_problems(x: Array) -> list[str]:
    """NaN and infinity, and float images outside [−1, 1]."""
    if x.dtype.kind != "f":
        return []
    # As float32, in which they will be used: 1e300 is infinite there, and worth refusing.
    with np.errstate(over="ignore"):
        finite = np.isfinite(x.astype(np.float32, copy=False))
    if not finite.all():
        first = tuple(int(axis) for axis in np.argwhere(~finite)[0])
        count = int((~finite).sum())
        return [f"{count} values are NaN or infinite, the first at {first}; remove those examples"]
    low, high = float(x.min()), float(x.max())
    if x.ndim > 2 and (low < -1 or high > 1):
        return [f"its images go from {low:g} to {high:g}; say data_range=[{low:g}, {high:g}], or save uint8"]
    return []


def _label_problems(y: Array, count: int) -> list[str]:
    if y.shape != (count,):
        return [f"there are labels of shape {y.shape} for {count} examples; give one whole number for each"]
    if y.dtype.kind not in "iu":
        return [f"its labels are {y.dtype}; convert them to whole numbers from 0"]
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= max(count, 2):
        return [f"its labels go from {low} to {high} for {count} examples; number the classes 0, 1, 2, …"]
    return []


def _read_npz(file: IO[bytes], path: Path) -> dict[str, Array]:
    """Every .npy of a zip archive."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
            arrays = {}
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                with archive.open(entry) as member:
                    arrays[name] = _read_npy(member, entry.file_size, f"{name} in {path}")
            return arrays
    # zipfile meets damage with any of these; RuntimeError is an encrypted member.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError(f"{path} is a damaged npz file ({error}); save or copy it again") from error


def _read_npy(file: IO[bytes], size: int, where: str) -> Array:
    """The array in `size` bytes of .npy format 1, 2 or 3 (NumPy enhancement proposal 1)."""
    prefix = file.read(8)
    if len(prefix) < 8 or prefix[:6] != NPY_MAGIC or prefix[6] not in (1, 2, 3):
        raise DataError(f"{where} is not an array in .npy format; save it with numpy.save or numpy.savez")
    width = 2 if prefix[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    header = file.read(min(length, 10_000))
    dtype, fortran, shape = _parse_header(header, where)
    if dtype.hasobject:
        raise DataError(f"{where} holds Python objects, which could run code; save it as numbers of one type")
    expected, found = math.prod(shape) * dtype.itemsize, size - 8 - width - len(header)
    if expected != found:
        problem = "truncated" if found < expected else "followed by something else"
        raise DataError(
            f"{where} is {problem}: {shape} of {dtype} needs {expected} bytes, and there are {found}; "
            "save it again"
        )
    content = file.read(expected)
    if len(content) != expected:
        raise DataError(f"{where} ends early; save or copy it again")
    return np.frombuffer(bytearray(content), dtype).reshape(shape, order="F" if fortran else "C")


def _parse_header(header: bytes, where: str) -> tuple[np.dtype[np.generic], bool, tuple[int, ...]]:
    """The dictionary of an .npy header; literals only, never evaluated."""
    try:
        fields = ast.literal_eval(header.decode("utf-8").strip())
        shape, fortran = fields["shape"], fields["fortran_order"]
        dtype = np.dtype(fields["descr"])
        sound = isinstance(shape, tuple) and all(type(size) is int and 0 <= size < 2**48 for size in shape)
        if not (sound and isinstance(fortran, bool) and dtype.itemsize > 0 and dtype.subdtype is None):
            raise ValueError("sizes or types that no array has")
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError, TokenError) as error:
        raise DataError(f"{where} has a damaged .npy header; save or copy it again") from error
    return dtype, fortran, shape
