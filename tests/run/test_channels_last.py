"""The layout of weights in memory changes neither values nor what is resumed."""

from __future__ import annotations

import pytest
import torch
from tiny_runs import assert_same_run, last_state, tiny, train

from evenodds.acceleration import use_layout
from evenodds.algorithm import train_step
from evenodds.build import build_gan
from evenodds.data.loader import Loader
from evenodds.planning.measuring import noise

CONVOLUTIONS = [
    "generator.network={name: dcgan, width: 8, kernel: 4}",
    "discriminator.network={name: dcgan, width: 8, kernel: 4, norm: none}",
]
NOISE = noise((3, 16, 16), 0, 32, floats=False)
EVERY = "samples_every=48"
last = torch.channels_last


def is_last(weight: torch.Tensor) -> bool:
    return weight.is_contiguous(memory_format=last) and not weight.is_contiguous()


def game(*assignments):
    config = tiny(*CONVOLUTIONS, *assignments)
    torch.manual_seed(0)
    gan, _ = build_gan(config, NOISE, torch.device("cpu"))
    return gan, config


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_only_where_it_pays(precision):
    gan, config = game(f"precision={precision}")
    use_layout(gan, config)
    wide = [w for w in gan.discriminator.parameters() if w.ndim == 4 and min(w.shape[1:]) > 1]
    assert wide
    assert {is_last(weight) for weight in wide} == {precision == "bfloat16"}


def test_updates_are_the_same_but_for_rounding():
    """In float32, where rounding is small: Adam's fused steps read weight, gradient and moments alike."""
    ends = []
    for layout in (False, True):
        gan, config = game()
        if layout:
            use_layout(gan, config.model_copy(update={"precision": "bfloat16"}))
        loader = Loader(NOISE.train, 8, seed=0, value_range=NOISE.value_range)
        for _ in range(3):
            train_step(gan, loader)
        for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
            for weight, state in optimizer.state.items():
                assert state["exp_avg"].stride() == weight.stride()
        ends.append(torch.cat([w.flatten() for w in gan.discriminator.parameters()]))
    torch.testing.assert_close(*ends, rtol=1e-3, atol=1e-4)


def test_a_run_is_resumed_to_the_last_bit_with_moments_in_their_layout(tmp_path):
    config = tiny(*CONVOLUTIONS, EVERY, "precision=bfloat16", "ema_half_life=50", "penalties.r1={every: 2}")
    train(config, tmp_path / "whole", dataset=NOISE)
    train(config, tmp_path / "parts", 5, dataset=NOISE)
    train(config, tmp_path / "parts", dataset=NOISE)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    tensors, _ = last_state(tmp_path / "parts")
    assert all(tensor.is_contiguous() for tensor in tensors.values())  # files know nothing of it
