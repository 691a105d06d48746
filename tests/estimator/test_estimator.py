from __future__ import annotations

import numpy as np
import pytest

from evenodds import ConfigError, DataError, GANEstimator

RNG = np.random.default_rng(0)
QUICK = {"examples": 2_000, "batch_size": 32}


def blobs(n: int = 2_000) -> np.ndarray:
    """Two clusters whose features have very different units."""
    centres = np.where(RNG.random(n) < 0.5, -1.0, 1.0)
    return np.stack([1_000 + 300 * centres, 5 + 0.5 * centres], 1) + RNG.normal(0, [30, 0.05], (n, 2))


def test_samples_come_back_in_the_units_of_the_data():
    x = blobs()
    samples = GANEstimator(examples=60_000).fit(x).sample(1_000, random_state=0)
    assert samples.shape == (1_000, 2)
    assert samples.dtype == x.dtype
    assert abs(samples.mean(0) - x.mean(0)).max() < 2 * x.std(0).max()
    assert (abs(samples.mean(0) - x.mean(0)) < 0.5 * x.std(0)).all()
    assert ((0.5 * x.std(0) < samples.std(0)) & (samples.std(0) < 1.5 * x.std(0))).all()


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3), (3, 6, 5)])
def test_images_come_back_as_they_went_in(shape: tuple[int, ...]):
    x = RNG.integers(0, 256, (200, *shape)).astype(np.uint8)
    samples = GANEstimator(**QUICK).fit(x).sample(3)
    assert samples.shape == (3, *shape)
    assert samples.dtype == np.uint8


def test_floating_point_images_keep_their_range():
    x = RNG.uniform(0.0, 1.0, (200, 6, 5)).astype(np.float32)
    samples = GANEstimator(**QUICK).fit(x).sample(50)
    assert samples.dtype == np.float32
    assert -1e-6 <= samples.min() < samples.max() <= 1 + 1e-6


def test_the_same_random_state_gives_the_same_samples():
    x = blobs(400)
    first, second = (GANEstimator(**QUICK, random_state=3).fit(x) for _ in range(2))
    assert np.array_equal(first.sample(5, random_state=1), second.sample(5, random_state=1))
    assert not np.array_equal(first.sample(5, random_state=1), first.sample(5, random_state=2))


def test_parameters_are_read_and_set_as_scikit_learn_does():
    estimator = GANEstimator(latent_dim=7)
    assert estimator.get_params()["latent_dim"] == 7
    assert GANEstimator(**estimator.get_params()).get_params() == estimator.get_params()
    assert estimator.set_params(loss="hinge") is estimator
    assert estimator.loss == "hinge"
    with pytest.raises(ConfigError, match="no parameter 'los'"):
        estimator.set_params(los="hinge")


def test_a_directory_keeps_the_run(tmp_path):
    GANEstimator(**QUICK, directory=tmp_path / "run").fit(blobs(400))
    assert (tmp_path / "run" / "generator.safetensors").is_file()
    assert (tmp_path / "run" / "metrics.jsonl").is_file()


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.array([[1.0, np.nan]] * 50), "nan"),
        (np.array([["a", "b"]] * 50, dtype=object), "type"),
        (np.zeros((0, 3)), "empty"),
        (np.zeros(50), "shape|rank|axes"),
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused(x: np.ndarray, said: str):
    with pytest.raises(DataError, match=f"(?i){said}"):
        GANEstimator(**QUICK).fit(x)


def test_sampling_before_fitting_is_refused():
    with pytest.raises(ConfigError, match="call fit"):
        GANEstimator().sample(3)
