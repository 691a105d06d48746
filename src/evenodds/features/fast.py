"""Inception's forward pass rearranged for speed: the same function up to rounding, in a third of the time.

What is rearranged, none of which changes the function:

- batch normalization is a scale and a shift at inference: folded into the convolution's weights and bias;
- the 1×1 convolutions of one block that read the same input are one convolution of all their outputs;
- averaging over neighbours and a 1×1 convolution commute: the average is taken after it, of fewer channels;
- weights and activations are bfloat16 where the processor multiplies those faster, channels last.

bfloat16 keeps 8 bits.  Rounding of activations differs from pixel to pixel and largely averages out; that of
weights is the same everywhere, and moves features.  So biases stay float32; so do the first four layers, a
tenth of the work, whose errors all others would enlarge; the weights' errors are made to cancel, see
`rounded`; and what is left of them is followed to the end, see `Conv`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, cat, nn

from .inception_network import BlockA, BlockB, BlockC, BlockD, BlockE, ConvNorm, InceptionNetwork, mean_pool


def folded(layers: Sequence[ConvNorm]) -> tuple[Tensor, Tensor]:
    """Weight (sum of outputs, inputs, height, width) and bias of convolutions that share input and kernel.

    γ·(w∗x − μ)/√(σ² + ε) + β = (γ/√(σ² + ε))·w ∗ x + (β − γμ/√(σ² + ε)), in float64.
    """
    weights, biases = [], []
    for layer in layers:
        norm = layer.bn
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        weights.append(layer.conv.weight.double() * scale.view(-1, 1, 1, 1))
        biases.append(norm.bias.double() - norm.running_mean.double() * scale)
    return cat(weights).detach(), cat(biases).detach()


def rounded(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A filter's weights in `dtype`, each one's rounding error carried to the next (error diffusion).

    Neighbouring pixels are alike, and so to a degree are the channels of one: errors of opposite signs cancel
    in the filter's output where independent ones would add up.

    Args:
        weight: (outputs, inputs, height, width) float64.
    """
    if dtype == torch.float32:
        return weight.to(dtype)
    ordered = weight.flatten(1).T.contiguous()  # (inputs · height · width, outputs)
    result = torch.empty_like(ordered, dtype=dtype)
    carried = torch.zeros_like(ordered[0])
    for value, place in zip(ordered, result, strict=True):
        wanted = value + carried
        place.copy_(wanted)
        carried = wanted - place
    return result.T.reshape(weight.shape)


STEM = 4  # images at a time where they are large: their activations stay in a CPU's cache

# Activations (N, C, H, W), and what the mean over places of each of their channels is missing since weights
# are rounded, (N, C) float32, to first order; None as long as all weights were exact.
Flow = tuple[Tensor, Tensor | None]


