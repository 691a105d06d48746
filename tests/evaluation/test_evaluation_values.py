"""Metrics on values, on classes and against copies, of generators whose quality is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from known_generators import gaussian, gaussian_data, pixels, subject_of

from evenodds.data.sources import digits
from evenodds.errors import ConfigError
from evenodds.evaluation import METRICS, check_metric
from evenodds.evaluation.memorization import measure_mi_frechet
from evenodds.evaluation.pixels import measure_sliced
from evenodds.evaluation.within_classes import measure_class_coverage

COUNT, DIM = 2_000, 8


@pytest.fixture(scope="module")
def data():
    return gaussian_data(COUNT, DIM)


def test_sliced_of_a_shift(data):
    """A shift by m gives ‖m‖/√d."""
    found = measure_sliced(subject_of(data.test.x + 3, data), COUNT)
    assert found.value == pytest.approx(3, rel=0.05)
    assert found.interval[0] < 3 < found.interval[1]
    assert found.unit == "in the data's units"


def test_sliced_of_equal_distributions(data):
    found = measure_sliced(subject_of(gaussian(9, COUNT, DIM), data), COUNT)
    assert found.value == pytest.approx(found.floor, rel=0.25)
    assert 0 < found.value < 0.1
    assert found.floor < 0.1
    assert measure_sliced(subject_of(data.test.x, data), COUNT).value == pytest.approx(0, abs=1e-9)


def test_the_interval_of_sliced_is_over_samples():
    """Its error is what distances of other samples vary by."""
    data, found = gaussian_data(200, DIM), []
    for seed in range(16):
        found.append(measure_sliced(subject_of(gaussian(100 + seed, 200, DIM, shift=0.5), data), 200))
    spread = np.std([one.value for one in found], ddof=1)
    assert np.mean([one.standard_error for one in found]) == pytest.approx(spread, rel=0.5)
    middle = np.mean([one.value for one in found])
    assert sum(one.interval[0] < middle < one.interval[1] for one in found) >= 12
    assert measure_sliced(subject_of(gaussian(9, 19, DIM), data), 19).interval is None


def test_sliced_images_in_units_of_their_range():
    """White against black is 1 along every pixel: over random directions the root mean square is 1, too."""
    made = digits()
    white = subject_of(np.ones((250, 1, 8, 8), np.float32), made, with_reference=False)
    black = subject_of(-np.ones((250, 1, 8, 8), np.float32), made, with_reference=False)
    for subject, level in ((white, 255.0), (black, 0.0)):
        found = measure_sliced(subject, 250)
        apart = made.test.x.reshape(250, -1).astype(float) - level
        # all samples are one point: the root mean square distance to it, over √d
        assert found.value * 255 == pytest.approx(math.sqrt((apart**2).sum(1).mean() / 64), rel=0.15)
        assert found.floor is None


def test_sliced_takes_as_many_real_examples_as_samples(data):
    found = measure_sliced(subject_of(gaussian(9, 300, DIM), data), 300)
    assert found.setting["real"] == 300
    assert "300 samples and 300 test examples" in found.protocol


def test_copies_make_a_memorization_informed_distance_worse(data):
    copies = measure_mi_frechet(subject_of(data.train.x, data), COUNT)
    fresh = measure_mi_frechet(subject_of(gaussian(9, COUNT, DIM), data), COUNT)
    assert copies.value > 1e6 * fresh.value
    assert copies.details["distance"] < 1e-12
    assert fresh.details["factor"] == 1.0
    assert fresh.value == fresh.details["frechet"]
    assert fresh.value == pytest.approx(fresh.floor, rel=0.5)
    assert fresh.interval[0] < fresh.value < fresh.interval[1]
    assert fresh.details["distance"] == pytest.approx(fresh.details["unseen_distance"], rel=0.1)


def test_the_papers_threshold_is_inceptions_alone(data):
    found = measure_mi_frechet(subject_of(gaussian(9, COUNT, DIM), data), COUNT, name="mifid")
    assert found.details["threshold"] == 0.1
    assert found.name == "mifid2k"
    with pytest.raises(ConfigError, match="use --split test"):
        measure_mi_frechet(subject_of(gaussian(9, 50, DIM), data, split="train"), 50)


def labelled(x, labels, **options):
    subject = subject_of(pixels(x), digits(), **options)
    subject.sampler.class_names = tuple("0123456789")
    subject.fake_labels = lambda count: labels[:count]
    return subject


def test_coverage_of_each_class():
    data = digits()
    y = torch.from_numpy(data.train.y)
    right = measure_class_coverage(labelled(data.train.x, y), 1_297)
    assert right.value == pytest.approx(right.ceiling)  # the samples are the training examples
    assert right.value > 0.9
    assert 0.97 < right.interval[0] < right.value <= right.interval[1] <= 1
    shifted = measure_class_coverage(labelled(data.train.x, (y + 1) % 10), 1_297)
    assert shifted.value < 0.2  # the worst neighbours reach into another class
    without = y != 3
    lost = measure_class_coverage(labelled(data.train.x[without.numpy()], y[without]), int(without.sum()))
    assert lost.details["coverage"]["3"] == 0
    assert lost.value == pytest.approx(right.value * 0.9, abs=0.02)
    assert "least 0.000 of '3'" in lost.also


def test_coverage_of_each_class_needs_classes():
    data = digits()
    subject = subject_of(pixels(data.train.x), data)
    with pytest.raises(ConfigError, match="needs to know the class of each sample"):
        measure_class_coverage(subject, 100)
    with pytest.raises(ConfigError, match="class_coverage needs classes"):
        check_metric("class_coverage", gaussian_data(10))
    few = labelled(data.train.x, torch.from_numpy(data.train.y))
    with pytest.raises(ConfigError, match="more than 5 real examples of a class"):
        measure_class_coverage(few, 3)


@pytest.mark.parametrize("name", ["sliced", "mi_frechet", "mifid", "class_coverage"])
def test_they_stand_in_the_table(name):
    assert METRICS[name].says
    assert METRICS[name].inception == (name == "mifid")
    assert METRICS[name].higher_is_better == (name == "class_coverage")
