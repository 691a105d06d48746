"""Augmentation of all that D sees, real and generated alike, so that few data suffice."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from .adaptive import ADA as ADA
from .adaptive import r3gan as r3gan
from .diffaugment import DiffAugment as DiffAugment
from .pipeline import Pipeline as Pipeline

AUGMENTS: dict[str, Callable[..., nn.Module]] = {"diffaugment": DiffAugment, "ada": ADA, "r3gan": r3gan}
