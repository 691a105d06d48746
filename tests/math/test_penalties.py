"""Penalties against gradients worked out by hand, finite differences, and their own definition over packs."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from evenodds.algorithm import GAN, Batch, train_step
from evenodds.latents import Normal
from evenodds.losses import LOSSES
from evenodds.networks.layers import Packed
from evenodds.penalties import PENALTIES, R1, R2, Scored, WassersteinGradientPenalty, WeightClip

DOUBLE = torch.float64
OF_D = [name for name, entry in PENALTIES.items() if not hasattr(entry, "of_generator")]
N, FEATURES = 8, 3


class Quadratic(nn.Module):
    """D(x) = ½ xᵀAx + bᵀx with a symmetric A, whose gradient is Ax + b."""

    def __init__(self, features: int = FEATURES) -> None:
        super().__init__()
        root = torch.randn(features, features, dtype=DOUBLE)
        self.a, self.b = nn.Parameter(root + root.T), nn.Parameter(torch.randn(features, dtype=DOUBLE))

    def forward(self, x, y=None):
        return ((x @ self.a) * x).sum(1) / 2 + x @ self.b

    def gradient(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ self.a + self.b).detach()


class Linear(nn.Module):
    """D(x) = wᵀx for samples of any shape."""

    def __init__(self, features: int = FEATURES) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(features, dtype=DOUBLE))

    def forward(self, x, y=None):
        return x.flatten(1) @ self.w


class Smooth(nn.Module):
    """Twice differentiable, so that finite differences of a penalty are exact enough."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(FEATURES, 5), nn.Tanh(), nn.Linear(5, 1)).double()

    def forward(self, x, y=None):
        return self.layers(x).squeeze(1)


def scored(discriminator: nn.Module, x: torch.Tensor) -> Scored:
    x = x.clone().requires_grad_()
    return Scored(x, None, discriminator(x))


def two_batches(shape: tuple[int, ...] = (FEATURES,)) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(N, *shape, dtype=DOUBLE), torch.randn(N, *shape, dtype=DOUBLE) + 1


def value_of(penalty, discriminator, real, fake):
    return penalty(discriminator, scored(discriminator, real), scored(discriminator, fake))


def test_r1_and_r2_of_a_quadratic_form():
    discriminator, (real, fake) = Quadratic(), two_batches()
    for penalty, x in ((R1(), real), (R2(), fake)):
        expected = discriminator.gradient(x).square().sum(1) / 2
        found = value_of(penalty, discriminator, real, fake)
        assert found.shape == (N,)
        assert found.detach() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", [(FEATURES,), (1, 3, 1)])
def test_wgan_gp_of_a_linear_critic_is_exact_whatever_is_drawn(shape):
    discriminator, (real, fake) = Linear(), two_batches(shape)
    expected = (discriminator.w.norm().item() - 1) ** 2
    found = value_of(WassersteinGradientPenalty(), discriminator, real, fake)
    assert found.detach() == pytest.approx(torch.full((N,), expected, dtype=DOUBLE), rel=1e-12)


def test_wgan_gp_looks_between_real_and_fake_evenly():
    seen = []

    class Spy(Linear):
        def forward(self, x, y=None):
            seen.append(x.detach().clone())
            return super().forward(x, y)

    discriminator, n = Spy(), 20_000
    real, fake = torch.zeros(n, FEATURES, dtype=DOUBLE), torch.ones(n, FEATURES, dtype=DOUBLE)
    value_of(WassersteinGradientPenalty(), discriminator, real, fake)
    share = seen[-1]  # of the way from real to fake, since these are 0 and 1
    assert torch.equal(share[:, :1].expand(-1, FEATURES), share)  # on the line, one share per example
    assert 0 <= share.min() < share.max() <= 1
    # the mean of n uniform values is ½ ± 1/√(12 n)
    assert abs(share[:, 0].mean().item() - 0.5) < 4 * (12 * n) ** -0.5
    assert share[:, 0].var().item() == pytest.approx(1 / 12, abs=0.002)


