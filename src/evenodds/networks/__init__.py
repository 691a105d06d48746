"""Networks: one family per file, one table per player."""

from __future__ import annotations

from torch import nn

from .mlp import Discriminator2014, Generator2014, MLPDiscriminator, MLPGenerator

GENERATORS: dict[str, type[nn.Module]] = {
    "goodfellow2014": Generator2014,
    "mlp": MLPGenerator,
}

DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "goodfellow2014": Discriminator2014,
    "mlp": MLPDiscriminator,
}
