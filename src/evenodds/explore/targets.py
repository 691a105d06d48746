"""Images from outside, as a generator would have to draw them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..data.dataset import Array
from ..data.images.alpha import straight
from ..data.images.decode import BadImageError, How, as_channels, decode
from ..data.loader import to_range
from ..errors import ConfigError, DataError
from ..sampling import Sampler
from .figures import need_images


def target_of(path: Path, sampler: Sampler) -> Array:
    """An image file, cropped and resized as training images are: (C, H, W) float32 in the sampler's range.

    Raises:
        ConfigError: the generator makes no images, or some with other than 1, 3 or 4 channels.
        DataError: the file can't be read as an image.
    """
    need_images(sampler, "invert")
    channels, height, width = sampler.sample_shape
    if channels not in (1, 3, 4) or sampler.value_range is None:
        raise ConfigError(
            f"{path} can't be turned into the {channels} channels that this generator makes; use --held-out"
        )
    try:
        pixels = decode(path.read_bytes(), How(size=(height, width), channels=4)).pixels
    except OSError as error:
        raise DataError(f"{path} can't be read ({error.strerror or error}); give an image file") from None
    except BadImageError as error:
        raise DataError(f"{path} can't be read as an image ({error}); give another file") from None
    shaped = as_channels(pixels, channels)
    return in_range(straight(shaped) if channels == 4 and not sampler.premultiplied else shaped, sampler)


def in_range(x: Array, sampler: Sampler) -> Array:
    """uint8 (or float, which stays) examples as float32 in the sampler's range."""
    scaled: Array = to_range(torch.from_numpy(np.array(x)), sampler.value_range).numpy()
    return scaled
