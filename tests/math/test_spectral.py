"""Spectral normalization against the singular value decomposition and PyTorch's own."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from evenodds.algorithm import GAN, Batch, train_step
from evenodds.latents import Normal
from evenodds.losses import LOSSES
from evenodds.networks.mlp import MLPGenerator
from evenodds.networks.spectral import SpectralConv, SpectralLinear, SpectralNorm


def layers() -> list:
    torch.manual_seed(0)
    return [
        (SpectralLinear(7, 5), torch.randn(3, 7)),
        (SpectralConv(4, 6, 3), torch.randn(2, 4, 5, 5)),
        (SpectralConv(4, 6, 1), torch.randn(2, 4, 5, 5)),
    ]


def largest_singular_value(weight: torch.Tensor) -> float:
    return torch.linalg.matrix_norm(weight.detach().double().flatten(1), ord=2).item()


@pytest.mark.parametrize(("layer", "x"), layers())
def test_after_many_steps_the_largest_singular_value_is_one(layer, x):
    for _ in range(200):
        layer(x)
    assert largest_singular_value(layer.norm(layer.weight)) == pytest.approx(1, abs=1e-3)
    with torch.no_grad():
        layer.weight.mul_(17)
    assert largest_singular_value(layer.norm(layer.weight)) == pytest.approx(1, abs=1e-3)


def test_u_and_v_are_the_singular_vectors():
    weight = torch.randn(6, 9)
    norm = SpectralNorm(weight)
    for _ in range(500):
        norm(weight)
    u, _, vh = torch.linalg.svd(weight)
    assert abs(norm.u @ u[:, 0]).item() == pytest.approx(1, abs=1e-4)
    assert abs(norm.v @ vh[0]).item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("case", range(3))
def test_equals_pytorchs_own_step_by_step(case):
    """Outputs and gradients, while an optimizer moves the weights."""
    ours, x = layers()[case]
    bare = nn.Linear(7, 5) if x.ndim == 2 else nn.Conv2d(4, 6, ours.weight.shape[-1], padding="same")
    with torch.no_grad():
        bare.weight.copy_(ours.weight)
        bare.bias.copy_(ours.bias)
    theirs = spectral_norm(bare)
    state = theirs.parametrizations.weight[0]
    state._u.copy_(ours.norm.u)
    state._v.copy_(ours.norm.v)
    optimizers = [torch.optim.SGD(network.parameters(), lr=0.5) for network in (ours, theirs)]
    first = ours.weight.detach().clone()
    for step in range(12):
        outputs = []
        if step == 8:
            ours.eval(), theirs.eval()
        for network, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            out = network(x)
            (out.square().mean() + out.mean()).backward()
            optimizer.step()
            outputs.append(out)
        assert torch.allclose(*outputs, atol=1e-6), step
        assert torch.allclose(ours.norm.u, state._u, atol=1e-6)
        assert torch.allclose(ours.weight, theirs.parametrizations.weight.original, atol=1e-6)
    assert (ours.weight - first).abs().max() > 0.01  # it did move


def test_a_training_pass_is_one_power_iteration():
    weight = torch.randn(5, 8)
    norm = SpectralNorm(weight)
    for _ in range(3):
        u = weight @ norm.v
        u /= u.norm()
        v = weight.T @ u
        v /= v.norm()
        norm(weight)
        assert torch.allclose(norm.u, u, atol=1e-6)
        assert torch.allclose(norm.v, v, atol=1e-6)


def test_evaluation_changes_nothing():
    layer, x = layers()[1]
    before = copy.deepcopy(layer.state_dict())
    layer.eval()
    assert torch.equal(layer(x), layer(x))
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    layer.train()(x)
    assert not torch.equal(layer.norm.u, before["norm.u"])


def test_u_and_v_are_constants_of_the_gradient():
    """Miyato et al. (2018), section 2.3, twice; by finite differences in float64."""
    weight = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    norm = SpectralNorm(weight).eval()
    assert torch.autograd.gradcheck(norm, weight)
    assert torch.autograd.gradgradcheck(norm, weight)


def test_several_forward_passes_before_one_backward_pass():
    """The sum's gradient is the gradients' sum, though u and v have moved on in between."""
    together, x = layers()[1]
    apart = copy.deepcopy(together)
    (together(x).square().mean() + together(2 * x).pow(3).mean()).backward()
    apart(x).square().mean().backward()
    apart(2 * x).pow(3).mean().backward()
    assert torch.allclose(together.weight.grad, apart.weight.grad, atol=1e-6)
    assert together.weight.grad.abs().max() > 0


class SpectralJudge(nn.Module):
    """The smallest discriminator under spectral normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = SpectralLinear(2, 8), SpectralLinear(8, 1)

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        logits: torch.Tensor = self.last(self.first(x).relu()).squeeze(1)
        return logits


def play(iterations: int, micro_batch: int | None = None) -> GAN:
    torch.manual_seed(3)
    generator, discriminator = MLPGenerator(latent_dim=2, sample_shape=(2,), widths=(8,)), SpectralJudge()
    gan = GAN(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=torch.optim.SGD(generator.parameters(), lr=0.1),
        discriminator_optimizer=torch.optim.SGD(discriminator.parameters(), lr=0.1),
        prior=Normal(dim=2),
        loss=LOSSES["hinge"],
        micro_batch=micro_batch,
    )
    for _ in range(iterations):
        train_step(gan, itertools.repeat(Batch(torch.linspace(-1, 1, 16).view(8, 2))))
    return gan


def test_resumes_bit_for_bit():
    saved, other = play(3), play(0)
    other.discriminator.load_state_dict(copy.deepcopy(saved.discriminator.state_dict()))
    other.generator.load_state_dict(saved.generator.state_dict())
    batches = itertools.repeat(Batch(torch.linspace(-1, 1, 16).view(8, 2)))
    torch.manual_seed(11)
    for _ in range(3):
        train_step(other, batches)
    torch.manual_seed(11)
    for _ in range(3):
        train_step(saved, batches)
    for name, value in saved.discriminator.state_dict().items():
        assert torch.equal(value, other.discriminator.state_dict()[name]), name
    assert not torch.equal(saved.discriminator.first.norm.v, play(3).discriminator.first.norm.v)


def test_micro_batches_of_a_game():
    """Only u and v are further on; once they have converged, they change nothing."""
    gan = play(2, micro_batch=2)
    assert all(value.isfinite().all() for value in gan.discriminator.state_dict().values())
    judge, x = gan.discriminator, torch.randn(8, 2)
    for _ in range(300):
        judge(x)
    whole = torch.autograd.grad(judge(x).sum(), list(judge.parameters()))
    parts = [torch.autograd.grad(judge(part).sum(), list(judge.parameters())) for part in x.split(2)]
    for expected, *given in zip(whole, *parts, strict=True):
        assert torch.allclose(sum(given), expected, atol=1e-5)


def test_autocast_does_not_round_the_singular_value():
    weight = torch.randn(6, 9)
    one = SpectralNorm(weight)
    other = copy.deepcopy(one)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = one(weight)
    assert torch.equal(rounded, other(weight))


def test_weights_can_be_saved_and_copied():
    layer, _ = layers()[1]
    state = layer.state_dict()
    assert set(state) == {"weight", "bias", "norm.u", "norm.v"}
    assert len({value.untyped_storage().data_ptr() for value in state.values()}) == 4
    assert all(torch.equal(state[name], value) for name, value in copy.deepcopy(layer).state_dict().items())
