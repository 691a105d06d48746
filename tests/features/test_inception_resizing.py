"""What Inception sees of an image: against definitions written as loops, PyTorch and Pillow."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from evenodds.errors import ConfigError
from evenodds.features.resizing import MODES, preprocess

SIZES = [(32, 32), (7, 13), (299, 299), (300, 151), (640, 480)]


def picture(height: int, width: int, channels: int = 3) -> torch.Tensor:
    """Noise, which no two resizers treat alike: (2, channels, height, width) uint8."""
    random = np.random.default_rng(height * 1000 + width)
    return torch.from_numpy(random.integers(0, 256, (2, channels, height, width), dtype=np.uint8))


def legacy_bilinear(pixels: np.ndarray) -> np.ndarray:
    """TensorFlow 1's resize_bilinear of one channel (H, W) to 299, from its definition."""
    height, width = pixels.shape
    out = np.empty((299, 299))
    for i in range(299):
        y = np.float32(i) * np.float32(height / 299)  # TensorFlow computes places in float32
        top, bottom = math.floor(y), min(math.floor(y) + 1, height - 1)
        for j in range(299):
            x = np.float32(j) * np.float32(width / 299)
            left, right = math.floor(x), min(math.floor(x) + 1, width - 1)
            above = pixels[top, left] + (pixels[top, right] - pixels[top, left]) * (x - left)
            below = pixels[bottom, left] + (pixels[bottom, right] - pixels[bottom, left]) * (x - left)
            out[i, j] = above + (below - above) * (y - top)
    return out


@pytest.mark.parametrize("height, width", [(32, 32), (300, 151)])
def test_tf_is_the_legacy_rule(height, width):
    images = picture(height, width)
    expected = (legacy_bilinear(images[1, 2].double().numpy()) - 128) / 128
    found = preprocess(images, "tf")[1, 2].double().numpy()
    assert np.abs(found - expected).max() < 2e-6


def test_tf_reads_where_the_output_begins():
    """Output i of 299 lies at i·(32/299), not half a pixel further: a ramp tells the difference."""
    ramp = torch.arange(32, dtype=torch.uint8).expand(1, 3, 32, 32)
    row = preprocess(ramp, "tf")[0, 0, 0].double() * 128 + 128
    expected = (torch.arange(299, dtype=torch.float64) * 32 / 299).clamp(max=31)
    assert (row - expected).abs().max() < 1e-4


@pytest.mark.parametrize("height, width", SIZES)
def test_pytorch_is_interpolate(height, width):
    images = picture(height, width)
    resized = functional.interpolate(images.double() / 255, (299, 299), mode="bilinear", align_corners=False)
    assert (preprocess(images, "pytorch") - (2 * resized - 1)).abs().max() < 2e-6


@pytest.mark.parametrize("height, width", [*SIZES, (1024, 40)])
def test_clean_is_pillow(height, width):
    images = picture(height, width)
    channel = Image.fromarray(images[1, 0].numpy().astype(np.float32), mode="F")
    resized = np.asarray(channel.resize((299, 299), Image.Resampling.BICUBIC)).clip(0, 255)
    found = preprocess(images, "clean")[1, 0].numpy()
    assert np.abs(found - (resized - 128) / 128).max() < 3e-6
    assert found.max() <= 127 / 128


@pytest.mark.parametrize("mode", MODES)
def test_an_image_of_the_right_size_is_only_scaled(mode):
    images = picture(299, 299)
    scaled = images / 127.5 - 1 if mode == "pytorch" else (images.float() - 128) / 128
    assert (preprocess(images, mode) - scaled).abs().max() < 1e-6


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [1, 2, 28, 1000])
def test_one_colour_stays_one_colour(mode, size):
    x = preprocess(torch.full((1, 3, size, size), 200, dtype=torch.uint8), mode)
    expected = 200 / 127.5 - 1 if mode == "pytorch" else (200 - 128) / 128
    assert (x - expected).abs().max() < 1e-6
    assert x.shape == (1, 3, 299, 299)
    assert x.dtype == torch.float32


def test_modes_differ_visibly():
    """The same image, three inputs: numbers of two modes are numbers of two protocols."""
    found = [preprocess(picture(32, 32), mode) for mode in ("tf", "pytorch", "clean")]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (found[one] - found[other]).abs().mean() > 0.01


def test_gray_is_repeated():
    gray = picture(28, 28, 1)
    assert torch.equal(preprocess(gray, "tf"), preprocess(gray.expand(-1, 3, -1, -1).contiguous(), "tf"))


def test_transparency_lies_over_white():
    images = picture(20, 20, 4)
    images[:, :3] = torch.minimum(images[:, :3], images[:, 3:])
    white = (images[:, :3].int() + 255 - images[:, 3:].int()).to(torch.uint8)
    assert torch.equal(preprocess(images, "clean"), preprocess(white, "clean"))


def test_results_lie_channels_last():
    assert preprocess(picture(32, 32), "tf").is_contiguous(memory_format=torch.channels_last)


def test_an_unknown_mode_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"no preprocessing 'clena' .*; did you mean 'clean'\?"):
        preprocess(picture(8, 8), "clena")
