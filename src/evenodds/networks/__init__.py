"""Networks: one family per file, one table per player."""

from __future__ import annotations

from torch import nn

from .dcgan import DCGANDiscriminator, DCGANGenerator
from .mlp import Discriminator2014, Generator2014, MLPDiscriminator, MLPGenerator
from .r3gan import R3GANDiscriminator, R3GANGenerator
from .resnet import SNGANDiscriminator, SNGANGenerator
from .stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator

GENERATORS: dict[str, type[nn.Module]] = {
    "goodfellow2014": Generator2014,
    "mlp": MLPGenerator,
    "dcgan": DCGANGenerator,
    "r3gan": R3GANGenerator,
    "sngan": SNGANGenerator,
    "stylegan2": StyleGAN2Generator,
}

DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "goodfellow2014": Discriminator2014,
    "mlp": MLPDiscriminator,
    "dcgan": DCGANDiscriminator,
    "r3gan": R3GANDiscriminator,
    "sngan": SNGANDiscriminator,
    "stylegan2": StyleGAN2Discriminator,
}
