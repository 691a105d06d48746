"""Features of a convolutional network that has learnt nothing, for images that no classifier here knows.

Pooled activations of random filters tell textures, noise, blur and colours apart, though not what is shown.
Naeem et al. (2020), section 5, measure in a random network where no trained one suits the data.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor
from torch.nn import functional

from .extractor import Features
from .pixels import in_batches, resized, unit

SMALLEST, LARGEST = 16, 64  # sides that the network sees as they are
WIDTHS = (
    64,
    128,
    128,
    192,
)  # channels of its layers, each at half the size of the one before; F is their sum
BRIGHTNESS = (
    16  # channels of the first layer that see brightness and colour; the others see differences alone
)
CONTRAST = (
    4.0  # how much stronger the differences between pixels enter: in photographs they are so much weaker
)
BATCH = 128
SEED = 0


class RandomFeatures:
    """A fixed random network: the means over all places of every channel of every layer.

    Args:
        seed: of the weights.
        device: where it runs.
    """

    def __init__(self, seed: int = SEED, device: str = "cpu") -> None:
        self.name, self.precision = "random", "float32"
        self.dim = sum(WIDTHS)
        self.classes: int | None = None
        self.preprocessing = (
            f"RGB in [−1, 1], gray repeated, transparency over white; longest side above {LARGEST} or "
            f"shortest below {SMALLEST} resized to that, bilinear, antialiased; seed {seed}"
        )
        weights = random_weights(seed)
        self.sha256 = digest_of(weights)
        self._weights = [weight.to(device) for weight in weights]
        self._device = torch.device(device)

    def __call__(self, images: Tensor) -> Features:
        """See `FeatureExtractor`."""
        return in_batches(images, BATCH, self._extracted)

    def _extracted(self, images: Tensor) -> Features:
        x = unit(images.to(self._device), 3) * 2 - 1
        return Features(pooled(resized(x, size_seen(*x.shape[2:])), self._weights), None)


def size_seen(height: int, width: int) -> tuple[int, int]:
    """What images of height × width are resized to, their shape kept as far as whole pixels allow."""
    factor = min(1.0, LARGEST / max(height, width))
    factor = max(factor, SMALLEST / min(height, width)) if factor == 1 else factor
    return max(round(height * factor), SMALLEST), max(round(width * factor), SMALLEST)


def random_weights(seed: int) -> list[Tensor]:
    """Filters of 3 × 3, uniform, with the variance 2 / (entering numbers) of He et al. (2015), equation 10.

    All but a few of the first layer add up to 0 over their 3 × 3 places in every entering channel: what
    neighbouring places have in common would drown every difference between them.  Drawn as whole numbers of
    24 bits and centred in float64, so that they are the same on every machine.

    Args:
        seed: of the draw.

    Returns:
        (width, entering, 3, 3) float32 for every layer, on the CPU.
    """
    random = torch.Generator().manual_seed(seed)
    weights, entering = [], 3
    for number, width in enumerate(WIDTHS):
        whole = torch.randint(-(1 << 23), 1 << 23, (width, entering, 3, 3), generator=random).double()
        # uniform in ± bound has the variance bound² / 3; whole numbers up to 2^53 add up without rounding
        weight = whole / (1 << 23) * math.sqrt(6 / (9 * entering))
        centred = weight - weight.mean((2, 3), keepdim=True)
        keep, gain = (BRIGHTNESS, CONTRAST) if number == 0 else (0, 1.0)
        weights.append(torch.cat([weight[:keep], gain * centred[keep:]]).float())
        entering = width
    return weights


def pooled(x: Tensor, weights: list[Tensor]) -> Tensor:
    """Convolution, ReLU, mean over all places; halved in size between layers; (N, 3, H, W) -> (N, F)."""
    means = []
    for number, weight in enumerate(weights):
        if number:
            x = functional.avg_pool2d(x, 2)
        # reflected, not zeros: a border that no image has would be the strongest edge of all
        x = functional.relu(functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="reflect"), weight))
        means.append(x.mean((2, 3)))
    return torch.cat(means, 1)


def digest_of(weights: list[Tensor]) -> str:
    """SHA-256 of the numbers, little-endian float32, in their order."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(weight.contiguous().numpy().astype("<f4").tobytes())
    return digest.hexdigest()
