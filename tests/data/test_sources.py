"""The table of data sets, what `--data` means, and the splits of files."""

import gzip
import inspect
import os
from pathlib import Path

import numpy as np
import pytest
from idx_files import idx_bytes, needs_mnist, ramp, write_folder

from evenodds.data.dataset import Dataset, Split, pair, shuffled_splits
from evenodds.data.densities import DENSITIES
from evenodds.data.digits import load_digits
from evenodds.data.idx import FOLDER_FILES
from evenodds.data.sources import DATASETS, NEEDS_PATH, source_for
from evenodds.errors import ConfigError, DataError

BUILT_IN = ("digits", *DENSITIES)


@pytest.mark.parametrize("name", DATASETS)
def test_signatures_are_schemas(name):
    for option in inspect.signature(DATASETS[name]).parameters.values():
        assert option.kind is option.KEYWORD_ONLY
        assert option.annotation is not option.empty
        assert option.default is not option.empty or (option.name == "path" and name in NEEDS_PATH)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_same_data_every_time(name):
    first, second = DATASETS[name](), DATASETS[name]()
    assert first.fingerprint == second.fingerprint
    assert set(first.splits) == {"train", "validation", "test"}
    assert (first.density is None) == (name == "digits")
    assert (first.value_range is None) == (name != "digits")


@pytest.mark.parametrize("name", BUILT_IN[1:])
def test_densities_are_100000_points_and_the_seed_matters(name):
    data = DATASETS[name]()
    assert [len(split) for split in data.splits.values()] == [100_000, 10_000, 10_000]
    assert data.sample_shape == (data.density.dimension,)
    assert data.train.x.dtype == np.float32
    assert DATASETS[name](seed=1).fingerprint != data.fingerprint
    with pytest.raises(ConfigError, match="seed=-1"):
        DATASETS[name](seed=-1)


def test_digits_are_the_uci_digits():
    data = load_digits()
    assert [len(split) for split in data.splits.values()] == [1297, 250, 250]
    assert data.sample_shape == (1, 8, 8)
    assert np.bincount(data.validation.y).tolist() == np.bincount(data.test.y).tolist() == [25] * 10
    # The counts per class of optdigits.tes, from the description that comes with it.
    labels = np.concatenate([split.y for split in data.splits.values()])
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    x = np.concatenate([split.x for split in data.splits.values()])
    counts = np.round(x * (16 / 255))
    assert counts.min() == 0
    assert counts.max() == 16
    np.testing.assert_array_equal(np.round(counts * 255 / 16), x)
    # The first image of optdigits.tes, a 0, is among them with its published first rows.
    first = [[0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0]]
    assert (counts[labels == 0][:, 0, :2] == first).all((1, 2)).sum() == 1
    assert len(np.unique(x.reshape(1797, -1), axis=0)) == 1797


def test_digits_are_scikit_learns():
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    theirs = datasets.load_digits()
    data = load_digits()
    x = np.round(np.concatenate([split.x for split in data.splits.values()]).reshape(1797, 64) * (16 / 255))
    y = np.concatenate([split.y for split in data.splits.values()])
    ours = sorted(map(tuple, np.column_stack([x, y]).astype(int).tolist()))
    assert ours == sorted(map(tuple, np.column_stack([theirs.data, theirs.target]).astype(int).tolist()))


@needs_mnist
def test_mnist_by_name_and_by_folder_are_the_same(monkeypatch):
    by_name = DATASETS["mnist"]()
    folder = str(Path(os.environ["EVENODDS_DATA"]) / "mnist")
    assert DATASETS["mnist"](folder=folder).fingerprint == by_name.fingerprint
    assert DATASETS["idx"](path=folder).fingerprint == by_name.fingerprint


def test_an_array_is_split_at_random_without_loss(tmp_path):
    path = str(tmp_path / "points.npz")
    np.savez(path, x=np.arange(50.0)[:, None], y=np.arange(50) % 7)
    data = DATASETS["array"](path=path, validation=0.2, test=0.1)
    assert [len(split) for split in data.splits.values()] == [35, 10, 5]
    x = np.concatenate([split.x[:, 0] for split in data.splits.values()])
    y = np.concatenate([split.y for split in data.splits.values()])
    assert sorted(x.tolist()) == list(range(50))
    np.testing.assert_array_equal(y, x.astype(int) % 7)
    assert x.tolist() != sorted(x.tolist())
    assert data.class_names == tuple("0123456")
    assert (data.name, data.value_range, data.train.x.dtype) == ("points", None, np.float32)
    again = DATASETS["array"](path=path, validation=0.2, test=0.1)
    assert again.fingerprint == data.fingerprint
    assert DATASETS["array"](path=path, validation=0.2, test=0.1, seed=1).fingerprint != data.fingerprint
    without = DATASETS["array"](path=path, test=0)
    assert without.test is None
    with pytest.raises(DataError, match="no split 'test'"):
        without.split("test")


def test_given_splits_are_kept(tmp_path):
    x = ramp(40, 6, 6)
    path = str(tmp_path / "a.npz")
    np.savez(path, x_train=x, x_test=x[:7])
    data = DATASETS["array"](path=path, validation=0.25)
    assert [len(split) for split in data.splits.values()] == [30, 10, 7]
    np.testing.assert_array_equal(data.test.x[:, 0], x[:7])
    np.savez(path, x_train=x, x_validation=x[:3], x_test=x[:7])
    data = DATASETS["array"](path=path)
    np.testing.assert_array_equal(data.train.x[:, 0], x)
    assert [len(split) for split in data.splits.values()] == [40, 3, 7]
    np.savez(path, x_train=x, x_validation=x[:3])
    assert [len(split) for split in DATASETS["array"](path=path).splits.values()] == [36, 3, 4]
    assert DATASETS["array"](path=path, test=0).test is None
    np.savez(path, x_train=x, x_test=x[:, :5])
    with pytest.raises(DataError, match="differ in shape"):
        DATASETS["array"](path=path)


