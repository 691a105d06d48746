"""From {name, options} to a component: unknown, missing and impossible values are one sentence."""

from __future__ import annotations

import pytest
import torch
from tiny_runs import RING, digits, one_sentence, tiny

from evenodds.build import build, build_gan
from evenodds.components import build_loss, build_optimizer, build_penalty
from evenodds.data import sources
from evenodds.data.sources import DATASETS, ring
from evenodds.errors import ConfigError
from evenodds.networks.layers import Packed
from evenodds.penalties import R1

CPU = torch.device("cpu")
UNIT = sources.digits(value_range=(0, 1))


def refused(*assignments: str, base=None, dataset=None) -> str:
    config = tiny(*assignments, **({"base": base} if base else {}))
    with pytest.raises(ConfigError) as caught:
        build_gan(config, dataset or digits(), CPU)
    assert one_sentence(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("assignment", "parts"),
    [
        ("generator.network=mpl", ("unknown generator 'mpl'", "'mlp'")),
        ("discriminator.network=mpl", ("unknown discriminator 'mpl'", "'mlp'")),
        ("generator.optimizer=adamm", ("unknown optimizer 'adamm'", "'adam'")),
        ("generator.optimizer={name: adam, learning_rate: {name: cosin}}", ("unknown schedule", "'cosine'")),
        ("prior=norma", ("unknown prior 'norma'", "'normal'")),
        ("loss=hing", ("unknown loss 'hing'", "'hinge'")),
        ("penalties.r3={}", ("unknown penalty 'r3'", "choose one of: ", "r1, r2, ")),
        ("generator.network.widht=5", ("generator 'mlp' has no option 'widht'", "'widths'")),
        ("discriminator.network.dropuot=0.5", ("discriminator 'mlp' has no option 'dropuot'", "'dropout'")),
        ("generator.optimizer.lr=1", ("optimizer 'adam' has no option 'lr'",)),
        ("prior.dims=5", ("prior 'normal' has no option 'dims'", "'dim'")),
        ("loss.generatorscale=2", ("loss 'non_saturating' has no option", "'generator_scale'")),
        ("penalties.r1.wieght=2", ("penalty 'r1' has no option 'wieght'", "'weight'")),
        ("penalties.r1.name=r2", ("penalty 'r1' has no option 'name'",)),
        (
            "generator.optimizer.learning_rate={name: linear, start: 1, end: 0}",
            ("schedule 'linear' needs", "'until'"),
        ),
        (
            "generator.optimizer.learning_rate={name: cosine, start: 1, end: 0, untli: 5}",
            ("'untli'", "'until'"),
        ),
        # set by the data or the config, not by options
        ("generator.network.latent_dim=5", ("has no option 'latent_dim'",)),
        ("generator.network.sample_shape=[5]", ("has no option 'sample_shape'",)),
        ("discriminator.network.classes=5", ("has no option 'classes'",)),
        # of another type
        ("generator.network.widths=abc", ("widths = 'abc'",)),
        ("generator.network.widths=[a]", ("widths = ['a']",)),
        ("generator.network.widths=[1.5]", ("widths = [1.5]",)),
        ("generator.network.widths=5", ("widths = 5",)),
        ("generator.network.batch_norm=1", ("batch_norm = 1",)),
        ("generator.network.output=5", ("output = 5",)),
        ("discriminator.network.dropout=half", ("dropout = 'half'",)),
        ("discriminator.network.dropout=true", ("dropout = True",)),
        ("discriminator.network.maxout=2.5", ("maxout = 2.5",)),
        ("prior.dim=five", ("dim = 'five'",)),
        ("prior.dim=2.5", ("dim = 2.5",)),
        ("prior.dim=[5]", ("dim = [5]",)),
        ("generator.optimizer.learning_rate=fast", ("learning_rate = 'fast'",)),
        ("generator.optimizer.learning_rate=null", ("learning_rate = None",)),
        ("generator.optimizer.epsilon={name: constant, value: 1}", ("epsilon = ",)),
        ("loss.generator_scale=two", ("generator_scale = 'two'",)),
        ("penalties.r1.weight=heavy", ("weight = 'heavy'",)),
        ("penalties.r1.every=1.5", ("every = 1.5",)),
        # out of range
        ("generator.network.widths=[]", ("generator 'mlp'",)),
        ("generator.network.widths=[-5]", ("generator 'mlp'",)),
        ("generator.network.output=softmax", ("'softmax'", "tanh")),
        ("discriminator.network.dropout=1.5", ("dropout", "1.5")),
        ("discriminator.network.dropout=-0.5", ("dropout", "-0.5")),
        ("discriminator.network.dropout=1", ("dropout",)),
        ("discriminator.network.widths=[1000000000000000000]", ("discriminator 'mlp'",)),
        ("prior.dim=-3", ("dim=-3", "at least 1")),
        ("prior.dim=0", ("dim=0", "at least 1")),
        ("penalties.r1.weight=-1", ("weight=-1",)),
        ("penalties.r1.every=0", ("every=0",)),
        ("generator.optimizer.learning_rate=-1", ("learning_rate is -1",)),
        ("generator.optimizer.beta1=1", ("beta1 is 1", "below 1")),
        ("generator.optimizer.beta2=-0.1", ("beta2 is -0.1",)),
        ("generator.optimizer.epsilon=-1", ("epsilon is -1",)),
        ("generator.optimizer={name: sgd, momentum: 1}", ("momentum is 1",)),
        ("generator.optimizer={name: sgd, learning_rate: -1}", ("learning_rate is -1",)),
        ("generator.optimizer={name: rmsprop, smoothing: 2}", ("smoothing is 2",)),
        ("generator.optimizer={name: rmsprop, learning_rate: -2}", ("learning_rate is -2",)),
        ("generator.optimizer.learning_rate={name: constant, value: -1}", ("learning_rate is -1",)),
        (
            "generator.optimizer.learning_rate={name: cosine, start: 1, end: 0, until: 0}",
            ("schedule of learning_rate has no value after 0",),
        ),
        (
            "generator.optimizer.learning_rate={name: exponential, start: 1, factor: 1, per: 0}",
            ("schedule of learning_rate has no value after 0",),
        ),
    ],
)
def test_refused(assignment, parts):
    said = refused(assignment)
    assert all(part in said for part in parts), said


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ({"name": "digitz"}, ("unknown data set", "'digits'")),
        ({"name": "ring", "mode": 5}, ("has no option 'mode'", "'modes'")),
        ({"name": "ring", "modes": "8"}, ("modes = '8'",)),
        ({"name": "ring", "modes": 0}, ("modes",)),
        ({"name": "ring", "seed": -1}, ("seed=-1",)),
        ({"name": "array"}, ("needs the option 'path'",)),
        ({"name": "digits", "value_range": "x"}, ("value_range",)),
        ({"name": "digits", "value_range": [1]}, ("value_range",)),
    ],
)
def test_refused_data(spec, parts):
    with pytest.raises(ConfigError) as caught:
        build("data set", DATASETS, spec)
    assert one_sentence(caught.value, *parts)


