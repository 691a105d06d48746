"""SNGAN's residual networks by their published tables, class-conditional batch norm and the projection."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, relu

from evenodds.networks.resnet import (
    ConditionalBatchNorm,
    DownBlock,
    SNGANDiscriminator,
    SNGANGenerator,
    UpBlock,
)

CIFAR = (3, 32, 32)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def convolution(channels_in: int, channels_out: int, kernel: int) -> int:
    return channels_in * channels_out * kernel**2 + channels_out


def test_parameter_counts_of_the_published_tables():
    """Written out from table 4 of the appendix of Miyato et al. (2018)."""
    with torch.device("meta"):
        generator = SNGANGenerator(latent_dim=128, sample_shape=CIFAR)
        discriminator = SNGANDiscriminator(sample_shape=CIFAR)
    up = 2 * 512 + 2 * convolution(256, 256, 3) + convolution(256, 256, 1)
    assert count(generator) == 129 * 4 * 4 * 256 + 3 * up + 512 + convolution(256, 3, 3) == 4_276_739
    first = convolution(3, 128, 3) + convolution(128, 128, 3) + convolution(3, 128, 1)
    second = 2 * convolution(128, 128, 3) + convolution(128, 128, 1)
    assert count(discriminator) == first + second + 4 * convolution(128, 128, 3) + 129 == 1_053_825


def test_sizes_on_the_way_are_the_published_ones():
    generator = SNGANGenerator(latent_dim=4, sample_shape=CIFAR, widths=[8])
    discriminator = SNGANDiscriminator(sample_shape=CIFAR, widths=[8])
    sizes: list[tuple[int, ...]] = []
    for block in (*generator.blocks, *discriminator.blocks):
        block.register_forward_hook(lambda _, __, out: sizes.append(tuple(out.shape[1:])))
    discriminator(generator(torch.randn(2, 4)))
    assert sizes == [(8, s, s) for s in (8, 16, 32, 16, 8, 8, 8)]


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 28, 28), (4, 20, 33), (5, 9, 40), (2, 5, 7), (3, 1, 1)])
def test_any_size_and_any_channels(shape):
    generator = SNGANGenerator(latent_dim=4, sample_shape=shape, widths=[8, 4])
    discriminator = SNGANDiscriminator(sample_shape=shape, widths=[4, 8])
    x = generator(torch.randn(3, 4))
    assert x.shape == (3, *shape)
    assert x.abs().max() <= 1
    assert discriminator(x).shape == (3,)


def test_widths_go_from_stage_to_stage():
    generator = SNGANGenerator(latent_dim=4, sample_shape=(3, 64, 64), widths=[32, 16, 8, 4, 2])
    assert [block.conv2.out_channels for block in generator.blocks] == [16, 8, 4, 2]
    discriminator = SNGANDiscriminator(sample_shape=(3, 64, 64), widths=[2, 4, 8, 16, 32])
    assert [block.conv2.weight.shape[0] for block in discriminator.blocks] == [2, 4, 8, 16, 32]


@pytest.mark.parametrize("network", [SNGANGenerator, SNGANDiscriminator])
def test_impossible_options_are_refused(network):
    latent = {"latent_dim": 4} if network is SNGANGenerator else {}
    with pytest.raises(ValueError, match="use mlp"):
        network(sample_shape=(2,), **latent)
    for widths in ([], [8, 0]):
        with pytest.raises(ValueError, match="widths must be"):
            network(sample_shape=CIFAR, widths=widths, **latent)


def test_initial_weights_are_xavier():
    generator = SNGANGenerator(latent_dim=128, sample_shape=CIFAR, widths=[64])
    discriminator = SNGANDiscriminator(sample_shape=CIFAR, widths=[64])
    block, judge = generator.blocks[0], discriminator.blocks[1]
    for weight, gain in [
        (block.conv1.weight, math.sqrt(2)),
        (block.shortcut.weight, 1),
        (generator.dense.weight, 1),
        (generator.last.weight, 1),
        (judge.conv1.weight, math.sqrt(2)),
        (judge.shortcut.weight, 1),
    ]:
        area = weight[0, 0].numel() if weight.ndim == 4 else 1
        bound = gain * math.sqrt(6 / ((weight.shape[0] + weight.shape[1]) * area))
        assert 0.99 * bound < weight.abs().max() <= bound
        assert weight.var().item() == pytest.approx(bound**2 / 3, rel=0.1)
    for network in (generator, discriminator):
        biases = [value for name, value in network.named_parameters() if name.endswith("bias")]
        assert all(bias.abs().max() == 0 for bias in biases)


# ---- class-conditional batch norm


def test_conditional_batch_norm_is_an_affine_map_per_class():
    """Normalize the whole batch, then scale and shift every example by its own class's vectors."""
    norm = ConditionalBatchNorm(5, classes=3)
    with torch.no_grad():
        norm.gain.weight.normal_()
        norm.bias.weight.normal_()
    x, y = 3 + 2 * torch.randn(12, 5, 4, 4), torch.arange(12) % 3
    out = norm(x, y)
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
    for i, label in enumerate(y):
        for channel in range(5):
            normalized = (x[i, channel] - mean[channel]) / (variance[channel] + 1e-5).sqrt()
            gain, bias = norm.gain.weight[label, channel], norm.bias.weight[label, channel]
            assert torch.allclose(out[i, channel], gain * normalized + bias, atol=1e-5)


