"""Augmentation in runs: p follows D's over-fitting or its schedule, is recorded, and survives a resume."""

from __future__ import annotations

import pytest
import torch
from tiny_runs import BATCH, DIGITS, assert_same_run, digits, last_state, metrics, one_sentence, tiny, train

from evenodds.adaptation import Adaptation
from evenodds.augment import ADA, Pipeline
from evenodds.build import build_gan
from evenodds.errors import ConfigError
from evenodds.opening import open_run

CPU = torch.device("cpu")
ADAPTIVE = (
    "augment.name=ada",
    "augment.probability=0.3",
    f"augment.every={2 * BATCH}",
    f"augment.ramp={20 * BATCH}",
)


def game(*assignments):
    gan, rules = build_gan(tiny(*assignments), digits(), CPU)
    return gan, rules.augment


@pytest.mark.parametrize("signal", ["held_out", "sign"])
def test_resumed_is_uninterrupted(tmp_path, signal):
    config = tiny(*ADAPTIVE, f"augment.signal={signal}")
    train(config, tmp_path / "straight")
    for iterations in (1, 4, None):
        train(config, tmp_path / "resumed", iterations)
    assert_same_run(tmp_path / "straight", tmp_path / "resumed")
    tensors, _ = last_state(tmp_path / "straight")
    assert tensors["augment/pipeline.probability"].item() != 0.3


def test_p_moves_by_examples_and_is_recorded(tmp_path):
    """12 minibatches, looked at before each: at 2, 4, 6, 8 and 10, each a tenth of the ramp."""
    train(tiny(*ADAPTIVE), tmp_path)
    lines = metrics(tmp_path)
    p = [0.3] + [line["augment/probability"] for line in lines]
    looks = [1, 1, 1, 2]  # before the reports after 4, 6, 8 and 12 minibatches
    for before, after, count in zip(p[:-1], p[1:], looks, strict=True):
        possible = [max(min(before + 0.1 * n, 1.0), 0.0) for n in range(-count, count + 1)]
        assert min(abs(after - one) for one in possible) < 1e-9
    assert all("augment/overfit" in line for line in lines)


class Logits(torch.nn.Module):
    """D whose logit is an example's first pixel, so that a data set decides what it knows."""

    def forward(self, x, y=None):
        return x[:, 0, 0, 0]


def told_apart(train_pixel, held_out_pixel):
    """The probability after one look by a D that says so of both splits, and 0 of samples."""
    data = digits()
    for split, pixel in ((data.train, train_pixel), (data.validation, held_out_pixel)):
        split.x[:, 0, 0, 0] = pixel
    gan, _ = build_gan(tiny(*ADAPTIVE, "augment.transformations=[]"), data, CPU)
    gan.discriminator, gan.generator = WithWeight(Logits()), WithWeight(Zeros())
    Adaptation(tiny(*ADAPTIVE), data)(gan, 2 * BATCH, BATCH)
    return gan.augment


class Zeros(torch.nn.Module):
    def forward(self, z, y=None):
        return torch.zeros(len(z), *digits().sample_shape)


