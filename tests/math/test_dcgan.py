"""DCGAN against the published sizes, its guidelines, and one-hot labels joined to every layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, one_hot, pad

from evenodds.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from evenodds.networks.layers import pyramid


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_published_net_for_64_pixels():
    """z 100 -> 1024 × 4² -> 512 × 8² -> 256 × 16² -> 128 × 32² -> 3 × 64²; the norms have shifts."""
    generator = DCGANGenerator(latent_dim=100, sample_shape=(3, 64, 64))
    kernels = 25 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3)
    assert count(generator) == 100 * 1024 * 16 + kernels + 2 * (1024 + 512 + 256 + 128)
    discriminator = DCGANDiscriminator(sample_shape=(3, 64, 64))
    assert count(discriminator) == kernels + 2 * (256 + 512 + 1024) + 1024 * 16 + 1
    assert generator(torch.rand(2, 100)).shape == (2, 3, 64, 64)
    maps = []
    x = torch.rand(2, 3, 64, 64)
    for down in discriminator.down:
        x = down(x)
        maps.append(tuple(x.shape[1:]))
    assert maps == [(128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4)]


def test_the_guidelines():
    """No norm at G's output and D's input; tanh and leaky ReLU; no pooling; weights N(0, 0.02²)."""
    torch.manual_seed(0)
    generator = DCGANGenerator(latent_dim=100, sample_shape=(3, 64, 64))
    discriminator = DCGANDiscriminator(sample_shape=(3, 64, 64))
    norms = [m.num_features for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms == [1024, 512, 256, 128]
    norms = [m.num_features for m in discriminator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms == [256, 512, 1024]
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1 and parameter.numel() > 10_000:
                assert abs(parameter.std() - 0.02) < 0.0005, name
            if "norms" in name and "weight" in name:
                assert abs(parameter.mean() - 1) < 0.01, name
                assert abs(parameter.std() - 0.02) < 0.005, name
    x = generator(50 * torch.randn(4, 100))
    assert float(x.detach().abs().max()) <= 1


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((28, 28), ((7, 7), (14, 14), (28, 28))),
        ((48, 80), ((6, 10), (12, 20), (24, 40), (48, 80))),
        ((25, 9), ((13, 5), (25, 9))),
        ((72, 72), ((5, 5), (9, 9), (18, 18), (36, 36), (72, 72))),
        ((4, 64), ((4, 64),)),
    ],
)
def test_the_pyramid(size, expected):
    assert pyramid(*size) == expected


@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("shape", [(1, 28, 28), (5, 25, 9), (4, 17, 40)])
def test_any_size(shape, kernel):
    generator = DCGANGenerator(latent_dim=3, sample_shape=shape, width=4, kernel=kernel, norm="pixel")
    discriminator = DCGANDiscriminator(sample_shape=shape, width=4, kernel=kernel, norm="none")
    x = generator(torch.randn(2, 3))
    assert x.shape == (2, *shape)
    x = x.detach().requires_grad_()
    discriminator(x).sum().backward()
    assert (x.grad.abs().sum((0, 1)) > 0).all(), "a pixel that D does not see"


def test_a_label_acts_as_a_one_hot_vector_joined_to_the_layer():
    """Away from the border, where the joined maps would meet the padding's zeros."""
    torch.manual_seed(1)
    made = DCGANDiscriminator(sample_shape=(2, 16, 16), classes=3, width=4, norm="none").double()
    x, y = torch.randn(5, 2, 16, 16, dtype=torch.double), torch.tensor([0, 1, 2, 1, 0])
    weight = made.labels[0].weight  # (4, 3); as a kernel that has it in its centre
    centre = torch.zeros(4, 3, 5, 5, dtype=torch.double)
    centre[:, :, 2, 2] = weight
    maps = one_hot(y, 3).double()[:, :, None, None].expand(-1, -1, 16, 16)
    joined = conv2d(torch.cat([x, maps], 1), torch.cat([made.down[0].weight, centre], 1), None, 2, 2)
    seen = []
    made.norms[0].register_forward_hook(lambda _, given, __: seen.append(given[0]))
    made(x, y)
    expected = joined + made.down[0].bias[:, None, None]
    assert torch.allclose(seen[0], expected, atol=1e-12)


def test_odd_maps_are_padded_below_and_to_the_right():
    made = DCGANDiscriminator(sample_shape=(1, 9, 9), width=1, kernel=4, norm="none")
    x = torch.rand(1, 1, 9, 9)
    first = conv2d(pad(x, (0, 1, 0, 1)), made.down[0].weight, made.down[0].bias, 2, 1)
    assert first.shape == (1, 1, 5, 5)
    logit = nn.functional.leaky_relu(first, 0.2).flatten() @ made.logit.weight[0] + made.logit.bias
    assert torch.allclose(made(x), logit)


def test_spectral_norm_bounds_every_layer():
    torch.manual_seed(2)
    made = DCGANDiscriminator(sample_shape=(1, 16, 16), width=8, dense=6, norm="spectral")
    for _ in range(50):
        made(torch.rand(2, 1, 16, 16))
    layers = [*made.down, made.dense, made.logit]
    made.eval()
    for layer, scale in zip(layers, made.scales, strict=True):
        assert torch.linalg.matrix_norm(scale(layer.weight).flatten(1), 2).item() == pytest.approx(
            1, abs=2e-3
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sample_shape": (2,)}, "images"),
        ({"sample_shape": (1, 7, 30)}, "at least 8"),
        ({"kernel": 6}, "kernel must be one of"),
        ({"norm": "layer"}, "norm must be one of"),
    ],
)
def test_what_it_refuses(options, said):
    for network, more in ((DCGANGenerator, {"latent_dim": 2}), (DCGANDiscriminator, {})):
        with pytest.raises(ValueError, match=said):
            network(**{"sample_shape": (1, 16, 16), **more, **options})
