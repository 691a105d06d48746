"""Modes that a classifier counts, channel by channel: `modes` and `reverse_kl` of stacked digits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from known_generators import Given, pixels

from evenodds.data.dataset import Dataset, Split
from evenodds.errors import ConfigError
from evenodds.evaluation import Subject, check_metric, measure, natural_metrics
from evenodds.features import Features

COUNT = 2_000


class Gray:
    """Ten classes of gray: a channel's digit is its brightness in steps of 25."""

    name, sha256, preprocessing, dim, classes = "gray", "c" * 64, "none", 1, 10
    precision = "float32"

    def __call__(self, images):
        assert images.dtype == torch.uint8
        assert images.shape[1:] == (1, 4, 4)
        digit = (images[:, 0, 1, 1].long() / 25).round().long()
        return Features(digit[:, None].float(), torch.nn.functional.one_hot(digit, 10).float())


@pytest.fixture(autouse=True)
def _gray(monkeypatch):
    monkeypatch.setattr("evenodds.features.classifying.load_classifier", lambda name, **options: Gray())


def stacks(seed: int, count: int = COUNT) -> tuple[np.ndarray, np.ndarray]:
    digits = np.random.default_rng(seed).integers(0, 10, (count, 2))
    return digits.astype(np.uint8)[:, :, None, None].repeat(4, 2).repeat(4, 3) * 25, digits


@pytest.fixture(scope="module")
def data():
    splits = [Split(x, 10 * digits[:, 0] + digits[:, 1]) for x, digits in (stacks(1), stacks(2), stacks(3))]
    names = tuple(f"{mode:02d}" for mode in range(100))
    return Dataset("stacked", splits[0], splits[1], splits[2], class_names=names, mode_classifier="gray")


def test_all_modes_at_the_floor(data):
    """The data's own stacks: every mode, and a KL of 99/2n."""
    subject = Subject(Given(pixels(stacks(4)[0])), data)
    modes, kl = measure(subject, [f"modes{COUNT}", f"reverse_kl{COUNT}"])
    assert (modes.value, modes.ceiling, modes.unit) == (100, 100, "of 100 modes")
    for value in (kl.value, kl.floor, kl.details["floor"]):
        assert value == pytest.approx(99 / (2 * COUNT), rel=0.35)
    assert kl.interval[0] < kl.value < kl.interval[1]
    assert kl.unit == "nats"
    assert kl.setting["classifier"]["name"] == "gray"
    assert kl.setting["metric"] == "reverse_kl2k"
    assert modes.setting["metric"] == "modes2k"


def test_one_digit_of_red_only(data):
    """A tenth of the modes: log 10 nats."""
    x = stacks(4)[0]
    x[:, 0] = 75
    modes, kl = measure(Subject(Given(pixels(x)), data, with_reference=False), ["modes2k", "reverse_kl2k"])
    assert modes.value == 10
    assert kl.value == pytest.approx(math.log(10), abs=0.02)
    assert kl.floor is None
    assert modes.ceiling is None


def test_data_without_modes(data):
    images = Split(data.train.x)
    with pytest.raises(ConfigError, match="'modes' needs"):
        check_metric("modes", Dataset("plain", images, images, images))
    assert natural_metrics(data, "test")[:2] == ["modes26k", "reverse_kl26k"]
