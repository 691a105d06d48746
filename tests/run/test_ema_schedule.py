"""A half-life that grows while training: by the recursion written out, and resumed to the last bit."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_runs import BATCH, assert_same_run, last_state, one_sentence, tiny, train
from torch import nn

from evenodds.components import build_half_life
from evenodds.config import load_config
from evenodds.ema import EMA
from evenodds.errors import ConfigError

COSINE = "ema_half_life={name: cosine, start: 0, end: 60, until: 64}"
RAMP = "ema_half_life={name: linear, start: 0, end: 40, until: 800}"  # min(40, 0.05 · examples)


def weight(value: float) -> nn.Module:
    network = nn.Linear(1, 1, bias=False).double()
    network.weight.data.fill_(value)
    return network


@pytest.mark.parametrize(
    "assignment, half_life",
    [
        (COSINE, lambda seen: 30 * (1 - math.cos(math.pi * min(seen / 64, 1)))),
        (RAMP, lambda seen: min(40.0, 0.05 * seen)),
        ("ema_half_life=25", lambda seen: 25.0),
    ],
)
def test_the_average_follows_the_schedule(assignment, half_life):
    average, expected = EMA(weight(2.0), build_half_life(tiny(assignment))), 2.0
    for step, newest in enumerate([3.0, -1.0, 4.0, 1.5, 9.0, 2.0, 6.0, -5.0, 3.0, 5.0]):
        seen = step * BATCH
        average.update(weight(newest), BATCH, seen=seen)
        decay = 0.5 ** (BATCH / half_life(seen)) if half_life(seen) else 0.0
        expected = decay * expected + (1 - decay) * newest
        assert average.generator.weight.item() == pytest.approx(expected, rel=1e-12)


def test_a_half_life_of_zero_at_first_forgets_the_untrained_generator():
    average = EMA(weight(100.0), lambda seen: 0.05 * seen)
    average.update(weight(3.0), BATCH, seen=0)
    assert average.generator.weight.item() == 3.0


@pytest.mark.parametrize("assignment", [COSINE, RAMP])
def test_resuming_changes_nothing(assignment, tmp_path):
    config = tiny(assignment)
    train(config, tmp_path / "whole")
    train(config, tmp_path / "parts", 5)
    train(config, tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert load_config(tmp_path / "parts" / "config.yaml") == config
    tensors, _ = last_state(tmp_path / "parts")
    assert not torch.equal(tensors["generator/last.weight"], tensors["ema/last.weight"])


@pytest.mark.parametrize(
    "assignment, words",
    [
        ("ema_half_life={name: cosin, start: 0, end: 1, until: 1}", ["cosin", "did you mean 'cosine'"]),
        ("ema_half_life={name: linear, start: 5, end: -5, until: 90}", ["ema_half_life is -5", "from 0"]),
        ("ema_half_life={name: cosine, start: 0, end: 1, until: 0}", ["ema_half_life", "until above 0"]),
        ("ema_half_life={start: 0}", ["needs a name"]),
    ],
)
def test_a_wrong_schedule_is_refused_before_anything_is_written(assignment, words, tmp_path):
    with pytest.raises(ConfigError) as refusal:
        train(tiny(assignment), tmp_path / "run")
    assert one_sentence(refusal.value, *words)
    assert not (tmp_path / "run").exists()
