"""Selection by odds: with the exact discriminator of two known Gaussians, samples of G turn into data."""

from __future__ import annotations

import dataclasses
import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from scipy import stats

from evenodds import Config, ConfigError, DataError, RunError, recipe, training
from evenodds.config import config_from, override
from evenodds.data.dataset import Dataset, Split
from evenodds.odds import Ceiling, ceiling, judge_of, metropolis_hastings, rejection
from evenodds.odds.selection import derived, expected_ratio
from evenodds.opening import open_run

# G makes N(0, 1.5²), the data are N(0.5, 1): the ratio is bounded, and its maximum known.
DATA, GENERATOR = NormalDist(0.5, 1.0), NormalDist(0.0, 1.5)


def samples(seeds):
    """(N,) of G, one per seed."""
    return np.array(
        [np.random.default_rng([7, seed]).normal(GENERATOR.mean, GENERATOR.stdev) for seed in seeds]
    )


def log_ratio(x):
    """log p_data(x)/p_g(x), (N,)."""
    return stats.norm.logpdf(x, DATA.mean, DATA.stdev) - stats.norm.logpdf(x, GENERATOR.mean, GENERATOR.stdev)


def score(seeds, labels=None):
    return log_ratio(samples(seeds))


# d/dx log ratio = 0 where (x − ½) = x/1.5²
HIGHEST = float(log_ratio(np.array([0.5 / (1 - 1 / 1.5**2)]))[0])


def agrees(x, distribution):
    """Kolmogorov-Smirnov at 0.1 %, for numbers that never change from one test run to the next."""
    return stats.kstest(x, stats.norm(distribution.mean, distribution.stdev).cdf).pvalue > 1e-3


def test_the_candidates_themselves_are_not_the_data():
    x = samples(range(2_000))
    assert agrees(x, GENERATOR)
    assert not agrees(x, DATA)


def test_rejection_reproduces_the_data_at_the_rate_that_theory_gives():
    chosen = rejection(score, range(2_000), limit=Ceiling(HIGHEST))
    x = samples(chosen.seeds)
    assert agrees(x, DATA)
    assert x.mean() == pytest.approx(DATA.mean, abs=4 / math.sqrt(2_000))
    assert x.std() == pytest.approx(DATA.stdev, abs=4 / math.sqrt(2 * 2_000))
    # E_g[p/(M q)] = 1/M
    assert chosen.acceptance == pytest.approx(math.exp(-HIGHEST), abs=0.03)
    assert chosen.accepted == 2_000


def test_a_chain_reproduces_the_data():
    start = log_ratio(np.random.default_rng(0).normal(DATA.mean, DATA.stdev, 500))
    chosen = metropolis_hastings(score, range(1_500), start=start, steps=20)
    x = samples(chosen.seeds)
    assert agrees(x, DATA)
    assert x.std() == pytest.approx(DATA.stdev, abs=4 / math.sqrt(2 * 1_500))
    assert chosen.candidates >= 20 * 1_500
    # stationary: x, x' independent from p and q; accepted with E min(1, odds(x')/odds(x))
    random = np.random.default_rng(1)
    current = log_ratio(random.normal(DATA.mean, DATA.stdev, 50_000))
    proposal = log_ratio(random.normal(GENERATOR.mean, GENERATOR.stdev, 50_000))
    rate = np.minimum(1, np.exp(proposal - current)).mean()
    assert chosen.acceptance == pytest.approx(rate, abs=0.02)


def test_a_chain_that_never_left_its_real_example_begins_anew_at_the_plain_sample():
    certain = np.full(3, 1e6)  # no candidate is ever as likely as these
    chosen = metropolis_hastings(score, range(30), start=certain, steps=4)
    assert chosen.candidates == 2 * 4 * 30
    assert len(chosen.seeds) == 30
    reachable = [{seed, *(derived(seed, attempt)[0] for attempt in range(5, 9))} for seed in range(30)]
    assert all(seed in seeds for seed, seeds in zip(chosen.seeds, reachable, strict=True))
    assert any(chosen.seeds[seed] != seed for seed in range(30))


