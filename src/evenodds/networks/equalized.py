"""StyleGAN2's layers: equalized learning rate, [1, 3, 3, 1] resampling, modulated convolution.

Karras et al. (2018), section 4.1 (equalized learning rate); Karras et al. (2020), section 2.2 (modulation).
Plain convolutions throughout, none with a weight per example, so that a generator can be exported.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear, pad

SLOPE = 0.2  # of the leaky ReLU below 0
EPSILON = 1e-8


def activate(x: Tensor) -> Tensor:
    """√2 · leaky ReLU: it keeps the mean square of what comes in about as it is (He et al. 2015)."""
    return leaky_relu(x, SLOPE) * math.sqrt(2)


class EqualizedLinear(nn.Module):
    """y = (W / √features_in) x + b with W ~ N(0, 1): Adam then moves every layer equally fast.

    Args:
        features_in: length of x.
        features_out: length of y.
        bias_start: value that b starts at.
        rate: learning rate relative to other layers'; W and b are stored divided by it.
    """

    def __init__(
        self, features_in: int, features_out: int, *, bias_start: float = 0.0, rate: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features_out, features_in) / rate)
        self.bias = nn.Parameter(torch.full((features_out,), bias_start / rate))
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(N, features_in) -> (N, features_out)."""
        scale = self.rate / math.sqrt(self.weight.shape[1])
        return linear(x, self.weight * scale, self.bias * self.rate)


class Blur(nn.Module):
    """The low-pass filter [1, 3, 3, 1] along both axes, channel by channel, zeros outside.

    Args:
        padding: pixels on every side; 1 makes a map one smaller, 2 one larger.
        stride: 2 keeps every second pixel only.
        gain: the filter's sum; 4 after a map's pixels were spread over four times as many.
    """

    kernel: Tensor

    def __init__(self, *, padding: int, stride: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        # no weight: it isn't saved
        self.register_buffer("kernel", gain * taps.outer(taps)[None, None] / 64, persistent=False)
        self.padding, self.stride = padding, stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, F, H, W) -> (N, F, H', W')."""
        channels = x.shape[1]
        kernel = self.kernel.expand(channels, 1, 4, 4)
        return conv2d(x, kernel, stride=self.stride, padding=self.padding, groups=channels)


class EqualizedConv(nn.Module):
    """A convolution with equalized learning rate that keeps the map's size, or halves it after a blur.

    Args:
        channels_in: of x.
        channels_out: of y.
        kernel: size k, 1 or 3.
        bias: whether a bias is added.
        halve: blur, then every second pixel; an odd side is rounded up.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, *, bias: bool = True, halve: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(channels_out)) if bias else None
        self.scale = 1 / math.sqrt(channels_in * kernel**2)
        self.halve, self.padding = halve, kernel // 2
        # before a 1 × 1 convolution the blur itself keeps every second pixel: the others would be lost anyway
        self.blur = Blur(padding=1 + kernel // 2, stride=2 if kernel == 1 else 1) if halve else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, F, H, W) -> (N, F', H, W), or (N, F', ⌈H/2⌉, ⌈W/2⌉)."""
        weight = self.weight * self.scale
        if self.blur is None:
            return conv2d(x, weight, self.bias, padding=self.padding)
        x = self.blur(pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2)))
        return conv2d(x, weight, self.bias, stride=1 if self.padding == 0 else 2)


class ModulatedConv(nn.Module):
    """A convolution whose input channels a style scales, Karras et al. (2020), Eq. 1 to 3.

    The published weight per example, w'_ijk = s_i w_ijk / √(Σ_ik (s_i w_ijk)² + ε), is applied as three
    plain operations: scale the input by s, convolve all examples with w, scale the output by 1 / √….

    Args:
        channels_in: of x.
        channels_out: of y.
        kernel: size k, 1 or 3.
        style_dim: length F of the style w.
        demodulate: divide by √…, which keeps the output's variance; not for the layers that make pixels.
        double: twice the size, by a transposed convolution and a blur.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        *,
        style_dim: int,
        demodulate: bool = True,
        double: bool = False,
    ) -> None:
        super().__init__()
        self.affine = EqualizedLinear(style_dim, channels_in, bias_start=1)
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel))
        self.scale = 1 / math.sqrt(channels_in * kernel**2)
        self.demodulate, self.padding = demodulate, kernel // 2
        self.blur = Blur(padding=1, gain=4) if double else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, F, H, W), (N, style_dim) -> (N, F', H, W), or (N, F', 2H, 2W)."""
        style = self.affine(w) * self.scale  # (N, F); the weight's own equalized scale is in it
        x = x * style[:, :, None, None]
        if self.blur is None:
            out = conv2d(x, self.weight, padding=self.padding)
        else:
            # the same as zeros between the pixels, convolution, blur; but nothing is multiplied by the zeros
            out = self.blur(conv_transpose2d(x, self.weight.transpose(0, 1), stride=2))
        if not self.demodulate:
            return out
        norm = linear(style.square(), self.weight.square().sum((2, 3)))  # (N, F')
        return out * torch.rsqrt(norm + EPSILON)[:, :, None, None]
