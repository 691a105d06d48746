"""Under bfloat16 every pass that a gradient penalty is due for stays in float32, and so does its gradient."""

from __future__ import annotations

import pytest
import torch
from tiny_runs import digits, tiny

from evenodds.acceleration import precision
from evenodds.algorithm import Batch, descend, discriminator_loss, generator_losses, score
from evenodds.build import build_gan

CPU = torch.device("cpu")
CONVOLUTIONS = ["discriminator.network={name: dcgan, width: 8, norm: none, kernel: 4}"]
PLAIN = ["discriminator.network.dropout=0"]
PENALTIES = {
    "r1": ["penalties.r1.weight=10"],
    "r2": ["penalties.r2.weight=10"],
    "r1 and r2": ["penalties={r1: {weight: 10}, r2: {weight: 10}}"],
    "wgan_gp": ["loss=wasserstein", "penalties.wgan_gp.weight=10"],
}


def gradients(assignments, bfloat16, *, due=True):
    """Of D's loss with its penalties on the same two batches, flat; the penalties' weight dominates."""
    config = tiny(*assignments, f"precision={'bfloat16' if bfloat16 else 'float32'}")
    torch.manual_seed(0)
    gan, _ = build_gan(config, digits(), CPU)
    real, fake = (Batch(torch.rand(8, 1, 8, 8) * 2 - 1) for _ in range(2))

    def losses(gan, part, due):
        scored = score(gan, part, due), score(gan, fake, due)
        return discriminator_loss(gan, *scored, due)

    with precision(config, CPU):
        stats = descend(gan, losses, real, gan.penalties if due else {})
    return torch.cat([weight.grad.flatten() for weight in gan.discriminator.parameters()]), stats


@pytest.mark.parametrize("network", [PLAIN, CONVOLUTIONS], ids=["mlp", "dcgan"])
@pytest.mark.parametrize("penalties", PENALTIES.values(), ids=PENALTIES)
def test_gradients_of_penalties_are_those_of_float32(penalties, network):
    exact, _ = gradients([*network, *penalties], False)
    mixed, stats = gradients([*network, *penalties], True)
    assert exact.norm() > 0
    assert (mixed - exact).norm() / exact.norm() < 1e-6
    assert {value.dtype for name, value in stats.items() if name.startswith("penalty")} == {torch.float32}


@pytest.mark.parametrize("network", [PLAIN, CONVOLUTIONS], ids=["mlp", "dcgan"])
def test_without_a_penalty_due_it_is_rounded(network):
    """Or the test above would see nothing."""
    exact, _ = gradients([*network, *PENALTIES["r1"]], False, due=False)
    mixed, _ = gradients([*network, *PENALTIES["r1"]], True, due=False)
    assert 1e-4 < (mixed - exact).norm() / exact.norm() < 0.2


def test_the_generators_step_is_rounded_too():
    config = tiny(*CONVOLUTIONS, *PENALTIES["r1"], "precision=bfloat16")
    gan, _ = build_gan(config, digits(), CPU)
    with precision(config, CPU):
        losses, _ = generator_losses(gan, Batch(torch.rand(8, 1, 8, 8)), {})
        assert score(gan, Batch(torch.rand(8, 1, 8, 8))).logits.dtype == torch.bfloat16
    assert len(losses) == 1