@pytest.mark.parametrize("select", [
    lambda seeds: rejection(score, seeds, limit=Ceiling(HIGHEST)),
    lambda seeds: metropolis_hastings(score, seeds, start=np.zeros(1), steps=5),
])  # fmt: skip
def test_a_seed_gives_the_same_sample_alone_and_among_others(select):
    together = select(range(20)).seeds
    assert [select([seed]).seeds[0] for seed in range(20)] == together
    assert select(list(range(19, -1, -1))).seeds == together[::-1]
    assert len(set(together)) == 20


def test_labels_stay_with_their_seeds():
    asked = []

    def labelled(seeds, labels):
        asked.extend(zip(seeds, labels, strict=True))
        return score(seeds)

    chosen = rejection(labelled, range(50), [seed % 3 for seed in range(50)], limit=Ceiling(HIGHEST))
    label_of = dict(asked)
    assert [label_of[seed] for seed in chosen.seeds] == [seed % 3 for seed in range(50)]


def test_the_acceptance_without_a_shift_is_the_ratio_to_the_ceiling():
    odds = np.array([-6.0, -1.0, 0.0, 1.9])
    assert Ceiling(2.0).acceptance(odds) == pytest.approx(np.exp(odds - 2), rel=1e-4)
    assert Ceiling(2.0).acceptance(np.array([2.0, 9.0])) == pytest.approx([1, 1], abs=1e-5)
    # σ(logit(r) − γ) by hand for r = 0.25, γ = −1
    by_hand = 1 / (1 + math.exp(-(math.log(0.25 / 0.75) + 1)))
    assert Ceiling(0.0, -1.0).acceptance(np.array([math.log(0.25)])) == pytest.approx([by_hand], rel=1e-4)


def test_the_shift_is_the_one_that_accepts_the_least_share():
    burn_in = np.random.default_rng(0).normal(-8, 3, 4_000)
    exact = Ceiling(float(burn_in.max())).acceptance(burn_in).mean()
    assert exact < 0.01
    found = ceiling(burn_in, least=0.05)
    assert found.log_ratio == burn_in.max()
    assert found.acceptance(burn_in).mean() == pytest.approx(0.05, abs=1e-6)
    assert found.shift < 0
    assert ceiling(burn_in, least=exact / 2).shift == 0


def test_samples_that_are_never_accepted_are_a_sentence():
    with pytest.raises(RunError, match="train the generator for longer"):
        rejection(lambda seeds, labels: np.full(len(seeds), -1e3), [0], limit=Ceiling(0.0))


def test_the_mean_ratio_of_a_calibrated_judge_is_1():
    assert expected_ratio(score(range(20_000))) == pytest.approx(1, abs=0.03)


class Wide(torch.nn.Module):
    """G(z) = 1.5 z: N(0, 1.5²) against the data's N(0, 1)."""

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(1.5))

    def forward(self, z, y=None):
        return self.factor * z


def config(**changes) -> Config:
    """Ten steps of G and D, of 32 units, on N(0, 1)."""
    values = recipe("gan-ring").model_dump(mode="json")
    quiet = ["metrics=[]", "metrics_every=never", "samples_every=never", "threads=1", "referee=false"]
    sizes = [f"{player}.network.widths=[32]" for player in ("generator", "discriminator")]
    line = ["data={name: gaussian}", "prior={name: normal, dim: 1}", "examples=1280", "recipe=line"]
    return config_from(override(values, [*quiet, *sizes, *line, *(f"{k}={v}" for k, v in changes.items())]))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("odds") / "run"
    for _ in training(config(), directory):
        pass
    return directory


@pytest.fixture(scope="module")
def opened(run):
    """The run, with a generator whose density is known."""
    found = open_run(run)
    return dataclasses.replace(found, sampler=dataclasses.replace(found.sampler, generator=Wide().eval()))


