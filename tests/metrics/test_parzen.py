"""The Parzen-window log-likelihood against sums written out, closed forms, and real MNIST."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from evenodds.metrics.parzen import SIGMAS, ParzenResult, describe, fit_sigma, log_likelihood, parzen


def naive(points: np.ndarray, samples: np.ndarray, sigma: float) -> np.ndarray:
    """The mixture's log density from scipy's Gaussian, one sample at a time."""
    each = [np.atleast_1d(multivariate_normal(s, sigma**2).logpdf(points)) for s in samples]
    return logsumexp(np.stack(each), axis=0) - math.log(len(samples))


def random_examples(n: int, features: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((n, features))


@pytest.mark.parametrize("sigma", [0.01, 0.2, 1.0])
@pytest.mark.parametrize("features", [1, 3, 40])
def test_equals_the_sum_written_out(features, sigma):
    points, samples = random_examples(7, features, 0), random_examples(11, features, 1)
    expected = naive(points, samples, sigma)
    assert log_likelihood(points, samples, sigma) == pytest.approx(expected, rel=1e-11, abs=1e-9)


def test_one_sample_is_one_gaussian_worked_out_by_hand():
    # d = 2, ‖x − s‖² = 0.09 + 0.16 = 0.25, σ = 0.5: −0.25 / 0.5 − 2 log(0.5 √2π)
    [value] = log_likelihood(np.array([[0.3, 0.4]]), np.array([[0.0, 0.0]]), 0.5)
    assert value == pytest.approx(-0.5 - 2 * math.log(0.5 * math.sqrt(2 * math.pi)), abs=1e-12)


def test_it_is_the_mean_over_the_samples_and_not_their_sum():
    point, sample = np.array([[0.2, 0.9]]), np.array([[0.4, 0.4]])
    once = log_likelihood(point, sample, 0.3)
    assert log_likelihood(point, np.repeat(sample, 5000, 0), 0.3) == pytest.approx(once, abs=1e-9)


def test_a_density_integrates_to_one():
    axis = np.linspace(0, 1, 401)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    samples = 0.4 + 0.2 * random_examples(6, 2, 2)  # far enough from the border for σ = 0.05
    total = np.exp(log_likelihood(grid, samples, 0.05)).sum() * (axis[1] - axis[0]) ** 2
    assert total == pytest.approx(1, abs=1e-6)


def test_no_underflow_far_from_every_sample():
    # a single term is exp(−784 / (2 · 0.01²)) = exp(−3.9 million)
    value = log_likelihood(np.ones((1, 784)), np.zeros((3, 784)), 0.01)
    exact = -784 / (2 * 0.01**2) - 784 * math.log(0.01 * math.sqrt(2 * math.pi))
    assert value == pytest.approx([exact], rel=1e-12)


def test_blocks_make_no_difference(monkeypatch):
    points, samples = random_examples(50, 5, 3), random_examples(70, 5, 4)
    whole = log_likelihood(points, samples, 0.15)
    for size in (1, 7, 64):
        monkeypatch.setattr("evenodds.metrics.parzen.BLOCK_EXAMPLES", size)
        assert log_likelihood(points, samples, 0.15) == pytest.approx(whole, abs=1e-11)


def test_images_torch_tensors_and_float32_are_the_same_examples():
    points, samples = (
        random_examples(4, 12, 5).astype(np.float32),
        random_examples(6, 12, 6).astype(np.float32),
    )
    expected = log_likelihood(points.astype(np.float64), samples.astype(np.float64), 0.2)
    as_images = log_likelihood(points.reshape(4, 3, 2, 2), samples.reshape(6, 3, 2, 2), 0.2)
    as_tensors = log_likelihood(torch.tensor(points), torch.tensor(samples, requires_grad=True), 0.2)
    for found in (as_images, as_tensors):
        assert found.dtype == np.float64
        assert found.shape == (4,)
        assert found == pytest.approx(expected, abs=1e-12)


def test_a_read_only_array_is_neither_written_to_nor_warned_about(recwarn):
    points = random_examples(3, 2, 7)
    points.flags.writeable = False
    before = points.copy()
    log_likelihood(points, points, 0.2)
    assert np.array_equal(points, before)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("points", "samples", "sigma", "words"),
    [
        (
            np.full((2, 3), -0.5),
            np.zeros((2, 3)),
            0.2,
            r"points range from -0.5 to -0.5; map them",
        ),
        (np.zeros((2, 3)), np.full((2, 3), 1.01), 0.2, "samples range from 1.01"),
        (np.zeros((2, 3)), np.full((2, 3), np.nan), 0.2, "samples range from nan"),
        (np.zeros((2, 3)), np.zeros((2, 4)), 0.2, "points have 3 values each and samples 4"),
        (np.zeros((0, 3)), np.zeros((2, 3)), 0.2, "points of shape .0, 3. hold no values"),
        (np.zeros((2, 3)), np.zeros((2, 3)), 0.0, "sigma is 0"),
        (np.zeros((2, 3)), np.zeros((2, 3)), -0.2, "sigma is -0.2"),
        (np.zeros((2, 3)), np.zeros((2, 3)), math.inf, "sigma is inf"),
    ],
)
def test_refusals(points, samples, sigma, words):
    with pytest.raises(ValueError, match=words):
        log_likelihood(points, samples, sigma)


def test_comparing_in_minus_one_to_one_is_refused_and_would_cost_d_log_2():
    points, samples = random_examples(5, 30, 8), random_examples(9, 30, 9)
    with pytest.raises(ValueError, match="depends on the units"):
        log_likelihood(points * 2 - 1, samples * 2 - 1, 0.4)
    # the same geometry in units twice as large, worked out without the range check
    stretched = naive(points * 2 - 1, samples * 2 - 1, 0.4)
    assert log_likelihood(points, samples, 0.2) - stretched == pytest.approx(30 * math.log(2), abs=1e-9)


def test_the_grid_is_that_of_2014():
    expected = [0.1, 0.1292, 0.1668, 0.2154, 0.2783, 0.3594, 0.4642, 0.5995, 0.7743, 1.0]
    assert pytest.approx(expected, abs=5e-5) == list(SIGMAS)


def test_sigma_is_the_one_with_the_highest_validation_mean():
    samples, validation = random_examples(40, 6, 10), random_examples(30, 6, 11)
    sigma, table = fit_sigma(samples, validation)
    means = {s: naive(validation, samples, s).mean() for s in SIGMAS}
    assert table == pytest.approx(means, abs=1e-9)
    assert sigma == max(means, key=means.get)
    assert SIGMAS[0] < sigma < SIGMAS[-1]  # else the choice would have been none


def test_result_fields():
    samples, validation, test = (random_examples(n, 6, seed) for n, seed in ((40, 0), (30, 1), (25, 2)))
    result = parzen(samples, validation, test)
    sigma, table = fit_sigma(samples, validation)
    scores = naive(test, samples, sigma)
    spread = math.sqrt(sum((score - scores.mean()) ** 2 for score in scores) / 25)
    expected = (scores.mean(), spread / 5, sigma, 40, 25, table[sigma])
    assert tuple(result) == pytest.approx(expected, abs=1e-9)
    assert ParzenResult._fields == (
        "mean", "standard_error", "sigma", "samples", "test_examples", "validation_mean"
    )  # fmt: skip


def test_sigma_does_not_depend_on_the_test_examples():
    samples, validation = random_examples(40, 6, 0), random_examples(30, 6, 1)
    results = [parzen(samples, validation, test) for test in (random_examples(9, 6, 2), np.zeros((9, 6)))]
    assert results[0].sigma == results[1].sigma
    assert results[0].mean != results[1].mean


def test_describe_is_one_sentence_with_the_reference():
    assert describe().count(". ") == 0
    assert describe().endswith(".")
    assert "242" in describe()


MEMORY = """
import re, torch
from pathlib import Path
from evenodds.metrics.parzen import log_likelihood
def mib(field):  # of this process alone: ru_maxrss would begin at what the parent had
    return int(re.search(field + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
torch.set_num_threads(1)
points, samples = torch.rand(4000, 100), torch.rand(20_000, 100)
log_likelihood(points[:9], samples[:9], 0.2)
before = mib("VmRSS")
log_likelihood(points, samples, 0.2)
print(mib("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_memory_is_bounded():
    # all the distances at once would need 640 MB
    finished = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert 5 < float(finished.stdout) < 300


@pytest.fixture(scope="module")
def mnist() -> tuple[np.ndarray, np.ndarray]:
    """Training and test images, (N, 784) float32 in [0, 1]."""
    folder = Path(os.environ.get("EVENODDS_DATA", "")) / "mnist"
    if not folder.is_dir():
        pytest.skip("MNIST is not in $EVENODDS_DATA")
    from evenodds.data.idx import load_idx_folder

    (train, _), (test, _) = load_idx_folder(folder)
    return train.reshape(-1, 784) / np.float32(255), test.reshape(-1, 784) / np.float32(255)


def test_the_mean_image_of_mnist(mnist):
    train, test = mnist
    mean = train[:50_000].mean(0, keepdims=True, dtype=np.float64)
    result = parzen(mean, train[50_000:51_000], test)
    assert result.mean == pytest.approx(-59.14, abs=0.05)
    assert result.standard_error == pytest.approx(0.96, abs=0.01)
    assert result.sigma == pytest.approx(0.2783, abs=1e-4)


def test_real_training_images_of_mnist(mnist):
    train, test = mnist
    chosen = np.random.default_rng(0).permutation(50_000)[:10_000]
    sigma, _ = fit_sigma(train[chosen], train[50_000:51_000])
    assert sigma == pytest.approx(0.1668, abs=1e-4)
    # every fifth test image, for speed: the standard error is 4.7 nats, the reference 242 ± 4
    scores = log_likelihood(test[::5], train[chosen], sigma)
    assert scores.mean() == pytest.approx(242, abs=12)
    assert scores.std() / math.sqrt(10_000) == pytest.approx(2.12, abs=0.15)
