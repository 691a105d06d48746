"""Does every loss's best discriminator reach its known value? `python benchmarks/optimal_discriminator.py`

N(0, 1) is real and N(μ, 1) generated, for μ = 1, 2, 5.  D is evenodds' own `mlp`, trained by evenodds' own
losses on the exact expectation: a sum over quadrature nodes, or pairs of them, in place of a minibatch, in
float64, by Adam and then L-BFGS.  Its loss is then measured on other, finer nodes, and
compared with the closed form (theory.optimal_loss).  Exits with 1 if a difference is above 1e-3.
Writes results/optimal_discriminator.md and .json.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from evenodds.data.densities import gaussian
from evenodds.losses import LOSSES, AdversarialLoss
from evenodds.networks.mlp import MLPDiscriminator
from evenodds.theory import Divergences, Estimate, divergences, optimal_loss
from evenodds.theory.quadrature import gauss_legendre
from outcome import provenance, table, write_result

MEANS = (1.0, 2.0, 5.0)
SEEDS = (0, 1)
TOLERANCE = 1e-3
ADAM_STEPS, ADAM_RATE = 4_000, 2e-2
LBFGS_STEPS = 300
WIDTHS = (32, 32)
PANELS, PAIRED_PANELS, TEST_PANELS = 50, 20, 200  # on each side of μ/2, of 4 nodes each
SHOWN = ("loss", "mean", "closed_form", "worst_difference")
Critic = Callable[[Tensor], Tensor]  # (N, 1) to scores (N,)


def nodes(mean: float, panels: int) -> tuple[Tensor, Tensor, Tensor]:
    """x (N, 1), and masses p dx and q dx (N,); a panel ends at μ/2, where hinge and |f| ≤ 1 have a kink."""
    edges = torch.linspace(mean / 2 - 9.5, mean / 2 + 9.5, 2 * panels + 1, dtype=torch.float64)[:, None]
    x, weight = gauss_legendre(edges[:-1], edges[1:], 4)
    x, weight = x.reshape(-1, 1), weight.flatten()
    p, q = ((-(x[:, 0] - m).square() / 2).exp() / math.sqrt(2 * math.pi) * weight for m in (0.0, mean))
    return x, p, q


def expected(loss: AdversarialLoss, scores: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """E over x ~ p, y ~ q of D's loss(D(x), D(y))."""
    if loss.paired:
        return over_pairs(loss, scores, p, q)
    none = torch.zeros_like(
        scores
    )  # a sum of a term of x and one of y, so that one pass over the nodes will do
    of_real, of_fake = loss.discriminator(scores, none), loss.discriminator(none, scores)
    return p @ of_real + q @ of_fake - loss.discriminator(none[:1], none[:1]).sum()


