"""Priors by their moments, the average by its half-life, schedules by the numbers of 2014."""

from __future__ import annotations

import copy
import inspect
import math

import pytest
import torch
from torch import nn

from evenodds.ema import EMA
from evenodds.latents import PRIORS, Normal, Sphere, Uniform
from evenodds.schedules import SCHEDULES, Constant, Cosine, Exponential, Linear

N = 40_000
# variance and fourth moment of one coordinate, L = 8
MOMENTS = {
    "normal": (1.0, 3.0),
    "uniform": (1.0, 9 / 5),  # bound √3: b²/3 and b⁴/5
    "sphere": (1 / 8, 3 / (8 * 10)),  # 1/L and 3 / (L (L + 2))
}


def test_every_prior_has_its_moments_here():
    assert set(MOMENTS) == set(PRIORS)


@pytest.mark.parametrize("name", PRIORS)
def test_moments(name):
    z = PRIORS[name](dim=8)(N, generator=torch.Generator().manual_seed(0)).double()
    variance, fourth = MOMENTS[name]
    assert z.shape == (N, 8)
    # five standard errors of each estimate over all 8 N coordinates, two-sided
    mean_error = math.sqrt(variance / (8 * N))
    square_error = math.sqrt((fourth - variance**2) / N)  # the squares on a sphere are dependent: N, not 8 N
    assert abs(z.mean().item()) < 5 * mean_error
    assert abs(z.square().mean().item() - variance) < 5 * square_error
    assert z.pow(4).mean().item() == pytest.approx(fourth, rel=0.05)
    covariance = z.T @ z / N
    off = covariance - torch.diag(covariance.diagonal())
    assert off.abs().max() < 6 * variance / math.sqrt(N)


