"""Metrics on nearest neighbours, of generators whose quality is known."""

from __future__ import annotations

import numpy as np
import pytest
from known_generators import Given, gaussian, gaussian_data, pixels, subject_of
from prdc import compute_prdc
from sklearn.neighbors import KNeighborsClassifier

from evenodds.data.sources import digits
from evenodds.errors import ConfigError
from evenodds.evaluation import METRICS, Subject, check_metric
from evenodds.evaluation.labelled import measure_nn_error
from evenodds.evaluation.manifold import measure_manifold, measure_two_sample
from evenodds.evaluation.memorization import measure_memorization
from evenodds.metrics.prdc import expected_coverage

COUNT = 1_500
FOUR = ("precision", "recall", "density", "coverage")


@pytest.fixture(scope="module")
def data():
    return gaussian_data(COUNT)


@pytest.fixture(scope="module")
def equal(data):
    """A generator that draws from the distribution of the data."""
    subject = subject_of(gaussian(4, COUNT), data)
    return {name: measure_manifold(subject, COUNT, name=name) for name in FOUR}


def one(name, x, data, count=COUNT, **options):
    return measure_manifold(subject_of(x, data, **options), count, name=name)


def test_equal_distributions(equal):
    assert equal["density"].value == pytest.approx(1, abs=0.08)  # exactly 1 on average
    assert equal["coverage"].value == pytest.approx(expected_coverage(COUNT, COUNT), abs=0.02)
    for name, found in equal.items():
        assert found.value == pytest.approx(found.ceiling, abs=0.06), name
        low, high = found.interval
        assert low < found.value < high
        assert found.value - low < 3 * found.standard_error
        assert found.floor is None
        assert found.name == f"{name}1500"


def test_the_numbers_are_those_of_the_papers_own_package(data, equal):
    real, fake = data.test.x, gaussian(4, COUNT)
    three, five = (compute_prdc(real, fake, nearest_k=k) for k in (3, 5))
    truth = {**{name: three[name] for name in FOUR[:2]}, **{name: five[name] for name in FOUR[2:]}}
    for name, found in equal.items():
        assert found.value == pytest.approx(truth[name], abs=2e-3), name
    ceiling = compute_prdc(real, data.train.x, nearest_k=5)["coverage"]
    assert equal["coverage"].ceiling == pytest.approx(ceiling, abs=2e-3)


@pytest.mark.parametrize(
    ("made", "least", "most"),
    [
        ("far", (0, 0, 0, 0), (0, 0.02, 0, 0)),
        ("one point", (1, 0, 1, 0), (1, 0.001, 500, 0.05)),
        ("narrow", (0.98, 0, 1.5, 0.02), (1, 0.1, 500, 0.7)),
        ("copies of the test examples", (1, 1, 0.9, 1), (1, 1, 1.1, 1)),
    ],
)
def test_generators_that_fail(data, made, least, most):
    x = {
        "far": gaussian(5, COUNT, shift=20),
        "one point": np.zeros((COUNT, 8), np.float32),
        "narrow": gaussian(5, COUNT, scale=0.3),
        "copies of the test examples": data.test.x,
    }[made]
    subject = subject_of(x, data, with_reference=False)
    for name, low, high in zip(FOUR, least, most, strict=True):
        found = measure_manifold(subject, COUNT, name=name)
        assert low <= found.value <= high, name
        assert found.ceiling is None
        assert found.reference is None


def test_one_pass_gives_all_four(data, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "evenodds.evaluation.manifold._examples", lambda *given: calls.append(1) or real(*given)
    )
    from evenodds.metrics.prdc import prdc_examples

    def real(a, b, near):
        return prdc_examples(a, b, real_neighbours=near)

    subject = subject_of(gaussian(4, 100), data)
    for name in FOUR:
        measure_manifold(subject, 100, name=name)
    assert len(calls) == 2  # samples, and real examples in their place


def test_as_many_real_examples_as_samples(data):
    found = one("coverage", gaussian(4, 300), data, 300)
    assert found.setting["real"] == 300
    assert found.setting["k"] == 5
    assert "300 samples and 300 test examples" in found.protocol


