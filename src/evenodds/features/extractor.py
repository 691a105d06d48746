"""What a feature extractor is: a fixed function from images to vectors in which distances mean something."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from torch import Tensor


class Features(NamedTuple):
    """What an extractor makes of N examples.

    Args:
        features: (N, F) float32, on the CPU.
        logits: (N, K) float32 on the CPU, where the network classifies; None where it doesn't.
    """

    features: Tensor
    logits: Tensor | None


class FeatureExtractor(Protocol):
    """A network with fixed weights, called on examples; it batches by itself, without gradients.

    Attributes:
        name: "inception", "mnist", "cifar10", "random", "values" or a file's stem: as it is printed.
        sha256: of its weights, 64 hexadecimal digits; of `random`, of the weights that its seed gives;
            "" for `values`, which has none.
        precision: of the arithmetic, "float32" or "bfloat16": kept features are of one of them.
        preprocessing: what becomes of an image before the network sees it, in words or as a mode's name.
        dim: F.
        classes: K, or None where it gives no logits.
    """

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def precision(self) -> str: ...

    @property
    def preprocessing(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def classes(self) -> int | None: ...

    def __call__(self, images: Tensor) -> Features:
        """The features of each example.

        Args:
            images: uint8 (N, C, H, W) with C of 1, 3 or 4 (colours multiplied by alpha, and alpha);
                `values` takes float32 (N, …) instead.
        """
        ...


def identity(extractor: FeatureExtractor) -> dict[str, Any]:
    """What two numbers must agree in before they may stand side by side, as far as the extractor goes.

    Precision is not among it: it moves a distance by less than a thousandth, see benchmarks/fid_speed.py.
    """
    return {
        "name": extractor.name,
        "sha256": extractor.sha256,
        "preprocessing": extractor.preprocessing,
        "dim": extractor.dim,
    }
