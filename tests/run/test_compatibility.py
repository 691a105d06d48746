"""Choices that exclude each other: every rule refuses by name, and either half alone is legal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import DIGITS, one_sentence

from evenodds.build import build_gan
from evenodds.compatibility import RULES, check_compatible
from evenodds.config import config_from, override
from evenodds.data.dataset import Dataset, Split
from evenodds.errors import ConfigError

IMAGES = (3, 16, 16)
DCGAN = ["generator.network={name: dcgan, width: 8}", "discriminator.network={name: dcgan, width: 8}"]
STYLEGAN2 = ["generator.network={name: stylegan2, channel_max: 8, style_dim: 8}"]
# what is chosen together, the words that have to be in the message, and one half alone, which is legal
CLASHES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "_batch_norm_and_gradients": (
        [*DCGAN, "penalties={r2: {}}"],
        ["'r2'", "batch normalization in discriminator 'dcgan'", "remove the penalty"],
        [*DCGAN, "discriminator.network.norm=none", "penalties={r2: {}}"],
    ),
    "_path_length_without_styles": (
        [*DCGAN, "penalties={path_length: {}}"],
        ["'path_length'", "generator 'dcgan'", "use generator stylegan2"],
        [*STYLEGAN2, "penalties={path_length: {}}"],
    ),
    "_path_length_at_once": (
        [*STYLEGAN2, "penalties={path_length: {}}", "simultaneous=true"],
        ["'path_length'", "simultaneous=true", "set simultaneous=false"],
        [*STYLEGAN2, "simultaneous=true"],
    ),
    "_clipped_and_normalized": (
        ["discriminator.network={name: sngan, widths: [8]}", "penalties={weight_clip: {}}"],
        ["'weight_clip'", "spectral normalization in discriminator 'sngan'", "use one of them"],
        ["discriminator.network={name: sngan, widths: [8]}"],
    ),
    "_augmented_vectors": (
        ["data=ring", "generator.network.output=linear", "augment=ada"],
        ["'ada'", "(2,)", "set augment=null"],
        ["data=ring", "generator.network.output=linear"],
    ),
    "_augmented_between": (
        [*DCGAN, "discriminator.network.norm=none", "augment=diffaugment", "penalties={wgan_gp: {}}"],
        ["'diffaugment'", "'wgan_gp'", "use r1 instead"],
        [*DCGAN, "discriminator.network.norm=none", "augment=diffaugment", "penalties={r1: {}}"],
    ),
    "_r2_at_once_in_bfloat16": (
        ["penalties={r2: {}}", "simultaneous=true", "precision=bfloat16"],
        ["'r2'", "simultaneous=true", "set precision=float32"],
        ["penalties={r1: {}}", "simultaneous=true", "precision=bfloat16"],
    ),
    "_batch_norm_of_one": (
        [*DCGAN, "micro_batch=1"],
        ["the generator", "a single example", "micro_batch"],
        [*DCGAN, "micro_batch=2"],
    ),
    "_out_of_reach": (
        ["generator.network.output=sigmoid"],
        ["'sigmoid'", "'mlp'", "[-1, 1]", "data.value_range"],
        ["generator.network.output=tanh"],
    ),
}


def dataset(
    shape: tuple[int, ...] = IMAGES, value_range: tuple[float, float] | None = (-1.0, 1.0)
) -> Dataset:
    x: Any = np.zeros((8, *shape), np.uint8) if len(shape) == 3 else 5 * np.eye(8, 2, dtype=np.float32)
    return Dataset("zeros", Split(x), Split(x), None, value_range=value_range)


def config(assignments: list[str]):
    return config_from(override(DIGITS, assignments))


def refusal(assignments: list[str], data: Dataset) -> str:
    with pytest.raises(ConfigError) as caught:
        check_compatible(config(assignments), data)
    assert one_sentence(caught.value, " exclude each other: ")
    return str(caught.value)


def test_every_rule_is_tried():
    assert {rule.clash.__name__ for rule in RULES} == CLASHES.keys()


@pytest.mark.parametrize("rule", CLASHES)
def test_refused_by_name_and_legal_without_one_half(rule):
    together, words, apart = CLASHES[rule]
    data = dataset((2,), None) if "data=ring" in together else dataset()
    message = refusal(together, data)
    assert all(word in message for word in words), message
    check_compatible(config(apart), data)


@pytest.mark.parametrize("rule", CLASHES)
def test_refused_before_anything_is_trained(rule):
    together, words, _ = CLASHES[rule]
    data = dataset((2,), None) if "data=ring" in together else dataset()
    with pytest.raises(ConfigError) as caught:
        build_gan(config(together), data, torch.device("cpu"))
    assert all(word in str(caught.value) for word in words)


def test_outputs_reach_what_floats_there_are():
    """Vectors up to 5: tanh can't, a linear end can."""
    vectors = dataset((2,), None)
    assert "data in [0, 5]" in refusal(["generator.network.output=tanh"], vectors)
    check_compatible(config(["generator.network.output=linear"]), vectors)
    assert "data in [0, 255]" in refusal([], dataset(value_range=None))
    check_compatible(config([]), dataset(value_range=(0.0, 1.0)))  # tanh reaches more than it has to


def test_a_default_output_counts():
    assert "'tanh' of generator 'dcgan'" in refusal(DCGAN, dataset(value_range=None))


def test_looking_draws_nothing_and_makes_no_weights():
    before = torch.get_rng_state()
    check_compatible(config(["generator.network.widths=[1_000_000, 1_000_000]"]), dataset())  # 4 TB
    assert torch.equal(before, torch.get_rng_state())