@pytest.mark.parametrize(
    ("weight", "parts"),
    [
        ("{name: cosine, start: 1, end: 0, until: 0}", ("'r1'", "no value after 0 examples", "until")),
        ("{name: cosinus}", ("unknown schedule 'cosinus'", "'cosine'")),
        ("{name: constant, value: -1}", ("'r1'", "is -1")),
    ],
)
def test_refused_schedules_of_a_penalty(weight, parts):
    said = refused(f"penalties.r1.weight={weight}")
    assert all(part in said for part in parts), said


def test_a_penalty_whose_weight_leaves_its_range():
    gan, rules = build_gan(
        tiny("penalties.r1.weight={name: linear, start: 1, end: -1, until: 40}"), digits(), CPU
    )
    assert gan.penalties["r1"].weight == 1
    rules.apply(gan, 10, 0)
    assert gan.penalties["r1"].weight == 0.5
    with pytest.raises(ConfigError) as caught:
        rules.apply(gan, 30, 20)
    assert one_sentence(caught.value, "'r1'", "-0.5 after 30 examples")


def test_labels_that_are_not_there():
    said = refused("conditional=true", base=RING, dataset=ring())
    assert "ring has none" in said
    assert "conditional=false" in said


def test_networks_that_take_no_labels():
    for player in ("generator", "discriminator"):
        said = refused("conditional=true", f"{player}.network=goodfellow2014", dataset=UNIT)
        assert f"{player} 'goodfellow2014' takes no class labels" in said


def test_the_mean_of_the_data_is_no_option():
    assert "has no option 'data_mean'" in refused(
        "generator.network={name: goodfellow2014, data_mean: 5}", dataset=UNIT
    )


def test_a_generator_of_another_range():
    said = refused("generator.network=goodfellow2014")
    assert "data.value_range=[0,1]" in said


def test_the_marginal_bias_is_that_of_the_data():
    gan, _ = build_gan(tiny("generator.network=goodfellow2014"), UNIT, CPU)
    mean = torch.from_numpy(digits().train.x.reshape(-1, 64)).double().mean(0) / 255
    inside = (mean > 1e-6) & (mean < 1 - 1e-6)
    found = gan.generator.output.bias.double().sigmoid()
    torch.testing.assert_close(found[inside], mean[inside], rtol=1e-5, atol=1e-7)


