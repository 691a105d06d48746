"""Arrays of any number of channels, of any numbers, and with labels in a file beside them."""

import numpy as np
import pytest

from evenodds.data.arrays import array_problems, as_examples, rescaled
from evenodds.data.row_labels import row_labels
from evenodds.data.sources import DATASETS
from evenodds.errors import ConfigError, DataError


def saved(path, x: np.ndarray) -> str:
    np.save(path, x, allow_pickle=False)
    return str(path)


@pytest.mark.parametrize(
    "shape, expected",
    [
        ((9, 6, 8, 8), (9, 6, 8, 8)),
        ((9, 8, 8, 6), (9, 6, 8, 8)),
        ((9, 12, 16, 16), (9, 12, 16, 16)),
        ((9, 16, 16, 13), (9, 13, 16, 16)),
    ],
)
def test_more_channels_than_four_are_told_from_the_sides(shape, expected):
    x = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    assert array_problems(x, None) == []
    found = as_examples(x)
    assert found.shape == expected
    np.testing.assert_array_equal(found if shape == expected else found.transpose(0, 2, 3, 1), x)


@pytest.mark.parametrize("shape", [(9, 8, 8, 8), (9, 6, 8, 7), (9, 20, 8, 8), (9, 8, 8, 20)])
def test_where_they_can_not_the_layout_has_to_be_said(shape):
    x = np.zeros(shape, np.uint8)
    assert "layout=nchw" in array_problems(x, None)[0]
    assert array_problems(x, None, "nchw") == []


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float64, np.uint8])
def test_a_range_of_numbers_becomes_minus_1_to_1(tmp_path, dtype):
    x = np.random.default_rng(0).integers(0, 101, (40, 7, 9, 9)).astype(dtype)
    x[0, 0, 0, :3] = 0, 50, 100
    data = DATASETS["array"](path=saved(tmp_path / "x.npy", x), data_range=[0, 100])
    assert (data.sample_shape, data.train.x.dtype, data.value_range) == ((7, 9, 9), np.float32, None)
    every = np.concatenate([split.x for split in data.splits.values()])
    expected = np.sort(x.astype(float).ravel()) / 50 - 1
    np.testing.assert_allclose(np.sort(every.ravel()), expected, atol=1e-6)


@pytest.mark.parametrize(
    "x, message",
    [
        (np.array([[0.0, 101.0]]), r"1 values outside data_range \[0, 100\], such as 101; widen it"),
        (np.array([[0.0, np.nan, -1]]), "2 values outside"),
        (np.zeros((0, 2)), "needs numbers"),
        (np.array([["a"]]), "needs numbers"),
        (np.array([[1j]]), "needs numbers"),
    ],
)
def test_what_is_outside_the_range_is_refused(x, message):
    with pytest.raises(DataError, match=message):
        rescaled(x, (0.0, 100.0), "x.npy")


def test_other_numbers_say_what_to_do(tmp_path):
    path = saved(tmp_path / "x.npy", np.full((20, 5, 5), 700, np.uint16))
    with pytest.raises(DataError, match=r"data_range=\[low, high\]"):
        DATASETS["array"](path=path)
    path = saved(tmp_path / "y.npy", np.full((20, 5, 5), 700.0))
    with pytest.raises(DataError, match=r"say data_range=\[700, 700\]|data_range"):
        DATASETS["array"](path=path)
    with pytest.raises(ConfigError, match="low < high"):
        DATASETS["array"](path=path, data_range=[1, 0])


@pytest.mark.parametrize(
    "text",
    [
        "b\na\nc\n" * 10,
        "id,label,x\n" + "0,b,9\n1,a,9\n2,c,9\n" * 10,
        "\ufeffn;b\nn;a\nn;c\n" + "n;b\nn;a\nn;c\n" * 9,
    ],
)
def test_labels_in_a_file_beside_them(tmp_path, text):
    x = np.arange(30, dtype=np.uint8)[:, None, None] * np.ones((1, 3, 3), np.uint8)
    table = tmp_path / "labels.csv"
    table.write_text(text, encoding="utf-8")
    data = DATASETS["array"](path=saved(tmp_path / "x.npy", x), labels=str(table))
    assert data.class_names == ("a", "b", "c")
    for split in data.splits.values():
        assert [data.class_names[y] for y in split.y] == ["bac"[int(image[0, 0, 0]) % 3] for image in split.x]


def test_bad_label_files(tmp_path):
    path, table = saved(tmp_path / "x.npy", np.zeros((3, 4, 4), np.uint8)), tmp_path / "l.csv"
    for content, message in (
        (b"a\nb\n", "2 labels for 3 examples"),
        (b"label,x\n,1\na,1\nb,1\n", "no label in row 1"),
        (b"\xff\xfe\x00", "not a CSV file in UTF-8"),
        (b"", "0 labels for 3 examples"),
    ):
        table.write_bytes(content)
        with pytest.raises(DataError, match=message):
            DATASETS["array"](path=path, labels=str(table))
    with pytest.raises(DataError, match="can't be read"):
        row_labels(tmp_path / "none.csv")
    np.savez(tmp_path / "x.npz", x=np.zeros((3, 4, 4), np.uint8), y=np.zeros(3, int))
    with pytest.raises(ConfigError, match="leave it out"):
        DATASETS["array"](path=str(tmp_path / "x.npz"), labels=str(table))
