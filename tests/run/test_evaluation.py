"""Metrics by name, and what they give where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from tiny_runs import RING, digits, last_state, metrics, one_sentence, tiny, train

from evenodds.data.sources import ring
from evenodds.errors import ConfigError, DataError
from evenodds.evaluation import (
    METRICS,
    Subject,
    check_metric,
    count_name,
    evaluate,
    find_metric,
    unit_interval,
)
from evenodds.sampling import Sampler


@pytest.mark.parametrize(
    ("name", "metric", "count"),
    [
        ("parzen", "parzen", 10_000),
        ("parzen10k", "parzen", 10_000),
        ("parzen10000", "parzen", 10_000),
        ("parzen7", "parzen", 7),
        ("modes", "modes", 2_500),
        ("modes2500", "modes", 2_500),
        ("modes2k", "modes", 2_000),
    ],
)
def test_names(name, metric, count):
    assert find_metric(name) == (METRICS[metric], count)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("parsen10k", ("'parsen10k'", "did you mean 'parzen'")),
        ("mode", ("did you mean 'modes'",)),
        ("quality50k", ("unknown metric 'quality50k'", "kernel, ", "--metrics help")),
        ("", ("unknown metric ''",)),
        ("10k", ("unknown metric '10k'",)),
        ("parzen10m", ("unknown metric",)),
        ("parzen-5", ("unknown metric",)),
        ("parzen1.5k", ("unknown metric",)),
        ("parzen 10k", ("unknown metric",)),
        ("PARZEN", ("unknown metric",)),
        ("parzen0", ("at least 1", "parzen10000")),
        ("parzen0k", ("at least 1",)),
    ],
)
def test_names_of_none(name, parts):
    with pytest.raises(ConfigError) as caught:
        find_metric(name)
    assert one_sentence(caught.value, *parts)


@pytest.mark.parametrize(
    ("count", "name"), [(10_000, "10k"), (2_500, "2500"), (1, "1"), (1000, "1k"), (999, "999")]
)
def test_counts_by_name(count, name):
    assert count_name(count) == name


def test_metrics_that_the_data_cannot_be_measured_by():
    for name, dataset, part in (("parzen", ring(), "known range"), ("modes", digits(), "known modes")):
        with pytest.raises(ConfigError) as caught:
            check_metric(name, dataset)
        assert one_sentence(caught.value, repr(name), dataset.name, part)


class Exact(torch.nn.Module):
    """The density of the ring itself: a latent is turned into a point of it."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.density = ring().density

    def forward(self, z, y=None):
        mode = (torch.special.ndtr(z[:, 0].double()) * 8).long().clamp_(0, 7)
        return (self.density.modes[mode] + self.density.std * self.scale * z[:, 1:]).float()


class Normal3:
    dim = 3

    def __call__(self, n, generator=None, device="cpu"):
        return torch.randn(n, 3, generator=generator, device=device)


def exact(scale: float = 1.0) -> Sampler:
    generator = Exact()
    generator.scale.data.fill_(scale)
    return Sampler(generator, Normal3(), (2,))


def test_samples_of_the_density_itself():
    """8 modes of 8, and 1 − exp(−9/2) = 98.89 % within 3 standard deviations, within 3 standard errors."""
    (result,) = evaluate(exact(), ring(), ["modes20k"])
    assert result.name == "modes20k"
    assert (result.value, result.unit) == (8.0, "of 8 modes")
    perfect = 1 - math.exp(-4.5)
    assert result.details["perfect"] == pytest.approx(perfect, abs=1e-9)
    assert result.details["high_quality"] == pytest.approx(
        perfect, abs=3 * math.sqrt(perfect * (1 - perfect) / 20_000)
    )
    assert 0 <= result.details["reverse_kl"] < 0.002
    assert "20,000 samples" in result.protocol
    assert "98.89 %" in result.reference


def test_samples_that_are_too_wide_or_too_few():
    wide, few = evaluate(exact(2.0), ring(), ["modes5k", "modes3"])
    assert wide.details["high_quality"] == pytest.approx(1 - math.exp(-4.5 / 4), abs=0.03)
    assert few.value <= 3


