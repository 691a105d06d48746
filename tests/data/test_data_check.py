"""`check` finds what was planted, with its count, and nothing else."""

import json

import numpy as np
import pytest
from idx_files import needs_mnist

from evenodds.data.check import check, info
from evenodds.data.dataset import Dataset, Split
from evenodds.data.sources import DATASETS
from evenodds.errors import DataError


def clean(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(seed).integers(0, 256, (200, 1, 5, 5), dtype=np.uint8), np.arange(200) % 4


def dataset(x: np.ndarray, y: np.ndarray, held_out: np.ndarray | None = None) -> Dataset:
    names = tuple("0123")
    other, labels = clean(1)
    return Dataset(
        "planted", Split(x, y), Split(other if held_out is None else held_out, labels), None, names
    )


def kinds(data) -> dict[tuple[str, str], int]:
    return {(finding.kind, finding.split): finding.count for finding in check(data)}


@pytest.mark.parametrize("name", ["digits", "ring", "gaussian"])
def test_the_built_in_data_are_clean(name):
    assert check(DATASETS[name]()) == []
    assert check(name) == []


def test_duplicates_constants_and_overlap_are_counted():
    x, y = clean()
    x[10:13] = x[5]
    x[20] = 7
    other = clean(1)[0]
    other[0], other[1] = x[30], x[5]
    assert kinds(dataset(x, y, other)) == {
        ("duplicates", "train"): 3,
        ("constant", "train"): 1,
        ("overlap", "validation"): 2,
    }


def test_classes():
    x, y = clean()
    y = np.where(y == 2, 0, y)
    y[2] = 2
    data = dataset(x, y)
    assert kinds(data) == {("imbalance", "train"): 1}
    assert kinds(dataset(x, np.where(y == 2, 0, y))) == {("missing classes", "train"): 1}


def test_dark_bytes_few_examples_and_nan():
    x, y = clean()
    assert kinds(dataset(x % 2, y))[("dark", "train")] == 200
    assert kinds(dataset(x[:20], y[:20])) == {("few", "train"): 20}
    floats = x.astype(np.float32)
    floats[3, 0, 0, :2] = np.nan
    found = check(dataset(floats, y, clean(1)[0].astype(np.float32)))
    assert [(finding.severity, finding.count) for finding in found] == [("error", 2)]


def test_every_problem_of_a_file_in_one_run(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(
        path,
        x_train=np.full((30, 3), np.nan),
        y_train=np.zeros(3),
        x_test=np.ones((3, 3, 3)) * 7,
        y_test=np.zeros(3, int),
    )
    found = check(path)
    assert [(finding.severity, finding.split) for finding in found] == [
        ("error", "train"),
        ("error", "train"),
        ("error", "test"),
    ]
    assert "90 values are NaN" in found[0].message


def test_what_can_not_be_opened_is_a_finding(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"nothing")
    np.save(tmp_path / "tiny.npy", np.zeros((2, 2)))
    for argument in (tmp_path / "a.npy", "no-such-data", tmp_path / "tiny.npy"):
        found = check(argument)
        assert [(finding.severity, finding.kind) for finding in found] == [("error", "unreadable")]
    with pytest.raises(DataError, match="neither"):
        info(tmp_path / "a.npy")


def test_info():
    facts = info("digits")
    json.dumps(facts)
    assert facts["fingerprint"] == DATASETS["digits"]().fingerprint
    assert (facts["sample_shape"], facts["dtype"], facts["value_range"]) == ([1, 8, 8], "uint8", [-1.0, 1.0])
    assert facts["bytes"] == 1797 * 64
    assert facts["splits"]["test"]["examples"] == 250
    assert facts["splits"]["test"]["per_class"] == [25] * 10
    x = DATASETS["digits"]().train.x.astype(float)
    assert facts["splits"]["train"]["mean"] == pytest.approx(x.mean(), rel=1e-9)
    assert facts["splits"]["train"]["std"] == pytest.approx(x.std(), rel=1e-9)
    assert "per_class" not in info("ring")["splits"]["train"]


@needs_mnist
def test_mnist_is_clean():
    """But for ones that differ in a few pixels: fewer than 1 image in 300."""
    found = check("mnist")
    assert {finding.severity for finding in found} == {"note"}
    near = next(finding for finding in found if finding.kind == "near-duplicates")
    assert 50 < near.count < 70_000 / 300
