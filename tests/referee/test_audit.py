"""An audit proves most of the truth and no more; its parts never meet; what can't be audited is refused."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from evenodds.data import sources
from evenodds.data.dataset import Dataset, Split
from evenodds.data.densities import gaussian, gaussian_mixture, ring
from evenodds.errors import ConfigError, DataError, RunError
from evenodds.referee.audit import Trial, audit, conclude, corrected, trials
from evenodds.referee.evidence import Evidence, gather
from evenodds.referee.probe import Pairs


@dataclasses.dataclass
class Known:
    """A density, or a function of seeds, in a generator's place."""

    draw: object
    sample_shape: tuple[int, ...] = (1,)
    value_range: tuple[float, float] | None = None
    class_names: tuple[str, ...] = ()
    asked: list = dataclasses.field(default_factory=list)

    def __call__(self, seeds, labels=None):
        self.asked.append((seeds, labels))
        return np.asarray(self.draw(len(seeds), torch.Generator().manual_seed(seeds[0])), np.float32)


def known(density, train=3000, validation=2000, test=3000) -> Dataset:
    random = torch.Generator().manual_seed(0)
    splits = [Split(density.sample(n, random).numpy()) if n else None for n in (train, validation, test)]
    return Dataset("known", *splits, value_range=None)


def evidence(p, q, n=1500) -> Evidence:
    random = torch.Generator().manual_seed(0)
    parts = [Pairs(p.sample(n, random), q.sample(2 * n, random)) for _ in range(4)]
    return Evidence(parts[0], parts[1], parts[2], parts[3], "examples")


@pytest.mark.parametrize(
    ("q", "jsd", "tv"), [(gaussian(mean=2.0), 0.336831, 0.682689), (gaussian(std=2.0), 0.092733, 0.322675)]
)
def test_it_proves_most_of_the_truth_and_no_more(q, jsd, tv):
    found = audit(Known(q.sample), known(gaussian()), minutes=math.inf, most=1)
    assert 0.75 * jsd < found.jsd < jsd
    assert 0.85 * tv < found.total_variation < tv
    assert found.finalists[0].bounds.jsd.estimate == pytest.approx(jsd, rel=0.15)
    assert found.p_value < 1e-12
    assert json.loads(json.dumps(found.record()))["jsd_at_least"] == found.jsd


def test_a_generator_that_has_won():
    found = conclude(*_tried(evidence(gaussian(), gaussian())))
    assert found.jsd < 0.001
    assert found.total_variation < 0.01
    assert found.p_value > 0.01


def test_missing_modes_of_a_ring_are_found_and_shown():
    q = gaussian_mixture(means=ring().modes[:7].tolist(), std=0.01)
    material = evidence(ring(), q)
    found = conclude(*_tried(material))
    assert 0.6 * 0.0454 < found.jsd < 0.0454  # log 2 − ... of one mode in eight, by quadrature
    missed = material.measured.real[found.finalists[0].real.argsort(descending=True)[:100]]
    assert torch.allclose(missed, ring().modes[7].float(), atol=0.06)


def _tried(material):
    return material, list(trials(material, seconds=60, most=2, steps=60))


def test_the_best_bound_is_corrected_for_the_number_of_finalists():
    assert corrected(0.95) == pytest.approx(1 - 2 * 0.05 / 3)
    material = evidence(gaussian(), gaussian(mean=1.0), n=800)
    one = Trial("optimal", lambda x: 0.5 - x[:, 0], _scored(material), 3.0, "value", (0.1, -1.0), 0, 0.0)
    alone, three = (
        conclude(material, [one]),
        conclude(material, [one._replace(name=str(n)) for n in range(5)]),
    )
    assert (len(alone.finalists), len(three.finalists)) == (1, 3)
    assert three.jsd < alone.jsd < 0.111421
    assert three.finalists[0].bounds.level == pytest.approx(corrected(0.95))
    assert three.tried == 5


def _scored(material):
    return Pairs(*(0.5 - part[:, 0] for part in material.judged))


def test_the_same_seed_gives_the_same_audit():
    source, dataset = Known(gaussian(mean=1.0).sample), known(gaussian(), 400, 400, 400)

    def record(seed: int):
        material = gather(source, dataset, needed=20, seconds=math.inf, seed=seed)
        tried = list(trials(material, seconds=math.inf, seed=seed, most=2, steps=40))
        return conclude(material, tried).record()

    assert record(5) == record(5) != record(6)


