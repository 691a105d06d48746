"""Path length regularization: a linear synthesis has closed forms; and in a game of StyleGAN2."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from evenodds.algorithm import GAN, Batch, train_step
from evenodds.latents import Normal
from evenodds.losses import LOSSES
from evenodds.networks.mlp import MLPGenerator
from evenodds.networks.styled import PathMeasured
from evenodds.networks.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from evenodds.penalties import PathLength, path_lengths

SHAPE = (2, 4, 8)
SIZE = 2 * 4 * 8


class Linear(nn.Module):
    """x = A · (mean of the layers' styles), z itself the style: the Jacobian is A / layers everywhere."""

    def __init__(self, matrix: Tensor, layers: int = 3) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)  # (SIZE, F)
        self.style_layers = layers
        self.register_buffer("style_mean", torch.zeros(matrix.shape[1]))
        self.register_buffer("path_length_mean", torch.zeros(1))

    def style(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return z if y is None else z + y[:, None]

    def synthesize(self, w: Tensor) -> Tensor:
        return (w.mean(1) @ self.matrix.T).view(-1, *SHAPE)


def test_length_of_a_linear_path_is_that_of_its_transpose():
    matrix = torch.randn(SIZE, 5)
    generator = Linear(matrix)
    assert isinstance(generator, PathMeasured)
    w = torch.randn(6, 3, 5, requires_grad=True)
    torch.manual_seed(4)
    lengths = path_lengths(generator.synthesize(w), w)
    torch.manual_seed(4)
    noise = torch.randn(6, *SHAPE).flatten(1) / math.sqrt(4 * 8)
    assert torch.allclose(lengths, (noise @ matrix).norm(dim=1) / 3, atol=1e-5)


def test_expected_length_of_a_rotation():
    """A = c·Q with orthogonal Q: ‖Aᵀε‖ = c‖ε‖, whose square has mean c² C (Eq. 4's normalization by H·W)."""
    rotation = torch.linalg.qr(torch.randn(SIZE, SIZE)).Q
    generator = Linear(0.7 * rotation, layers=1)
    w = torch.randn(4000, 1, SIZE, requires_grad=True)
    squares = path_lengths(generator.synthesize(w), w).square()
    expected = 0.7**2 * 2
    # chi square with 64 degrees of freedom: relative deviation √(2/64) per example
    assert squares.mean().item() == pytest.approx(expected, rel=5 * math.sqrt(2 / 64 / 4000))
    assert squares.std().item() == pytest.approx(expected * math.sqrt(2 / 64), rel=0.1)


def test_penalty_is_the_squared_distance_to_the_running_mean():
    matrix = torch.randn(SIZE, 5)
    generator, penalty = Linear(matrix), PathLength(share=1.0, decay=0.25)
    mean = 0.0
    for step in range(3):
        torch.manual_seed(step)
        value = penalty.of_generator(generator, torch.randn(6, 5), None)
        torch.manual_seed(step)
        torch.randn(6, 5)
        noise = torch.randn(6, *SHAPE).flatten(1) / math.sqrt(4 * 8)
        lengths = (noise @ matrix).norm(dim=1) / 3
        mean = 0.75 * mean + 0.25 * lengths.mean().item()
        assert generator.path_length_mean.item() == pytest.approx(mean, rel=1e-4)
        assert torch.allclose(value, (lengths - mean).square(), atol=1e-5)


def test_its_gradient_holds_the_mean_constant():
    """d/dA of (c‖ε‖ − a)² along A itself: 2 (length − a) · length, by Euler's theorem."""
    matrix = torch.randn(SIZE, 5)
    generator = Linear(matrix)
    value = PathLength(share=1.0, decay=0.25).of_generator(generator, torch.randn(6, 5), None)
    value.sum().backward()
    a = generator.path_length_mean.item()
    mean_length = a / 0.25
    lengths = a + value.sqrt()  # all of them lie above a, a quarter of their mean
    assert lengths.mean().item() == pytest.approx(mean_length, rel=1e-4)
    slope = (generator.matrix.grad * matrix).sum()
    assert slope.item() == pytest.approx((2 * (lengths - a) * lengths).sum().item(), rel=1e-3)


def test_half_of_the_latents_are_looked_at():
    generator = Linear(torch.randn(SIZE, 5))
    for n, looked_at in [(8, 4), (2, 1), (1, 1)]:
        assert PathLength().of_generator(generator, torch.randn(n, 5), None).shape == (looked_at,)
    y = torch.zeros(8, dtype=torch.int64)
    assert PathLength(share=0.25).of_generator(generator, torch.randn(8, 5), y).shape == (2,)


def test_published_numbers():
    """As the authors' code in PyTorch sets them."""
    penalty = PathLength()
    assert (penalty.weight, penalty.every, penalty.share, penalty.decay) == (2.0, 4, 0.5, 0.01)


@pytest.mark.parametrize("options", [{"share": 0.0}, {"share": 1.5}, {"decay": 0.0}, {"decay": 2.0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match="from above 0 to 1"):
        PathLength(**options)


def test_a_generator_without_styles_is_refused():
    generator = MLPGenerator(latent_dim=4, sample_shape=(2,))
    with pytest.raises(ValueError, match="path_length needs styles, and MLPGenerator has none"):
        PathLength().of_generator(generator, torch.randn(4, 4), None)


# ---- StyleGAN2


def small(classes: int = 0) -> StyleGAN2Generator:
    return StyleGAN2Generator(
        latent_dim=4,
        sample_shape=(3, 8, 8),
        classes=classes,
        style_dim=8,
        mapping_layers=2,
        channel_base=64,
        channel_max=8,
    )


def test_gradient_by_finite_differences():
    generator = small().double().eval()  # the same noise pictures every time

    def penalty() -> Tensor:
        torch.manual_seed(7)
        generator.path_length_mean.fill_(0.3)
        z = torch.randn(4, 4, dtype=torch.float64)
        return PathLength(share=1.0, decay=1e-9).of_generator(generator, z, None).mean()

    # at a mean that is as good as constant, along one random direction of all weights
    parameters = list(generator.parameters())
    gradients = torch.autograd.grad(penalty(), parameters, allow_unused=True)
    directions = [torch.randn_like(p) for p in parameters]
    slope = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True) if g is not None)
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            for p, d in zip(parameters, directions, strict=True):
                p.add_(step * d)
        values.append(penalty().item())
        with torch.no_grad():
            for p, d in zip(parameters, directions, strict=True):
                p.sub_(step * d)
    assert slope.item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4)
    assert abs(slope.item()) > 1e-3


