"""What a line of metrics.jsonl says, against direct computation; and that looking changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tiny_runs import BATCH, RING, assert_same_weights, digits, in_child, last_state, metrics, tiny, train

from evenodds.build import build_gan
from evenodds.data.dataset import Dataset, Split
from evenodds.data.loader import Loader
from evenodds.data.sources import ring
from evenodds.losses import LOSSES
from evenodds.recorder import Recorder
from evenodds.referee.scores import value
from evenodds.trainer import training


def d(logits: torch.Tensor) -> torch.Tensor:
    return 1 / (1 + (-logits.double()).exp())


def steps(config, directory, dataset=None):
    iterator = training(config, directory, dataset=dataset)
    try:
        yield from iterator
    finally:
        iterator.close()


def test_value_of_known_probabilities():
    real, fake = torch.logit(torch.tensor([0.9, 0.6])), torch.logit(torch.tensor([0.2]))
    expected = (math.log(0.9) + math.log(0.6)) / 2 + math.log(0.8)
    assert value(real, fake) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_undecided_discriminator_has_the_value_of_minus_log_4(precision, tmp_path):
    """Goodfellow et al. (2014), Theorem 1: at even odds V = −log 4."""
    still = "{name: sgd, learning_rate: 0}"
    config = tiny(f"precision={precision}", f"discriminator.optimizer={still}", f"report_every={BATCH}")
    for progress in steps(config, tmp_path):
        if progress.examples == BATCH:  # the first report is of random weights
            with torch.no_grad():
                for weight in progress.session.gan.discriminator.parameters():
                    weight.zero_()
    for line in metrics(tmp_path)[1:]:
        for name in ("value/train", "value/held_out"):
            assert line[name] == pytest.approx(-math.log(4), abs=1e-6)
        for name in ("d/real", "d/fake", "d/held_out"):
            assert line[name] == 0.5


def test_a_report_is_the_mean_over_its_iterations(tmp_path):
    seen = []
    config = tiny("penalties.r1={weight: 0.1, every: 3}", "checkpoint_every=never")
    for progress in steps(config, tmp_path):
        seen.append(progress.stats)
        if not progress.report:
            continue
        line = progress.report
        real, fake = (
            torch.cat([stats[f"logits/{side}"] for stats in seen]).double() for side in ("real", "fake")
        )
        assert len(real) == 4 * BATCH
        assert line["value/train"] == pytest.approx(
            float(d(real).log().mean() + (1 - d(fake)).log().mean()), abs=1e-6
        )
        assert line["d/real"] == pytest.approx(float(d(real).mean()), abs=1e-6)
        assert line["d/fake"] == pytest.approx(float(d(fake).mean()), abs=1e-6)
        generator = torch.cat([stats["loss/generator"] for stats in seen]).double().mean()
        assert line["loss/generator"] == pytest.approx(float(generator), abs=1e-6)
        penalties = [stats["penalty/r1"] for stats in seen if "penalty/r1" in stats]
        assert 1 <= len(penalties) <= 2
        assert line["penalty/r1"] == pytest.approx(float(torch.cat(penalties).double().mean()), rel=1e-5)
        assert line["examples"] == progress.examples == BATCH * line["iteration"]
        assert line["learning_rate/generator"] == line["learning_rate/discriminator"] == 1e-3
        seen = []


def test_a_lazy_penalty_is_reported_though_not_due_in_the_last_iteration(tmp_path):
    train(tiny("penalties.r1={every: 4}", "checkpoint_every=never"), tmp_path)
    # due in iterations 1, 5 and 9; reported after 4, 8 and 12
    assert ["penalty/r1" in line for line in metrics(tmp_path)] == [True, True, True]


@pytest.mark.parametrize("assignments", [[], ["packing=2"], ["conditional=true"]])
def test_held_out_is_measured_on_validation_examples(assignments, tmp_path):
    """The mean over real ones is that of D in evaluation mode; V adds a fake part below 0."""
    config = tiny("held_out=50", *assignments)
    for progress in steps(config, tmp_path):
        if progress.report is None:
            continue
        dataset, network = progress.session.dataset, progress.session.gan.discriminator
        x = torch.from_numpy(dataset.validation.x[:50]).float() / 127.5 - 1
        y = torch.from_numpy(dataset.validation.y[:50]) if config.conditional else None
        network.eval()
        with torch.no_grad():
            odds = d(network(x, y))
        network.train()
        assert progress.report["d/held_out"] == pytest.approx(float(odds.mean()), abs=1e-6)
        assert progress.report["value/held_out"] < float(odds.log().mean())


def test_the_other_half_of_held_out_are_samples(tmp_path):
    """Of D(x) = 1 everywhere, the value is log D(x) + log(1 − D(G(z))) = log(1 − σ(b)) + log σ(b)."""
    for progress in steps(tiny(f"report_every={BATCH}"), tmp_path):
        with torch.no_grad():
            *rest, bias = progress.session.gan.discriminator.parameters()
            for weight in rest:
                weight.zero_()
            bias.fill_(2.0)
        line = progress.session.recorder._held_out(progress.examples)
        expected = float(d(torch.tensor(2.0)).log() + d(torch.tensor(-2.0)).log())
        assert line["value/held_out"] == pytest.approx(expected, abs=1e-6)
        break


class Spied(np.ndarray):
    """An array that notes that it was looked at."""

    looked: list[str]

    def __array_finalize__(self, other):
        self.looked = getattr(other, "looked", [])

    def __getitem__(self, key):
        self.looked.append("looked")
        return super().__getitem__(key)


def spied(split: Split) -> tuple[Split, list[str]]:
    x = split.x.view(Spied)
    x.looked = []
    return Split(x, split.y), x.looked


def test_only_validation_examples_are_held_out():
    whole = digits()
    (train_, trained), (validation, validated), (test, tested) = (
        spied(split) for split in (whole.train, whole.validation, whole.test)
    )
    dataset = Dataset("spied", train_, validation, test, whole.class_names)
    gan, _ = build_gan(tiny(), dataset, torch.device("cpu"))
    recorder = Recorder(gan, dataset, held_out=20, conditional=False, seed=0)
    recorder._held_out(0)
    assert (len(trained), len(tested)) == (0, 0)
    assert len(validated) == 1
    assert len(recorder._x) == 20


def test_held_out_examples_there_are_too_few_of():
    whole = digits()
    few = Dataset("few", whole.train, Split(whole.validation.x[:3]), None)
    for packing, expected in ((1, 3), (2, 2), (4, 0)):
        gan, _ = build_gan(tiny(f"packing={packing}"), few, torch.device("cpu"))
        seen = []
        gan.discriminator.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(len(given[0])))
        line = Recorder(gan, few, held_out=20, conditional=False, seed=0)._held_out(0)
        assert seen == ([expected] * 2 if expected else [])
        assert bool(line) == bool(expected)


@pytest.mark.parametrize(
    "assignments", [["generator.network.batch_norm=true", "conditional=true"], ["ema_half_life=40"]]
)
def test_looking_changes_nothing(assignments, tmp_path):
    often = [f"report_every={BATCH}", f"checkpoint_every={2 * BATCH}", f"samples_every={4 * BATCH}"]
    seldom = [f"{what}_every=never" for what in ("report", "samples", "checkpoint")]
    train(tiny(*assignments, *often, "held_out=7"), tmp_path / "often")
    train(tiny(*assignments, *seldom), tmp_path / "seldom")
    assert len(metrics(tmp_path / "often")) == 12
    assert len(metrics(tmp_path / "seldom")) == 1
    assert_same_weights(tmp_path / "often", tmp_path / "seldom", but=("referee/",))


def test_measuring_changes_nothing(tmp_path):
    measured = ["metrics=[modes50]", f"metrics_every={BATCH}"]
    train(tiny(*measured, base=RING), tmp_path / "often")
    train(tiny(base=RING), tmp_path / "never")
    tensors, facts = last_state(tmp_path / "often")
    others, _ = last_state(tmp_path / "never")
    seen = [name for name in others if not name.startswith("referee/")]  # it counts its reports
    assert all(torch.equal(tensors[name], others[name]) for name in seen)
    assert facts["measured"]["modes50"]["value"] >= 0


def test_a_seed_gives_one_run_and_another_seed_another(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.rand(len(name) + seed)
        train(tiny(f"seed={seed}"), tmp_path / name)
    assert_same_weights(tmp_path / "a", tmp_path / "b")
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")
    one, other = last_state(tmp_path / "a")[0], last_state(tmp_path / "c")[0]
    moved = [name for name in one if name.endswith("weight") and not torch.equal(one[name], other[name])]
    assert len(moved) == 6  # of both players, and of the average
    assert metrics(tmp_path / "a") != metrics(tmp_path / "c")


def test_another_process_gives_the_same_run(tmp_path):
    train(tiny(), tmp_path / "here")
    assert in_child(train, tiny(), tmp_path / "there") == (0, 12)
    assert_same_weights(tmp_path / "here", tmp_path / "there")


def test_durations_are_in_examples_shown_to_the_discriminator(tmp_path):
    config = tiny(
        "critic_steps=2", "report_every=epoch", f"examples={2 * 1297 + 100}", "checkpoint_every=1000"
    )
    train(config, tmp_path)
    step = 2 * BATCH
    due = [-(-at // step) * step for at in (1000, 1297, 2000, 2594, 2 * 1297 + 100)]
    assert [line["examples"] for line in metrics(tmp_path)] == due


def reference_step(gan, loader, config) -> None:
    """One alternating iteration in bfloat16, each forward pass in an autocast context of its own."""

    def cast(network, x):
        with torch.autocast("cpu", torch.bfloat16):
            return network(x)

    real = next(loader).x
    with torch.no_grad():
        fake = cast(gan.generator, gan.prior(BATCH))
    loss = LOSSES["non_saturating"].discriminator(
        cast(gan.discriminator, real), cast(gan.discriminator, fake)
    )
    gan.discriminator_optimizer.zero_grad()
    loss.mean().backward(inputs=list(gan.discriminator.parameters()))
    gan.discriminator_optimizer.step()
    logits = cast(gan.discriminator, cast(gan.generator, gan.prior(BATCH)))
    gan.generator_optimizer.zero_grad()
    loss = LOSSES["non_saturating"].generator(logits, logits)
    loss.mean().backward(inputs=list(gan.generator.parameters()))
    gan.generator_optimizer.step()


def test_in_bfloat16_the_generator_plays_against_the_newest_discriminator(tmp_path):
    """Autocast keeps rounded copies of the weights; kept over an update, they are those from before it."""
    large = "{name: sgd, learning_rate: 0.5}"
    config = tiny(
        "precision=bfloat16",
        "discriminator.network.dropout=0",
        f"generator.optimizer={large}",
        f"discriminator.optimizer={large}",
        f"examples={4 * BATCH}",
    )
    train(config, tmp_path)
    torch.manual_seed(config.seed)
    dataset = digits()
    gan, rules = build_gan(config, dataset, torch.device("cpu"))
    loader = Loader(dataset.train, BATCH, seed=config.seed, value_range=dataset.value_range)
    rules[0].set_rates(gan.discriminator_optimizer, 0, 0)
    rules[1].set_rates(gan.generator_optimizer, 0, 0)
    for _ in range(4):
        reference_step(gan, loader, config)
    tensors, _ = last_state(tmp_path)
    for player in ("generator", "discriminator"):
        for name, weight in getattr(gan, player).state_dict().items():
            torch.testing.assert_close(tensors[f"{player}/{name}"], weight, rtol=1e-5, atol=1e-6)


def test_ring_examples_are_used_as_they_are(tmp_path):
    for progress in steps(tiny(base=RING), tmp_path, ring()):
        assert progress.session.recorder._x.abs().max() < 1.1
        break