def test_wgan_gp_of_a_constant_critic_is_one_and_leaves_no_nan():
    discriminator, (real, fake) = Linear(), two_batches()
    discriminator.w.data.zero_()
    found = value_of(WassersteinGradientPenalty(), discriminator, real, fake)
    assert found.detach() == pytest.approx(torch.ones(N, dtype=DOUBLE), abs=1e-10)
    (gradient,) = torch.autograd.grad(found.mean(), discriminator.w)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", OF_D)
def test_gradients_for_the_weights_by_finite_differences(name):
    penalty, discriminator, (real, fake) = PENALTIES[name](), Smooth(), two_batches()

    def mean() -> torch.Tensor | None:
        torch.manual_seed(3)  # the same points between real and fake every time
        value = value_of(penalty, discriminator, real, fake)
        return None if value is None else value.mean()

    if mean() is None:
        # not a term: then it has to be a constraint, which moves some weight
        with torch.no_grad():
            before = [weight.mul_(100).clone() for weight in discriminator.parameters()]
        penalty.project(discriminator)
        after = discriminator.parameters()
        assert any(not torch.equal(b, a) for b, a in zip(before, after, strict=True))
        return
    weights = list(discriminator.parameters())
    gradients = torch.autograd.grad(mean(), weights, allow_unused=True)
    largest = 0.0
    for weight, gradient in zip(weights, gradients, strict=True):
        for index in itertools.product(*map(range, weight.shape)):
            h, at = 1e-6, weight.data[index].item()
            weight.data[index] = at + h
            above = mean().item()
            weight.data[index] = at - h
            below = mean().item()
            weight.data[index] = at
            slope = 0.0 if gradient is None else gradient[index].item()
            assert slope == pytest.approx((above - below) / (2 * h), rel=1e-5, abs=1e-8)
            largest = max(largest, abs(slope))
    assert largest > 1e-3  # else the comparison was of zeros