def test_options_arrive():
    config = tiny(
        "generator.network.widths=[3, 5]",
        "discriminator.network.widths=[7]",
        "prior={name: uniform, dim: 4, bound: 2}",
        "penalties.r1={weight: 3, every: 2}",
        "packing=2",
        "critic_steps=3",
        "simultaneous=true",
        "micro_batch=4",
    )
    gan, rules = build_gan(config, digits(), CPU)
    assert [layer[0].out_features for layer in gan.generator.hidden] == [3, 5]
    assert gan.generator.last.out_features == 64
    assert isinstance(gan.discriminator, Packed)
    assert gan.discriminator.size == 2
    assert gan.discriminator.discriminator.layers[0].in_features == 128
    assert gan.prior.dim == 4
    assert gan.prior.bound == 2
    assert gan.penalties == {"r1": R1(weight=3, every=2)}
    assert (gan.critic_steps, gan.simultaneous, gan.micro_batch) == (3, True, 4)
    assert rules[0].learning_rate == 1e-3


def test_the_rules_are_the_players_own():
    config = tiny("generator.optimizer.learning_rate=0.5", "discriminator.optimizer.learning_rate=0.25")
    gan, rules = build_gan(config, digits(), CPU)
    rules[0].set_rates(gan.discriminator_optimizer, 0, 0)
    rules[1].set_rates(gan.generator_optimizer, 0, 0)
    assert gan.discriminator_optimizer.param_groups[0]["lr"] == 0.25
    assert gan.generator_optimizer.param_groups[0]["lr"] == 0.5
    assert gan.generator_optimizer.param_groups[0]["params"] == list(gan.generator.parameters())


def test_scaled_losses():
    real, fake = torch.tensor([0.5, -1.0]), torch.tensor([2.0, 0.0])
    plain = build_loss({"name": "hinge"})
    scaled = build_loss({"name": "hinge", "discriminator_scale": 0.5, "generator_scale": 3})
    torch.testing.assert_close(scaled.discriminator(real, fake), plain.discriminator(real, fake) / 2)
    torch.testing.assert_close(scaled.generator(real, fake), plain.generator(real, fake) * 3)


def test_penalties_by_name():
    assert build_penalty("r1", {"weight": 2}) == R1(weight=2)


def minimum_of(optimizer_spec: dict, steps: int) -> list[float]:
    """w after each step on the loss w, whose gradient is 1 everywhere."""
    rule, weight = build_optimizer(optimizer_spec), torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer, path = rule.optimizer([weight]), []
    for step in range(steps):
        rule.set_rates(optimizer, step * 10, max(step * 10 - 10, 0))
        optimizer.zero_grad()
        weight.sum().backward()
        optimizer.step()
        path.append(float(weight.detach()))
    return path


def test_sgd_with_schedules_by_hand():
    """v ← m·v − lr·g, w ← w + v, with the rates of each update's own examples."""
    spec = {
        "name": "sgd",
        "learning_rate": {"name": "exponential", "start": 0.5, "factor": 0.5, "per": 10},
        "momentum": {"name": "linear", "start": 0.5, "end": 0.9, "begin": 0, "until": 40},
    }
    velocity = weight = 0.0
    expected = []
    for step in range(6):
        rate, momentum = 0.5 * 0.5**step, 0.5 + 0.1 * min(step, 4)
        velocity = momentum * velocity - rate
        weight += velocity
        expected.append(weight)
    assert minimum_of(spec, 6) == pytest.approx(expected, rel=1e-12)


def test_a_rate_of_0_stands_still():
    """It used to divide by it."""
    schedule = {"name": "linear", "start": 1.0, "end": 0.0, "until": 20}
    path = minimum_of({"name": "sgd", "learning_rate": schedule, "momentum": 0.5}, 5)
    assert path == pytest.approx([-1.0, -2.0, -2.0, -2.0, -2.0], rel=1e-12)


def test_adam_with_a_constant_gradient():
    """Its first steps are lr in size, whatever the gradient (Kingma and Ba 2015, section 2.1)."""
    path = minimum_of({"name": "adam", "learning_rate": 0.125, "epsilon": 1e-12}, 3)
    assert path == pytest.approx([-0.125, -0.25, -0.375], rel=1e-9)


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_a_schedule_that_leaves_its_range_is_refused_when_it_does(name):
    schedule = {"name": "linear", "start": 1.0, "end": -1.0, "until": 40}
    with pytest.raises(ConfigError) as caught:
        minimum_of({"name": name, "learning_rate": schedule}, 5)
    assert one_sentence(caught.value, "learning_rate is -0.5 after 30 examples")
