"""Which branch helped: every branch's generator before the same fresh probes.

The branches' own discriminators can't be compared: each saw another generator, under other rules.  A probe is
trained anew for every generator, with the same seed, the same real examples and the same latents.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, variance
from typing import Literal

import torch
from torch import Tensor

from ..config import Config
from ..data.dataset import Dataset
from ..data.loader import to_range
from ..evaluation import evaluate
from ..metrics.bounds import LOG_4
from ..metrics.diversity import distances, energy_distance
from ..referee.probe import Probed, probe
from ..sampling import Sampler
from .plans import CONTROL

SEEDS = 5  # probes of every generator
STEPS = 200  # of training each, at most
LEVEL = 0.95  # that no verdict of the table is wrong
CHUNK = 1_024  # samples of one forward pass
ENERGY_EXAMPLES = 1_000  # of either kind
Outcome = Literal["control", "helped", "no difference", "hurt"]


@dataclass(frozen=True)
class Judged:
    """One branch's generator.

    Args:
        jsd: what the probes show of the divergence from the data, nats: a lower bound, the mean over seeds.
        error: standard error of `jsd`.
        difference: of `jsd` from the control's; below 0 is better.
        margin: half the width of the difference's interval.
        outcome: what that means.
        energy: energy distance of samples to held-out examples.
        metric: (name, value) of the run's first metric, None where it has none.
        seeds: what each probe found, in nats.
    """

    jsd: float
    error: float
    difference: float
    margin: float
    outcome: Outcome
    energy: float
    metric: tuple[str, float] | None
    seeds: tuple[float, ...]


def judge(
    samplers: Mapping[str, Sampler],
    dataset: Dataset,
    config: Config,
    *,
    go_on: Callable[[], bool] = lambda: True,
) -> dict[str, Judged] | None:
    """A verdict on every branch against the control, on validation data; None where it was called off.

    Args:
        samplers: by the branch's name, CONTROL among them.
        dataset: that all of them were trained on.
        config: of the run: its first metric is measured, too, and labels are drawn where it has them.
        go_on: asked before every probe.

    Raises:
        DataError: there are too few examples for a probe.
    """
    train, held_out = (
        to_range(torch.from_numpy(split.x), dataset.value_range)
        for split in (dataset.train, dataset.validation)
    )
    labels = None
    if config.conditional and dataset.train.y is not None:
        labels = torch.from_numpy(dataset.train.y)
    draws = {name: drawing(sampler, labels) for name, sampler in samplers.items()}
    found: dict[str, list[Probed]] = {name: [] for name in samplers}
    for seed in range(SEEDS):  # so that an end that comes early leaves all branches with as many
        for name, draw in draws.items():
            if not go_on():
                return None
            found[name].append(probe(train, held_out, draw, steps=STEPS, seed=seed))
    energies = {name: _energy(draw, held_out) for name, draw in draws.items()}
    metrics = {name: _metric(sampler, dataset, config) for name, sampler in samplers.items()}
    return {
        name: compared(probes, found[CONTROL], branches=len(samplers) - 1, energy=energies[name],
                       metric=metrics[name], control_itself=name == CONTROL)
        for name, probes in found.items()
    }  # fmt: skip


def compared(
    probes: Sequence[Probed],
    control: Sequence[Probed],
    *,
    branches: int,
    energy: float,
    metric: tuple[str, float] | None,
    control_itself: bool = False,
) -> Judged:
    """One branch's probes against the control's, seed by seed.

    The error of a difference has two parts: probes of other seeds find other values, which the seeds show;
    and the held-out examples are few, which every probe's own interval shows.  The second is counted as if
    the two generators were measured on examples of their own: the true error is smaller.

    Args:
        probes: of the branch, one for each seed.
        control: likewise.
        branches: how many are compared with the control: each at (1 − LEVEL) / branches (Bonferroni).
        energy: see `Judged`.
        metric: see `Judged`.
        control_itself: whether this is the control.
    """
    values, others = jsds(probes), jsds(control)
    pairs = [one - other for one, other in zip(values, others, strict=True)]
    sampling, other_sampling = _sampling_variance(probes), _sampling_variance(control)
    z = NormalDist().inv_cdf(1 - (1 - LEVEL) / 2 / max(branches, 1))
    difference = fmean(pairs)
    margin = z * math.sqrt(variance(pairs) / len(pairs) + sampling + other_sampling)
    error = math.sqrt(variance(values) / len(values) + sampling)
    outcome: Outcome = "no difference"
    if control_itself:
        outcome = "control"
    elif abs(difference) > margin:
        outcome = "helped" if difference < 0 else "hurt"
    return Judged(fmean(values), error, difference, margin, outcome, energy, metric, tuple(values))


def jsds(probes: Sequence[Probed]) -> list[float]:
    """(V + log 4)/2 of every probe, nats; below 0 where a probe was confident and wrong."""
    return [(one.bounds.value.estimate + LOG_4) / 2 for one in probes]


def drawing(sampler: Sampler, labels: Tensor | None) -> Callable[[int, torch.Generator], Tensor]:
    """`(n, generator) -> (n, *sample_shape)` on the CPU: equal states of the generator, equal latents.

    Args:
        sampler: whose network is used.
        labels: (N,) int64 of the training data, from which the samples' labels are drawn; None without.
    """

    @torch.inference_mode()
    def draw(count: int, random: torch.Generator) -> Tensor:
        z = sampler.prior(count, random)
        y = None if labels is None else labels[torch.randint(len(labels), (count,), generator=random)]
        parts = [
            sampler.generator(
                z[at : at + CHUNK].to(sampler.device),
                None if y is None else y[at : at + CHUNK].to(sampler.device),
            )
            for at in range(0, count, CHUNK)
        ]
        return torch.cat(parts).float().cpu()

    return draw


def _sampling_variance(probes: Sequence[Probed]) -> float:
    """Variance of a JSD for the finite number of held-out examples, the mean over probes."""
    z = NormalDist().inv_cdf((1 + probes[0].bounds.level) / 2)
    # the lower half of the interval: the upper one ends at 0
    halves = [(one.bounds.value.estimate - one.bounds.value.low) / 2 / z for one in probes]
    return fmean(half**2 for half in halves)


def _energy(draw: Callable[[int, torch.Generator], Tensor], held_out: Tensor) -> float:
    """Energy distance (Székely and Rizzo 2013) between samples and as many held-out examples."""
    real = held_out[:ENERGY_EXAMPLES].flatten(1)
    fake = draw(len(real), torch.Generator().manual_seed(SEEDS)).flatten(1)
    return energy_distance(distances(fake, real), distances(fake), distances(real))


def _metric(sampler: Sampler, dataset: Dataset, config: Config) -> tuple[str, float] | None:
    """The run's first metric on validation data."""
    if not config.metrics:
        return None
    result = evaluate(sampler, dataset, config.metrics[:1], split="validation", reference=False)[0]
    return result.name, result.value
