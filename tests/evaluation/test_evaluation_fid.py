"""FID and KID by name, through a file of weights that gives the network no meaning."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from known_generators import Given, pixels

sys.path.insert(0, str(Path(__file__).parents[1] / "features"))
from inception_weights import random_network

from evenodds.data.dataset import Dataset, Split
from evenodds.evaluation import Subject, measure

COUNT = 12  # of 2,048 features: as deficient as can be


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "inception.safetensors"
    state = {name: value.contiguous() for name, value in random_network().state_dict().items()}
    safetensors.torch.save_file(state, path)
    return path


def coloured(seed: int, count: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 3, 4, 4), np.uint8)
    return coarse.repeat(8, 2).repeat(8, 3)


def test_fid_of_fewer_samples_than_features(weights):
    """‖Δμ‖² + Tr Σ₁ + Tr Σ₂ − 2 Σ singular values of X₁ᵀ X₂/n: the centred features' own, never complex."""
    splits = [Split(coloured(seed, COUNT)) for seed in (1, 2, 3)]
    data = Dataset("blobs", splits[0], splits[1], splits[2])
    samples = pixels(coloured(4, 1).repeat(COUNT, 0) // 2)
    samples[::2] = pixels(coloured(5, COUNT // 2))
    subject = Subject(Given(samples), data, inception=weights)
    fid, kid = measure(subject, [f"fid{COUNT}", f"kid{COUNT}"])
    real = subject.inception.real().features.double().numpy()
    fake = subject.inception.fake(COUNT).features.double().numpy()
    one, other = (x - x.mean(0) for x in (real, fake))
    cross = np.linalg.svd(one @ other.T, compute_uv=False).sum()
    squares = (one**2).sum() + (other**2).sum()
    truth = ((real.mean(0) - fake.mean(0)) ** 2).sum() + (squares - 2 * cross) / (COUNT - 1)
    assert fid.value == pytest.approx(truth, rel=1e-6)
    assert fid.interval is None
    assert "too few for the covariance of 2,048 features" in fid.warning
    assert "use kid" in fid.warning
    assert fid.setting["extractor"]["name"] == "inception"
    assert fid.setting["extractor"]["preprocessing"] == "tf"
    assert np.isfinite(kid.value)
    assert kid.value > 2 * kid.floor
    assert any("not the published ones" in note for note in subject.notes)
