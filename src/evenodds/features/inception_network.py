"""The Inception-v3 that FID, KID and the Inception score are defined with: TensorFlow's graph of 2015-12-05.

Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision", as the graph of that date
has it, which differs from the paper and from later Inception-v3s in four points:

- the 3×3 averages of blocks A, C and the first E leave the padding out of their mean;
- the pooling branch of the last block takes the maximum;
- there are 1,008 outputs, eight more than classes;
- batch normalization divides by √(variance + 0.001).

The names of parameters and buffers are those of the public port pt_inception-2015-12-05-6726825d.pth
(M. Seitzer, pytorch-fid), so that this file's weights load.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, cat, nn

SIZE = 299  # height and width of the images that the network was trained on
FEATURES = 2048
CLASSES = 1008
NORM_EPSILON = 0.001

Extent = int | tuple[int, int]  # height and width


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalization by the stored statistics' moments, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Extent, *, stride: int = 1, padding: Extent = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=NORM_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        normalized: Tensor = self.bn(self.conv(x))
        return F.relu(normalized)


def mean_pool(x: Tensor) -> Tensor:
    """The mean over 3×3 neighbours, of those that lie in the image.  (N, C, H, W) to (N, C, H, W)."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class BlockA(nn.Module):
    """35 × 35: branches of 1×1, 5×5, twice 3×3, and a pooled one."""

    def __init__(self, inputs: int, *, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = ConvNorm(inputs, 64, 1)
        self.branch5x5_1 = ConvNorm(inputs, 48, 1)
        self.branch5x5_2 = ConvNorm(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = ConvNorm(inputs, 64, 1)
        self.branch3x3dbl_2 = ConvNorm(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvNorm(96, 96, 3, padding=1)
        self.branch_pool = ConvNorm(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.branch1x1(x)
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return cat((one, five, three, self.branch_pool(mean_pool(x))), 1)


class BlockB(nn.Module):
    """From 35 × 35 to 17 × 17, 288 to 768 channels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = ConvNorm(inputs, 384, 3, stride=2)
        self.branch3x3dbl_1 = ConvNorm(inputs, 64, 1)
        self.branch3x3dbl_2 = ConvNorm(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvNorm(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return cat((self.branch3x3(x), double, F.max_pool2d(x, 3, stride=2)), 1)


class BlockC(nn.Module):
    """17 × 17: 7×7 convolutions as pairs of 1×7 and 7×1."""

    def __init__(self, inputs: int, *, inner: int) -> None:
        super().__init__()
        row, column = (1, 7), (7, 1)
        along, across = (0, 3), (3, 0)
        self.branch1x1 = ConvNorm(inputs, 192, 1)
        self.branch7x7_1 = ConvNorm(inputs, inner, 1)
        self.branch7x7_2 = ConvNorm(inner, inner, row, padding=along)
        self.branch7x7_3 = ConvNorm(inner, 192, column, padding=across)
        self.branch7x7dbl_1 = ConvNorm(inputs, inner, 1)
        self.branch7x7dbl_2 = ConvNorm(inner, inner, column, padding=across)
        self.branch7x7dbl_3 = ConvNorm(inner, inner, row, padding=along)
        self.branch7x7dbl_4 = ConvNorm(inner, inner, column, padding=across)
        self.branch7x7dbl_5 = ConvNorm(inner, 192, row, padding=along)
        self.branch_pool = ConvNorm(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return cat((self.branch1x1(x), seven, double, self.branch_pool(mean_pool(x))), 1)


class BlockD(nn.Module):
    """From 17 × 17 to 8 × 8, 768 to 1,280 channels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1 = ConvNorm(inputs, 192, 1)
        self.branch3x3_2 = ConvNorm(192, 320, 3, stride=2)
        self.branch7x7x3_1 = ConvNorm(inputs, 192, 1)
        self.branch7x7x3_2 = ConvNorm(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = ConvNorm(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = ConvNorm(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_2(self.branch7x7x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(seven))
        return cat((three, seven, F.max_pool2d(x, 3, stride=2)), 1)


class BlockE(nn.Module):
    """8 × 8: branches that fork into 1×3 and 3×1; to 2,048 channels."""

    def __init__(self, inputs: int, *, pools_maximum: bool) -> None:
        super().__init__()
        row, column = (1, 3), (3, 1)
        along, across = (0, 1), (1, 0)
        self.pools_maximum = pools_maximum
        self.branch1x1 = ConvNorm(inputs, 320, 1)
        self.branch3x3_1 = ConvNorm(inputs, 384, 1)
        self.branch3x3_2a = ConvNorm(384, 384, row, padding=along)
        self.branch3x3_2b = ConvNorm(384, 384, column, padding=across)
        self.branch3x3dbl_1 = ConvNorm(inputs, 448, 1)
        self.branch3x3dbl_2 = ConvNorm(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = ConvNorm(384, 384, row, padding=along)
        self.branch3x3dbl_3b = ConvNorm(384, 384, column, padding=across)
        self.branch_pool = ConvNorm(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self.pools_maximum else mean_pool(x)
        branches = (
            self.branch1x1(x),
            self.branch3x3_2a(three),
            self.branch3x3_2b(three),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(pooled),
        )
        return cat(branches, 1)


class InceptionNetwork(nn.Module):
    """(N, 3, 299, 299) in [-1, 1] to the 2,048 means of the last block's maps, in evaluation mode.

    This is the definition, layer for layer; `fast.FastInception` computes the same in less time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNorm(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, 3)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = ConvNorm(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, 3)
        self.Mixed_5b = BlockA(192, pooled=32)
        self.Mixed_5c = BlockA(256, pooled=64)
        self.Mixed_5d = BlockA(288, pooled=64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b = BlockC(768, inner=128)
        self.Mixed_6c = BlockC(768, inner=160)
        self.Mixed_6d = BlockC(768, inner=160)
        self.Mixed_6e = BlockC(768, inner=192)
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b = BlockE(1280, pools_maximum=False)
        self.Mixed_7c = BlockE(2048, pools_maximum=True)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to features (N, 2048); H = W = 299 in every published score."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))  # (N, 64, 147, 147)
        x = F.max_pool2d(x, 3, stride=2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))  # (N, 192, 71, 71)
        x = F.max_pool2d(x, 3, stride=2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))  # (N, 288, 35, 35)
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        x = self.Mixed_6e(self.Mixed_6d(x))  # (N, 768, 17, 17)
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))  # (N, 2048, 8, 8)
        return x.mean((2, 3))

    def logits(self, features: Tensor) -> Tensor:
        """(N, 2048) to (N, 1008): without the bias, as the published Inception score has it.

        The code of Salimans et al. 2016 multiplies the pooled features by the last matrix, and no more.
        """
        return F.linear(features, self.fc.weight)