def test_samples_unlike_the_data_are_refused():
    train_range = Sampler(torch.nn.Linear(2, 2), Normal3(), (1, 8, 8), (0.0, 1.0))
    with pytest.raises(ConfigError, match="value_range"):
        evaluate(train_range, digits(), ["parzen"])
    with pytest.raises(ConfigError, match="shape"):
        evaluate(exact(), digits(), ["parzen"])


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("digits") / "run"
    train(tiny("metrics=[parzen200]", "metrics_every=epoch", "samples_every=never"), directory)
    return directory


def log_likelihood(samples: np.ndarray, points: np.ndarray, sigma: float) -> np.ndarray:
    """log of the mean of Gaussians around the samples, by the definition, in float64."""
    squared = ((points[:, None] - samples[None]) ** 2).sum(2)
    dimension = points.shape[1]
    normalizer = math.log(len(samples)) + dimension * math.log(sigma * math.sqrt(2 * math.pi))
    return logsumexp(-squared / (2 * sigma**2), axis=1) - normalizer


def test_parzen_by_its_definition(digits_run):
    sampler, dataset = Sampler.load(digits_run), digits()
    (result,) = evaluate(sampler, dataset, ["parzen200"], split="test", reference=False)
    labels = Subject(sampler, dataset).fake_labels(200).tolist() if sampler.class_names else None
    samples = (sampler(range(200), labels).reshape(200, -1).astype(np.float64) + 1) / 2
    points = dataset.test.x.reshape(250, -1) / 255
    scores = log_likelihood(samples, points, result.details["sigma"])
    assert result.value == pytest.approx(scores.mean(), rel=1e-4)
    assert result.standard_error == pytest.approx(scores.std(ddof=1) / math.sqrt(250), rel=0.01)
    assert result.unit == "nats"
    assert result.reference is None
    assert "250 test examples" in result.protocol
    assert f"sigma {result.details['sigma']:.4f}" in result.also


def test_parzen_with_a_reference(digits_run):
    (result,) = evaluate(Sampler.load(digits_run), digits(), ["parzen50"], split="test")
    assert result.reference.startswith("50 real training examples score ")
    real = float(result.reference.split("score ")[1].split(" ")[0].replace("−", "-"))
    assert real > result.value + 10  # a network of 12 hidden units after 12 steps
    assert "parzen" in result.record()["name"]


def test_what_training_measured_is_on_validation(digits_run):
    facts = Sampler.load(digits_run).facts["metrics"]["parzen200"]
    (again,) = evaluate(
        Sampler.load(digits_run), digits(), ["parzen200"], split="validation", reference=False
    )
    assert facts["value"] == pytest.approx(again.value, rel=1e-6)
    assert facts["protocol"] == again.protocol
    assert "250 validation examples" in again.protocol


def test_a_split_that_is_not_there(digits_run):
    with pytest.raises(DataError, match="split"):
        evaluate(Sampler.load(digits_run), digits(), ["parzen10"], split="tset")


def test_the_best_generator_is_kept(tmp_path):
    """By modes captured, of which more is better."""
    train(tiny("metrics=[modes100]", "metrics_every=16", "samples_every=never", base=RING), tmp_path)
    measured = [
        (line["metric/modes100"], line["examples"]) for line in metrics(tmp_path) if "metric/modes100" in line
    ]
    assert len(measured) == 6
    value, first = max(measured, key=lambda pair: (pair[0], -pair[1]))
    assert last_state(tmp_path)[1]["best"] == {"metric": "modes100", "value": value, "examples": first}
    assert Sampler.load(tmp_path / "generator-best.safetensors").facts["examples"] == first


def test_values_between_0_and_1():
    x = np.array([0, 128, 255], np.uint8)
    np.testing.assert_array_equal(
        unit_interval(x, (-1, 1)), np.array([0, 128, 255], np.float32) / np.float32(255)
    )
    floats = np.array([-2.0, -1.0, 0.0, 1.0, 3.0], np.float32)
    np.testing.assert_array_equal(unit_interval(floats, (-1, 1)), [0, 0, 0.5, 1, 1])
    np.testing.assert_array_equal(unit_interval(np.array([0.25, 2.0]), None), [0.25, 1])
