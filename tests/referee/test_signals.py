"""Signals of games whose state is known, and that looking at a game leaves it as it was."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from evenodds.algorithm import GAN
from evenodds.data import sources
from evenodds.data.dataset import Dataset, Split
from evenodds.data.densities import gaussian, ring
from evenodds.errors import NonFiniteError
from evenodds.latents import Normal
from evenodds.losses import LOSSES
from evenodds.networks.layers import Packed
from evenodds.referee import movement
from evenodds.referee.meanings import SIGNALS
from evenodds.referee.scores import overfitting, saturation
from evenodds.referee.signals import COPIES_EVERY, Signals

Line = dict[str, float]


class Generator(nn.Module):
    """Whatever a function makes of latents and labels; one weight, so that it has a device."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.zeros(1))

    def forward(self, z: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        return self.function(z, y)


class Discriminator(Generator):
    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        return self.function(x.flatten(1))


def game(
    generator: nn.Module, discriminator: nn.Module, *, dim: int = 2, loss: str = "non_saturating"
) -> GAN:
    players = (generator, discriminator)
    optimizers = [torch.optim.SGD(player.parameters(), lr=0.1) for player in players]
    return GAN(generator, discriminator, *optimizers, prior=Normal(dim=dim), loss=LOSSES[loss])


def points(density: Any, *, train: int = 2_000, held_out: int = 400) -> Dataset:
    draw = torch.Generator().manual_seed(0)
    splits = [Split(density.sample(n, draw).numpy()) for n in (train, held_out)]
    return Dataset("points", *splits, None, value_range=None, density=density)


def appointed(gan: GAN, dataset: Dataset, loss: str = "non_saturating", **settings: Any) -> Signals:
    return Signals(
        gan, dataset, **{"held_out": 1_000, "conditional": False, "seed": 0, "loss": loss, **settings}
    )


def look(gan: GAN, dataset: Dataset, **settings: Any) -> Line:
    line = appointed(gan, dataset, **settings)(gan.generator, 1_000, {})
    assert all(math.isfinite(value) for value in line.values())
    return line


def no_opinion(x: torch.Tensor) -> torch.Tensor:
    return 0 * x[:, 0]


RING = points(ring())


def ring_sampler(modes: list[int], std: float = 0.01) -> Generator:
    """A perfect sampler of some modes: the latents' angle chooses, fresh latents blur."""

    def sample(z: torch.Tensor, y: torch.Tensor | None) -> torch.Tensor:
        angle = torch.atan2(z[:, 0], z[:, 1]) / (2 * math.pi) + 0.5
        mode = torch.tensor(modes)[(angle * len(modes)).long().clamp(max=len(modes) - 1)]
        return (RING.density.modes[mode] + std * z[:, 2:]).float()

    return Generator(sample)


def ring_game(modes: list[int], std: float = 0.01) -> Line:
    return look(game(ring_sampler(modes, std), Discriminator(no_opinion), dim=4), RING)


def test_a_perfect_sampler_looks_like_the_data():
    line = ring_game(list(range(8)))
    assert line["signal/coverage"] == 1
    assert line["signal/diversity"] == pytest.approx(1, abs=0.1)
    assert line["signal/energy"] < line["signal/energy_floor"] < 0.02
    assert line["signal/balance"] < 0.06
    assert line["signal/duplicates"] == pytest.approx(line["signal/duplicates_floor"], rel=1.0)
    assert abs(line["signal/memorization"]) < 3
    assert abs(line["signal/copying"]) < 3


@pytest.mark.parametrize("kept", [1, 2, 4])
def test_missing_modes_are_seen(kept):
    line = ring_game(list(range(kept)))
    assert line["signal/coverage"] == kept / 8
    assert line["signal/balance"] == pytest.approx(1 - kept / 8, abs=0.1)
    assert line["signal/energy"] > 3 * line["signal/energy_floor"]
    # near-duplicates stand within modes: in kept modes they are 8/kept times as frequent
    assert line["signal/duplicates"] / line["signal/duplicates_floor"] == pytest.approx(8 / kept, rel=0.5)


def test_samples_beside_the_modes_do_not_reach_them():
    line = ring_game(list(range(8)), std=0.2)
    assert line["signal/coverage"] < 1
    assert line["signal/balance"] < 0.1  # the nearest mode is still evenly the one


def test_one_point_is_a_support_of_one():
    line = ring_game([3], std=0.0)
    assert line["signal/diversity"] == pytest.approx(0, abs=1e-6)
    assert line["signal/duplicates"] == line["signal/support"] == 1


def test_copies_of_training_data_are_found():
    train = torch.from_numpy(RING.train.x)

    def copied(z: torch.Tensor, y: torch.Tensor | None) -> torch.Tensor:
        return train[(z[:, 0].abs() * 1e4).long() % 200] + 1e-5 * z

    few = dataclasses.replace(RING, train=Split(RING.train.x[:200]))
    line = look(game(Generator(copied), Discriminator(no_opinion)), few)
    assert line["signal/memorization/p"] < 1e-6
    assert line["signal/copying"] > 5


def test_the_gauge_of_the_best_discriminator_is_the_divergence():
    """N(0, 1) against N(2, 1): logit D* = log p − log q = 2 − 2x; JSD by quadrature."""
    dataset = points(gaussian(), held_out=4_000)
    gan = game(Generator(lambda z, y: z + 2), Discriminator(lambda x: 2 - 2 * x[:, 0]), dim=1)
    line = look(gan, dataset, held_out=4_000)
    grid = torch.linspace(-12, 14, 200_001, dtype=torch.float64)
    p, q = (torch.exp(-((grid - mean) ** 2) / 2) / math.sqrt(2 * math.pi) for mean in (0, 2))
    middle = (p + q) / 2
    jsd = float(torch.trapezoid(torch.xlogy(p, p / middle) + torch.xlogy(q, q / middle), grid)) / 2
    error = line["gauge/value/error"]
    assert line["gauge/jsd"] == pytest.approx(jsd, abs=2 * error)  # half of 4 standard errors of V
    assert 0.005 < error < 0.03
    assert line["gauge/jsd/low"] < jsd
    assert line["gauge/value"] == pytest.approx(line["value/held_out"], rel=1e-6)
    tv = math.erf(1 / math.sqrt(2))
    assert line["gauge/tv"] == pytest.approx(tv, abs=0.04)


def test_a_score_that_is_no_probability_is_read_out():
    dataset = points(gaussian(), held_out=4_000)
    critic = Discriminator(lambda x: 100 - 0.01 * x[:, 0])  # D* but for a line
    line = look(game(Generator(lambda z, y: z + 2), critic, dim=1, loss="wasserstein"), dataset,
                held_out=4_000, loss="wasserstein")  # fmt: skip
    best = look(game(Generator(lambda z, y: z + 2), Discriminator(lambda x: 2 - 2 * x[:, 0]), dim=1), dataset,
                held_out=4_000)  # fmt: skip
    assert line["gauge/jsd"] == pytest.approx(best["gauge/jsd"], abs=0.04)


def test_overfitting_is_karras_ratio():
    """Logits 3 on training data, −1 on all else: as sure of held-out data as of fakes; half way: ½."""
    draw = torch.Generator().manual_seed(0)
    train, fake = 3 + torch.randn(500, generator=draw), -1 + torch.randn(500, generator=draw)
    for mean, expected in ((3.0, 0.0), (1.0, 0.5), (-1.0, 1.0)):
        found = overfitting(train, mean + torch.randn(500, generator=draw), fake)
        assert found["signal/overfit"] == pytest.approx(expected, abs=4 * found["signal/overfit/error"])
        assert 0.005 < found["signal/overfit/error"] < 0.03
    assert overfitting(fake, train, fake) == {}  # D can't tell training data from fakes


def test_the_error_of_the_ratio_is_its_spread():
    draw = torch.Generator().manual_seed(1)
    found = [
        overfitting(*(mean + torch.randn(100, generator=draw) for mean in (2, 1, -1))) for _ in range(400)
    ]
    spread = np.std([one["signal/overfit"] for one in found])
    assert np.mean([one["signal/overfit/error"] for one in found]) == pytest.approx(spread, rel=0.12)


def test_minimax_saturates_and_the_other_does_not():
    for logit in (-10.0, 0.0, 3.0):
        logits = torch.full((7,), logit)
        sigmoid = 1 / (1 + math.exp(-logit))
        for loss, expected in (("minimax", sigmoid), ("non_saturating", 1 - sigmoid), ("wasserstein", 1)):
            gan = game(Generator(None), Discriminator(None), loss=loss)
            assert saturation(gan, logits, logits) == pytest.approx(expected, rel=1e-5)


def test_the_gradient_norm_is_that_of_the_last_step():
    gan = game(ring_sampler([0]), Discriminator(no_opinion), dim=4)
    assert "signal/gradient_norm" not in look(gan, RING)
    gan.generator.weight.grad = torch.full((1,), -2.5)
    assert look(gan, RING)["signal/gradient_norm"] == 2.5


def moving(*offsets: float) -> list[Line]:
    """Reports of a generator that stands at these places in turn; the data's radius is known."""
    where: list[float] = []
    gan = game(Generator(lambda z, y: 0.1 * z + torch.tensor([where[-1], 0.0])), Discriminator(no_opinion))
    signals, lines = appointed(gan, RING), []
    for number, offset in enumerate(offsets):
        where.append(offset)
        lines.append(signals(gan.generator, 1_000 * number, {}))
    return lines


def test_drift_is_measured_by_the_datas_radius():
    lines = moving(0.0, 0.3, 0.3)
    assert "signal/drift" not in lines[0]
    assert lines[1]["signal/drift"] == pytest.approx(0.3, rel=0.02)  # the ring has radius 1
    assert lines[2]["signal/drift"] == pytest.approx(0, abs=1e-6)


def test_a_straight_move_does_not_come_back_and_an_oscillation_does():
    straight, there_and_back = moving(0.0, 0.1, 0.2), moving(0.0, 0.1, 0.0)
    assert straight[2]["signal/return"] == pytest.approx(0, abs=1e-4)
    assert there_and_back[2]["signal/return"] == pytest.approx(1, abs=1e-4)
    period = [math.sin(2 * math.pi * number / 8) for number in range(9)]
    slow = moving(*period)
    assert slow[8]["signal/return/8"] == pytest.approx(1, abs=1e-4)
    assert slow[2]["signal/return"] < 0.1  # too slow for two reports


def test_projections_keep_lengths():
    x = torch.randn(64, 784, generator=torch.Generator().manual_seed(0))
    matrix = movement.projection(784, seed=0)
    assert matrix is not None
    assert movement.projection(64, seed=0) is None
    before = torch.zeros(64, 784)
    moved = movement.drift([before @ matrix, x @ matrix], 1.0)
    assert moved == pytest.approx(movement.drift([before, x], 1.0), rel=0.05)


class Normalized(nn.Module):
    """Batch norm and dropout, with running statistics that may be wrong."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(2), nn.Dropout(0.5)
        self.norm.running_mean.fill_(mean)

    def forward(self, z: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        return self.drop(self.norm(z))


def test_a_wrong_running_mean_is_seen():
    right, wrong = (look(game(Normalized(m), Discriminator(no_opinion)), RING) for m in (0.0, 1.0))
    assert abs(right["signal/batch_norm"]) < 0.03
    # by the batch N(0, I), by its own statistics N(−1, I)
    assert wrong["signal/batch_norm"] > 0.2
    assert "signal/batch_norm" not in ring_game([0])


def test_looking_changes_nothing():
    gan = game(Normalized(0.3), Discriminator(no_opinion))
    gan.generator.train()
    gan.generator.drop.eval()  # someone's choice
    gan.generator.norm.weight.grad = torch.ones(2)
    ema = copy.deepcopy(gan.generator).eval()
    before = copy.deepcopy(gan.generator)
    signals, random = appointed(gan, RING), torch.random.get_rng_state()
    first, second = signals(ema, 5, {}), appointed(gan, RING)(ema, 5, {})
    assert torch.equal(random, torch.random.get_rng_state())
    assert without_clock(first) == without_clock(second)
    for (name, value), same in zip(
        gan.generator.state_dict().items(), before.state_dict().values(), strict=True
    ):
        assert torch.equal(value, same), name
    assert [m.training for m in gan.generator.modules()] == [True, True, False]
    assert torch.equal(gan.generator.norm.weight.grad, torch.ones(2))
    assert all(weight.requires_grad for weight in gan.generator.parameters())


def without_clock(line: Line) -> Line:
    return {name: value for name, value in line.items() if name != "signal/seconds"}


def test_going_on_from_a_checkpoint_gives_the_same_lines():
    gan = game(Generator(lambda z, y: torch.tanh(z) + gan.generator.weight), Discriminator(no_opinion))

    def report(signals: Signals, number: int) -> Line:
        with torch.no_grad():
            gan.generator.weight.fill_(0.1 * number)
        return without_clock(signals(gan.generator, number, {}))

    whole = appointed(gan, RING)
    lines = [report(whole, number) for number in range(12)]
    for cut in (1, 3, 10):
        first = appointed(gan, RING)
        for number in range(cut):
            report(first, number)
        state = {name: value.clone() for name, value in first.state().items()}
        second = appointed(gan, RING)
        second.restore(state)
        assert [report(second, number) for number in range(cut, 12)] == lines[cut:]
    assert "signal/memorization" in lines[COPIES_EVERY]
    assert "signal/memorization" not in lines[1]


def test_a_class_that_has_collapsed_is_seen_within_the_classes():
    """One image per class is as diverse as the data across classes, and not at all within them."""
    dataset = sources.digits()
    means = torch.stack([torch.from_numpy(dataset.train.x[dataset.train.y == c][0]) for c in range(10)])

    def of_class(z: torch.Tensor, y: torch.Tensor | None) -> torch.Tensor:
        label = torch.arange(len(z)) % 10 if y is None else y
        return means[label] / 127.5 - 1

    gan = game(Generator(of_class), Discriminator(no_opinion), dim=64)
    assert look(gan, dataset, conditional=True)["signal/diversity"] == pytest.approx(0, abs=1e-6)
    assert look(gan, dataset)["signal/diversity"] == pytest.approx(1, abs=0.15)
    assert look(gan, dataset, conditional=True)["signal/coverage"] == pytest.approx(0.5, abs=0.1)


def test_real_digits_pass_for_real():
    dataset = sources.digits()
    assert dataset.test is not None
    test, labels = torch.from_numpy(dataset.test.x) / 127.5 - 1, torch.from_numpy(dataset.test.y)

    def drawn(z: torch.Tensor, y: torch.Tensor | None) -> torch.Tensor:
        assert y is not None
        return torch.stack(
            [test[labels == c][int(1e4 * abs(a)) % 25] for a, c in zip(z[:, 0], y, strict=True)]
        )

    line = look(game(Generator(drawn), Discriminator(no_opinion), dim=64), dataset, conditional=True)
    assert line["signal/diversity"] == pytest.approx(1, abs=0.1)
    assert line["signal/energy"] < line["signal/energy_floor"] + 0.005
    assert line["signal/coverage"] > 0.9
    assert line["signal/balance"] < 0.1
    assert abs(line["signal/memorization"]) < 3


@pytest.mark.parametrize("held_out", [1, 2, 5, 19, 20, 400])
def test_small_validation_splits_leave_out_what_they_cannot_tell(held_out):
    few = dataclasses.replace(RING, validation=Split(RING.validation.x[:held_out]))
    line = look(game(ring_sampler([0, 4]), Discriminator(no_opinion), dim=4), few)
    assert ("signal/energy" in line) == ("gauge/jsd" in line) == (held_out >= 20)
    assert {"d/held_out", "value/held_out", "signal/gradient"} <= line.keys()


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_can_be_looked_at(loss):
    discriminator = Discriminator(lambda x: x.sum(1))
    line = look(game(ring_sampler([0, 1]), discriminator, dim=4, loss=loss), RING, loss=loss)
    assert {"gauge/jsd/low", "signal/gradient", "signal/coverage"} <= line.keys()


def test_data_of_equal_examples_is_compared_with_nothing():
    same = Split(np.ones((50, 2), np.float32))
    dataset = Dataset("same", same, same, None, value_range=None)
    line = look(game(ring_sampler([0]), Discriminator(no_opinion), dim=4), dataset)
    assert "signal/energy" not in line
    assert "value/held_out" in line


@pytest.mark.parametrize("counts", [(20, 20, 20), (50, 5, 5)])
def test_data_that_repeats_itself_has_no_near_duplicates(counts):
    split = Split(np.repeat(np.eye(3, dtype=np.float32), counts, 0))
    dataset = Dataset("three", split, split, None, value_range=None)
    line = look(game(Generator(lambda z, y: z), Discriminator(no_opinion), dim=3), dataset)
    assert "signal/duplicates" not in line
    assert ("signal/diversity" in line) == (counts[0] == 20)  # else most pairs have no distance
    assert line["signal/energy"] > line["signal/energy_floor"]


def test_packs_bound_single_examples():
    """D sees the sum over a pack of 4: what it tells of packs, divided by 4, is at least told of each."""
    dataset = points(gaussian(), held_out=4_000)
    packed = Packed(Discriminator(lambda x: (2 - 2 * x).sum(1)), 4)
    packed.weight = nn.Parameter(torch.zeros(1))
    line = look(game(Generator(lambda z, y: z + 2), packed, dim=1), dataset, held_out=4_001)
    single = look(
        game(Generator(lambda z, y: z + 2), Discriminator(lambda x: 2 - 2 * x[:, 0]), dim=1), dataset,
        held_out=4_000,
    )  # fmt: skip
    assert 0.1 < line["gauge/jsd"] <= math.log(2) / 4 < single["gauge/jsd"]
    assert line["gauge/tv"] <= 1 / 4 < single["gauge/tv"]


def test_logits_that_are_no_numbers_stop_the_run():
    gan = game(ring_sampler([0]), Discriminator(lambda x: x[:, 0] * math.nan), dim=4)
    with pytest.raises(NonFiniteError, match="at iteration 0"):
        look(gan, RING)


def test_the_sign_of_training_logits_is_counted():
    gan = game(ring_sampler([0]), Discriminator(no_opinion), dim=4)
    logits = {"logits/real": torch.tensor([1.0, 2.0, 3.0, -1.0]), "logits/fake": torch.zeros(4)}
    assert appointed(gan, RING)(gan.generator, 0, logits)["signal/sign"] == 0.5
    # a Wasserstein critic's 0 means nothing
    assert "signal/sign" not in appointed(gan, RING, loss="wasserstein")(gan.generator, 0, logits)


def test_every_signal_has_its_meaning_and_every_meaning_its_signal():
    gan = game(Normalized(0.0), Discriminator(lambda x: x[:, 0].clamp(-1, 1)))
    train = torch.from_numpy(RING.train.x) + torch.tensor([3.0, 0.0])  # D tells it from fakes
    dataset = dataclasses.replace(RING, train=Split(train.numpy()))
    signals, names = appointed(gan, dataset), set()
    gan.generator.norm.weight.grad = torch.ones(2)
    for number in range(10):
        gan.generator.norm.bias.data.add_(0.1)
        names |= signals(gan.generator, number, {"logits/real": torch.ones(3)}).keys()
    assert names == SIGNALS.keys() | {"d/held_out", "value/held_out"}
