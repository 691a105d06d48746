"""StyleGAN2 against the paper's own formulas, written out per example, and its published sizes."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, pad

from evenodds.networks.equalized import Blur, EqualizedConv, EqualizedLinear, ModulatedConv, activate
from evenodds.networks.styled import Styled, truncated
from evenodds.networks.stylegan2 import (
    Mapping,
    ResidualBlock,
    StyledConv,
    StyleGAN2Discriminator,
    StyleGAN2Generator,
    with_deviation,
)

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0]).outer(torch.tensor([1.0, 3.0, 3.0, 1.0])) / 64


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def generator(shape: tuple[int, ...] = (3, 16, 16), **options) -> StyleGAN2Generator:
    small = {"latent_dim": 6, "style_dim": 12, "mapping_layers": 2, "channel_base": 128, "channel_max": 8}
    return StyleGAN2Generator(sample_shape=shape, **(small | options))


def discriminator(shape: tuple[int, ...] = (3, 16, 16), **options) -> StyleGAN2Discriminator:
    small = {"channel_base": 128, "channel_max": 8, "mapping_layers": 2}
    return StyleGAN2Discriminator(sample_shape=shape, **(small | options))


def with_noise(network: StyleGAN2Generator) -> StyleGAN2Generator:
    """The same with noise that can be seen: its strength starts at 0."""
    with torch.no_grad():
        for layer in network.layers:
            layer.strength.fill_(0.5)
    return network


# ---- sizes


def test_parameter_counts_are_the_published_ones():
    """Huang et al. (2024), table 2, configuration A: 24.767 and 24.001 million at 256 × 256."""
    players = (
        StyleGAN2Generator(latent_dim=512, sample_shape=(3, 256, 256)),
        StyleGAN2Discriminator(sample_shape=(3, 256, 256)),
    )
    assert [round(count(player) / 1e6, 3) for player in players] == [24.767, 24.001]
    assert players[0].style_layers == 14  # Karras et al. (2019): 18 at 1024 × 1024, two fewer per halving


def test_channels_follow_the_resolution():
    network = generator((3, 64, 48), channel_base=1024, channel_max=512)
    assert network.sizes == ((8, 6), (16, 12), (32, 24), (64, 48))
    assert [image.conv.weight.shape[1] for image in network.images] == [128, 64, 32, 16]


@pytest.mark.parametrize("shape", [(1, 28, 28), (4, 9, 18), (2, 5, 7), (5, 20, 33), (3, 1, 1)])
def test_any_size_and_any_channels(shape):
    network = generator(shape)
    x = network(torch.randn(3, 6))
    assert x.shape == (3, *shape)
    assert discriminator(shape)(x).shape == (3,)
    assert network.synthesize(torch.randn(2, network.style_layers, 12)).shape == (2, *shape)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sample_shape": (2,)}, "use mlp"),
        ({"mixing": 1.5}, "mixing must be"),
        ({"mapping_layers": 0}, "mapping_layers must be"),
        ({"channel_base": 0}, "channel_base and channel_max"),
    ],
)
def test_impossible_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        StyleGAN2Generator(**({"latent_dim": 4, "sample_shape": (3, 8, 8)} | options))
    with pytest.raises(ValueError, match="group must be"):
        discriminator(group=0)


# ---- equalized learning rate


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_equalized_linear_keeps_variance_and_learns_at_its_rate(rate):
    layer = EqualizedLinear(400, 300, bias_start=1.0, rate=rate)
    assert layer.weight.std().item() == pytest.approx(1 / rate, rel=0.02)
    out = layer(torch.randn(500, 400))
    assert out.mean().item() == pytest.approx(1, abs=0.02)
    # the layer's fixed weights are one draw: its outputs' variance is 1 up to a per cent
    assert out.var(0).mean().item() == pytest.approx(1, rel=0.03)

    def effective() -> torch.Tensor:
        return layer(torch.eye(400)).T - layer(torch.zeros(1, 400)).T  # (300, 400)

    before, bias = effective().detach(), layer(torch.zeros(1, 400)).detach()
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    layer(torch.ones(1, 400)).sum().backward()
    optimizer.step()  # Adam's first step is the learning rate, whatever the gradient
    moved = (effective() - before).abs()
    assert moved.mean().item() == pytest.approx(0.1 * rate / math.sqrt(400), rel=1e-2)
    assert (layer(torch.zeros(1, 400)) - bias).abs().mean().item() == pytest.approx(0.1 * rate, rel=1e-3)


def test_activation_keeps_the_mean_square():
    x = torch.randn(200_000)
    assert activate(x).square().mean().item() == pytest.approx((1 + 0.2**2), rel=0.02)


# ---- resampling


def test_the_blur_is_the_filter():
    x = torch.randn(2, 3, 5, 6)
    expected = torch.zeros(2, 3, 6, 7)
    padded = pad(x, (2, 2, 2, 2))
    for i in range(4):
        for j in range(4):
            expected += TAPS[i, j] * padded[:, :, i : i + 6, j : j + 7]
    assert torch.allclose(Blur(padding=2)(x), expected, atol=1e-6)
    assert torch.allclose(Blur(padding=2, gain=4)(x), 4 * expected, atol=1e-6)
    assert torch.allclose(Blur(padding=1, stride=2)(x), expected[:, :, 1:-1:2, 1:-1:2], atol=1e-6)


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_convolution_that_halves_is_a_filtered_one_at_every_second_pixel(kernel):
    conv = EqualizedConv(3, 4, kernel, halve=True)
    x = torch.randn(2, 3, 8, 10)
    blurred = conv2d(pad(x, (2, 2, 2, 2)).reshape(6, 1, 12, 14), TAPS[None, None]).view(2, 3, 9, 11)
    full = conv2d(blurred, conv.weight / math.sqrt(3 * kernel**2))
    expected = full[:, :, ::2, ::2] if kernel == 3 else full[:, :, 1::2, 1::2]
    assert torch.allclose(conv(x), expected, atol=1e-5)
    assert conv(x[:, :, :7, :9]).shape == (2, 4, 4, 5)  # an odd side is rounded up


def test_doubling_keeps_a_flat_image_flat_and_does_not_move_it():
    """Away from the border; and a symmetric picture stays symmetric, so nothing is shifted."""
    conv = ModulatedConv(1, 1, 3, style_dim=2, demodulate=False, double=True)
    with torch.no_grad():
        conv.weight.zero_()[:, :, 1, 1] = 3.0  # √fan_in: the identity
        conv.affine.weight.zero_()
    out = conv(torch.ones(1, 1, 6, 6), torch.zeros(1, 2))
    assert out.shape == (1, 1, 12, 12)
    assert torch.allclose(out[:, :, 1:-1, 1:-1], torch.ones(1, 1, 10, 10), atol=1e-6)
    x = torch.randn(1, 1, 6, 6)
    out = conv(x + x.flip(2) + x.flip(3) + x.flip(2, 3), torch.zeros(1, 2))
    assert torch.allclose(out, out.flip(2), atol=1e-5)
    assert torch.allclose(out, out.flip(3), atol=1e-5)


# ---- modulation


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize(("kernel", "double"), [(1, False), (3, False), (3, True)])
def test_modulation_equals_a_weight_per_example(kernel, double, demodulate):
    """Karras et al. (2020), Eq. 1 and 3, example by example; doubling by zeros, convolution and filter."""
    conv = ModulatedConv(5, 7, kernel, style_dim=6, demodulate=demodulate, double=double).double()
    x, w = torch.randn(3, 5, 4, 6).double(), torch.randn(3, 6).double()
    expected = []
    for example, style in zip(x, conv.affine(w), strict=True):
        weight = style[None, :, None, None] * conv.weight / math.sqrt(5 * kernel**2)
        if demodulate:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if double:
            stuffed = torch.zeros(1, 5, 7, 11).double()
            stuffed[0, :, ::2, ::2] = example
            out = conv2d(stuffed, weight.flip(2, 3), padding=2)
            out = conv2d(out.view(7, 1, 9, 13), 4 * TAPS[None, None].double(), padding=1).view(1, 7, 8, 12)
        else:
            out = conv2d(example[None], weight, padding=kernel // 2)
        expected.append(out)
    assert torch.allclose(conv(x, w), torch.cat(expected), atol=1e-5)


def test_demodulation_gives_unit_variance():
    """For independent inputs of unit variance, whatever the style (the derivation of Eq. 3)."""
    conv = ModulatedConv(64, 32, 3, style_dim=8)
    with torch.no_grad():
        out = conv(torch.randn(4, 64, 64, 64), 5 * torch.randn(4, 8))[:, :, 1:-1, 1:-1]
        deviations = out.std((2, 3))  # (4, 32)
    assert deviations.mean().item() == pytest.approx(1, abs=0.01)
    assert (deviations - 1).abs().max() < 0.1


def test_a_style_does_not_touch_other_examples():
    network = generator().eval()
    w = torch.randn(3, 12)
    changed = w.clone()
    changed[1] += 1
    before, after = network.synthesize(w), network.synthesize(changed)
    assert torch.equal(before[[0, 2]], after[[0, 2]])
    assert not torch.allclose(before[1], after[1], atol=1e-3)


# ---- noise


def test_noise_is_drawn_in_training_only():
    network = with_noise(generator())
    w = torch.randn(2, 12)
    assert not torch.allclose(network.synthesize(w), network.synthesize(w), atol=1e-3)
    network.eval()
    assert torch.equal(network.synthesize(w), network.synthesize(w))
    assert torch.equal(copy.deepcopy(network).synthesize(w), network.synthesize(w))


def test_noise_has_one_value_per_pixel_and_the_learnt_strength():
    layer = StyledConv(3, 4, 6, (32, 32))
    with torch.no_grad():
        layer.strength.fill_(0.7)
        layer.conv.weight.zero_()  # leaves activate(noise)
    noise = layer(torch.randn(8, 3, 32, 32), torch.randn(8, 6)) / math.sqrt(2)
    noise = torch.where(noise < 0, noise / 0.2, noise)
    assert noise.std().item() == pytest.approx(0.7, rel=0.03)
    assert torch.equal(noise[:, 0], noise[:, 3])
    assert not torch.allclose(noise[0], noise[1])
    assert torch.equal(layer.eval().noise[0, 0], layer.noise[0, 0])


def test_evaluations_noise_is_saved():
    one, other = with_noise(generator()).eval(), with_noise(generator()).eval()
    other.load_state_dict(one.state_dict())
    z = torch.randn(2, 6)
    assert torch.equal(one(z), other(z))


# ---- styles


def test_it_is_styled():
    network = generator().eval()
    assert isinstance(network, Styled)
    z = torch.randn(3, 6)
    w = network.style(z)
    assert w.shape == (3, 12)
    repeated = w[:, None].expand(-1, network.style_layers, -1)
    assert torch.equal(network(z), network.synthesize(w))
    assert torch.equal(network(z), network.synthesize(repeated))


def test_every_style_layer_matters_and_no_other():
    network = generator().eval()
    w = torch.randn(1, network.style_layers, 12)
    base = network.synthesize(w)
    for layer in range(network.style_layers):
        changed = w.clone()
        changed[:, layer] += 1
        assert not torch.allclose(network.synthesize(changed), base, atol=1e-4), layer


def test_the_length_of_z_does_not_matter():
    network = generator().eval()
    z = torch.randn(3, 6)
    assert torch.allclose(network(5 * z), network(z), atol=1e-4)


def test_mixing_takes_another_examples_style_from_a_random_layer_on():
    network = generator(mixing=1.0)
    w = torch.randn(400, 12)
    mixed = network._mixed(w, torch.randn(400, 6), None)
    assert mixed.shape == (400, network.style_layers, 12)
    kept = (mixed == w[:, None]).all(2).sum(1)  # layers that an example has kept
    others = kept < network.style_layers
    assert others.float().mean() > 0.98  # all but those that were to be mixed with themselves
    histogram = torch.bincount(kept[others], minlength=network.style_layers)
    assert histogram[0] == 0  # the coarsest layer is always its own
    expected = others.sum().item() / (network.style_layers - 1)
    assert all(abs(n - expected) < 5 * math.sqrt(expected) for n in histogram[1:].tolist())
    for row, n in zip(mixed[others], kept[others].tolist(), strict=True):
        assert (row[n:] == row[n]).all()  # one other style, and it is one of the batch's
        assert (w == row[n]).all(1).any()


@pytest.mark.parametrize("probability", [0.0, 0.5, 0.9])
def test_mixing_has_its_probability(probability):
    network = generator(mixing=probability)
    w = torch.randn(4000, 12)
    mixed = network._mixed(w, torch.randn(4000, 6), None)
    share = (mixed[:, -1] != w).any(1).float().mean().item()
    assert abs(share - probability) <= 5 * math.sqrt(probability * (1 - probability) / 4000) + 1 / 1000


def test_mixing_keeps_the_label():
    network = generator(classes=3, mixing=1.0)
    z, y = torch.randn(30, 6), torch.arange(30) % 3
    mixed = network._mixed(network.style(z, y), z, y)
    of_label = {label: network.style(z, torch.full((30,), label)) for label in range(3)}
    for row, label in zip(mixed[:, -1], y.tolist(), strict=True):
        assert torch.isclose(of_label[label], row, atol=1e-5).all(1).any()


def test_only_training_mixes():
    network = generator(mixing=1.0)
    for layer in network.layers:
        assert layer.strength.item() == 0  # so that nothing else differs
    z = torch.randn(16, 6)
    trained = network(z)
    network.eval()
    assert not torch.allclose(trained, network(z), atol=1e-3)
    network.train().mixing = 0.0
    trained = network(z)
    assert torch.allclose(trained, network.eval()(z), atol=1e-5)


def test_the_mean_style_is_tracked_in_training():
    network = generator()
    z = torch.randn(64, 6)
    mean = network.style(z).mean(0)
    for step in range(1, 4):
        network(z)
        assert torch.allclose(network.style_mean, (1 - 0.998**step) * mean, atol=1e-6)
    before = network.style_mean.clone()
    network.eval()(z)
    assert torch.equal(network.style_mean, before)
    assert "style_mean" in network.state_dict()


def test_truncation():
    w, mean = torch.randn(3, 5, 12), torch.randn(12)
    assert torch.allclose(truncated(w, mean, 1.0), w, atol=1e-6)
    assert torch.allclose(truncated(w, mean, 0.0), mean.expand(3, 5, 12), atol=1e-6)
    assert torch.allclose(truncated(w, mean, 0.5), (w + mean) / 2, atol=1e-6)
    assert torch.allclose(truncated(w, mean, -1.0), 2 * mean - w, atol=1e-5)


def test_the_mapping_is_two_unit_vectors_through_layers():
    mapping = Mapping(6, 12, 3, 2)
    z, y = torch.randn(4, 6), torch.tensor([0, 1, 2, 1])
    embedded = mapping.embed.weight.T[y] / math.sqrt(3) + mapping.embed.bias
    both = [v / (v.square().mean(1, keepdim=True) + 1e-8).sqrt() for v in (z, embedded)]
    w = torch.cat(both, 1)
    for layer in mapping.layers:
        w = activate(w @ layer.weight.T * 0.01 / math.sqrt(w.shape[1]) + 0.01 * layer.bias)
    assert torch.allclose(mapping(z, y), w, atol=1e-5)


def test_a_conditional_network_needs_labels():
    for network, x in ((generator(classes=3), torch.randn(2, 6)), (discriminator(classes=3), None)):
        with pytest.raises(ValueError, match="needs labels"):
            network(torch.randn(2, 3, 16, 16) if x is None else x)


def test_the_image_is_the_sum_of_all_resolutions():
    """With the finer layers' images at 0, it is the coarsest one, smoothly enlarged."""
    network = generator((2, 16, 16)).eval()
    w = torch.randn(1, 12)
    coarse = network.images[0](network.layers[0](network.start, w), w)
    with torch.no_grad():
        for image in network.images[1:]:
            image.conv.weight.zero_()
    stuffed = coarse
    for size in (4, 8):
        padded = pad(stuffed, (1, 1, 1, 1), mode="replicate")
        zeros = torch.zeros(2, 1, 2 * size + 4, 2 * size + 4)
        zeros[:, 0, ::2, ::2] = padded[0]
        stuffed = conv2d(zeros, 4 * TAPS[None, None])[None, :, 0, :-1, :-1]
    assert torch.allclose(network.synthesize(w), stuffed, atol=1e-5)


