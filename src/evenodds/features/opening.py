"""From a name, or what suits a data set, to an extractor.  Nothing is ever downloaded here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..data.dataset import Dataset
from ..errors import ConfigError, suggest
from .classifiers import SHAPES
from .classifying import load_classifier
from .custom import load_custom
from .custom_input import file_and_input
from .extractor import FeatureExtractor
from .inception import load_inception
from .random_features import RandomFeatures
from .values import Values
from .weights import weights_path

# in the order in which they are listed, with what they are for
EXTRACTORS: Mapping[str, str] = {
    "inception": "FID, KID and the Inception score: Inception-v3 of 2015-12-05; colour images of any size",
    "mnist": "handwritten digits of 28 × 28 or 32 × 32, and stacks of them by channel",
    "cifar10": "colour images of 32 × 32 that show what CIFAR-10 shows",
    "random": "all other images: textures, noise, blur and colours, not what is shown",
    "values": "vectors: their numbers as they are",
}
INCEPTION_MODE = "tf"


def open_extractor(
    name: str = "auto",
    *,
    dataset: Dataset,
    inception: Path | None = None,
    preprocessing: str | None = None,
    device: str = "cpu",
) -> FeatureExtractor:
    """The extractor of that name, ready to be called on examples of `dataset`.

    Args:
        name: of EXTRACTORS; "auto", the one other than Inception that suits the data; or the path of a .py,
            .onnx or .safetensors file, see `custom`, with what it takes after it, see `custom_input`.
        dataset: what it will be called on.
        inception: Inception's weights; left out, what was fetched.
        preprocessing: of Inception, a mode of `resizing`; left out, "tf".  Others don't look at these two.
        device: where it runs.

    Raises:
        ConfigError: an unknown name, or one that doesn't suit the data.
        DataError: weights that are not there or damaged.
    """
    chosen = suitable(dataset) if name == "auto" else name
    own = file_and_input(chosen)
    _check(chosen, dataset, known=own is not None or chosen in EXTRACTORS)
    if chosen == "values":
        return Values(dataset.sample_shape)
    if own is not None:
        return load_custom(*own, dataset.sample_shape, device)
    if chosen == "random":
        return RandomFeatures(device=device)
    if chosen == "inception":
        path = inception or weights_path("inception")
        return load_inception(path, preprocessing=preprocessing or INCEPTION_MODE, device=device)
    stacked = dataset.sample_shape[0] if chosen == dataset.mode_classifier else 1
    return load_classifier(chosen, stacked=stacked, device=device)


def _check(chosen: str, dataset: Dataset, *, known: bool) -> None:
    """Refuse an unknown name, and images' extractors for what is none."""
    if not known:
        raise ConfigError(
            f"unknown extractor {chosen!r}{suggest(chosen, ('auto', *EXTRACTORS))} (or a .py, .onnx or "
            ".safetensors file)"
        )
    if chosen != "values" and len(dataset.sample_shape) != 3:
        shape = " × ".join(str(size) for size in dataset.sample_shape)
        raise ConfigError(
            f"extractor {chosen!r} takes images, and examples of {dataset.name} have {shape} numbers; "
            "use --extractor values"
        )


def suitable(dataset: Dataset) -> str:
    """The name of the extractor that `auto` stands for."""
    if len(dataset.sample_shape) != 3:
        return "values"
    _, height, width = dataset.sample_shape
    if height == width and height in (28, 32) and "mnist" in (dataset.name, dataset.mode_classifier):
        return "mnist"
    # a zip or folder of it has the file's name: what it shows is known by its classes
    shows_it = dataset.name == "cifar10" or dataset.class_names == SHAPES["cifar10"].class_names
    if shows_it and (height, width) == (32, 32):
        return "cifar10"
    return "random"