def test_gains_start_near_one_and_differ_between_classes():
    norm = ConditionalBatchNorm(1000, classes=10)
    assert norm.gain.weight.mean().item() == pytest.approx(1, abs=1e-3)
    assert norm.gain.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert norm.bias.weight.abs().max() == 0


def test_without_classes_it_is_plain_batch_norm():
    x = torch.randn(6, 5, 4, 4)
    assert torch.equal(ConditionalBatchNorm(5, 0)(x, None), nn.BatchNorm2d(5)(x))


def test_a_conditional_network_needs_labels():
    generator = SNGANGenerator(latent_dim=4, sample_shape=CIFAR, classes=3, widths=[8])
    discriminator = SNGANDiscriminator(sample_shape=CIFAR, classes=3, widths=[8])
    with pytest.raises(ValueError, match="needs labels"):
        generator(torch.randn(2, 4))
    with pytest.raises(ValueError, match="needs labels"):
        discriminator(torch.randn(2, *CIFAR))


# ---- blocks and projection


def test_an_up_block_is_what_figure_8_draws():
    """The shortcut doubled before its 1 × 1 convolution, as published; here it is doubled after."""
    block = UpBlock(4, 6, (7, 10), 0).eval()
    x = torch.randn(2, 4, 4, 5)

    def doubled(t: torch.Tensor) -> torch.Tensor:
        return t.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :7, :10]

    main = conv2d(doubled(relu(block.norm1(x, None))), block.conv1.weight, block.conv1.bias, padding=1)
    main = conv2d(relu(block.norm2(main, None)), block.conv2.weight, block.conv2.bias, padding=1)
    beside = conv2d(doubled(x), block.shortcut.weight, block.shortcut.bias)
    assert torch.allclose(block(x, None), main + beside, atol=1e-5)


@pytest.mark.parametrize("first", [False, True])
def test_a_down_block_is_what_figure_8_draws(first):
    block = DownBlock(4, 6, halve=True, first=first).eval()
    x = torch.randn(2, 4, 6, 8)

    def halved(t: torch.Tensor) -> torch.Tensor:
        return (t[:, :, ::2, ::2] + t[:, :, 1::2, ::2] + t[:, :, ::2, 1::2] + t[:, :, 1::2, 1::2]) / 4

    main = block.conv2(relu(block.conv1(x if first else relu(x))))
    assert torch.allclose(block(x), halved(main) + halved(block.shortcut(x)), atol=1e-5)


def test_halving_an_odd_map_keeps_its_mean_brightness():
    block = DownBlock(1, 1, halve=True, first=False)
    assert torch.allclose(block._halved(torch.full((1, 1, 5, 7), 3.0)), torch.full((1, 1, 3, 4), 3.0))


def test_the_projection_is_the_inner_product_of_embedding_and_features():
    """Miyato and Koyama (2018), Eq. 3: the logit is ψ(φ(x)) + ⟨V y, φ(x)⟩."""
    discriminator = SNGANDiscriminator(sample_shape=CIFAR, classes=3, widths=[8]).eval()
    x, y = torch.randn(6, *CIFAR), torch.arange(6) % 3
    phi = discriminator.features(x)
    embedding = discriminator.embed.weight
    embedding = embedding / (discriminator.embed.norm.u @ embedding @ discriminator.embed.norm.v)
    for i, label in enumerate(y):
        projection = torch.dot(embedding[:, label], phi[i])
        psi = discriminator.psi(phi[i : i + 1])[0, 0]
        assert discriminator(x, y)[i].item() == pytest.approx((psi + projection).item(), abs=1e-4)


def test_features_are_summed_over_the_map():
    """A map of twice the size, the same everywhere, has four times the features."""
    discriminator = SNGANDiscriminator(sample_shape=(3, 8, 8), widths=[8]).eval()
    with torch.no_grad():
        for block in discriminator.blocks:  # no pixel sees its neighbours: the edges are like the middle
            for weight in (block.conv1.weight, block.conv2.weight):
                centre = weight[:, :, 1, 1].clone()
                weight.zero_()[:, :, 1, 1] = centre
    x = torch.rand(2, 3, 1, 1)
    small, large = (discriminator.features(x.expand(2, 3, s, s)) for s in (8, 16))
    assert torch.allclose(large, 4 * small, rtol=1e-4)
    assert small.abs().max() > 0


def test_every_layer_of_the_discriminator_is_lipschitz_one():
    discriminator = SNGANDiscriminator(sample_shape=CIFAR, classes=3, widths=[8])
    x, y = torch.randn(3, *CIFAR), torch.arange(3)
    for _ in range(100):
        discriminator(x, y)
    normalized = [m for m in discriminator.modules() if hasattr(m, "norm")]
    assert len(normalized) == 4 * 2 + 2 + 2  # convolutions, shortcuts of the two that halve, ψ and V
    for layer in normalized:
        sigma = torch.linalg.matrix_norm(layer.norm(layer.weight).flatten(1), ord=2)
        assert sigma.item() == pytest.approx(1, abs=2e-2)