def test_array_ranges(tmp_path):
    image, floats = str(tmp_path / "i.npy"), str(tmp_path / "f.npy")
    np.save(image, ramp(40, 6, 6, 3))
    np.save(floats, np.zeros((40, 6, 6), np.float32))
    assert DATASETS["array"](path=image).value_range == (-1, 1)
    assert DATASETS["array"](path=image).sample_shape == (3, 6, 6)
    assert DATASETS["array"](path=image, value_range=[0, 1]).value_range == (0, 1)
    assert DATASETS["array"](path=image, value_range=None).value_range is None
    assert DATASETS["array"](path=floats).value_range is None
    with pytest.raises(ConfigError, match="holds floats"):
        DATASETS["array"](path=floats, value_range=[0, 1])
    with pytest.raises(ConfigError, match="use auto or a pair"):
        DATASETS["array"](path=image, value_range="unit")
    with pytest.raises(ConfigError, match="layout 'chw'"):
        DATASETS["array"](path=image, layout="chw")


def test_array_refuses_with_the_number_of_problems(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, x=np.full((30, 3), np.nan), y=np.zeros(3))
    with pytest.raises(DataError, match=r"bad.npz can't be used: 90 values are NaN.*and 1 more"):
        DATASETS["array"](path=str(path))


def test_idx_files(tmp_path):
    write_folder(tmp_path / "f")
    data = DATASETS["idx"](path=str(tmp_path / "f"))
    assert [len(split) for split in data.splits.values()] == [25, 5, 5]
    np.testing.assert_array_equal(data.validation.x[:, 0], ramp(30, 4, 4)[25:])
    assert data.class_names == ("0", "1", "2")
    one = DATASETS["idx"](path=str(tmp_path / "f" / FOLDER_FILES[0]))
    assert [len(split) for split in one.splits.values()] == [24, 3, 3]
    assert one.classes == 3
    (tmp_path / "alone.idx").write_bytes(idx_bytes(ramp(20, 3, 3)))
    assert DATASETS["idx"](path=str(tmp_path / "alone.idx")).train.y is None
    write_folder(tmp_path / "g", train=5, test=5)
    with pytest.raises(DataError, match="5 training and 5 test"):
        DATASETS["idx"](path=str(tmp_path / "g"))


def test_source_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert source_for("mnist") == {"name": "mnist"}
    for name, kind in [
        ("a.npy", "array"),
        ("a.npz", "array"),
        ("a.idx", "idx"),
        ("a-ubyte", "idx"),
        ("a.gz", "idx"),
    ]:
        Path(name).write_bytes(b"")
        assert source_for(name) == {"name": kind, "path": name}
    write_folder(tmp_path / "folder")
    assert source_for("folder") == {"name": "idx", "path": "folder"}
    Path("digits").mkdir()
    assert source_for("digits") == {"name": "digits"}
    assert source_for("./digits") == {"name": "images", "path": "./digits"}
    with pytest.raises(DataError, match="did you mean 'fashion_mnist'"):
        source_for("fashion-mnist")
    with pytest.raises(DataError, match=r"file 'zzzz'; choose one of: checkerboard, cifar10, digits"):
        source_for("zzzz")
    with pytest.raises(DataError, match=r"did you mean|choose one of"):
        source_for("array")
    Path("a.csv").write_text("1,2")
    with pytest.raises(DataError, match="no known kind"):
        source_for("a.csv")


@pytest.mark.parametrize("value", [(1, -1), (0, 0), (0,), (0, 1, 2), "ab", ("a", "b"), (0, float("inf")), 3])
def test_pair_refuses(value):
    with pytest.raises(ConfigError, match="not a pair"):
        pair(value)


@pytest.mark.parametrize(
    "options", [{"validation": 0}, {"validation": 0.5, "test": 0.5}, {"test": -0.1}, {"seed": -1}]
)
def test_fractions_out_of_range(options):
    with pytest.raises(ConfigError, match=r"must be|negative"):
        shuffled_splits(np.zeros((20, 1)), None, **{"validation": 0.1, "test": 0.1, "seed": 0, **options})


def test_too_few_examples_to_split():
    with pytest.raises(ConfigError, match="4 examples split into 4 train, 0 validation and 0 test"):
        shuffled_splits(np.zeros((4, 1)), None, validation=0.1, test=0.1, seed=0)


def test_the_fingerprint_sees_every_part():
    x, y = np.zeros((4, 2), np.float32), np.zeros(4, np.int64)

    def dataset(train=x, labels=y, test=x):
        return Dataset("d", Split(train, labels), Split(x, y), Split(test, y)).fingerprint

    other = x + np.eye(4, 2, dtype=np.float32)
    found = [
        dataset(),
        dataset(train=other),
        dataset(test=other),
        dataset(labels=y + 1),
        dataset(labels=None),
    ]
    found.append(dataset(train=x.reshape(2, 4)))
    assert len(set(found)) == 6
    assert dataset() == found[0]


def test_gzip_is_recognised_by_content(tmp_path):
    path = tmp_path / "images.idx"
    path.write_bytes(gzip.compress(idx_bytes(ramp(20, 3, 3))))
    assert len(DATASETS["idx"](path=str(path)).train) == 16
