"""The paper in one file is the library's own step, bit for bit; the other examples learn what they say."""

from __future__ import annotations

import copy
import importlib.util
import itertools
import math
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from evenodds.algorithm import GAN, Batch, train_step
from evenodds.losses import LOSSES

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class NoLabel(nn.Module):
    """A player of the one-file example with the library's signature."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x, y=None):
        return self.network(x)


class Logits(NoLabel):
    def forward(self, x, y=None):
        return self.network(x).squeeze(1)


class Noise:
    """The example's prior as the library's."""

    dim = 4

    def __init__(self, noise) -> None:
        self.noise = noise

    def __call__(self, n, generator=None, device="cpu"):
        return self.noise(n)


def optimizers(*networks):
    return [torch.optim.Adam(network.parameters(), lr=2e-3, betas=(0.5, 0.999)) for network in networks]


@pytest.mark.parametrize("saturating", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_the_one_file_example_is_train_step_bit_for_bit(k, saturating):
    example = load("algorithm1")
    example.K, example.M, example.SATURATING = k, 32, saturating
    g, d = example.network(4), example.network(1)
    g2, d2 = NoLabel(copy.deepcopy(g)), Logits(copy.deepcopy(d))
    start = copy.deepcopy(g.state_dict())

    torch.manual_seed(1)
    players = optimizers(g, d)
    for _ in range(20):
        example.iteration(g, d, *players, example.data)

    torch.manual_seed(1)
    players = optimizers(g2, d2)
    gan = GAN(
        generator=g2,
        discriminator=d2,
        generator_optimizer=players[0],
        discriminator_optimizer=players[1],
        prior=Noise(example.noise),
        loss=LOSSES["minimax" if saturating else "non_saturating"],
        critic_steps=k,
    )
    batches = (Batch(example.data(example.M)) for _ in itertools.count())
    for _ in range(20):
        train_step(gan, batches)

    for ours, theirs in ((g2.network, g), (d2.network, d)):
        for name, weight in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], weight), name
    assert not torch.equal(start["0.weight"], g.state_dict()["0.weight"])


def test_the_one_file_example_imports_nothing_but_torch_and_the_standard_library():
    lines = (EXAMPLES / "algorithm1.py").read_text(encoding="utf-8").splitlines()
    imported = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported == {"__future__", "collections", "math", "torch"}
    assert len(lines) <= 100


def test_the_one_file_example_reports_v_at_even_odds(capsys, monkeypatch):
    example = load("algorithm1")
    silent = nn.Linear(1, 1)
    for parameter in silent.parameters():
        nn.init.zeros_(parameter)
    assert example.value(example.network(4), silent) == pytest.approx(-math.log(4), abs=1e-5)
    monkeypatch.setattr(example, "ITERATIONS", 2)
    example.main()
    assert "−log 4 = -1.386" in capsys.readouterr().out


def test_custom_loss_learns_its_data():
    samples = load("custom_loss").play(600)
    assert samples.mean().item() == pytest.approx(3, abs=0.4)
    assert samples.std().item() == pytest.approx(0.5, abs=0.25)


def test_custom_loss_reaches_the_chi_squared_divergence():
    # p = N(0, 1), q = N(1, 1): χ² = e^(μ²) − 1 at T* = 2 (p/q − 1)
    loss = load("custom_loss").pearson
    x = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    dx = (x[1] - x[0]) / math.sqrt(2 * math.pi)
    p, q = torch.exp(-(x**2) / 2) * dx, torch.exp(-((x - 1) ** 2) / 2) * dx
    best = 2 * (torch.exp(0.5 - x) - 1)
    zero = torch.zeros_like(best)
    found = -(p * loss.discriminator(best, zero) + q * loss.discriminator(zero, best)).sum()
    assert found.item() == pytest.approx(math.e - 1, abs=1e-6)


def test_custom_network_learns_its_circle():
    distance = load("custom_network").play(400).norm(dim=1)
    assert distance.mean().item() == pytest.approx(1, abs=0.25)
    assert distance.std().item() < 0.4