def test_stays_in_full_precision_under_autocast():
    generator, z = small().eval(), torch.randn(4, 4)
    values = []
    for enabled in (False, True):
        generator.path_length_mean.zero_()
        torch.manual_seed(7)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            values.append(PathLength().of_generator(generator, z, None))
    assert torch.equal(*values)


def test_a_lazy_penalty_weighs_as_often_more():
    """What it adds to G's gradient when it is due every 4th time is 4 times what it adds every time."""

    def gradient(weight: float, every: int) -> Tensor:
        torch.manual_seed(5)
        generator = small()
        discriminator = StyleGAN2Discriminator(sample_shape=(3, 8, 8), channel_base=64, channel_max=8)
        gan = GAN(
            generator=generator,
            discriminator=discriminator,
            generator_optimizer=torch.optim.SGD(generator.parameters(), lr=0.0),
            discriminator_optimizer=torch.optim.SGD(discriminator.parameters(), lr=0.0),
            prior=Normal(dim=4),
            loss=LOSSES["non_saturating"],
            penalties={"path_length": PathLength(weight=weight, every=every)},
        )
        train_step(gan, itertools.repeat(Batch(torch.randn(8, 3, 8, 8))))
        return generator.start.grad

    none, always, lazy = gradient(0.0, 1), gradient(3.0, 1), gradient(3.0, 4)
    assert (always - none).abs().max() > 1e-3
    assert torch.allclose(lazy - none, 4 * (always - none), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("micro_batch", [None, 4])
def test_plays_in_a_game_at_every_second_generator_step(classes, micro_batch):
    torch.manual_seed(1)
    generator = small(classes)
    discriminator = StyleGAN2Discriminator(
        sample_shape=(3, 8, 8), classes=classes, channel_base=64, channel_max=8, mapping_layers=2
    )
    gan = GAN(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=torch.optim.Adam(generator.parameters(), lr=1e-3),
        discriminator_optimizer=torch.optim.Adam(discriminator.parameters(), lr=1e-3),
        prior=Normal(dim=4),
        loss=LOSSES["non_saturating"],
        penalties={"path_length": PathLength(every=2)},
        micro_batch=micro_batch,
    )
    y = torch.arange(8) % classes if classes else None
    batches = itertools.repeat(Batch(torch.randn(8, 3, 8, 8), y))
    for iteration in range(4):
        before = generator.path_length_mean.clone()
        stats = train_step(gan, batches)
        due = iteration % 2 == 0
        assert ("penalty/path_length" in stats) == due
        assert torch.equal(before, generator.path_length_mean) != due
        if due:
            assert stats["penalty/path_length"].shape == (4,)
        assert all(value.isfinite().all() for value in generator.state_dict().values())
    assert "path_length_mean" in generator.state_dict()
