"""Networks: one family per file, one table per player."""

from __future__ import annotations

from torch import nn

from .dcgan import DCGANDiscriminator, DCGANGenerator
from .mlp import Discriminator2014, Generator2014, MLPDiscriminator, MLPGenerator

GENERATORS: dict[str, type[nn.Module]] = {
    "goodfellow2014": Generator2014,
    "mlp": MLPGenerator,
    "dcgan": DCGANGenerator,
}

DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "goodfellow2014": Discriminator2014,
    "mlp": MLPDiscriminator,
    "dcgan": DCGANDiscriminator,
}
