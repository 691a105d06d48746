"""Features of discriminators, for every family that has convolutions."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn
from torch.nn.functional import leaky_relu, max_pool2d

from evenodds.features.discriminator import discriminator_features
from evenodds.networks import DISCRIMINATORS, DCGANDiscriminator
from evenodds.networks.layers import Packed

# the smallest network of each family; the channels of all its activation maps at 32 × 32
TINY = {
    "dcgan": ({"width": 8}, 8 + 16 + 32),
    "sngan": ({"widths": [8]}, 8 * 8),  # four blocks: the input of three, the middle of four, the end
    "stylegan2": ({"channel_base": 128, "channel_max": 8}, 4 + (4 + 8) + (8 + 8) + (8 + 8) + 8),
    "r3gan": ({"width": 8}, 4 * 2 * 2 * 16),  # four stages of two blocks of two maps
}


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(5)


def made(name: str, shape=(3, 32, 32), classes=0) -> nn.Module:
    network = DISCRIMINATORS[name]
    given = {"classes": classes} if "classes" in inspect.signature(network).parameters else {}
    return network(sample_shape=shape, **given, **TINY.get(name, ({},))[0])


def test_every_family_is_either_convolutional_or_refused():
    for name in set(DISCRIMINATORS) - set(TINY):
        with pytest.raises(ValueError, match="convolutions"):
            discriminator_features(made(name), torch.rand(2, 3, 32, 32))


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("classes", [0, 10])
def test_one_finite_vector_per_image_of_sixteen_values_per_channel(name, classes):
    network = made(name, classes=classes)
    features = discriminator_features(network, torch.randn(3, 3, 32, 32))
    assert features.shape == (3, 16 * TINY[name][1])
    assert features.dtype == torch.float32
    assert torch.isfinite(features).all()
    assert not features.requires_grad
    assert (features.std(0) > 0).float().mean() > 0.9  # of the images, not of the network alone


@pytest.mark.parametrize("name", TINY)
def test_odd_shapes(name):
    assert discriminator_features(made(name, (1, 28, 28)), torch.randn(2, 1, 28, 28)).shape[0] == 2


@pytest.mark.parametrize("name", TINY)
def test_an_image_has_its_features_alone_or_among_others(name):
    network, x = made(name), torch.randn(4, 3, 32, 32)
    alone = torch.cat([discriminator_features(network, one[None]) for one in x])
    # StyleGAN2's last convolution sees the deviation over the batch, after all other maps
    unaffected = alone.shape[1] - (16 * 8 if name == "stylegan2" else 0)
    together = discriminator_features(network, x)
    torch.testing.assert_close(together[:, :unaffected], alone[:, :unaffected], rtol=1e-4, atol=1e-5)


def test_dcgan_by_hand():
    """Convolution, leaky ReLU of 0.2, the largest of each of 4 × 4 windows."""
    network = DCGANDiscriminator(sample_shape=(3, 32, 32), width=8, max_width=16, norm="none", classes=10)
    x = torch.randn(5, 3, 32, 32)
    expected, hidden = [], x
    for down in network.down:
        hidden = leaky_relu(down(hidden), 0.2)
        expected.append(max_pool2d(hidden, hidden.shape[-1] // 4).flatten(1))
    torch.testing.assert_close(discriminator_features(network, x), torch.cat(expected, 1))


@pytest.mark.parametrize("name", ["sngan", "stylegan2", "r3gan"])
def test_a_label_would_change_nothing(name):
    """It enters after the last map, which is why any will do where the network can't be without."""
    from evenodds.features.discriminator import _Activations, _pooled

    network, x = made(name, classes=10).eval(), torch.randn(2, 3, 32, 32)
    found = []
    for label in (1, 7):
        with _Activations() as seen, torch.no_grad():
            network(x, torch.full((2,), label))
        found.append(_pooled(seen.maps))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)
    torch.testing.assert_close(discriminator_features(network, x), found[0], rtol=0, atol=0)


def test_modules_are_left_in_their_mode_and_unchanged():
    network = made("dcgan").train()
    network.norms[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    discriminator_features(network, torch.randn(2, 3, 32, 32))
    assert network.training
    assert not network.norms[1].training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_activations_that_are_modules_and_in_place_count():
    class Mine(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), nn.Conv2d(3, 2, 3), nn.SiLU()
            )

        def forward(self, x, y=None):
            return self.body(x).sum((1, 2, 3))

    assert discriminator_features(Mine(), torch.randn(2, 1, 12, 12)).shape == (2, 16 * 5)


def test_a_packed_network_sees_copies():
    inner = made("dcgan", (6, 32, 32))
    x = torch.randn(2, 3, 32, 32)
    packed = discriminator_features(Packed(inner, 2), x)
    torch.testing.assert_close(packed, discriminator_features(inner, torch.cat([x, x], 1)))


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="no images"):
        discriminator_features(made("dcgan"), torch.empty(0, 3, 32, 32))