def over_pairs(loss: AdversarialLoss, scores: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """The same over all pairs of nodes, some rows of them at a time: right for any loss."""
    total = scores.new_zeros(())
    for real, mass in zip(scores.split(512), p.split(512), strict=True):
        pairs = loss.discriminator(real.repeat_interleave(len(q)), scores.repeat(len(real)))
        total = total + mass @ pairs.reshape(len(real), -1) @ q
    return total


def bounded(network: nn.Module, x: Tensor) -> Tensor:
    """tanh of the network: |f| ≤ 1."""
    return network(x).tanh()


def lipschitz(network: nn.Module, x: Tensor) -> Tensor:
    """The network over its steepest slope at the nodes x: |f′| ≤ 1 there."""
    x = x.detach().requires_grad_()
    scores = network(x)
    (slopes,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return scores / slopes.abs().max()


def plain(network: nn.Module, x: Tensor) -> Tensor:
    """The network as it is."""
    return network(x)


def fit(
    loss: AdversarialLoss, critic: Callable[[nn.Module, Tensor], Tensor], mean: float, seed: int
) -> Critic:
    """D, trained as far as it goes."""
    torch.manual_seed(seed)
    network = MLPDiscriminator(sample_shape=(1,), widths=WIDTHS, activation="tanh").double()
    x, p, q = nodes(mean, PAIRED_PANELS if loss.paired else PANELS)
    adam = torch.optim.Adam(network.parameters(), lr=ADAM_RATE)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, ADAM_STEPS)
    lbfgs = torch.optim.LBFGS(
        network.parameters(), max_iter=LBFGS_STEPS, history_size=50, line_search_fn="strong_wolfe",
        tolerance_grad=1e-10, tolerance_change=1e-13,
    )  # fmt: skip

    def closure() -> Tensor:
        adam.zero_grad()
        value = expected(loss, critic(network, x), p, q)
        value.backward()
        return value

    for _ in range(ADAM_STEPS):
        closure()
        adam.step()
        decay.step()
    lbfgs.step(closure)
    return partial(critic, network)


# name, loss, what D may be, and the closed form where it isn't that of `optimal_loss`
CASES: list[tuple[str, str, Callable[[nn.Module, Tensor], Tensor], Callable[[Divergences], Estimate]]] = [
    ("minimax, non_saturating", "minimax", plain, partial(optimal_loss, "minimax")),  # one loss for D
    *(
        (name, name, plain, partial(optimal_loss, name))
        for name in ("hinge", "least_squares", "relativistic")
    ),
    ("wasserstein, slope ≤ 1", "wasserstein", lipschitz, partial(optimal_loss, "wasserstein")),
    (
        "wasserstein, \\|f\\| ≤ 1",
        "wasserstein",
        bounded,
        lambda d: Estimate(-2 * d.total_variation.value, 2 * d.total_variation.error),
    ),
]


def measure(mean: float, seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """One row per loss: the closed form, and the value reached by each seed on the finer nodes."""
    between = divergences(gaussian(), gaussian(mean=mean))
    x, p, q = nodes(mean, TEST_PANELS)
    rows: list[dict[str, Any]] = []
    for title, name, critic, known in CASES:
        loss, started, reached = LOSSES[name], time.perf_counter(), []
        for seed in seeds:
            scores = fit(loss, critic, mean, seed)(x).detach()
            reached.append(float(expected(loss, scores, p, q)))
        truth = known(between)
        worst = max((value - truth.value for value in reached), key=abs)
        rows.append({
            "loss": title, "mean": mean, "closed_form": truth.value, "closed_form_error": truth.error,
            "reached": reached, "worst_difference": worst, "seconds": time.perf_counter() - started,
        })  # fmt: skip
        print(
            f"μ = {mean:g}  {title:24} {truth.value:10.6f}  worst of {len(seeds)}: {worst:+.1e}", flush=True
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, nothing is written")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    rows = [row for mean in MEANS for row in measure(mean, SEEDS[:1] if quick else SEEDS)]
    reached = all(abs(row["worst_difference"]) <= TOLERANCE for row in rows)
    said = "every one is" if reached else "NOT every one is"
    head = ["loss", "μ", "closed form", "reached, worst seed", "difference"]
    lines = [
        [title, f"{mean:g}", f"{known:.6f}", f"{known + off:.6f}", f"{off:+.1e}"]
        for title, mean, known, off in ([row[key] for key in SHOWN] for row in rows)
    ]
    sentence, machine = provenance("python benchmarks/optimal_discriminator.py")
    text = f"""# The least loss of a trained discriminator, against closed forms

{sentence}

Real data N(0, 1), generated N(μ, 1).  D is `mlp` with {WIDTHS} tanh units, float64, trained on the exact
expectation ({8 * PANELS} Gauss-Legendre nodes, for relativistic all pairs of {8 * PAIRED_PANELS}) by
{ADAM_STEPS} steps of Adam, learning rate {ADAM_RATE} to 0, and up to {LBFGS_STEPS} of L-BFGS; measured on
{8 * TEST_PANELS} other nodes.  Seeds {SEEDS}; the worst is shown.  Steps and rate don't depend on loss, μ or
seed.  They and the nodes were raised in trials of hinge, whose best D is a step: 600 steps at 0.005 on 160
nodes left it 0.013 above its value, 6,000 at 0.01 still 0.005 for the worst of three seeds, 4,000 at 0.02 on
400 nodes 0.00096.  A Wasserstein critic has no optimum without a bound: it is given either slope ≤ 1 (divided
by its steepest slope at the nodes), where the loss is −W₁ = −μ, or |f| ≤ 1 (by tanh), where it is −2 TV.
The bar is a difference of {TOLERANCE:g}: {said} within it.

{table(head, lines)}
"""
    if not quick:
        write_result("optimal_discriminator", text, {"machine": machine, "rows": rows})
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
