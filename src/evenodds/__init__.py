"""evenodds: train generative adversarial nets and see who is winning.

The names below are imported when they are first used, so that `import evenodds` and the command line's help
do not wait for PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .algorithm import GAN as GAN
    from .algorithm import Batch as Batch
    from .algorithm import train_step as train_step
    from .config import Config as Config
    from .data.dataset import Dataset as Dataset
    from .data.dataset import Split as Split
    from .data.loader import Loader as Loader
    from .ema import EMA as EMA
    from .errors import ConfigError as ConfigError
    from .errors import DataError as DataError
    from .errors import EvenoddsError as EvenoddsError
    from .errors import NonFiniteError as NonFiniteError
    from .errors import RunError as RunError
    from .estimator import GANEstimator as GANEstimator
    from .evaluation import evaluate as evaluate
    from .losses import LOSSES as LOSSES
    from .losses import AdversarialLoss as AdversarialLoss
    from .penalties import PENALTIES as PENALTIES
    from .recipes import recipe as recipe
    from .sampling import Sampler as Sampler
    from .trainer import Progress as Progress
    from .trainer import training as training

_HOME = {
    "GAN": "algorithm",
    "Batch": "algorithm",
    "train_step": "algorithm",
    "Config": "config",
    "Dataset": "data.dataset",
    "Split": "data.dataset",
    "Loader": "data.loader",
    "EMA": "ema",
    "ConfigError": "errors",
    "DataError": "errors",
    "EvenoddsError": "errors",
    "NonFiniteError": "errors",
    "RunError": "errors",
    "GANEstimator": "estimator",
    "evaluate": "evaluation",
    "LOSSES": "losses",
    "AdversarialLoss": "losses",
    "PENALTIES": "penalties",
    "recipe": "recipes",
    "Sampler": "sampling",
    "Progress": "trainer",
    "training": "trainer",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'evenodds' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
