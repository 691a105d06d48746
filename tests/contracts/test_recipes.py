"""Every recipe starts, trains, resumes bit for bit and samples at a tiny size; a new one too.

What is tiny: networks by tests/contracts/tiny_networks.py, images of 16 × 16 from a folder made here, a few
steps.  All else is the recipe's own: loss, penalties, schedules, augmentation, labels, average, precision.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_networks import TINY

from evenodds.config import Config, config_from
from evenodds.data.named import NAMED
from evenodds.recipes import recipe, recipe_names
from evenodds.sampling import Sampler

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))
from tiny_runs import assert_same_run, metrics, train

SIDE, CLASSES, PER_CLASS, STEPS = 16, 2, 12, 5
# data that a recipe needs fetched or given -> channels; what is drawn or shipped stays as it is
STANDS_FOR = {"stacked_mnist": 3, "cifar10": 3, "images": 3, "emoji": 4, **dict.fromkeys(NAMED, 1)}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """channels -> a folder of noise images in two classes, and a cache that is nobody else's."""
    root = tmp_path_factory.mktemp("recipes")
    random = np.random.default_rng(0)
    for channels, mode in MODES.items():
        for label in range(CLASSES):
            folder = root / mode / f"class {label}"
            folder.mkdir(parents=True)
            for number in range(PER_CLASS):
                pixels = random.integers(0, 256, (SIDE, SIDE, channels), dtype=np.uint8)
                Image.fromarray(pixels.squeeze(), mode).save(folder / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVENODDS_CACHE", str(root / "cache"))
        yield {channels: str(root / mode) for channels, mode in MODES.items()}


def tiny(name: str, folders: dict[int, str]) -> Config:
    """The recipe with small networks, little data and few steps."""
    values = recipe(name).model_dump(mode="json")
    data = values["data"]
    channels = STANDS_FOR.get(data["name"])
    if channels:
        kept = {"value_range": data["value_range"]} if "value_range" in data else {}
        values["data"] = {
            "name": "images",
            "path": folders[channels],
            "size": SIDE,
            "channels": channels,
            "validation": 0.2,
            **kept,
        }
    for player in ("generator", "discriminator"):
        network = values[player]["network"]
        network |= TINY.get(f"{player} {network['name']}") or small(network)
    batch = 4 * values["packing"]
    step = batch * values["critic_steps"]
    return config_from(
        values
        | {
            "batch_size": batch,
            "micro_batch": None,
            "examples": STEPS * step,
            "report_every": step,
            "checkpoint_every": step,
            "samples_every": 4 * step,
            "keep_every": None,
            "sample_count": 4,
            "held_out": 4,
            "metrics": (),
            "metrics_every": "never",
            "device": "cpu",
            "threads": 1,
        }
    )


def small(network: dict[str, Any]) -> dict[str, Any]:
    """Whatever of a network's options counts units, at most 8."""
    sizes = {"width", "widths", "units"} & network.keys()
    return {
        name: [8] * len(network[name]) if isinstance(network[name], list) else min(network[name], 8)
        for name in sizes
    }


@pytest.mark.parametrize("name", recipe_names())
def test_starts_trains_resumes_and_samples(name, folders, tmp_path):
    config = tiny(name, folders)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(config, whole) == STEPS
    assert train(config, parts, 2) == 2
    assert train(config, parts) == STEPS - 2
    assert_same_run(whole, parts)
    lines = [line for line in metrics(whole) if "loss/discriminator" in line]
    assert len(lines) == STEPS
    assert all(np.isfinite(line["loss/discriminator"]) for line in lines)
    sampler = Sampler.load(whole)
    samples = sampler(range(3))
    assert samples.shape == (3, *sampler.sample_shape)
    assert np.isfinite(samples).all()
    assert np.ptp(samples[:2], axis=0).max() > 0  # another seed, another sample
    assert bool(sampler.class_names) == config.conditional


@pytest.mark.parametrize("name", recipe_names())
def test_the_tiny_one_is_the_recipe_but_for_its_size(name, folders):
    """What makes the method is not changed on the way."""
    own, changed = recipe(name), tiny(name, folders)
    for setting in ("loss", "penalties", "conditional", "augment", "mirror", "packing", "critic_steps",
                    "simultaneous", "ema_half_life", "precision", "prior"):  # fmt: skip
        assert getattr(own, setting) == getattr(changed, setting), setting
    for player in ("generator", "discriminator"):
        assert getattr(own, player).optimizer == getattr(changed, player).optimizer
