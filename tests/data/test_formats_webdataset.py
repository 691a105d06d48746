"""Shards of key.jpg and key.cls, written with the standard library's tarfile."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from image_files import by_name, cache, encoded, noise  # noqa: F401

from evenodds.data.formats import webdataset
from evenodds.data.images.archives import Tar
from evenodds.data.shards import MOST_SHARDS, expanded, split_prefixes
from evenodds.data.sources import DATASETS, source_for
from evenodds.data.webdataset import WebDataset, is_webdataset, split_key
from evenodds.errors import DataError


def tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    with tarfile.open(path, mode) as out:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    return path


def examples(start: int, count: int, label: str = ".cls") -> dict[str, bytes]:
    """Keys 000…, each a PNG of noise of its own and the label key % 3."""
    files = {}
    for number in range(start, start + count):
        files[f"{number:05d}.png"] = encoded(noise(seed=number))
        if label == ".cls":
            files[f"{number:05d}.cls"] = str(number % 3).encode()
        elif label:
            files[f"{number:05d}.json"] = json.dumps({"label": number % 3, "text": "a cat"}).encode()
    return files


@pytest.mark.parametrize("label", [".cls", ".json"])
def test_pixels_and_labels(tmp_path, label):
    path = tar(tmp_path / "x.tar", examples(0, 12, label))
    assert source_for(str(path)) == {"name": "webdataset", "path": str(path)}
    found = by_name(webdataset(path=str(path)))
    assert len(found) == 12
    for number in range(12):
        split, y, pixels = found[f"{number:05d}.png"]
        assert split in ("train", "validation")
        assert y == number % 3
        np.testing.assert_array_equal(pixels, noise(seed=number).transpose(2, 0, 1))


def test_shards_by_pattern_and_by_folder_are_the_same(tmp_path):
    for shard in range(3):
        tar(tmp_path / "s" / f"x-{shard:03d}.tar", examples(6 * shard, 6))
    pattern = str(tmp_path / "s" / "x-{000..002}.tar")
    assert source_for(pattern)["name"] == source_for(str(tmp_path / "s"))["name"] == "webdataset"
    one, other = (webdataset(path=path) for path in (pattern, str(tmp_path / "s")))
    assert one.fingerprint == other.fingerprint
    assert (len(one.train) + len(one.validation), one.classes, one.name) == (18, 3, "x")
    with pytest.raises(DataError, match=r"x-003.tar does not exist; check the path"):
        webdataset(path=str(tmp_path / "s" / "x-{000..003}.tar"))


def test_shards_may_repeat_their_keys_and_name_splits(tmp_path):
    folder = tmp_path / "s"
    tar(folder / "train-0.tar", examples(0, 6))
    tar(folder / "train-1.tar", {name: encoded(noise(seed=90)) if name.endswith("png") else content
                                 for name, content in examples(0, 1).items()})  # fmt: skip
    tar(folder / "val-0.tar", examples(10, 3))
    tar(folder / "test-0.tar", examples(20, 2))
    data = webdataset(path=str(folder))
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 7,
        "validation": 3,
        "test": 2,
    }
    assert "train/00000 in train-1.png" in data.files.names["train"]
    assert split_prefixes([Path("trainer.tar"), Path("val.tar")]) == ["", ""]
    assert split_prefixes([Path("train/0.tar"), Path("validation/0.tar")]) == ["train/", "validation/"]


def test_without_labels_folders_in_keys_are_classes_and_shards_are_not(tmp_path):
    folder = tmp_path / "s"
    for shard in range(2):
        tar(folder / f"x{shard}.tar", examples(shard * 5, 5, ""))
    data = webdataset(path=str(folder))
    assert (data.classes, data.train.y) == (0, None)
    with_folders = {f"{'cat' if k % 2 else 'dog'}/{k}.png": encoded(noise(seed=k)) for k in range(8)}
    path = tar(tmp_path / "y.tar", with_folders)
    assert webdataset(path=str(path)).class_names == ("cat", "dog")


def test_a_label_field_by_name(tmp_path):
    files = {}
    for number in range(8):
        files[f"{number}.jpg"] = encoded(noise(seed=number), "JPEG")
        files[f"{number}.json"] = json.dumps({"label": 0, "kind": "ab"[number % 2]}).encode()
    path = tar(tmp_path / "x.tar", files)
    assert webdataset(path=str(path), label="kind").class_names == ("a", "b")
    assert webdataset(path=str(path)).classes == 0  # all the same is no class
    assert webdataset(path=str(path), label="nothing").classes == 0


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("0.json", b"{", "the label 0 in .*x.tar can't be read"),
        ("0.json", b"[1]", "it is no JSON object"),
        ("0.json", b'{"label": [1, 2]}', "its label is"),
        ("0.json", b'{"label": true}', "its label is True"),
        ("0.cls", b"\xff\xfe", "can't be read"),
        ("0.cls", b"1" * (2 << 20), "2097152 bytes"),
        ("0.json", b"[" * 100_000, "can't be read"),
    ],
)
def test_bad_labels_are_refused_with_the_key(tmp_path, name, content, message):
    path = tar(tmp_path / "x.tar", {"0.png": encoded(noise()), name: content})
    with pytest.raises(DataError, match=message):
        WebDataset(path)


def test_bad_images_are_skipped_and_named(tmp_path):
    path = tar(tmp_path / "x.tar", examples(0, 10) | {"00003.png": b"nothing"})
    data = webdataset(path=str(path))
    assert [name for name, _ in data.files.bad] == ["00003.png"]
    assert len(data.train) + len(data.validation) == 9


@pytest.mark.parametrize("kept, left", [(1500, 0), (2000, 1), (3584, 1), (4608, 2), (-1024, 8)])
def test_what_comes_before_a_cut_is_used_and_the_cut_is_reported(tmp_path, kept, left):
    """Each image has a block of header and one or two of content, each label a block of each."""
    content = {name: b"0" * 600 if name.endswith("png") else b"1" for name in examples(0, 8)}
    path = tar(tmp_path / "x.tar", content)
    whole = path.read_bytes().rstrip(b"\0")
    whole += bytes(-len(whole) % 512 + 1024)
    path.write_bytes(whole[:kept])
    source = WebDataset(path)
    assert len(source.names) == left
    ((name, reason),) = source.problems
    assert name == "x.tar"
    assert "cut short" in reason or "damaged after" in reason
    path.write_bytes(whole)
    assert WebDataset(path).problems == []


def test_bad_shards_are_refused(tmp_path):
    packed = tar(tmp_path / "y.tar", examples(0, 4), "w:gz")
    with pytest.raises(DataError, match="unpack it"):
        WebDataset(packed)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no \.tar"):
        WebDataset(tmp_path / "empty")


def test_a_plain_tar_of_images_is_not_taken_for_one(tmp_path):
    path = tar(tmp_path / "x.tar", {f"a/{k}.png": encoded(noise(seed=k)) for k in range(4)})
    assert not is_webdataset(path)
    assert source_for(str(path))["name"] == "images"
    assert Tar(path).names == [f"a/{k}.png" for k in range(4)]


def test_paths_in_a_shard_point_nowhere_else(tmp_path):
    files = {
        "../../a.png": encoded(noise()),
        "../../a.cls": b"1",
        "/b.png": encoded(noise(seed=1)),
        "/b.cls": b"0",
    }
    assert WebDataset(tar(tmp_path / "x.tar", files)).names == ["a.png", "b.png"]


def test_patterns():
    assert expanded("x-{08..10}.tar") == ["x-08.tar", "x-09.tar", "x-10.tar"]
    assert expanded("{0..1}/{2..3}.tar") == ["0/2.tar", "0/3.tar", "1/2.tar", "1/3.tar"]
    assert expanded("plain.tar") == ["plain.tar"]
    assert expanded("{3..1}.tar") == []
    with pytest.raises(DataError, match=f"at most {MOST_SHARDS}"):
        expanded("{0..99999999}.tar")


def test_keys_end_at_the_first_dot_of_the_last_part():
    assert split_key("a.b/c.seg.PNG") == ("a.b/c", ".seg.png")
    assert split_key("c") == ("c", "")


def test_the_table_has_it():
    assert DATASETS["webdataset"] is webdataset
