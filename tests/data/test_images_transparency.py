"""Transparent images: multiplied by alpha in training, straight in files, over a checkerboard in pictures."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from evenodds.cli.main import main
from evenodds.config import Config
from evenodds.data.dataset import Dataset, Split
from evenodds.data.images.alpha import multiplied, straight
from evenodds.data.images.decode import How, decode
from evenodds.drawing.samples import to_rgb
from evenodds.latents import PRIORS
from evenodds.sampling import Sampler, sampler_of

RNG = np.random.default_rng(0)


def test_straight_is_the_inverse_of_multiplied_up_to_rounding():
    x = RNG.integers(0, 256, (50, 4, 8, 8)).astype(np.uint8)
    back = straight(multiplied(x))
    np.testing.assert_array_equal(back[:, 3], x[:, 3])
    alpha = x[:, 3].astype(float)
    # half a unit of rounding in c·a/255 is half of 255/a in c, and rounding back adds half a unit
    bound = np.where(alpha > 0, 0.5 * 255 / np.maximum(alpha, 1) + 0.5, 255)[:, None]
    off = np.abs(back[:, :3].astype(float) - x[:, :3])
    assert (off <= bound + 1e-9).all()
    assert off.max() > 20  # faint pixels do lose colour: the bound is not met for nothing
    opaque = x[:, 3] == 255
    np.testing.assert_array_equal(np.moveaxis(back, 1, -1)[opaque], np.moveaxis(x, 1, -1)[opaque])
    # and what was multiplied is multiplied again to the same bytes
    np.testing.assert_array_equal(multiplied(straight(multiplied(x))), multiplied(x))


def test_multiplying_is_rounded_to_nearest_and_agrees_with_the_decoder():
    x = RNG.integers(0, 256, (1, 4, 16, 16)).astype(np.uint8)
    exact = x[:, :3].astype(float) * x[:, 3:] / 255
    assert np.abs(multiplied(x)[:, :3] - exact).max() <= 0.5
    file = io.BytesIO()
    Image.fromarray(np.moveaxis(x[0], 0, -1)).save(file, "PNG")
    np.testing.assert_array_equal(decode(file.getvalue(), How((16, 16))).pixels, multiplied(x)[0])


def test_where_nothing_shows_there_is_no_colour():
    x = np.full((1, 4, 2, 2), 77, np.uint8)
    x[:, 3] = 0
    assert not straight(x).any()


def test_premultiplied_pixels_over_the_checkerboard():
    x = np.zeros((1, 4, 32, 32), np.uint8)
    x[:, 0] = 100
    x[:, 3] = 128
    plain, _ = to_rgb(straight(x), None)
    rgb, _ = to_rgb(x, None, premultiplied=True)
    assert np.abs(plain.astype(int) - rgb).max() <= 1
    # 100 + 255·(1 − 128/255) and 100 + 204·(1 − 128/255)
    assert set(rgb[0, :, :, 0].ravel().tolist()) == {227, 202}
    x[:, 0] = 255  # more colour than alpha: shown as alpha allows, 128 + 127 and 128 + 101.6
    assert set(to_rgb(x, None, premultiplied=True)[0][0, :, :, 0].ravel().tolist()) == {255, 230}


class Faint(torch.nn.Module):
    """Red at half strength: premultiplied (.5, 0, 0, .5) of [0, 1], whatever z is."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim, self.sample_shape, self.classes = 2, (4, 4, 4), 0
        self.level = torch.nn.Parameter(torch.tensor([0.0, -1.0, -1.0, 0.0]))

    def forward(self, z, y=None):
        return self.level[None, :, None, None].expand(len(z), 4, 4, 4)


@pytest.fixture
def sampler() -> Sampler:
    x = np.zeros((4, 4, 4, 4), np.uint8)
    data = Dataset("faint", Split(x), Split(x), None, premultiplied=True)
    generator = {"network": {"name": "mlp"}, "optimizer": {"name": "adam"}}
    config = Config.model_validate(
        {"data": {"name": "images", "path": "x"}, "examples": 100, "batch_size": 4, "loss": "non_saturating"}
        | {"prior": {"name": "normal", "dim": 2}, "generator": generator, "discriminator": generator}
    )
    return sampler_of(Faint(), config, data, examples=0, metrics={})


def test_samplers_know_and_their_files_say(sampler, tmp_path):
    assert sampler.premultiplied
    assert sampler.facts["premultiplied"] is True
    assert not Sampler(Faint(), PRIORS["normal"](dim=2), (4, 4, 4)).premultiplied  # an older file
    assert sampler([0])[0, :, 0, 0].tolist() == [0, -1, -1, 0]
    # 127.5 rounds to 128 in both: full red at half alpha
    assert sampler.images([0])[0, :, 0, 0].tolist() == [255, 0, 0, 128]


def test_png_files_of_samples_are_straight(sampler, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("evenodds.cli.opening.open_generator", lambda *_: sampler)
    assert main(["sample", "anything", "--out", str(tmp_path / "s.png"), "--seeds", "3"]) == 0
    with Image.open(tmp_path / "s.png") as image:
        assert image.mode == "RGBA"
        assert image.getpixel((1, 1)) == (255, 0, 0, 128)
    assert main(["sample", "anything", "--out", str(tmp_path / "s.npz"), "--seeds", "0-2"]) == 0
    with np.load(tmp_path / "s.npz") as arrays:
        assert arrays["x"][1, :, 2, 2].tolist() == [255, 0, 0, 128]
    capsys.readouterr()
