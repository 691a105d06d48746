"""A small network, trained on the exact expectation, reaches the least loss that theory knows.

The fast version of benchmarks/optimal_discriminator.py, with its nodes, its pairs and its networks.
"""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from evenodds.data.densities import gaussian
from evenodds.losses import LOSSES
from evenodds.theory import divergences, optimal_discriminator

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark_module():
    spec = importlib.util.spec_from_file_location("optimal", FOLDER / "optimal_discriminator.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(FOLDER))  # for outcome.py beside it
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    module.ADAM_STEPS, module.LBFGS_STEPS = 60, 60
    return module


def test_the_nodes_hold_all_mass(benchmark_module):
    for mean in benchmark_module.MEANS:
        x, p, q = benchmark_module.nodes(mean, 20)
        assert float(p.sum()) == pytest.approx(1, abs=1e-9)
        assert float(q @ x[:, 0]) == pytest.approx(mean, abs=1e-9)


def test_trained_networks_reach_the_closed_forms(benchmark_module):
    """Those losses whose best D is smooth; steps take the benchmark's minutes."""
    mean = 2.0
    between = divergences(gaussian(), gaussian(mean=mean))
    x, p, q = benchmark_module.nodes(mean, 30)
    for title, name, critic, known in benchmark_module.CASES:
        if title in ("least_squares", "relativistic"):
            loss = LOSSES[name]
            scores = benchmark_module.fit(loss, critic, mean, 0)(x).detach()
            value = float(benchmark_module.expected(loss, scores, p, q))
            assert value == pytest.approx(known(between).value, abs=1e-3), title


def test_the_trained_network_is_the_best_discriminator(benchmark_module):
    network = benchmark_module.fit(LOSSES["minimax"], benchmark_module.plain, 1.0, 1)
    x = torch.linspace(-2, 3, 51, dtype=torch.float64)[:, None]
    best = optimal_discriminator(gaussian(), gaussian(mean=1.0))(x)
    assert float((network(x).detach().sigmoid() - best.sigmoid()).abs().max()) < 0.01


def test_a_critic_without_its_bound_would_have_no_optimum(benchmark_module):
    """The bounds that the benchmark gives a Wasserstein critic hold where it is measured."""
    torch.manual_seed(0)
    network = benchmark_module.MLPDiscriminator(sample_shape=(1,), widths=(8,), activation="tanh").double()
    x = torch.linspace(-3, 3, 201, dtype=torch.float64)[:, None]
    assert float(benchmark_module.bounded(lambda x: 50 * network(x), x).detach().abs().max()) <= 1
    scores = benchmark_module.lipschitz(lambda x: 50 * network(x), x).detach()
    slopes = (scores[1:] - scores[:-1]) / 0.03
    assert 0.99 < float(slopes.abs().max()) < 1.001


def test_every_loss_is_measured_and_pairs_are_needed_only_where_they_are_made(benchmark_module):
    assert {name for _, name, _, _ in benchmark_module.CASES} == set(LOSSES) - {"non_saturating"}
    assert LOSSES["non_saturating"].discriminator is LOSSES["minimax"].discriminator
    x, p, q = benchmark_module.nodes(1.0, 10)
    scores = (0.7 - 1.3 * x[:, 0]).sin() * 2
    for loss in LOSSES.values():
        value = benchmark_module.expected(loss, scores, p, q)
        torch.testing.assert_close(value, benchmark_module.over_pairs(loss, scores, p, q))
