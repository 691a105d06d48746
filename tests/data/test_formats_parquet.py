"""Tables of images, written by pyarrow where it is installed."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from image_files import by_name, cache, encoded, noise  # noqa: F401

from evenodds.data.formats import parquet
from evenodds.data.parquet import Parquet, is_parquet
from evenodds.data.sources import source_for
from evenodds.errors import DataError


def test_what_to_install_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    assert source_for(str(tmp_path / "x.parquet"))["name"] == "parquet"
    with pytest.raises(DataError, match=r'pip install "evenodds\[hf\]"'):
        Parquet(tmp_path / "x.parquet")


def arrow():
    return pytest.importorskip("pyarrow", reason="pyarrow, of the extra [hf], is not installed")


def table(start: int, count: int, names: list[str] | None = None, **columns: list):
    pyarrow = arrow()
    numbers = range(start, start + count)
    images = [{"bytes": encoded(noise(seed=number)), "path": f"{number}.png"} for number in numbers]
    data = pyarrow.table({"image": images, "label": [number % 3 for number in numbers]} | columns)
    if names is not None:
        features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
        facts = {"info": {"features": features}}
        data = data.replace_schema_metadata({"huggingface": json.dumps(facts)})
    return data


def put(path: Path, data, rows: int = 4) -> Path:
    import pyarrow.parquet

    path.parent.mkdir(exist_ok=True, parents=True)
    pyarrow.parquet.write_table(data, path, row_group_size=rows)
    return path


def test_pixels_labels_and_class_names(tmp_path):
    path = put(tmp_path / "x.parquet", table(0, 11, ["bird", "cat", "ape"]))
    data = parquet(path=str(path))
    assert data.class_names == ("ape", "bird", "cat")
    found = by_name(data)
    for number in range(11):
        _, y, pixels = found[f"x row {number}"]
        assert data.class_names[y] == ["bird", "cat", "ape"][number % 3]
        np.testing.assert_array_equal(pixels, noise(seed=number).transpose(2, 0, 1))


def test_the_layout_of_the_hub(tmp_path):
    for split, start, count in (("train", 0, 8), ("test", 8, 3), ("validation", 11, 2)):
        put(tmp_path / "d" / "data" / f"{split}-00000-of-00001.parquet", table(start, count))
    assert source_for(str(tmp_path / "d"))["name"] == "parquet"
    data = parquet(path=str(tmp_path / "d"))
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 8,
        "validation": 2,
        "test": 3,
    }


@pytest.mark.parametrize("stream", [True, False])
def test_what_save_to_disk_writes(tmp_path, stream):
    pyarrow = arrow()
    for split, start, count in (("train", 0, 9), ("test", 9, 3)):
        path = tmp_path / "d" / split / "data-00000-of-00001.arrow"
        path.parent.mkdir(parents=True)
        (path.parent / "state.json").write_text("{}")
        data = table(start, count)
        writer = pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file
        with writer(str(path), data.schema) as out:
            out.write_table(data, max_chunksize=4)
    data = parquet(path=str(tmp_path / "d"))
    assert (len(data.train) + len(data.validation), len(data.test), data.classes) == (9, 3, 3)
    np.testing.assert_array_equal(
        by_name(data)["test/data-00000-of-00001 row 2"][2], noise(seed=11).transpose(2, 0, 1)
    )


def test_columns_by_name(tmp_path):
    pyarrow = arrow()
    data = pyarrow.table(
        {
            "front": [encoded(noise(seed=k)) for k in range(8)],
            "back": [encoded(noise(seed=50 + k)) for k in range(8)],
            "kind": ["a", "b"] * 4,
        }
    )
    path = put(tmp_path / "x.parquet", data)
    with pytest.raises(DataError, match="image=NAME"):
        Parquet(path)
    found = parquet(path=str(path), image="back", label="kind")
    assert found.class_names == ("a", "b")
    np.testing.assert_array_equal(by_name(found)["x row 0"][2], noise(seed=50).transpose(2, 0, 1))
    assert parquet(path=str(path), image="front").classes == 0
    with pytest.raises(DataError, match=r"no column 'font' with image files; did you mean 'front'"):
        Parquet(path, image="font")
    with pytest.raises(DataError, match=r"no column 'kin'; did you mean 'kind'"):
        Parquet(path, image="front", label="kin")


def test_rows_that_lack_something(tmp_path):
    data = table(0, 10, label=[0, 1, None, -1, 0, 1, 0, 1, 0, 1]).to_pydict()
    data["image"][5] = {"bytes": None, "path": "elsewhere.png"}
    found = parquet(path=str(put(tmp_path / "x.parquet", arrow().table(data))))
    assert dict(found.files.bad) == {
        "x row 2": "no label",
        "x row 3": "no label",
        "x row 5": "no bytes in the table",
    }


@pytest.mark.parametrize(
    "columns, names, message",
    [
        ({"label": [0.5] * 4}, None, "holds 0.5; give label=NAME"),
        ({"label": [0, 1, 2, 9]}, ["a", "b", "c"], "has the label 9 where there are 3 classes"),
    ],
)
def test_bad_labels(tmp_path, columns, names, message):
    path = put(tmp_path / "x.parquet", table(0, 4, names, **columns))
    with pytest.raises(DataError, match=message):
        Parquet(path)
    assert len(parquet(path=str(path), label="none", validation=0.25).train) == 3


@pytest.mark.parametrize("ending", [".parquet", ".arrow"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"nothing of the kind" * 9])
def test_damaged_files_are_refused(tmp_path, ending, content):
    arrow()
    path = tmp_path / f"x{ending}"
    path.write_bytes(content)
    with pytest.raises(DataError, match="copy or download it again"):
        Parquet(path)


def test_a_file_cut_short_is_refused(tmp_path):
    path = put(tmp_path / "x.parquet", table(0, 8))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="cut short or no table"):
        Parquet(path)


def test_folders_of_images_are_no_tables(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.parquet").write_bytes(b"")
    assert not is_parquet(tmp_path)
    assert is_parquet(tmp_path / "a")