def test_a_run_judges_its_own_samples_as_its_networks_do(opened):
    judge = judge_of(opened)
    x = opened.sampler(range(100))
    with torch.no_grad():
        by_hand = judge.line(opened.gan.discriminator(torch.from_numpy(x))).double().numpy()
    assert judge.score(range(100)) == pytest.approx(by_hand, abs=1e-5)
    assert judge.odds(Split(x)) == pytest.approx(by_hand, abs=1e-5)
    assert judge.score([5])[0] == judge.score(range(100))[5]


def test_calibrating_and_measuring_see_different_examples(opened):
    judge = judge_of(opened)
    validation = opened.dataset.validation.x
    assert len(judge.held_out) == len(validation) // 2
    positions = np.searchsorted(np.sort(validation[:, 0]), judge.held_out.x[:, 0])
    assert len(set(positions.tolist())) > 0.99 * len(judge.held_out)


def test_a_judge_trained_on_knows_the_odds_and_selects_the_data(opened):
    judge = judge_of(opened, steps=300)
    x = np.linspace(-2, 2, 9, dtype=np.float32)
    truth = stats.norm.logpdf(x, 0, 1) - stats.norm.logpdf(x, 0, 1.5)
    assert judge.odds(Split(x[:, None])) == pytest.approx(truth, abs=0.25)
    limit = ceiling(judge.score(range(10_000, 12_000)))
    assert limit.shift == 0
    assert limit.log_ratio == pytest.approx(math.log(1.5), abs=0.2)
    chosen = rejection(judge.score, range(1_000), limit=limit)
    plain, selected = (opened.sampler(seeds)[:, 0] for seeds in (range(1_000), chosen.seeds))
    assert plain.std() == pytest.approx(1.5, abs=0.15)
    assert selected.std() == pytest.approx(1, abs=0.12)
    assert chosen.acceptance == pytest.approx(1 / 1.5, abs=0.1)


def test_the_gauge_sees_less_of_a_difference_after_selection(opened):
    """JSD of N(0, 1) and N(0, 1.5²) by numerical integration: 0.0368 nats."""
    judge = judge_of(opened, steps=300)
    chosen = rejection(judge.score, range(3_000), limit=ceiling(judge.score(range(10_000, 12_000))))
    before, after = judge.gauge(range(3_000)), judge.gauge(chosen.seeds)
    grid = np.linspace(-12, 12, 20_001)
    p, q = stats.norm.pdf(grid), stats.norm.pdf(grid, scale=1.5)
    middle = (p + q) / 2
    jsd = float(((p * np.log(p / middle) + q * np.log(q / middle)) / 2).sum() * (grid[1] - grid[0]))
    assert before.jsd.low <= jsd <= before.jsd.high
    assert before.jsd.low > 0
    assert after.jsd.estimate < 0.25 * before.jsd.estimate


def test_training_on_leaves_the_run_as_it_was(opened):
    weights = {name: value.clone() for name, value in opened.gan.discriminator.state_dict().items()}
    state = torch.random.get_rng_state()
    first, second = (judge_of(opened, steps=20) for _ in range(2))
    assert all(torch.equal(value, weights[k]) for k, value in opened.gan.discriminator.state_dict().items())
    assert torch.equal(state, torch.random.get_rng_state())
    assert first.line == second.line
    assert first.line != judge_of(opened).line


def test_a_discriminator_of_packs_gives_no_odds(tmp_path):
    for _ in training(config(packing=2), tmp_path / "run"):
        pass
    with pytest.raises(ConfigError, match=r"packs of 2.*packing=1"):
        judge_of(open_run(tmp_path / "run"))


def test_too_few_held_out_examples_are_a_sentence(run):
    x = np.zeros((300, 1), np.float32)
    few = Dataset("few", Split(x), Split(x[:99]), None, value_range=None)
    with pytest.raises(DataError, match="99 held-out examples"):
        judge_of(open_run(run, dataset=few))
