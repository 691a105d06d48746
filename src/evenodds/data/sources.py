"""The table of data sets: a constructor's signature is the schema of its options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import ConfigError, DataError, suggest
from .arrays import array_problems, as_examples, check_layout, load_arrays, named_parts, rescaled
from .dataset import Array, Dataset, Split, pair, shuffled_splits
from .digits import load_digits
from .drawn import checkerboard, gaussian, gaussian_mixture, grid, points, ring, spiral, swiss_roll, two_moons
from .formats import cifar_binary, format_of, parquet, webdataset
from .idx import FOLDER_FILES, find_file, load_idx_folder, load_idx_images, load_idx_labels
from .images.constructors import cifar10, emoji, images
from .named import load_named
from .row_labels import with_row_labels
from .stacked import stacked_mnist

Range = Sequence[float] | None


def digits(*, value_range: Range = (-1.0, 1.0)) -> Dataset:
    """1797 handwritten digits of 8 × 8 pixels, shipped with evenodds."""
    return load_digits(value_range=pair(value_range))


def mnist(*, folder: str | None = None, value_range: Range = (-1.0, 1.0)) -> Dataset:
    """MNIST: 50,000 train, 10,000 validation, 10,000 test; `folder` is where its four files are."""
    return load_named("mnist", folder=folder, value_range=pair(value_range))


def fashion_mnist(*, folder: str | None = None, value_range: Range = (-1.0, 1.0)) -> Dataset:
    """Fashion-MNIST, split as MNIST; `folder` is where its four files are."""
    return load_named("fashion_mnist", folder=folder, value_range=pair(value_range))


def array(
    *,
    path: str,
    layout: str = "auto",
    validation: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    value_range: Range | str = "auto",
    data_range: Range = None,
    labels: str | None = None,
) -> Dataset:
    """Images or vectors in an .npy or .npz file, see `arrays.named_parts` for the names in an .npz.

    Args:
        path: the file.
        layout: where images have their channels: auto, nchw or nhwc; see `arrays.as_examples`.
        validation, test: fractions, where the file does not give these splits; test=0 for none.
        seed: of the shuffle that splits.
        value_range: what 0..255 of uint8 is mapped to; "auto" is [-1, 1] for uint8, and as is for floats.
        data_range: the [low, high] of numbers of any type, which becomes [-1, 1].
        labels: a CSV file with a label for each example, in their order, where the array's file has none.

    Raises:
        DataError: the file or its content can't be used.
        ConfigError: an option is out of range.
    """
    parts, names = with_row_labels(_parts(path, layout, pair(data_range)), labels)
    examples = {name: _examples(x, y, layout, _where(path, name)) for name, (x, y) in parts.items()}
    _check_alike(examples, path)
    whole = examples.get("train") or examples["all"]
    train, held_out, last = _complete(whole, examples, validation=validation, test=test, seed=seed)
    return Dataset(
        name=Path(path).stem,
        train=train,
        validation=held_out,
        test=last,
        class_names=names or _class_names(y for _, y in examples.values()),
        value_range=_array_range(value_range, whole[0].dtype, path),
        source=path,
    )


def idx(
    *,
    path: str,
    validation: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    value_range: Range = (-1.0, 1.0),
) -> Dataset:
    """Grey images in IDX files: a folder of the four files of an MNIST-like data set, or one file of images.

    In a folder the t10k files are the test split, as many of the last training images the validation split;
    for MNIST itself these are the splits of `mnist`. One file is split at random by the fractions; labels are
    read from the file beside it with `labels-idx1` in its name instead of `images-idx3`, if there is one.

    Raises:
        DataError: a file is missing, damaged, or of another kind.
    """
    place = Path(path)
    if place.is_dir():
        (x, y), (test_x, test_y) = load_idx_folder(place)
        if len(x) <= len(test_x):
            counts = f"{len(x)} training and {len(test_x)} test images"
            raise DataError(f"{path} has {counts}; give more training than test images")
        cut = len(x) - len(test_x)
        splits: tuple[Split, Split, Split | None]
        splits = Split(x[:cut], y[:cut]), Split(x[cut:], y[cut:]), Split(test_x, test_y)
    else:
        images, labels = _images_and_labels(place)
        splits = shuffled_splits(images, labels, validation=validation, test=test, seed=seed)
    return Dataset(
        name=place.name.split(".")[0],
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        class_names=_class_names(split.y for split in splits if split is not None),
        value_range=pair(value_range),
        source=path,
    )


DATASETS: Mapping[str, Callable[..., Dataset]] = {
    "digits": digits,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "stacked_mnist": stacked_mnist,
    "cifar10": cifar10,
    "emoji": emoji,
    "ring": ring,
    "grid": grid,
    "gaussian": gaussian,
    "gaussian_mixture": gaussian_mixture,
    "spiral": spiral,
    "swiss_roll": swiss_roll,
    "two_moons": two_moons,
    "checkerboard": checkerboard,
    "points": points,
    "array": array,
    "idx": idx,
    "images": images,
    "cifar_binary": cifar_binary,
    "webdataset": webdataset,
    "parquet": parquet,
}
NEEDS_PATH = ("array", "idx", "images", "cifar_binary", "webdataset", "parquet")


def source_for(argument: str) -> dict[str, str]:
    """What `--data` means: `{"name": …}` for a known name, `{"name": "images", "path": …}` for a path.

    A known name wins over a file of the same name, which is reached as ./name.

    Raises:
        DataError: neither a known name nor a path, or a path of no known kind.
    """
    names = [name for name in DATASETS if name not in NEEDS_PATH]
    if argument in names:
        return {"name": argument}
    path = Path(argument)
    if known := format_of(path):
        return {"name": known, "path": argument}
    if not path.exists():
        raise DataError(f"there is no data set or file {argument!r}{suggest(argument, names)}")
    if path.is_dir():
        idx_files = any(find_file(path, name) for name in FOLDER_FILES)
        return {"name": "idx" if idx_files else "images", "path": argument}
    if path.suffix in (".npy", ".npz"):
        return {"name": "array", "path": argument}
    if path.suffix.lower() in (".zip", ".tar"):
        return {"name": "images", "path": argument}
    if path.suffix in (".idx", ".gz") or path.name.endswith("-ubyte"):
        return {"name": "idx", "path": argument}
    raise DataError(
        f"{argument} is of no known kind; give a folder, .zip or .tar of images, .npy, .npz, .parquet, "
        ".idx, -ubyte, .gz, CIFAR's binary version, or a folder of IDX files"
    )


def _images_and_labels(path: Path) -> tuple[Array, Array | None]:
    """The images of an IDX file, and the labels of the file beside it, if there is one."""
    images = load_idx_images(path)
    name = path.name.replace("images-idx3", "labels-idx1")
    beside = find_file(path.parent, name) if name != path.name else None
    return images, None if beside is None else load_idx_labels(beside, len(images))


def _parts(
    path: str, layout: str, data_range: tuple[float, float] | None
) -> dict[str, tuple[Array, Array | None]]:
    """The arrays in a file, `data_range` brought to [-1, 1] if it is given."""
    check_layout(layout)
    parts = named_parts(load_arrays(Path(path)), path)
    if data_range is None:
        return parts
    return {name: (rescaled(x, data_range, _where(path, name)), y) for name, (x, y) in parts.items()}


def _where(path: str, part: str) -> str:
    return path if part == "all" else f"x_{part} in {path}"


def _examples(x: Array, y: Array | None, layout: str, where: str) -> tuple[Array, Array | None]:
    """Checked examples and int64 labels."""
    problems = array_problems(x, y, layout)
    if problems:
        more = f" (and {len(problems) - 1} more; see: evenodds data check)" if problems[1:] else ""
        raise DataError(f"{where} can't be used: {problems[0]}{more}")
    return as_examples(x, layout), None if y is None else y.astype(np.int64)


def _check_alike(examples: Mapping[str, tuple[Array, Array | None]], path: str) -> None:
    shapes = {name: x.shape[1:] for name, (x, _) in examples.items()}
    if len(set(shapes.values())) > 1 or len({x.dtype for x, _ in examples.values()}) > 1:
        raise DataError(f"the splits in {path} differ in shape or type ({shapes}); save them alike")


def _complete(
    whole: tuple[Array, Array | None],
    given: Mapping[str, tuple[Array, Array | None]],
    *,
    validation: float,
    test: float,
    seed: int,
) -> tuple[Split, Split, Split | None]:
    """The splits a file gives, and the others taken at random from its training examples."""
    if "validation" in given:
        held_out = Split(*given["validation"])
        if "test" in given or test == 0:
            return Split(*whole), held_out, Split(*given["test"]) if "test" in given else None
        train, last, _ = shuffled_splits(*whole, validation=test, test=0.0, seed=seed)
        return train, held_out, last
    fraction = 0.0 if "test" in given else test
    train, held_out, drawn = shuffled_splits(*whole, validation=validation, test=fraction, seed=seed)
    return train, held_out, Split(*given["test"]) if "test" in given else drawn


def _class_names(labels: Iterable[Array | None]) -> tuple[str, ...]:
    """Names 0, 1, … up to the largest label; none without labels."""
    highest = max((int(y.max()) for y in labels if y is not None), default=-1)
    return tuple(str(label) for label in range(highest + 1))


def _array_range(
    value_range: Range | str, dtype: np.dtype[np.generic], path: str
) -> tuple[float, float] | None:
    """The range that applies to an array of that type."""
    if value_range == "auto":
        return (-1.0, 1.0) if dtype == np.uint8 else None
    if isinstance(value_range, str):
        raise ConfigError(f"value_range {value_range!r} does not exist; use auto or a pair such as [-1, 1]")
    chosen = pair(value_range)
    if chosen is not None and dtype != np.uint8:
        raise ConfigError(f"{path} holds floats, used as they are; leave out value_range={value_range!r}")
    return chosen
