"""The network that a metric's features come from."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from ..data.dataset import Dataset
from ..errors import ConfigError, DataError
from ..features import FeatureExtractor
from ..features.opening import open_extractor

INCEPTION = "inception"
# what is Inception's alone, and the same in other features
ELSEWHERE = {
    "fid": "frechet",
    "fid_infinity": "frechet_infinity",
    "intra_fid": "intra_frechet",
    "is": "classifier_score",
    "kid": "kernel",
    "mifid": "mi_frechet",
}


def opened(
    asked: str,
    dataset: Dataset,
    *,
    inception: Path | None = None,
    preprocessing: str | None = None,
    device: str = "cpu",
) -> FeatureExtractor:
    """An extractor, see `features.open_extractor`; no one else's random numbers change.

    Args:
        asked: "auto", a name or a file.
        dataset: what it will be called on.
        inception, preprocessing: of Inception; passed over for others.
        device: where it runs.

    Raises:
        ConfigError, DataError: there is none of that name, it can't see such examples, or lacks its weights.
    """
    of_inception = asked == INCEPTION
    accelerators = [device] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=accelerators):
        return open_extractor(
            asked,
            dataset=dataset,
            inception=inception if of_inception else None,
            preprocessing=preprocessing if of_inception else None,
            device=device,
        )


def without_weights(name: str, error: DataError) -> ConfigError:
    """Said where a metric of Inception's features was named, and its weights are not there.

    Args:
        name: as in fid10k.
        error: of `opened`, with its own remedies.
    """
    word = re.split(r"\d", name)[0]
    other = ELSEWHERE[word] + name.removeprefix(word)
    return ConfigError(f"{name} is measured in Inception's features: {error}, or measure {other}")
