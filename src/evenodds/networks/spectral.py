"""Spectral normalization, Miyato et al. (2018): every layer's largest singular value is kept at 1.

Written out here rather than taken from `torch.nn.utils.parametrizations`, which gives the same numbers: that
one renames the weights in saved files, and autocast on a GPU rounds its matrix products to 8 bits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

FIRST_ITERATIONS = 15  # at construction, so that the first steps don't divide by far too small a value


class SpectralNorm(nn.Module):
    """W / σ(W), σ(W) = uᵀ W v, Miyato et al. (2018), Eq. 8 and Algorithm 1.

    Every call in training moves u and v by one power iteration; in evaluation they stay.  They count as
    constants in the gradient (section 2.3), so that W / σ(W) can be differentiated as often as one likes.

    Args:
        weight: as it starts, (rows, …); what follows the first axis is flattened.
    """

    u: Tensor
    v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("u", normalize(torch.randn_like(matrix[:, 0]), dim=0))
        self.register_buffer("v", normalize(torch.randn_like(matrix[0]), dim=0))
        for _ in range(FIRST_ITERATIONS):
            self._iterate(matrix)

    def forward(self, weight: Tensor) -> Tensor:
        """(rows, …) -> the same shape."""
        matrix = weight.flatten(1)
        if self.training:
            self._iterate(matrix.detach())
        # copies: the buffers move on before the backward pass of a step with several forward passes
        u, v = self.u.clone(), self.v.clone()
        sigma = (matrix * v).sum(1).mul(u).sum()
        return weight / sigma

    @torch.no_grad()
    def _iterate(self, matrix: Tensor) -> None:
        """û ← W v / ‖W v‖, v̂ ← Wᵀ u / ‖Wᵀ u‖; products and sums, since autocast would round a matmul."""
        self.u.copy_(normalize((matrix * self.v).sum(1), dim=0))
        self.v.copy_(normalize((matrix * self.u[:, None]).sum(0), dim=0))


class SpectralLinear(nn.Module):
    """y = W x / σ(W) + b.

    Args:
        features_in: length of x.
        features_out: length of y.
        bias: whether there is a b.
    """

    def __init__(self, features_in: int, features_out: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features_out, features_in))
        self.bias = nn.Parameter(torch.zeros(features_out)) if bias else None
        nn.init.xavier_uniform_(self.weight)
        self.norm = SpectralNorm(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, features_in) -> (N, features_out)."""
        return nn.functional.linear(x, self.norm(self.weight), self.bias)


class SpectralConv(nn.Module):
    """A convolution with stride 1 that keeps the size, whose weight (out, in · k · k) is divided by its σ.

    Args:
        channels_in: of x.
        channels_out: of y.
        kernel: size k, odd.
        gain: of the Xavier initialization (Glorot and Bengio 2010).
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        nn.init.xavier_uniform_(self.weight, gain)
        self.norm = SpectralNorm(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels_in, H, W) -> (N, channels_out, H, W)."""
        padding = self.weight.shape[-1] // 2
        return nn.functional.conv2d(x, self.norm(self.weight), self.bias, padding=padding)