@pytest.mark.parametrize("name", PRIORS)
def test_the_same_generator_state_gives_the_same_draw_and_leaves_the_global_one_alone(name):
    prior = PRIORS[name](dim=5)
    before = torch.get_rng_state()
    one, other = (prior(7, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.equal(one, prior(7, generator=torch.Generator().manual_seed(4)))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(5)
    drawn = prior(7)
    torch.manual_seed(5)
    assert torch.equal(drawn, prior(7))
    assert drawn.dtype == torch.float32
    assert not torch.equal(drawn, prior(7))


@pytest.mark.parametrize("bound", [math.sqrt(3), 1.0, 0.25])
def test_uniform_fills_its_bounds(bound):
    z = Uniform(dim=4, bound=bound)(N)
    assert -bound <= z.min() < -0.999 * bound
    assert 0.999 * bound < z.max() <= bound


def test_the_default_uniform_is_that_of_2014():
    assert Uniform().bound == pytest.approx(1.7320508, abs=1e-7)
    assert (Uniform().dim, Normal().dim, Sphere().dim) == (100, 100, 100)


@pytest.mark.parametrize("dim", [2, 100])
def test_sphere_has_unit_norm(dim):
    norms = Sphere(dim=dim)(1000).norm(dim=1)
    assert (norms - 1).abs().max() < 1e-5


# ---- EMA


def scalar(value: float) -> nn.Module:
    network = nn.Linear(1, 1, bias=False).double()
    network.weight.data.fill_(value)
    return network


def test_after_the_half_life_an_old_weight_counts_half():
    average, moved = EMA(scalar(8.0), half_life=1000), scalar(0.0)
    for expected in (4.0, 2.0, 1.0):
        for _ in range(10):
            average.update(moved, examples=100)
        assert average.generator.weight.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("batch", [1, 7, 64, 640])
def test_does_not_depend_on_the_batch_size(batch):
    average, moved = EMA(scalar(1.0), half_life=300), scalar(0.0)
    for _ in range(4480 // batch):  # 4480 is a multiple of every batch here
        average.update(moved, examples=batch)
    assert average.generator.weight.item() == pytest.approx(0.5 ** (4480 / 300), rel=1e-9)


def test_the_weights_of_a_moving_generator_by_the_sum_written_out():
    half_life, values = 50.0, [3.0, -1.0, 4.0, 1.5]
    average, decay = EMA(scalar(2.0), half_life), 0.5 ** (20 / half_life)
    for value in values:
        average.update(scalar(value), examples=20)
    expected = decay**4 * 2.0 + sum((1 - decay) * decay ** (3 - i) * v for i, v in enumerate(values))
    assert average.generator.weight.item() == pytest.approx(expected, rel=1e-12)


def test_half_life_zero_is_a_plain_copy():
    generator = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = EMA(generator, half_life=0)
    nn.init.constant_(generator[0].weight, 5.0)
    generator(torch.randn(9, 2))
    average.update(generator, examples=64)
    for name, value in generator.state_dict().items():
        assert torch.equal(average.generator.state_dict()[name], value), name
    assert average.generator[0].weight is not generator[0].weight


def test_batch_norm_statistics_are_copied_and_the_copy_is_for_evaluation():
    generator = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).train()
    average = EMA(generator, half_life=1000)
    weight = average.generator[0].weight.clone()
    generator(torch.randn(9, 2) + 3)
    average.update(generator, examples=64)
    assert torch.equal(average.generator[1].running_mean, generator[1].running_mean)
    assert average.generator[1].running_mean.abs().max() > 0
    assert average.generator[1].num_batches_tracked == 1
    assert torch.equal(average.generator[0].weight, weight)
    assert not any(module.training for module in average.generator.modules())
    assert not any(parameter.requires_grad for parameter in average.generator.parameters())
    assert generator.training
    assert all(parameter.requires_grad for parameter in generator.parameters())


# ---- schedules

EPOCH = 50_000  # MNIST training examples


def learning_rate_2014(updates: int) -> float:
    schedule = Exponential(start=0.1, factor=1 / 1.000004, per=100, minimum=1e-6)
    return schedule(100 * updates)


def test_learning_rate_of_2014():
    assert learning_rate_2014(0) == 0.1
    assert learning_rate_2014(1) == pytest.approx(0.1 / 1.000004, rel=1e-15)
    # 1000 epochs of 500 updates: × e⁻²
    assert learning_rate_2014(500_000) == pytest.approx(0.1 * math.exp(-2), rel=1e-5)
    # the floor: ln(1e5) / ln(1.000004) = 2,878,237 updates, epoch 5,757
    reached = math.log(1e5) / math.log(1.000004)
    assert reached == pytest.approx(2.88e6, rel=1e-3)
    assert learning_rate_2014(math.floor(reached) - 1) > 1e-6
    assert learning_rate_2014(math.ceil(reached)) == 1e-6
    assert learning_rate_2014(10**9) == 1e-6


@pytest.mark.parametrize(
    ("epoch", "momentum"),
    [
        (0, 0.5),
        (1, 0.5),
        (2, 0.5 + 0.2 / 249),
        (125.5, 0.5 + 0.2 * 124 / 249),
        (250, 0.7),
        (251, 0.7),
        (9999, 0.7),
    ],
)
def test_momentum_of_2014(epoch, momentum):
    # m(e) = 0.5 + 0.2 clip((e − 1) / 249, 0, 1), changed at the ends of epochs
    schedule = Linear(start=0.5, end=0.7, begin=EPOCH, until=250 * EPOCH, per=EPOCH)
    assert schedule(int(epoch * EPOCH)) == pytest.approx(momentum, abs=1e-12)


def test_linear_and_cosine_at_ends_and_middle():
    linear, cosine = Linear(start=2.0, end=-1.0, begin=100, until=300), Cosine(start=2.0, end=-1.0, until=400)
    assert [linear(n) for n in (0, 100, 150, 200, 300, 10**9)] == pytest.approx([2, 2, 1.25, 0.5, -1, -1])
    quarter = 2 - 3 * (1 - math.sqrt(0.5)) / 2
    assert [cosine(n) for n in (0, 100, 200, 400, 10**9)] == pytest.approx([2, quarter, 0.5, -1, -1])


def test_constant():
    assert {Constant(value=0.3)(n) for n in (0, 1, 10**9)} == {0.3}


def example_of(schedule: type) -> object:
    """One of them with whatever it requires: a float, or a number of training examples."""
    required = [p for p in inspect.signature(schedule).parameters.values() if p.default is p.empty]
    given = {
        p.name: 10_000 if p.annotation in (int, "int") else 0.5 + 0.25 * i for i, p in enumerate(required)
    }
    return schedule(**given)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_functions_of_the_examples_and_of_nothing_else(name):
    schedule = example_of(SCHEDULES[name])
    twin, points = copy.deepcopy(schedule), [0, 1, 777, 5000, 10_000, 10**8]
    forward = [schedule(n) for n in points]
    backward = [schedule(n) for n in reversed(points)][::-1]
    assert forward == backward == [twin(n) for n in points]
    assert schedule == twin
    assert all(isinstance(value, float) and math.isfinite(value) for value in forward)
