"""R3GAN's networks: published sizes, the identity at the start, variances, bilinear resampling, any size."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from evenodds.networks.layers import pyramid
from evenodds.networks.r3gan import (
    Block,
    Downsample,
    R3GANDiscriminator,
    R3GANGenerator,
    Upsample,
    stage_widths,
)

# Huang et al. (2024), the table of presets: shape, classes, options, millions of parameters of G and D
PUBLISHED = {
    "Stacked MNIST": ((3, 32, 32), 0, {}, 20.73, 20.68),
    "CIFAR-10": ((3, 32, 32), 10, {}, 20.78, 21.28),
    "FFHQ-256": ((3, 256, 256), 0, {}, 23.06, 23.01),
    "FFHQ-64": ((3, 64, 64), 0, {}, 22.43, 22.38),
    "ImageNet-32": ((3, 32, 32), 1000, {"width": 1536, "group_size": 32}, 82.91, 86.55),
    "ImageNet-64": ((3, 64, 64), 1000, {"widths": [1536] * 5, "group_size": 32}, 103.57, 107.21),
}
SMALL = {"width": 16, "group_size": 8}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(2024)


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def on_meta(shape, classes, options) -> tuple[R3GANGenerator, R3GANDiscriminator]:
    """Both players without their memory."""
    with torch.device("meta"):
        generator = R3GANGenerator(latent_dim=64, sample_shape=shape, classes=classes, **options)
        return generator, R3GANDiscriminator(sample_shape=shape, classes=classes, **options)


@pytest.mark.parametrize("preset", PUBLISHED)
def test_published_parameter_counts(preset):
    shape, classes, options, g, d = PUBLISHED[preset]
    generator, discriminator = on_meta(shape, classes, options)
    assert (round(size(generator) / 1e6, 2), round(size(discriminator) / 1e6, 2)) == (g, d)


def test_the_exact_count():
    generator, _ = on_meta((3, 32, 32), 10, {})
    assert size(generator) == 20_781_952
    generator, discriminator = on_meta((3, 256, 256), 0, {})
    assert (round(size(generator) / 1e6, 3), round(size(discriminator) / 1e6, 3)) == (23.058, 23.010)


@pytest.mark.parametrize(
    ("shape", "width", "expected"),
    [
        ((32, 32), 768, (768,) * 4),
        ((256, 256), 768, (768, 768, 768, 768, 384, 192, 96)),
        ((64, 64), 128, (128, 128, 128, 128, 64)),
        ((36, 36), 64, (64, 64, 64, 64)),  # 5, 9, 18, 36: nearer to 32 than to 64
        ((64, 32), 64, (64, 64, 64, 32)),
        ((512, 512), 32, (32, 32, 32, 32, 16, 8, 8, 8)),
    ],
)
def test_the_width_halves_with_each_doubling_above_32_pixels(shape, width, expected):
    assert stage_widths(pyramid(*shape), width, 32, None) == expected


def test_the_widest_map_is_an_option():
    assert stage_widths(pyramid(64, 64), 128, 4, None) == (128, 64, 32, 16, 8)
    assert stage_widths(pyramid(64, 64), 128, 64, None) == (128,) * 5


def test_widths_stage_by_stage():
    assert stage_widths(pyramid(16, 16), 768, 32, [24, 16, 8]) == (24, 16, 8)
    with pytest.raises(ValueError, match=r"must be 3 numbers above 0, for maps of 4 × 4, 8 × 8, 16 × 16"):
        stage_widths(pyramid(16, 16), 768, 32, [24, 16])
    with pytest.raises(ValueError, match="above 0"):
        stage_widths(pyramid(16, 16), 768, 32, [24, 16, 0])
    with pytest.raises(ValueError, match="multiples of 8, not 12, for group_size=16"):
        R3GANDiscriminator(sample_shape=(1, 8, 8), width=12)


def test_every_block_is_the_identity_at_first():
    block = Block(16, 4, 2, 8)
    x = torch.randn(2, 16, 5, 5)
    assert torch.equal(block(x), x)
    nn.init.normal_(block.narrow.weight, std=0.1)
    assert not torch.allclose(block(x), x, atol=0.1)


@pytest.mark.parametrize("blocks", [1, 3])
def test_depth_does_not_change_the_networks_at_first(blocks):
    """All that a longer network adds is the identity: with the other weights alike it computes the same."""
    shallow = R3GANGenerator(latent_dim=3, sample_shape=(2, 8, 8), blocks=2, **SMALL)
    deep = R3GANGenerator(latent_dim=3, sample_shape=(2, 8, 8), blocks=blocks, **SMALL)
    others = {k: v for k, v in shallow.state_dict().items() if not k.startswith("stages")}
    assert deep.load_state_dict(others, strict=False).unexpected_keys == []
    z = torch.randn(4, 3)
    assert torch.equal(deep(z), shallow(z))


def test_a_block_is_its_formula():
    block = Block(4, 1, 2, 2).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(1, 4, 3, 3, dtype=torch.float64)

    def phi(value):
        return torch.where(value > 0, value, 0.2 * value)

    wide = phi(
        torch.einsum("oi,nihw->nohw", block.widen.weight[:, :, 0, 0], x) + block.widen.bias[:, None, None]
    )
    around = nn.functional.pad(wide, (1, 1, 1, 1)).unfold(2, 3, 1).unfold(3, 3, 1)  # (N, C, H, W, 3, 3)
    mixed = torch.cat(  # four groups of two channels
        [
            torch.einsum("oiuv,nihwuv->nohw", block.mix.weight[g : g + 2], around[:, g : g + 2])
            for g in range(0, 8, 2)
        ],
        1,
    )
    inner = phi(mixed + block.mix.bias[:, None, None])
    expected = x + torch.einsum("oi,nihw->nohw", block.narrow.weight[:, :, 0, 0], inner)
    assert torch.allclose(block(x), expected, atol=1e-12)


def test_initial_weights():
    network = R3GANDiscriminator(sample_shape=(3, 32, 32), classes=10, width=64, group_size=16)
    gain = math.sqrt(2 / 1.04) * 8**-0.25  # four stages of two blocks
    block = network.stages[1][0]
    for layer, expected in (
        (block.widen, gain / math.sqrt(64)),
        (block.mix, gain / math.sqrt(16 * 9)),
        (network.basis, 1 / 4),  # 4 × 4 values into each
        (network.last, 1 / 8),
        (network.embed, 1 / math.sqrt(10 * 64)),
    ):
        n = layer.weight.numel()
        assert layer.weight.std().item() == pytest.approx(expected, rel=4 / math.sqrt(2 * n))
    assert block.narrow.weight.abs().max() == block.widen.bias.abs().max() == block.mix.bias.abs().max() == 0


def mean_squares(network: nn.Module, *inputs: torch.Tensor) -> list[float]:
    """Of what every stage puts out, away from the border that the zeros around a map dim, and of the end."""
    found = []

    def note(_module, _inputs, out):
        found.append(
            out[..., out.shape[-2] // 4 : -out.shape[-2] // 4, out.shape[-1] // 4 : -out.shape[-1] // 4]
        )

    hooks = [stage.register_forward_hook(note) for stage in network.stages]
    with torch.no_grad():
        found.append(network(*inputs))
    for hook in hooks:
        hook.remove()
    return [value.square().mean().item() for value in found]


def test_the_variance_stays_through_the_stages():
    """For a map without edges every stage of both players puts out what its input measures, 1 on average."""
    widths, rows = [32, 32, 24, 16], []
    for _ in range(60):
        generator = R3GANGenerator(latent_dim=16, sample_shape=(3, 32, 32), widths=widths, group_size=8)
        with torch.no_grad():
            generator.basis.copy_(torch.randn(32, 1, 1).expand_as(generator.basis))
        discriminator = R3GANDiscriminator(sample_shape=(16, 32, 32), widths=widths, group_size=8)
        image = torch.randn(8, 16, 1, 1).expand(8, 16, 32, 32)
        rows.append(mean_squares(generator, torch.randn(8, 16))[:4] + mean_squares(discriminator, image))
    means = torch.tensor(rows).mean(0)
    assert means[:-1].min() > 0.85
    assert means[:-1].max() < 1.15
    assert 0.4 < means[-1] < 1.5  # the logit, where the dimmed border counts


def first_step(depth: int) -> float:
    """How far the first step of gradient descent moves the output of so many blocks along the gradient."""
    steps = []
    for _ in range(20):
        blocks = nn.Sequential(*(Block(32, depth, 2, 16) for _ in range(depth)))
        x = torch.randn(8, 32, 4, 4)
        wanted = torch.randn_like(x)
        (blocks(x) * wanted).mean().backward()
        with torch.no_grad():
            for parameter in blocks.parameters():
                parameter.sub_(parameter.grad)
            steps.append(((blocks(x) - x) * wanted).mean().item())
    return sum(steps) / len(steps)


def test_the_first_step_does_not_depend_on_the_depth():
    """What Fixup is for: with L^(-1/4) on each of two weights, L blocks together move the output by O(1)."""
    shallow, deep = first_step(2), first_step(16)
    assert shallow < 0
    assert deep == pytest.approx(shallow, rel=0.1)


def test_upsampling_is_bilinear_inside_the_map():
    x = torch.randn(2, 5, 6, 7)
    expected = interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    assert torch.allclose(Upsample(5, 5)(x)[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1], atol=1e-6)


def test_downsampling_is_antialiased_bilinear_inside_the_map():
    x = torch.randn(2, 5, 12, 8)
    expected = interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True)
    assert torch.allclose(Downsample(5, 5)(x)[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1], atol=1e-6)


def test_down_is_the_transpose_of_up():
    """⟨up x, y⟩ = 4 ⟨x, down y⟩."""
    x, y = torch.randn(1, 3, 5, 4).double(), torch.randn(1, 3, 10, 8).double()
    up, down = Upsample(3, 3).double(), Downsample(3, 3).double()
    assert (up(x) * y).sum().item() == pytest.approx(4 * (x * down(y)).sum().item(), rel=1e-9)


@pytest.mark.parametrize("shape", [(1, 28, 28), (4, 17, 33), (2, 5, 3), (6, 40, 24), (3, 9, 9)])
def test_any_size(shape):
    generator = R3GANGenerator(latent_dim=3, sample_shape=shape, **SMALL)
    discriminator = R3GANDiscriminator(sample_shape=shape, **SMALL)
    x = generator(torch.randn(2, 3))
    assert x.shape == (2, *shape)
    assert discriminator(x).shape == (2,)


def test_vectors_are_refused():
    with pytest.raises(ValueError, match=r"r3gan is for images.*; use mlp"):
        R3GANGenerator(latent_dim=3, sample_shape=(2,))
    with pytest.raises(ValueError, match=r"r3gan is for images.*; use mlp"):
        R3GANDiscriminator(sample_shape=(2,))


def test_the_label_is_a_projection():
    """logit(x, y) = ⟨embed(y), features(x)⟩, Miyato and Koyama (2018), Eq. 3."""
    network = R3GANDiscriminator(sample_shape=(1, 8, 8), classes=3, **SMALL)
    x, y = torch.randn(6, 1, 8, 8), torch.tensor([0, 1, 2, 2, 1, 0])
    caught = []
    hook = network.last.register_forward_hook(lambda *parts: caught.append(parts[-1]))
    logits = network(x, y)
    hook.remove()
    expected = [
        features @ network.embed.weight[:, label] for features, label in zip(caught[0], y, strict=True)
    ]
    assert torch.allclose(logits, torch.stack(expected), atol=1e-6)


def test_samples_are_not_bounded():
    """No tanh: twice the last weights give twice the image."""
    generator = R3GANGenerator(latent_dim=3, sample_shape=(3, 16, 16), **SMALL)
    z = torch.randn(2, 3)
    before = generator(z)
    with torch.no_grad():
        generator.to_image.weight.mul_(100)
        assert torch.allclose(generator(z), 100 * before, rtol=1e-4)
    assert generator(z).abs().max() > 1


def test_the_gradient_penalty_has_the_gradient_that_differences_give():
    """½ ‖∇D‖² by its definition against finite differences, in a direction of all weights at once."""
    network = R3GANDiscriminator(sample_shape=(1, 5, 4), classes=2, width=8, group_size=4).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(3, 1, 5, 4, dtype=torch.float64).requires_grad_()
    y = torch.tensor([0, 1, 1])
    direction = [torch.randn_like(p) for p in network.parameters()]

    def penalty() -> torch.Tensor:
        (gradient,) = torch.autograd.grad(network(x, y).sum(), x, create_graph=True)
        return gradient.square().sum() / 2

    gradients = torch.autograd.grad(penalty(), list(network.parameters()), allow_unused=True)
    slope = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True) if g is not None).item()
    values = []
    for sign in (1, -2):
        with torch.no_grad():
            for parameter, step in zip(network.parameters(), direction, strict=True):
                parameter.add_(step, alpha=sign * 1e-6)
        values.append(penalty().item())
    assert slope == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-4)