class Conv(nn.Module):
    """A convolution with bias of one or several folded layers, followed by ReLU unless told otherwise.

    What rounding takes from the weights, W − round(W), the mean over places of an output channel is missing
    times the input's mean, and ΣW times what that was missing itself; sums over the kernel, borders left out.
    A ReLU passes it on where its input is positive.  In the end it is given back to the features.
    """

    weight: Tensor
    bias: Tensor
    lost: Tensor
    total: Tensor

    def __init__(self, *layers: ConvNorm, dtype: torch.dtype, relu: bool = True) -> None:
        super().__init__()
        weight, bias = folded(layers)
        kept = rounded(weight, dtype)
        self.register_buffer("weight", kept.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", bias.to(torch.float32))
        self.register_buffer("lost", (weight - kept.double()).sum((2, 3)).T.float())  # (inputs, outputs)
        self.register_buffer("total", weight.sum((2, 3)).T.float())
        self.widths = [layer.conv.out_channels for layer in layers]
        padding = layers[0].conv.padding
        assert not isinstance(padding, str)  # none of the network's is given as a word
        self.stride, self.padding, self.relu = layers[0].conv.stride, padding, relu

    def forward(self, flow: Flow) -> Flow:
        """The convolution, and what its mean is missing."""
        x, missing = flow
        if self.weight.dtype == torch.float32:  # only before any that is rounded
            return self._activated(F.conv2d(x, self.weight, self.bias, self.stride, self.padding), None)
        x = x.to(self.weight.dtype, memory_format=torch.channels_last)
        # F.conv2d would have the bias rounded, too
        y = torch.mkldnn_convolution(x, self.weight, self.bias, self.padding, self.stride, (1, 1), 1)
        back = some(x).float().mean((2, 3)) @ self.lost
        return self._activated(y, back if missing is None else back + missing @ self.total)

    def _activated(self, x: Tensor, missing: Tensor | None) -> Flow:
        return activated((x, missing)) if self.relu else (x, missing)


def some(x: Tensor) -> Tensor:
    """A grid of 8 to 9 places a side: enough for the mean that a correction is made of."""
    step = max(1, x.shape[2] // 8)
    return x[:, :, ::step, ::step]


def activated(flow: Flow) -> Flow:
    """ReLU, in place."""
    x, missing = flow
    x = x.relu_()
    return x, None if missing is None else missing * some(x).sign().mean((2, 3), dtype=torch.float32)


def averaged(flow: Flow) -> Flow:
    """Mean over neighbours, ReLU."""
    return activated((mean_pool(flow[0]), flow[1]))


def pooled(flow: Flow, stride: int = 2, padding: int = 0) -> Flow:
    """Maximum over neighbours."""
    return F.max_pool2d(flow[0], 3, stride=stride, padding=padding), flow[1]


def split(flow: Flow, widths: list[int]) -> list[Flow]:
    """The outputs of layers that are one convolution."""
    x, missing = flow
    parts = [None] * len(widths) if missing is None else missing.split(widths, 1)
    return list(zip(x.split(widths, 1), parts, strict=True))


def joined(flows: Sequence[Flow], dim: int = 1) -> Flow:
    """Branches of one block, or batches (dim 0)."""
    missing = [part for _, part in flows if part is not None]
    return cat([x for x, _ in flows], dim), cat(missing, dim) if missing else None


class FastA(nn.Module):
    """BlockA."""

    def __init__(self, block: BlockA, dtype: torch.dtype) -> None:
        super().__init__()
        self.first = Conv(block.branch1x1, block.branch5x5_1, block.branch3x3dbl_1, dtype=dtype)
        self.five = Conv(block.branch5x5_2, dtype=dtype)
        self.twice = nn.Sequential(
            Conv(block.branch3x3dbl_2, dtype=dtype), Conv(block.branch3x3dbl_3, dtype=dtype)
        )
        self.pool = Conv(block.branch_pool, dtype=dtype, relu=False)

    def forward(self, flow: Flow) -> Flow:
        one, five, double = split(self.first(flow), self.first.widths)
        return joined((one, self.five(five), self.twice(double), averaged(self.pool(flow))))


class FastB(nn.Module):
    """BlockB."""

    def __init__(self, block: BlockB, dtype: torch.dtype) -> None:
        super().__init__()
        self.three = Conv(block.branch3x3, dtype=dtype)
        layers = (block.branch3x3dbl_1, block.branch3x3dbl_2, block.branch3x3dbl_3)
        self.twice = nn.Sequential(*(Conv(layer, dtype=dtype) for layer in layers))

    def forward(self, flow: Flow) -> Flow:
        return joined((self.three(flow), self.twice(flow), pooled(flow)))


class FastC(nn.Module):
    """BlockC."""

    def __init__(self, block: BlockC, dtype: torch.dtype) -> None:
        super().__init__()
        self.first = Conv(block.branch1x1, block.branch7x7_1, block.branch7x7dbl_1, dtype=dtype)
        seven = (block.branch7x7_2, block.branch7x7_3)
        double = (block.branch7x7dbl_2, block.branch7x7dbl_3, block.branch7x7dbl_4, block.branch7x7dbl_5)
        self.seven = nn.Sequential(*(Conv(layer, dtype=dtype) for layer in seven))
        self.twice = nn.Sequential(*(Conv(layer, dtype=dtype) for layer in double))
        self.pool = Conv(block.branch_pool, dtype=dtype, relu=False)

    def forward(self, flow: Flow) -> Flow:
        one, seven, double = split(self.first(flow), self.first.widths)
        return joined((one, self.seven(seven), self.twice(double), averaged(self.pool(flow))))


class FastD(nn.Module):
    """BlockD."""

    def __init__(self, block: BlockD, dtype: torch.dtype) -> None:
        super().__init__()
        self.first = Conv(block.branch3x3_1, block.branch7x7x3_1, dtype=dtype)
        self.three = Conv(block.branch3x3_2, dtype=dtype)
        seven = (block.branch7x7x3_2, block.branch7x7x3_3, block.branch7x7x3_4)
        self.seven = nn.Sequential(*(Conv(layer, dtype=dtype) for layer in seven))

    def forward(self, flow: Flow) -> Flow:
        three, seven = split(self.first(flow), self.first.widths)
        return joined((self.three(three), self.seven(seven), pooled(flow)))


class FastE(nn.Module):
    """BlockE."""

    def __init__(self, block: BlockE, dtype: torch.dtype) -> None:
        super().__init__()
        self.first = Conv(block.branch1x1, block.branch3x3_1, block.branch3x3dbl_1, dtype=dtype)
        self.three_a = Conv(block.branch3x3_2a, dtype=dtype)
        self.three_b = Conv(block.branch3x3_2b, dtype=dtype)
        self.twice = Conv(block.branch3x3dbl_2, dtype=dtype)
        self.twice_a = Conv(block.branch3x3dbl_3a, dtype=dtype)
        self.twice_b = Conv(block.branch3x3dbl_3b, dtype=dtype)
        self.pool = Conv(block.branch_pool, dtype=dtype, relu=False)
        self.pools_maximum = block.pools_maximum

    def forward(self, flow: Flow) -> Flow:
        one, three, double = split(self.first(flow), self.first.widths)
        double = self.twice(double)
        if self.pools_maximum:  # does not commute with the convolution
            last = activated(self.pool(pooled(flow, stride=1, padding=1)))
        else:
            last = averaged(self.pool(flow))
        branches = (self.three_a(three), self.three_b(three), self.twice_a(double), self.twice_b(double))
        return joined((one, *branches, last))


class Pool(nn.Module):
    """Maximum over 3 × 3 places, half the size."""

    def forward(self, flow: Flow) -> Flow:
        return pooled(flow)


class FastInception(nn.Module):
    """What InceptionNetwork computes, from its weights at the time of making.

    Args:
        network: in evaluation mode.
        dtype: float32, or bfloat16 on processors that PyTorch has oneDNN for.
    """

    def __init__(self, network: InceptionNetwork, dtype: torch.dtype) -> None:
        super().__init__()
        n = network
        exact = (n.Conv2d_1a_3x3, n.Conv2d_2a_3x3, n.Conv2d_2b_3x3, n.Conv2d_3b_1x1)
        first, second, third, fourth = (Conv(layer, dtype=torch.float32) for layer in exact)
        self.stem = nn.Sequential(
            first, second, third, Pool(), fourth, Conv(n.Conv2d_4a_3x3, dtype=dtype), Pool()
        )
        self.body = nn.Sequential(
            *(FastA(block, dtype) for block in (n.Mixed_5b, n.Mixed_5c, n.Mixed_5d)),
            FastB(n.Mixed_6a, dtype),
            *(FastC(block, dtype) for block in (n.Mixed_6b, n.Mixed_6c, n.Mixed_6d, n.Mixed_6e)),
            FastD(n.Mixed_7a, dtype),
            *(FastE(block, dtype) for block in (n.Mixed_7b, n.Mixed_7c)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 299, 299) in [-1, 1] to features (N, 2048) float32."""
        x = x.contiguous(memory_format=torch.channels_last)
        few = x.split(STEM) if x.device.type == "cpu" else (x,)
        flows = [self.stem((part, None)) for part in few]
        activations, missing = self.body(joined(flows, dim=0))
        features: Tensor = activations.mean((2, 3), dtype=torch.float32)
        return features if missing is None else features + missing