def test_exports_as_plain_operations():
    """Exported with two examples, it runs with five: no weight has the batch in its shape."""
    network = with_noise(generator()).eval()
    exported = torch.export.export(
        network, (torch.randn(2, 6),), dynamic_shapes=({0: torch.export.Dim("n", min=1)},)
    )
    z = torch.randn(5, 6)
    assert torch.allclose(exported.module()(z), network(z), atol=1e-5)


# ---- discriminator


@pytest.mark.parametrize(
    ("n", "group", "size"), [(8, 4, 4), (6, 4, 3), (7, 4, 1), (2, 4, 2), (9, 3, 3), (5, 8, 5)]
)
def test_minibatch_standard_deviation(n, group, size):
    x = torch.randn(n, 3, 4, 5)
    out = with_deviation(x, group)
    assert torch.equal(out[:, :3], x)
    groups = n // size
    for i in range(n):
        members = x[i % groups :: groups]
        assert len(members) == size
        deviation = (members.var(0, unbiased=False) + 1e-8).sqrt().mean()
        assert torch.allclose(out[i, 3], deviation.expand(4, 5), atol=1e-6)


def test_a_collapsed_batch_is_seen():
    """Equal images have no deviation: D can tell them from different ones."""
    x = torch.randn(1, 3, 4, 4).expand(4, -1, -1, -1)
    assert with_deviation(x, 4)[:, 3].max() <= 1.01e-4
    assert with_deviation(torch.randn(4, 3, 4, 4), 4)[:, 3].min() > 0.5


def test_a_residual_block_sums_two_paths():
    block = ResidualBlock(3, 5)
    x = torch.randn(2, 3, 8, 8)
    expected = (activate(block.conv2(activate(block.conv1(x)))) + block.shortcut(x)) / math.sqrt(2)
    assert torch.allclose(block(x), expected, atol=1e-6)
    assert block.shortcut.bias is None


def test_with_labels_the_logit_is_a_projection():
    network = discriminator(classes=3)
    x, y = torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 2, 1])
    seen: list[torch.Tensor] = []
    network.output.register_forward_hook(lambda _, __, out: seen.append(out))
    logits = network(x, y)
    label = network.mapping(torch.empty(4, 0), y)
    for i in range(4):
        expected = torch.dot(seen[0][i], label[i]).item() / math.sqrt(8)
        assert logits[i].item() == pytest.approx(expected, abs=1e-5)
