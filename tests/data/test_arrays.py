"""Arrays: what numpy writes is read back exactly, and everything else is refused without running anything."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenodds.data.arrays import array_problems, as_examples, check_layout, load_arrays, named_parts
from evenodds.errors import ConfigError, DataError


def npy(array: np.ndarray, **options: bool) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (6, 5, 7), dtype=np.uint8)


@pytest.mark.parametrize(
    "array",
    [
        BYTES,
        np.asfortranarray(BYTES),
        RNG.normal(size=(4, 3)),
        RNG.normal(size=(4, 3)).astype(">f4"),
        np.arange(5),
    ],
)
def test_reads_what_numpy_saves(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", x=array, y=np.arange(len(array)))
    for path in (tmp_path / "a.npy", tmp_path / "a.npz"):
        found = load_arrays(path)["x"]
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


class Exploding:
    """Unpickling it would make the test fail."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was opened",)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_objects_are_refused_without_unpickling(tmp_path, suffix):
    path = tmp_path / f"objects.{suffix}"
    objects = np.array([Exploding()], dtype=object)
    if suffix == "npy":
        path.write_bytes(npy(objects, allow_pickle=True))
    else:
        np.savez(path, x=objects, allow_pickle=True)
    with pytest.raises(DataError, match="holds Python objects"):
        load_arrays(path)


def test_a_pickle_under_another_name_is_refused(tmp_path):
    (tmp_path / "a.npy").write_bytes(pickle.dumps(Exploding()))
    with pytest.raises(DataError, match=r"neither an \.npy nor an \.npz"):
        load_arrays(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "content, words",
    [
        (npy(BYTES)[:-1], "truncated.* needs 210 bytes, and there are 209"),
        (npy(BYTES) + b"x", "followed by something else"),
        (npy(BYTES)[:20], "damaged .npy header"),
        (b"\x93NUMPY", "not an array in .npy format"),
        (b"\x93NUMPY\x09\x00\x00\x00", "not an array in .npy format"),
        (b"PK\x03\x04 not a zip", "damaged npz"),
        (b"", "neither"),
    ],
)
def test_damage_is_refused(tmp_path, content, words):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match=words):
        load_arrays(tmp_path / "a.npy")


def test_a_header_that_claims_too_much_takes_no_memory(tmp_path):
    content = npy(BYTES).replace(b"(6, 5, 7), }" + b" " * 13, b"(99999999, 9999999, 7), }")
    assert b"99999999" in content
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match="truncated"):
        load_arrays(tmp_path / "a.npy")


def test_truncated_npz_and_missing_file(tmp_path):
    np.savez(tmp_path / "a.npz", x=BYTES)
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="damaged npz"):
        load_arrays(tmp_path / "a.npz")
    with pytest.raises(DataError, match="does not exist"):
        load_arrays(tmp_path / "b.npz")
    with pytest.raises(DataError, match="can't be read"):
        load_arrays(tmp_path)


@given(position=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.booleans())
@settings(max_examples=120, deadline=None)
def test_a_changed_npz_is_refused_or_read(tmp_path_factory, position, value, cut):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x.npy", npy(BYTES))
    content = bytearray(out.getvalue())
    position %= len(content)
    content[position] = value
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    path.write_bytes(content[:position] if cut else content)
    try:
        arrays = load_arrays(path)
    except DataError:
        return
    # A name may have changed; values, under zip's checksum, may not.
    assert all(array.tobytes() == BYTES.tobytes() for array in arrays.values())


@given(header=st.text(max_size=60), position=st.integers(0, 127), value=st.integers(0, 255))
@settings(max_examples=120, deadline=None)
def test_a_changed_npy_header_never_raises_anything_else(tmp_path_factory, header, position, value):
    content = bytearray(npy(BYTES))
    content[position] = value
    path = tmp_path_factory.getbasetemp() / "changed.npy"
    text = header.encode("utf-8", "replace")
    for damaged in (bytes(content), b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text):
        path.write_bytes(damaged)
        try:
            assert load_arrays(path)["x"].size >= 0
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017, the point is that nothing else is raised