@pytest.mark.parametrize("size", [2, 4])
def test_packs_have_one_gradient_each(size):
    inner = Quadratic(size * FEATURES)
    discriminator, (real, fake) = Packed(inner, size), two_batches()
    for penalty, x in ((R1(), real), (R2(), fake)):
        expected = inner.gradient(x.reshape(N // size, -1)).square().sum(1) / 2
        found = value_of(penalty, discriminator, real, fake)
        assert found.detach() == pytest.approx(expected, rel=1e-12)


def test_wgan_gp_moves_a_pack_as_one():
    inner = Quadratic(2 * FEATURES)
    discriminator, (real, fake) = Packed(inner, 2), two_batches()
    torch.manual_seed(5)
    share = torch.rand(N // 2, dtype=DOUBLE)[:, None]
    between = (1 - share) * real.reshape(N // 2, -1) + share * fake.reshape(N // 2, -1)
    expected = (inner.gradient(between).norm(dim=1) - 1).square()
    torch.manual_seed(5)
    found = value_of(WassersteinGradientPenalty(), discriminator, real, fake)
    assert found.detach() == pytest.approx(expected, rel=1e-10)


def test_weight_clip_keeps_the_bound_and_only_that():
    discriminator = Linear(4)
    discriminator.w.data.copy_(torch.tensor([-3.0, -0.02, 0.03, 0.5], dtype=DOUBLE))
    WeightClip(bound=0.1).project(discriminator)
    assert discriminator.w.detach() == pytest.approx(
        torch.tensor([-0.1, -0.02, 0.03, 0.1], dtype=DOUBLE), abs=1e-15
    )


def test_weight_clip_part_of_the_way():
    discriminator = Linear(2)
    discriminator.w.data.copy_(torch.tensor([1.0, -0.3], dtype=DOUBLE))
    WeightClip(bound=0.2, weight=0.5).project(discriminator)
    assert discriminator.w.detach() == pytest.approx(torch.tensor([0.6, -0.25], dtype=DOUBLE), abs=1e-15)


class Shift(nn.Module):
    """G(z) = the same point for every z."""

    def __init__(self) -> None:
        super().__init__()
        self.point = nn.Parameter(torch.linspace(0.2, 0.7, FEATURES, dtype=DOUBLE))

    def forward(self, z, y=None):
        return self.point.expand(len(z), FEATURES)


class Recorder(torch.optim.SGD):
    """Keeps every gradient it is given, and moves nothing."""

    def __init__(self, parameters) -> None:
        super().__init__(parameters, lr=0.0)
        self.seen: list[torch.Tensor] = []

    def step(self, closure=None):
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        self.seen.append(torch.cat([g.flatten().clone() for g in gradients if g is not None]))


def gradients_of_d(discriminator, penalties, *, steps=1, critic_steps=1, micro_batch=None) -> torch.Tensor:
    """D's gradient at each of its steps, nobody moving: (steps, weights)."""
    generator, recorder = Shift(), Recorder(discriminator.parameters())
    gan = GAN(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=torch.optim.SGD(generator.parameters(), lr=0.0),
        discriminator_optimizer=recorder,
        prior=Normal(dim=2),
        loss=LOSSES["minimax"],
        penalties=penalties,
        critic_steps=critic_steps,
        micro_batch=micro_batch,
    )
    real = torch.linspace(-1, 1, N * FEATURES, dtype=DOUBLE).view(N, FEATURES)
    for _ in range(steps // critic_steps):
        train_step(gan, itertools.repeat(Batch(real)))
    return torch.stack(recorder.seen)


TERMS = [name for name in OF_D if name != "weight_clip"]


@pytest.mark.parametrize(("every", "critic_steps"), [(4, 1), (3, 2), (2, 4)])
@pytest.mark.parametrize("name", TERMS)
def test_lazy_penalties_have_the_same_mean_strength(name, every, critic_steps):
    discriminator = Linear()  # of which every penalty is the same whatever is drawn
    steps = every * critic_steps
    plain = gradients_of_d(discriminator, {})[0]
    always = gradients_of_d(discriminator, {name: PENALTIES[name](weight=0.3)})[0]
    lazy = {name: PENALTIES[name](weight=0.3, every=every)}
    seen = gradients_of_d(discriminator, lazy, steps=steps, critic_steps=critic_steps)
    assert seen.mean(0) == pytest.approx(always, rel=1e-12)
    due = (seen - plain).abs().max(1).values > 1e-9
    assert due.tolist() == [step % every == 0 for step in range(steps)]


@pytest.mark.parametrize("micro_batch", [1, 3, N, 100])
@pytest.mark.parametrize("name", TERMS)
def test_penalties_under_micro_batches(name, micro_batch):
    # R1 and R2 depend on no draw; of a linear D, neither does WGAN-GP
    discriminator = Linear() if name == "wgan_gp" else Quadratic()
    penalties = {name: PENALTIES[name](weight=2.0)}
    whole = gradients_of_d(discriminator, penalties)
    parts = gradients_of_d(discriminator, penalties, micro_batch=micro_batch)
    assert parts == pytest.approx(whole, rel=1e-12, abs=1e-13)
    assert not torch.allclose(whole, gradients_of_d(discriminator, {}))


def test_several_penalties_add_up():
    discriminator = Quadratic()
    plain = gradients_of_d(discriminator, {})
    each = [gradients_of_d(discriminator, {"one": penalty}) - plain for penalty in (R1(), R2(weight=3.0))]
    both = gradients_of_d(discriminator, {"r1": R1(), "r2": R2(weight=3.0)}) - plain
    assert both == pytest.approx(each[0] + each[1], rel=1e-10, abs=1e-12)


def test_clipping_happens_after_the_update_and_only_when_due():
    discriminator, generator = Linear(), Shift()
    gan = GAN(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=torch.optim.SGD(generator.parameters(), lr=0.1),
        discriminator_optimizer=torch.optim.SGD(discriminator.parameters(), lr=1.0),
        prior=Normal(dim=2),
        loss=LOSSES["wasserstein"],
        penalties={"weight_clip": WeightClip(bound=0.05, every=2)},
    )
    largest = []
    for _ in range(4):
        train_step(gan, itertools.repeat(Batch(torch.full((N, FEATURES), 5.0, dtype=DOUBLE))))
        largest.append(discriminator.w.abs().max().item())
    assert largest[0] == largest[2] == 0.05
    assert largest[1] > 0.05
    assert largest[3] > 0.05
