"""The shipped classifiers as extractors: from a file of weights to features and logits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import ConfigError, DataError
from .classifiers import SHAPES, Classifier, Shape
from .extractor import Features
from .pixels import in_batches, resized, unit
from .weights import read_weights, weights_path

KIND = "evenodds classifier"  # what a file of weights says it is
BATCH = 100
BORDER = 32  # size of digits that have got a border of two pixels, which is cut off


class ClassifierExtractor:
    """See `FeatureExtractor`: the last hidden layer of a classifier, after its GELU and the global maximum.

    Args:
        name: as it is printed.
        network: with its weights.
        shape: of the network.
        sha256: of the file of its weights.
        stacked: how many images an image stands for, as its channels; above 1, their features follow each
            other, and classes are tuples, of which the first channel's class changes slowest.
        device: where it runs.
    """

    def __init__(
        self,
        name: str,
        network: Classifier,
        shape: Shape,
        sha256: str,
        *,
        stacked: int = 1,
        device: str = "cpu",
    ) -> None:
        self.name, self.sha256, self.stacked, self._shape = name, sha256, stacked, shape
        self.precision = "float32"
        self.dim = stacked * shape.widths[-1]
        self.classes: int | None = len(shape.class_names) ** stacked
        size, kind = shape.size, "gray" if shape.channels == 1 else "RGB"
        # digits are small on black: cutting a border off leaves them as they are, resizing would not
        other = (
            f"the middle of {BORDER} × {BORDER}" if shape.channels == 1 else "resized, antialiased, to that"
        )
        each = f"each of {stacked} channels by itself, " if stacked > 1 else ""
        mirror = "; mean over the image and its mirror image" if shape.mirrored else ""
        self.preprocessing = f"{each}{size} × {size} {kind} in [0, 1]; other sizes: {other}{mirror}"
        # channels last takes half the time of the usual layout on a CPU, in batches of about a hundred
        self._network = network.to(device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = torch.device(device)

    def __call__(self, images: Tensor) -> Features:
        """See `FeatureExtractor`.

        Raises:
            ConfigError: images of another size than it takes, or of other channels.
        """
        if self.stacked > 1 and (images.ndim != 4 or images.shape[1] != self.stacked):
            raise ConfigError(
                f"extractor {self.name!r} was opened for images of {self.stacked} channels, not for "
                f"{tuple(images.shape)}; open it for these"
            )
        return in_batches(images, max(BATCH // self.stacked, 1), self._extracted)

    def _extracted(self, images: Tensor) -> Features:
        images = images.to(self._device)
        single = images.flatten(0, 1)[:, None] if self.stacked > 1 else images
        x = unit(single, self._shape.channels)
        x = middle(x, self._shape.size) if self._shape.channels == 1 else resized(x, (self._shape.size,) * 2)
        x = x.contiguous(memory_format=torch.channels_last)
        features = self._network.features(x)
        if self._shape.mirrored:
            features = (features + self._network.features(x.flip(3))) / 2
        logits: Tensor = self._network.last(features)
        if self.stacked > 1:
            return Features(features.view(len(images), -1), joint(logits.view(len(images), self.stacked, -1)))
        return Features(features, logits)


def middle(x: Tensor, size: int) -> Tensor:
    """The middle size × size of images (N, C, H, W) of that size or with a border.

    Raises:
        ConfigError: any other size.
    """
    height, width = x.shape[2:]
    if (height, width) not in ((size, size), (BORDER, BORDER)):
        raise ConfigError(
            f"the classifier of digits takes {size} × {size} or {BORDER} × {BORDER} pixels, not "
            f"{height} × {width}; use --extractor random"
        )
    border = (height - size) // 2
    return x[:, :, border : border + size, border : border + size]


def joint(logits: Tensor) -> Tensor:
    """Logits (N, S, K) of S independent images to the logarithms (N, K^S) of their joint probabilities."""
    each = functional.log_softmax(logits, 2)
    together = each[:, 0]
    for number in range(1, logits.shape[1]):
        together = (together[:, :, None] + each[:, number, None, :]).flatten(1)
    return together


def load_classifier(name: str, *, stacked: int = 1, device: str = "cpu") -> ClassifierExtractor:
    """A shipped classifier.

    Args:
        name: "mnist" or "cifar10".
        stacked: see `ClassifierExtractor`.
        device: where it runs.

    Raises:
        DataError: its file is missing or damaged.
    """
    return classifier_of(weights_path(name), name, stacked=stacked, device=device)


def classifier_of(
    path: Path, name: str | None = None, *, stacked: int = 1, device: str = "cpu"
) -> ClassifierExtractor:
    """The classifier in a file that `save_classifier` wrote.

    Args:
        path: the file.
        name: as it is printed; left out, the file's stem.
        stacked: see `ClassifierExtractor`.
        device: where it runs.

    Raises:
        DataError: it can't be read, or holds something else.
    """
    content, digest = read_weights(path)
    facts = facts_of(path)
    shape = SHAPES[facts["classifier"]]
    network = Classifier(shape)
    wanted = network.state_dict()
    found = safetensors.torch.load(content)
    if {key: value.shape for key, value in found.items()} != {key: v.shape for key, v in wanted.items()}:
        raise DataError(f"{path} holds other weights than a classifier's; give one that evenodds wrote")
    if not all(value.isfinite().all() for value in found.values()):
        raise DataError(f"{path} holds weights that are not finite; build it again")
    network.load_state_dict({key: value.float() for key, value in found.items()})
    network.eval().requires_grad_(False)
    return ClassifierExtractor(
        name or path.stem,
        network,
        shape,
        digest,
        stacked=stacked if shape.channels == 1 else 1,
        device=device,
    )


def facts_of(path: Path) -> dict[str, Any]:
    """What a classifier's file says of itself: classifier, accuracy, recipe, data, versions.

    Raises:
        DataError: it is none.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        facts = json.loads(metadata.get("facts", "{}"))
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{path} can't be read as weights ({reason}); give another file") from error
    if metadata.get("kind") != KIND or facts.get("classifier") not in SHAPES:
        raise DataError(
            f"{path} is not a classifier that evenodds built; give a .py file that loads it into its network"
        )
    return dict(facts)


def save_classifier(path: Path, network: Classifier, facts: dict[str, Any]) -> None:
    """Write a classifier in float16, with what is known of it; see `facts_of`."""
    weights = {key: value.half().contiguous() for key, value in network.state_dict().items()}
    metadata = {"kind": KIND, "facts": json.dumps(facts, sort_keys=True)}
    path.write_bytes(safetensors.torch.save(weights, metadata))