def test_names(tmp_path):
    x, y = BYTES, np.arange(6)
    whole = {"all": (x, y)}
    for arrays in ({"x": x, "y": y}, {"images": x, "labels": y}, {"arr_0": x, "arr_1": y}):
        assert named_parts(arrays, "f")["all"][0] is whole["all"][0]
        assert named_parts(arrays, "f")["all"][1] is y
    assert named_parts({"x": x}, "f")["all"][1] is None
    parts = named_parts({"x_train": x, "y_train": y, "x_test": x[:2], "y_test": y[:2]}, "f")
    assert list(parts) == ["train", "test"]
    with pytest.raises(DataError, match="f holds labels, pictures; name the examples x"):
        named_parts({"pictures": x, "labels": y}, "f")
    with pytest.raises(DataError, match="lacks y_test"):
        named_parts({"x_train": x, "y_train": y, "x_test": x}, "f")
    with pytest.raises(DataError, match="no array"):
        named_parts({}, "f")


@pytest.mark.parametrize(
    "shape, layout, expected",
    [
        ((9, 8, 7), "auto", (9, 1, 8, 7)),
        ((9, 8, 7, 3), "auto", (9, 3, 8, 7)),
        ((9, 3, 8, 7), "auto", (9, 3, 8, 7)),
        ((9, 3, 4, 4), "auto", (9, 3, 4, 4)),  # both at most 4: the second is the channels
        ((9, 3, 4, 4), "nhwc", (9, 4, 3, 4)),
        ((9, 8, 7, 6), "nchw", (9, 8, 7, 6)),
    ],
)
def test_layout(shape, layout, expected):
    x = RNG.integers(0, 256, shape, dtype=np.uint8)
    found = as_examples(x, layout)
    assert found.shape == expected
    assert found.flags["C_CONTIGUOUS"]
    assert array_problems(x, None, layout) == []
    if layout != "nchw" and len(shape) == 4 and expected != shape:
        np.testing.assert_array_equal(found[2, 1], x[2, :, :, 1])


def test_floats_stay_as_they_are():
    x = RNG.normal(size=(5, 3)) * 100
    assert as_examples(x).dtype == np.float32
    np.testing.assert_array_equal(as_examples(x), x.astype(np.float32))
    with pytest.raises(ConfigError, match="did you mean 'nchw'"):
        check_layout("nchv")


IMAGES = np.zeros((4, 3, 3), np.float32)


def spoiled(value: float, *places: tuple[int, ...]) -> np.ndarray:
    x = IMAGES.copy()
    for place in places:
        x[place] = value
    return x


@pytest.mark.parametrize(
    "x, y, words",
    [
        (np.zeros((0, 3)), None, "empty"),
        (np.float32(3), None, None),
        (np.zeros(5), None, r"shape is \(5,\)"),
        (np.zeros((5, 9), np.uint8), None, r"shape is \(5, 9\)"),
        (np.zeros((2, 2, 2, 2, 2)), None, "shape is"),
        (np.zeros((5, 9), np.int64), None, "type is int64"),
        (np.zeros((5, 9), bool), None, "type is bool"),
        (np.zeros((5, 9, 9, 9)), None, "neither axis 1 nor axis 3"),
        (
            spoiled(np.nan, (1, 2, 0), (3, 0, 0)),
            None,
            r"2 values are NaN or infinite, the first at \(1, 2, 0\)",
        ),
        (spoiled(-np.inf, (0, 0, 1)), None, r"1 values are NaN or infinite, the first at \(0, 0, 1\)"),
        (np.full((2, 2), 1e300), None, "4 values are NaN or infinite"),
        (spoiled(255, (0, 0, 0)), None, "go from 0 to 255"),
        (IMAGES, np.zeros(3, int), r"shape \(3,\) for 4 examples"),
        (IMAGES, np.zeros((4, 2), int), r"shape \(4, 2\)"),
        (IMAGES, np.zeros(4), "labels are float64"),
        (IMAGES, np.array([0, -1, 1, 0]), "from -1 to 1"),
        (IMAGES, np.array([0, 9, 1, 0]), "from 0 to 9 for 4 examples"),
    ],
)
def test_problems(x, y, words):
    if words is None:
        assert array_problems(np.asarray(x), y)[0].startswith("it is empty")
        return
    problems = array_problems(x, y)
    assert len(problems) == 1
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(problems[0])


def test_every_problem_is_listed():
    x = np.full((4, 9, 9, 9), np.nan)
    assert len(array_problems(x, np.zeros(3))) == 3
