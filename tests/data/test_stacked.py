"""Stacked MNIST: every stack is three digits of its own split, and its label their triple."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from idx_files import idx_bytes, needs_mnist

from evenodds.data.dataset import Split
from evenodds.data.idx import FOLDER_FILES
from evenodds.data.stacked import stacked, stacked_mnist
from evenodds.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """MNIST's sizes; every pixel of the i-th image holds i mod 250 + 1 and its label is i mod 10."""
    place = tmp_path_factory.mktemp("mnist")
    for count, (images, labels) in zip((60_000, 10_000), (FOLDER_FILES[:2], FOLDER_FILES[2:]), strict=True):
        number = np.arange(count)
        x = np.broadcast_to((number % 250 + 1).astype(np.uint8)[:, None, None], (count, 28, 28))
        for name, array in ((images, x), (labels, (number % 10).astype(np.uint8))):
            (place / name).write_bytes(gzip.compress(idx_bytes(array), 1))
    return str(place)


def split_of(count: int) -> Split:
    x = np.arange(count, dtype=np.uint8)[:, None, None, None] + np.ones((1, 1, 28, 28), np.uint8)
    return Split(x, np.arange(count, dtype=np.int64) % 10)


def test_splits_and_labels(folder):
    data = stacked_mnist(folder=folder, stacks=1_000)
    assert [len(split) for split in data.splits.values()] == [1_000, 10_000, 10_000]
    assert data.sample_shape == (3, 32, 32)
    assert data.class_names[:2] == ("000", "001")
    assert (data.classes, data.class_names[-1]) == (1_000, "999")
    for split in data.splits.values():
        digits = (split.x[:, :, 16, 16].astype(int) - 1) % 10  # (N, 3), as the fixture made them
        assert (split.y == digits @ [100, 10, 1]).all()
        assert split.x[:, :, :2].max() == split.x[:, :, -2:].max() == split.x[..., :2].max() == 0
        assert split.x[:, :, 2:-2, 2:-2].min() > 0


def test_every_digit_comes_equally_often_in_every_colour():
    made = stacked(split_of(20), 50, size=28, seed=(0, 0))
    for channel in range(3):
        counts = np.bincount(made.x[:, channel, 0, 0] - 1, minlength=20)
        assert counts.sum() == 50
        assert set(counts) == {2, 3}
    # but not the same digits together: of 50 stacks of 20 digits, 2.5 would agree in two given colours
    assert (made.x[:, 0, 0, 0] == made.x[:, 1, 0, 0]).sum() < 12


def test_all_modes_are_there_and_even():
    """128,000 stacks of equally frequent digits: 128 of each triple, give or take chance."""
    labels = stacked(
        Split(np.zeros((5_000, 1, 1, 1), np.uint8), np.arange(5_000) % 10), 128_000, size=1, seed=(0, 0)
    ).y
    counts = np.bincount(labels, minlength=1_000)
    chi2 = ((counts - 128) ** 2 / 128).sum()
    assert 800 < chi2 < 1_200  # 999 expected of independent digits, standard deviation 45


def test_the_seed_chooses(folder):
    one, same, other = (stacked_mnist(folder=folder, stacks=500, seed=seed).fingerprint for seed in (0, 0, 1))
    assert one == same != other


def test_size_28_has_no_border(folder):
    data = stacked_mnist(folder=folder, stacks=10, size=28)
    assert data.sample_shape == (3, 28, 28)
    assert data.train.x.min() > 0


@pytest.mark.parametrize("options", [{"size": 64}, {"stacks": 0}, {"seed": -1}])
def test_refused_options(folder, options):
    with pytest.raises(ConfigError, match=f"{next(iter(options))}.*; "):
        stacked_mnist(folder=folder, **options)


def test_without_mnist(tmp_path, monkeypatch):
    monkeypatch.delenv("EVENODDS_DATA", raising=False)
    monkeypatch.setenv("EVENODDS_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="run: evenodds data fetch mnist"):
        stacked_mnist()


@needs_mnist
def test_mnist_itself():
    """The floor of the Kullback-Leibler divergence: MNIST's digits are not quite even, 3 × 0.00143 nats."""
    labels = stacked_mnist(stacks=128_000).train.y
    share = np.bincount(labels, minlength=1_000) / len(labels)
    assert share.min() > 0
    divergence = (share * np.log(1_000 * share)).sum() - 999 / (2 * len(labels))  # less the estimate's bias
    assert divergence == pytest.approx(0.0043, abs=0.0008)
