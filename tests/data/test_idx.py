"""IDX files: written here from the format's description, read by the package, and damaged in every way."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from idx_files import MNIST, idx_bytes, needs_mnist, ramp, write_folder

from evenodds.data.idx import (
    FOLDER_FILES,
    load_idx_folder,
    load_idx_images,
    load_idx_labels,
    parse_idx,
    read_idx,
)
from evenodds.errors import DataError


@pytest.mark.parametrize("shape", [(7,), (3, 4), (5, 3, 2), (2, 3, 4, 5)])
@pytest.mark.parametrize("compressed", [False, True])
def test_reads_any_rank(tmp_path, shape, compressed):
    path = tmp_path / "a.bin"  # the content decides, not the name
    content = idx_bytes(ramp(*shape))
    path.write_bytes(gzip.compress(content) if compressed else content)
    found = read_idx(path)
    assert found.dtype == np.uint8
    assert found.flags.writeable
    np.testing.assert_array_equal(found, ramp(*shape))


def test_images_get_a_channel_axis_and_labels_are_int64(tmp_path):
    (tmp_path / "i").write_bytes(idx_bytes(ramp(5, 3, 2)))
    (tmp_path / "l").write_bytes(idx_bytes(ramp(5)))
    np.testing.assert_array_equal(load_idx_images(tmp_path / "i"), ramp(5, 3, 2)[:, None])
    labels = load_idx_labels(tmp_path / "l", 5)
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "two zero bytes"),
        (b"\x89PNG rest", "two zero bytes"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "float32"),
        (b"\0\0\x09\x01\0\0\0\x01\0", "int8"),
        (b"\0\0\x77\x01\0\0\0\x01\0", "unknown type"),
        (b"\0\0\x08\x03\0\0\0\x01", "middle of its IDX header"),
        (b"\0\0\x08\x00", "no values"),
        (b"\0\0\x08\x01\0\0\0\0", "no values"),
        (idx_bytes(ramp(4, 3, 3))[:-1], "truncated: shape 4 × 3 × 3 needs 36 bytes, and there are 35"),
        (idx_bytes(ramp(4, 3, 3)) + b"x", "followed by something else.* 36 bytes, and there are 37"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "truncated"),
        (gzip.compress(idx_bytes(ramp(100)))[:-9], "damaged gzip"),
        (gzip.compress(idx_bytes(ramp(100))) + b"tail", "damaged gzip"),
        (b"\x1f\x8b", "damaged gzip"),
    ],
)
def test_refuses_damage_and_names_the_file(tmp_path, content, words):
    path = tmp_path / "some-file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as error:
        read_idx(path)
    assert "some-file" in str(error.value)


def test_refuses_missing_folder_and_wrong_rank(tmp_path):
    with pytest.raises(DataError, match="nothing-here does not exist"):
        read_idx(tmp_path / "nothing-here")
    with pytest.raises(DataError, match="can't be read"):
        read_idx(tmp_path)
    (tmp_path / "flat").write_bytes(idx_bytes(ramp(6)))
    with pytest.raises(DataError, match="shape 6, not N × height × width"):
        load_idx_images(tmp_path / "flat")
    with pytest.raises(DataError, match="shape 6 where 7 labels are needed"):
        load_idx_labels(tmp_path / "flat", 7)


@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    position=st.integers(0, 19),
    flip=st.integers(1, 255),
)
@settings(max_examples=150, deadline=None)
def test_any_byte_changed_in_the_header_is_refused(shape, position, flip):
    content = bytearray(idx_bytes(ramp(*shape)))
    content[position % (4 + 4 * len(shape))] ^= flip
    with pytest.raises(DataError):
        parse_idx(bytes(content), "f")


@given(shape=st.lists(st.integers(1, 6), min_size=1, max_size=4), keep=st.floats(0, 1, exclude_max=True))
@settings(max_examples=150, deadline=None)
def test_any_truncation_is_refused(shape, keep):
    content = idx_bytes(ramp(*shape))
    with pytest.raises(DataError):
        parse_idx(content[: int(keep * len(content))], "f")


@given(content=st.binary(max_size=64), zeros=st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_an_array_of_their_own_or_data_error(content, zeros):
    content = b"\0\0\x08" + content if zeros else content
    try:
        found = parse_idx(content, "f")
    except DataError:
        return
    assert content.endswith(found.tobytes())
    assert found.size > 0


@given(flip=st.integers(1, 255), position=st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_a_changed_gzip_file_never_gives_other_values(tmp_path_factory, flip, position):
    array = ramp(20, 5, 5)
    content = bytearray(gzip.compress(idx_bytes(array), mtime=0))
    content[position % len(content)] ^= flip
    path = tmp_path_factory.getbasetemp() / "flipped.gz"
    path.write_bytes(content)
    try:
        found = read_idx(path)
    except DataError:
        return
    # Some bytes of the gzip header, such as its time, don't matter.
    np.testing.assert_array_equal(found, array)


def test_folder_of_four_files(tmp_path):
    write_folder(tmp_path / "f")
    plain = tmp_path / "f" / FOLDER_FILES[0]
    plain.with_suffix("").write_bytes(gzip.decompress(plain.read_bytes()))
    plain.unlink()  # also without .gz
    (x, y), (test_x, test_y) = load_idx_folder(tmp_path / "f")
    assert (x.shape, y.shape, test_x.shape, test_y.shape) == ((30, 1, 4, 4), (30,), (5, 1, 4, 4), (5,))
    np.testing.assert_array_equal(x[:, 0], ramp(30, 4, 4))


def test_folder_refuses_missing_and_unlike_files(tmp_path):
    write_folder(tmp_path / "f")
    (tmp_path / "f" / FOLDER_FILES[1]).unlink()
    (tmp_path / "f" / FOLDER_FILES[3]).unlink()
    with pytest.raises(DataError, match=r"lacks train-labels-idx1-ubyte.gz, t10k-labels-idx1-ubyte.gz;"):
        load_idx_folder(tmp_path / "f")
    write_folder(tmp_path / "f")
    (tmp_path / "f" / FOLDER_FILES[2]).write_bytes(idx_bytes(ramp(5, 4, 6)))
    with pytest.raises(DataError, match="4 × 4 and the test images 4 × 6"):
        load_idx_folder(tmp_path / "f")


@needs_mnist
def test_mnist_labels_are_the_published_ones():
    labels = read_idx(MNIST / FOLDER_FILES[3])
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