def test_too_few_samples_are_refused_in_words(data):
    with pytest.raises(ConfigError, match="precision5 can't be measured: the 5 nearest neighbours"):
        one("precision", gaussian(4, 5), data, 5)
    with pytest.raises(ConfigError, match="two_sample1 can't be measured"):
        measure_two_sample(subject_of(gaussian(4, 1), data), 1)


@pytest.mark.parametrize(
    ("made", "least", "most"),
    [("equal", 0.47, 0.53), ("far", 1, 1), ("copies", 0, 0.02), ("one point", 0.7, 0.8)],
)
def test_two_samples(data, made, least, most):
    x = {
        "equal": gaussian(4, COUNT),
        "far": gaussian(4, COUNT, shift=20),
        "copies": data.test.x,
        "one point": np.zeros((COUNT, 8), np.float32),
    }[made]
    found = measure_two_sample(subject_of(x, data), COUNT)
    if made == "one point":  # samples find each other; of real examples few find them
        least, most = 0.5, 1.0
    assert least <= found.value <= most
    assert found.interval[0] <= found.value <= found.interval[1]
    assert found.interval[1] - found.interval[0] < 0.06
    assert found.floor == pytest.approx(0.5, abs=0.04)
    if made == "equal":
        assert found.interval[0] < 0.5 < found.interval[1]
        assert found.interval[1] - found.interval[0] == pytest.approx(
            4 * found.details["deviation"], rel=0.15
        )


def test_two_samples_of_fewer_real_examples_than_samples(data):
    found = measure_two_sample(subject_of(gaussian(4, 2_000), data), 2_000)
    assert found.setting["real"] == COUNT
    assert "2,000 samples, of which the first 1,500 and 1,500 test examples" in found.protocol


def test_memorization(data):
    copies = measure_memorization(subject_of(data.train.x + 0.01, data), 1_000)
    assert copies.value < 1e-30
    assert copies.details["share"] > 0.99
    fresh = measure_memorization(subject_of(gaussian(7, COUNT), data), COUNT)
    assert 0.001 < fresh.value < 0.999
    assert fresh.details["expected"] == pytest.approx(0.5)
    assert "unseen test examples in the samples' place score p" in fresh.reference
    blurred = measure_memorization(subject_of(gaussian(7, COUNT, scale=0.3), data), COUNT)
    assert blurred.value > 0.001  # near to everything is no copy


def test_memorization_needs_unseen_examples(data):
    with pytest.raises(ConfigError, match="use --split test"):
        measure_memorization(subject_of(gaussian(7, 50), data, split="train"), 50)


def labelled(x, labels, classes=10):
    dataset = digits()
    made = Given(pixels(x), dataset.value_range, labels, classes)
    subject = Subject(made, dataset)
    subject.fake_labels = lambda count: None if labels is None else labels[:count]
    return subject


def test_nn_error_of_real_digits():
    import torch

    data = digits()
    found = measure_nn_error(labelled(data.train.x, torch.from_numpy(data.train.y)), 1_297)
    truth = KNeighborsClassifier(1).fit(data.train.x.reshape(1297, -1).astype(float), data.train.y)
    error = 100 * (truth.predict(data.test.x.reshape(250, -1).astype(float)) != data.test.y).mean()
    assert found.value == pytest.approx(error, abs=0.41)  # one example: the neighbour may be a tie
    assert found.floor == pytest.approx(found.value)  # the samples are the training examples
    assert found.interval[0] <= found.value <= found.interval[1]
    wrong = measure_nn_error(labelled(data.train.x, torch.from_numpy((data.train.y + 1) % 10)), 1_297)
    assert wrong.value > 95


def test_nn_error_needs_labels():
    import torch

    data = digits()
    with pytest.raises(ConfigError, match="trained without classes"):
        measure_nn_error(labelled(data.train.x, None), 10)
    with pytest.raises(ConfigError, match="knows 3 where digits has 10"):
        measure_nn_error(labelled(data.train.x, torch.zeros(1297).long(), classes=3), 10)
    with pytest.raises(ConfigError, match="gaussian has no labels"):
        check_metric("nn_error10k", gaussian_data(10))


@pytest.mark.parametrize("name", [*FOUR, "two_sample", "memorization", "nn_error"])
def test_they_stand_in_the_table(name):
    assert METRICS[name].says
    assert METRICS[name].needs == ("" if name == "nn_error" else "features")
    assert METRICS[name].higher_is_better == (name not in ("two_sample", "nn_error"))