def test_no_example_and_no_sample_stands_in_two_parts():
    x = np.arange(4000, dtype=np.float32)[:, None]
    for test in (Split(x[3000:]), None):
        dataset = Dataset("numbers", Split(x[:2000]), Split(x[2000:3000]), test, value_range=None)
        source = Known(lambda n, random: torch.rand(n, 1, generator=random))
        parts = gather(source, dataset, needed=20, seconds=10)
        reals = [set(pairs.real[:, 0].tolist()) for pairs in parts[:4]]
        assert sum(map(len, reals)) == len(set.union(*reals))
        assert max(parts.train.real) < 2000 <= min(parts.held_out.real)
        assert min(parts.measured.real) >= (3000 if test else 2000)
        assert [len(pairs.real) for pairs in parts[1:4]] == ([500, 500, 1000] if test else [250, 250, 500])
        seeds = [seed for seeds, _ in source.asked for seed in seeds]
        assert len(seeds) == len(set(seeds)) == sum(len(pairs.fake) for pairs in parts[:4])


def test_bytes_are_compared_with_bytes():
    """Else every sample would give itself away by a value between two of the 256 levels."""
    data = sources.digits()
    source = Known(lambda n, random: torch.rand(n, 1, 8, 8, generator=random) * 3 - 1.5, (1, 8, 8), (-1, 1))
    fakes = torch.cat([pairs.fake for pairs in gather(source, data, needed=20, seconds=2)[:4]])
    levels = (fakes.double() + 1) * 127.5
    assert float((levels - levels.round()).abs().max()) < 1e-4
    assert (float(fakes.min()), float(fakes.max())) == (-1, 1)


def test_labels_are_distributed_as_the_datas():
    x = np.zeros((1000, 1), np.float32)
    y = np.repeat([0, 1], [900, 100])
    dataset = Dataset("skewed", Split(x, y), Split(x, y), Split(x, y), ("a", "b"), value_range=None)
    source = Known(lambda n, random: torch.rand(n, 1, generator=random), class_names=("a", "b"))
    gather(source, dataset, needed=20, seconds=10)
    labels = [label for _, labels in source.asked for label in labels]
    assert np.mean(labels) == pytest.approx(0.1, abs=0.01)


def test_a_small_part_of_the_time_may_go_into_drawing():
    dataset = known(gaussian(), 100, 200, 100)
    few = gather(Known(gaussian().sample), dataset, needed=10, seconds=0)
    assert sum(len(pairs.fake) for pairs in few[:4]) <= 1024
    with pytest.raises(RunError, match=r"only 1,024 samples .*; give the audit more --minutes"):
        gather(Known(gaussian().sample), dataset, needed=20, seconds=0)


@pytest.mark.parametrize(
    ("source", "dataset", "error", "words"),
    [
        (Known(None, (2,)), known(gaussian()), ConfigError, r"shape \(2,\).*; audit it on"),
        (Known(None, (1,), (0, 1)), known(gaussian()), ConfigError, r"values in \(0, 1\).*; open the data"),
        (Known(None), known(gaussian(), test=9), DataError, "9 test examples are too few .*; give at least"),
        (Known(None), known(gaussian(), validation=9), DataError, "4 validation examples to choose"),
        (
            Known(lambda n, _: np.full((n, 1), np.nan)),
            known(gaussian()),
            RunError,
            "no finite numbers; audit",
        ),
    ],
)
def test_what_cannot_be_audited_is_refused(source, dataset, error, words):
    with pytest.raises(error, match=words):
        audit(source, dataset, minutes=0.1)


def test_every_shape_of_data_has_its_discriminators():
    random = torch.Generator().manual_seed(0)
    for shape in ((1, 8, 8), (3, 3, 3), (12,), (3,)):
        parts = [
            Pairs(torch.randn(60, *shape, generator=random), torch.randn(90, *shape, generator=random) + 2)
            for _ in range(4)
        ]
        material = Evidence(parts[0], parts[1], parts[2], parts[3], "examples")
        tried = list(trials(material, seconds=60, most=3, steps=60))
        assert len(tried) == 3
        assert conclude(material, tried).jsd > 0.2