class WithWeight(torch.nn.Module):
    """Has a weight, by which its device is known."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.weight = inner, torch.nn.Parameter(torch.zeros(()))

    def forward(self, *inputs):
        return self.inner(*inputs)


@pytest.mark.parametrize(
    "held_out, ratio, p", [(255, 0.0, 0.2), (204, 0.4, 0.2), (140, 0.902, 0.4), (128, 0.996, 0.4)]
)
def test_the_ratio_is_of_what_d_says_of_each_split(held_out, ratio, p):
    """Pixels in [−1, 1]: 255 is 1, 204 is 0.6; (1 − 0.6) / (1 − 0) = 0.4 is less than the target 0.6."""
    augment = told_apart(255, held_out)
    assert augment.overfitting.item() == pytest.approx(ratio, abs=1e-3)
    assert augment.probability == pytest.approx(p)


def test_nothing_is_measured_in_between():
    gan, follow = game(*ADAPTIVE)
    state = torch.get_rng_state()
    follow(gan, 3 * BATCH, 2 * BATCH)
    follow(gan, 0, 0)
    assert torch.equal(torch.get_rng_state(), state)
    follow(gan, 4 * BATCH, 3 * BATCH)
    assert not torch.equal(torch.get_rng_state(), state)


def test_measuring_leaves_the_players_as_they_are():
    gan, follow = game(*ADAPTIVE)
    before = {**gan.discriminator.state_dict(), **gan.generator.state_dict()}
    before = {name: value.clone() for name, value in before.items()}
    follow(gan, 2 * BATCH, BATCH)
    after = {**gan.discriminator.state_dict(), **gan.generator.state_dict()}
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert gan.discriminator.training
    assert all(weight.grad is None for weight in gan.discriminator.parameters())


def test_a_scheduled_probability(tmp_path):
    schedule = f"{{name: linear, start: 0, end: 0.5, until: {10 * BATCH}}}"
    config = tiny("augment.name=r3gan", f"augment.probability={schedule}")
    train(config, tmp_path)
    # set before the iteration that ends with the report: after 3, 5, 7 and 11 minibatches
    found = [line["augment/probability"] for line in metrics(tmp_path)]
    assert found == pytest.approx([0.15, 0.25, 0.35, 0.5])
    assert not any("augment/overfit" in line for line in metrics(tmp_path))


def test_an_opened_run_has_its_probability(tmp_path):
    train(tiny(*ADAPTIVE), tmp_path)
    tensors, _ = last_state(tmp_path)
    augment = open_run(tmp_path).gan.augment
    assert isinstance(augment, ADA)
    assert augment.probability == tensors["augment/pipeline.probability"].item()


def test_without_augmentation_nothing_changes(tmp_path):
    gan, follow = game()
    assert follow is None
    train(tiny(), tmp_path)
    assert not any(name.startswith("augment") for name in last_state(tmp_path)[0])
    assert not any(name.startswith("augment") for line in metrics(tmp_path) for name in line)
    assert gan.augment(torch.ones(2)).equal(torch.ones(2))


def test_the_players_see_augmented_images_only():
    gan, _ = game("augment.name=diffaugment", "augment.policy=[cutout]")
    seen = []
    gan.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    from evenodds.algorithm import Batch, train_step

    x = torch.full((BATCH, *digits().sample_shape), 0.7)
    train_step(gan, iter([Batch(x)]))
    real, fake, again = seen
    assert all((part == 0).flatten(1).any(1).all() for part in (real, fake, again))


def test_r1_through_augmentation_is_trained(tmp_path):
    train(tiny("augment.name=r3gan", "augment.probability=0.5", "penalties.r1.weight=1"), tmp_path)
    assert all(line["penalty/r1"] > 0 for line in metrics(tmp_path))


def test_options_reach_the_augmentation():
    gan, _ = game("augment.name=r3gan", "augment.transformations=[xflip]", "augment.probability=0.25")
    assert isinstance(gan.augment, Pipeline)
    assert gan.augment.multipliers == {"xflip": 1.0}
    assert gan.augment.probability == 0.25
    assert gan.augment.frame.kind == "gray"


@pytest.mark.parametrize(
    "assignments, words",
    [
        (("augment=adda",), "unknown augment 'adda'; did you mean 'ada'?"),
        (("augment.name=ada", "augment.tagret=0.5"), "did you mean 'target'?"),
        (("augment.name=ada", "augment.sample_shape=[3]"), "has no option 'sample_shape'"),
        (("augment.name=ada", "augment.transformations=[spin]"), "no transformation is called 'spin'"),
        (
            ("augment.name=ada", "augment.probability={name: cosine, start: 0, end: 1, until: 9}"),
            "target=null",
        ),
        (
            ("augment.name=r3gan", "augment.probability={name: cosine, start: 0, end: 2, until: 9}"),
            "values from 0 to 1",
        ),
        (("augment.name=ada", "augment.signal=sign", "loss=wasserstein"), "set augment.signal=held_out"),
        (("augment.name=diffaugment", "augment.policy=[blur]"), "policy holds 'blur'"),
    ],
)
def test_refused_by_name(assignments, words):
    with pytest.raises(ConfigError) as caught:
        build_gan(tiny(*assignments), digits(), CPU)
    assert one_sentence(caught.value, words)


@pytest.mark.parametrize("name", ["ada", "diffaugment", "r3gan"])
def test_vectors_are_not_augmented(name):
    ring = {**DIGITS, "data": "ring", "generator": {**DIGITS["generator"], "network": "mlp"}}
    from evenodds.components import build
    from evenodds.data.sources import DATASETS

    with pytest.raises(ConfigError, match="set augment=null"):
        build_gan(tiny(f"augment={name}", base=ring), build("data set", DATASETS, {"name": "ring"}), CPU)


def test_mirrored_runs_resume(tmp_path):
    config = tiny("mirror=true")
    train(config, tmp_path / "straight")
    for iterations in (5, None):
        train(config, tmp_path / "resumed", iterations)
    assert_same_run(tmp_path / "straight", tmp_path / "resumed")
    with pytest.raises(ConfigError, match="mirror=false"):
        train(tiny("mirror=true", "data=ring", "generator.network.output=linear"), tmp_path / "ring")
