"""An Inception with random weights under which its features say something about images."""

from __future__ import annotations

import functools

import torch
from torch import nn

from evenodds.features.inception_network import ConvNorm, InceptionNetwork


@functools.cache
def random_network() -> InceptionNetwork:
    """He et al.'s (2015) initialisation, normalized at every layer by the statistics of smooth images."""
    torch.manual_seed(0)
    network = InceptionNetwork()
    for module in network.modules():
        if isinstance(module, ConvNorm):
            nn.init.kaiming_normal_(module.conv.weight, nonlinearity="relu")
            nn.init.uniform_(module.bn.weight, 0.8, 1.2)
            # Around 1, most units are active; around 0, a random network of this depth is chaotic, and
            # enlarges the last bit of float32 until it shows.
            nn.init.normal_(module.bn.bias, mean=1.0, std=0.1)
            module.bn.momentum = 1.0  # the stored statistics are those of the last batch
    with torch.no_grad():
        network.train()(smooth(4, seed=0))
    return network.eval().requires_grad_(False)


def smooth(count: int, seed: int) -> torch.Tensor:
    """Images of soft blobs as the network takes them: (count, 3, 299, 299) in [-1, 1]."""
    coarse = torch.rand(count, 3, 12, 12, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return nn.functional.interpolate(coarse, (299, 299), mode="bilinear")
