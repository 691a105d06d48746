"""Folders, zips and tars: what is found in them, and which split and class it belongs to."""

import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from image_files import by_name, cache, encoded, folder_of, noise, numbered, opened

from evenodds.data.images.archives import Zip
from evenodds.data.images.folders import Folder
from evenodds.data.images.labels import csv_labels, json_labels, split_names
from evenodds.data.images.listing import open_source
from evenodds.data.images.naming import harmless, natural
from evenodds.data.sources import source_for
from evenodds.errors import DataError

__all__ = ["cache"]
CLASSED = [*numbered(5, "cats/"), *numbered(5, "dogs/")]


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def contents(names: list[str]) -> dict[str, bytes]:
    return {name: encoded(noise(seed=seed)) for seed, name in enumerate(names)}


def test_a_flat_folder(tmp_path):
    data = opened(folder_of(tmp_path / "flat", numbered(10)))
    assert [len(split) for split in data.splits.values()] == [8, 2]
    assert data.class_names == ()
    assert data.name == "flat"
    assert data.notes == ()
    assert source_for(str(tmp_path / "flat")) == {"name": "images", "path": str(tmp_path / "flat")}
    for name, (_, label, pixels) in by_name(data).items():
        assert label is None
        np.testing.assert_array_equal(np.moveaxis(pixels, 0, -1), noise(seed=int(name[:-4])))


@pytest.mark.parametrize("make", [zipped, tarred])
def test_archives_are_folders(tmp_path, make):
    folder = opened(folder_of(tmp_path / "x", CLASSED))
    ending = "zip" if make is zipped else "tar"
    archive = make(tmp_path / f"x.{ending}", contents(CLASSED))
    data = opened(archive)
    assert data.fingerprint == folder.fingerprint
    assert data.class_names == folder.class_names == ("cats", "dogs")
    assert by_name(data)["cats/3.png"][1] == 0
    assert by_name(data)["dogs/3.png"][1] == 1
    assert source_for(str(archive))["name"] == "images"


def test_splits_and_classes_of_folders(tmp_path):
    names = [f"{split}/{kind}/{k}.png" for split in ("Train", "TEST") for kind in "ab" for k in range(5)]
    data = opened(folder_of(tmp_path / "x", names))
    assert {split: len(part) for split, part in data.splits.items()} == {
        "train": 8,
        "validation": 2,
        "test": 10,
    }
    assert data.class_names == ("a", "b")
    for name, (split, label, _) in by_name(data).items():
        assert (split == "test") == name.startswith("TEST")
        assert label == (0 if "/a/" in name else 1)
    for word in ("val", "valid", "Validation"):
        names = [*numbered(6, "train/"), *numbered(3, f"{word}/")]
        data = opened(folder_of(tmp_path / word, names))
        assert [len(part) for part in data.splits.values()] == [6, 3]


@pytest.mark.parametrize(
    ("names", "splits", "below"),
    [
        (["train/a.png", "test/b.png"], ("train", "test"), ["a.png", "b.png"]),
        (["set/train/a.png", "set/val/b.png"], ("train", "validation"), ["a.png", "b.png"]),
        (["train/images/a.png", "test/images/b.png"], ("train", "test"), ["a.png", "b.png"]),
        (["train/a.png", "bus/b.png"], (), ["train/a.png", "bus/b.png"]),  # trains and buses
        (["test/a.png", "val/b.png"], (), ["test/a.png", "val/b.png"]),
        (["train/a.png", "b.png"], (), ["train/a.png", "b.png"]),
        (["train/a.png", "train/b.png"], (), ["a.png", "b.png"]),
        (["x/y/a.png", "x/y/b.png"], (), ["a.png", "b.png"]),
        (["a.png"], (), ["a.png"]),
        ([], (), []),
    ],
)
def test_split_names(names, splits, below):
    assert split_names(names) == (splits, below)


def test_deeper_folders_belong_to_the_first_level(tmp_path):
    names = ["cats/old/tom.png", "cats/new/kit.png", "dogs/rex.png", "dogs/x/y/z.png", "dogs/2.png"]
    data = opened(folder_of(tmp_path / "x", names), validation=0.4)
    assert data.class_names == ("cats", "dogs")
    assert {name: label for name, (_, label, _) in by_name(data).items()} == dict(
        zip(names, [0, 0, 1, 1, 1], strict=True)
    )


def test_one_sub_folder_is_no_class_and_mixed_folders_are_said(tmp_path):
    assert opened(folder_of(tmp_path / "x", numbered(10, "all/"))).class_names == ()
    data = opened(folder_of(tmp_path / "y", [*CLASSED, "stray.png"]))
    assert data.class_names == ()
    assert data.notes[0].startswith(f"1 of 11 images in {tmp_path / 'y'} lie outside the sub-folders")
    assert "stray.png" in data.notes[0]
    assert opened(tmp_path / "y", labels="none").notes == ()


def test_names_in_other_scripts_and_with_spaces(tmp_path):
    kinds = ["naïve café", "日本語", 'it\'s "quoted"', "Русский язык", "x" * 200]
    names = [f"{kind}/фото {k} (1) ü%20.PNG" for kind in kinds for k in range(4)]
    data = opened(folder_of(tmp_path / "my pictures 图", names))
    assert set(data.class_names) == set(kinds)
    assert len(data.train) + len(data.validation) == 20
    for name, (_, label, _) in by_name(data).items():
        if not name.startswith("xxx"):  # long names are shortened in messages
            assert data.class_names[label] == name.split("/")[0]


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_text(tmp_path):
    folder_of(tmp_path / "x", numbered(9))
    with open(os.fsencode(tmp_path / "x") + b"/\xff\xfe.png", "wb") as file:
        file.write(encoded(noise(seed=99)))
    data = opened(tmp_path / "x")
    assert len(data.train) + len(data.validation) == 10
    "".join(by_name(data)).encode()  # can be printed


def test_natural_order():
    names = ["img10", "Img9", "img2", "img", "a", "B", "10", "9", "²"]
    assert sorted(names, key=natural) == ["9", "10", "a", "B", "img", "img2", "Img9", "img10", "²"]
    data = {f"{k}": k for k in (1, 10, 2)}
    assert sorted(data, key=natural) == ["1", "2", "10"]


def test_what_systems_leave_behind_is_not_bad(tmp_path):
    folder = folder_of(tmp_path / "x", numbered(10))
    folder_of(folder, ["__MACOSX/._0.png", ".thumbnails/0.png", ".hidden.png"])
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "list.json", "__MACOSX/._1.png"):
        (folder / name).write_bytes(b"not an image")
    data = opened(folder)
    assert len(by_name(data)) == 10
    assert data.notes == ()
    assert Zip(zipped(tmp_path / "y.zip", contents(["__MACOSX/._0.png", "a/.b.png", "a/c.png"]))).names == [
        "a/c.png"
    ]


def test_links_are_followed_but_not_in_circles(tmp_path):
    folder = folder_of(tmp_path / "x", CLASSED)
    folder_of(tmp_path / "elsewhere", numbered(5))
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "cats" / "up").symlink_to(folder)
    (folder / "again").symlink_to(folder / "cats")
    (folder / "itself").symlink_to(folder / "itself")
    (folder / "dogs" / "gone.png").symlink_to(folder / "nothing.png")
    (folder / "dogs" / "turning.png").symlink_to(folder / "dogs" / "turning.png")
    data = opened(folder)
    assert len(by_name(data)) == 15
    assert {name for name, _ in data.files.bad} == {"dogs/gone.png", "dogs/turning.png"}
    assert "2 of 15 files were left out" in data.notes[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_pipes_are_not_waited_for(tmp_path):
    folder = folder_of(tmp_path / "x", numbered(10))
    os.mkfifo(folder / "pipe.png")
    assert opened(folder).files.bad == (("pipe.png", "not a file"),)


def test_archives_with_wicked_names(tmp_path):
    names = ["../../evil.png", "/etc/x.png", "..\\up\\y.png", "./a//b.png", "C:/z.png"]
    source = Zip(zipped(tmp_path / "x.zip", contents(names)))
    assert sorted(source.names) == ["C:/z.png", "a/b.png", "etc/x.png", "evil.png", "up/y.png"]
    before = sorted(path.name for path in tmp_path.parent.iterdir())
    data = opened(tmp_path / "x.zip", labels="none", validation=0.4)
    assert len(by_name(data)) == 5
    assert sorted(path.name for path in tmp_path.parent.iterdir()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "x.zip"]
    assert harmless("../..") == ""


def test_encrypted_and_huge_entries_are_bad_files(tmp_path, monkeypatch):
    path = zipped(tmp_path / "x.zip", contents(numbered(10)))
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\x01\x02")
    content[central + 8] |= 1  # of the first entry: encrypted
    path.write_bytes(content)
    monkeypatch.setattr("evenodds.data.images.naming.MAX_FILE", max(map(len, contents(["0"]).values())) + 10)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(10**7))
    data = opened(path)
    reasons = dict(data.files.bad)
    assert reasons["0.png"] == "encrypted"
    assert reasons["bomb.png"] == "too large (10000000 bytes)"
    assert len(by_name(data)) == 9


def test_damaged_entries_are_bad_files(tmp_path):
    path = zipped(tmp_path / "x.zip", contents(numbered(10)))
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 20] ^= 255
    path.write_bytes(content)
    data = opened(path)
    assert [name for name, _ in data.files.bad] == ["0.png"]
    assert "damaged" in data.files.bad[0][1]


def refusal(path: Path, **options: object) -> str:
    """The one sentence with which a path is refused."""
    with pytest.raises(DataError) as caught:
        opened(path, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert ";" in text
    assert str(path) in text
    return text


def test_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no image files" in refusal(tmp_path / "empty")
    (tmp_path / "texts").mkdir()
    for k in range(5):
        (tmp_path / "texts" / f"{k}.txt").write_text("hello")
    assert "holds no image files" in refusal(tmp_path / "texts")
    assert "does not exist" in refusal(tmp_path / "gone")
    (tmp_path / "one.png").write_bytes(encoded(noise()))
    assert "is a file" in refusal(tmp_path / "one.png")
    whole = zipped(tmp_path / "whole.zip", contents(numbered(10))).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    assert "cut short" in refusal(tmp_path / "cut.zip")
    assert "holds no image files" in refusal(zipped(tmp_path / "none.zip", {"a.txt": b"x"}))
    with tarfile.open(tmp_path / "x.tar", "w:gz") as archive:
        archive.add(tmp_path / "one.png", "one.png")
    assert "compressed" in refusal(tmp_path / "x.tar")
    assert "leaves one empty" in refusal(folder_of(tmp_path / "single", ["a.png"]))


def test_unreadable(tmp_path, monkeypatch):
    """Whoever runs the tests may be allowed to read everything, so that the refusal is made."""
    folder = folder_of(tmp_path / "x", [*numbered(9), "sub/9.png"])
    read, scan = Path.read_bytes, os.scandir

    def refuse(path: Path) -> bytes:
        if path.name == "3.png":
            raise PermissionError(13, "Permission denied")
        return read(path)

    def refuse_folder(path: Path) -> object:
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(os, "scandir", refuse_folder)
    data = opened(folder)
    assert dict(data.files.bad) == {
        "3.png": "can't be read (Permission denied)",
        "sub/": "can't be read (Permission denied)",
    }
    assert len(by_name(data)) == 8
    monkeypatch.setattr(os, "scandir", lambda path: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with pytest.raises(DataError, match="can't be read"):
        Folder(folder)


def dataset_json(labels: object) -> bytes:
    return json.dumps({"labels": labels}).encode()


def test_stylegans_dataset_json(tmp_path):
    names = [f"{k // 5:05d}/img{k:08d}.png" for k in range(10)]
    labels = {name: k % 3 for k, name in enumerate(names)}
    files = {**contents(names), "dataset.json": dataset_json(list(labels.items()))}
    data = opened(zipped(tmp_path / "x.zip", files))
    assert data.class_names == ("0", "1", "2")
    assert {name: label for name, (_, label, _) in by_name(data).items()} == labels
    vectors = [[name, [float(k == label) for k in range(3)]] for name, label in labels.items()]
    folder = folder_of(tmp_path / "y", names)
    (folder / "dataset.json").write_bytes(dataset_json(vectors))
    assert {name: label for name, (_, label, _) in by_name(opened(folder)).items()} == labels
    (folder / "dataset.json").write_bytes(dataset_json(None))
    assert opened(folder).class_names == ()  # and not the folders 00000 and 00001
    assert opened(folder, labels="folders").class_names == ("00000", "00001")


@pytest.mark.parametrize(
    "content", [b"[]", b"{", b'{"labels": 3}', b'{"labels": [["a", -1]]}', b'{"labels": [["a", [0.2, 0.8]]]}']
)
def test_a_dataset_json_that_is_none(content):
    with pytest.raises(DataError, match="set labels=none"):
        json_labels(content, "x.zip")


@pytest.mark.parametrize(
    "text",
    [
        "file_name,label\n0.png,cat\n1.png,dog\n",
        "label;image\ncat;0.png\ndog;1.png\n",
        "0.png,cat\n1.png,dog\n",
        "\ufeffid,something,class\n./0.png,x,cat\n1.png,y,dog\n",
        "path\tcategory\r\n0.png\tcat\r\n1.png\tdog\r\n",
    ],
)
def test_csv_tables(text):
    assert csv_labels(text.encode(), "x.csv") == {"0.png": "cat", "1.png": "dog"}


def test_labels_from_csv(tmp_path):
    folder = folder_of(tmp_path / "x", numbered(10, "pictures/"))
    kinds = {f"{k}.png": f"class {k % 2 + 9}" for k in range(9)}
    table = "file,label\n" + "".join(f'{name},"{kind}"\n' for name, kind in kinds.items())
    (tmp_path / "mine.csv").write_text(table)
    data = opened(folder, labels=str(tmp_path / "mine.csv"))
    assert data.class_names == ("class 9", "class 10")
    assert data.files.bad == (("pictures/9.png", "no label"),)
    found = {name.split("/")[1]: data.class_names[label] for name, (_, label, _) in by_name(data).items()}
    assert found == kinds
    (folder / "metadata.csv").write_text(table)
    assert opened(folder).class_names == ("class 9", "class 10")
    (tmp_path / "mine.csv").write_text(table.replace("class 9", "other"))
    assert "other" in opened(folder, labels=str(tmp_path / "mine.csv")).class_names
    (tmp_path / "mine.csv").write_text("file,label\nabc.png,1\n")
    with pytest.raises(DataError, match="10 of 10 images"):
        opened(folder, labels=str(tmp_path / "mine.csv"))
    with pytest.raises(DataError, match="can't be read"):
        opened(folder, labels=str(tmp_path / "none.csv"))
    for wrong in (b"", b"one column\n", b"\xff\xfe\x00"):
        with pytest.raises(DataError, match=r"column|CSV"):
            csv_labels(wrong, "x.csv")


def test_tables_in_the_folders_that_are_left_out_of_names(tmp_path):
    """A zip of a folder has it around everything; other tools put a table into each split's folder."""
    names = [f"set/img{k}.png" for k in range(10)]
    labels = [[f"img{k}.png", k % 2] for k in range(10)]
    files = {**contents(names), "set/dataset.json": dataset_json(labels)}
    data = opened(zipped(tmp_path / "x.zip", files))
    assert {name: label for name, (_, label, _) in by_name(data).items()} == {
        f"set/{n}": y for n, y in labels
    }
    names = [f"{split}/{k}.png" for split in ("train", "test") for k in range(6)]
    files = contents(names)
    for split, kinds in (("train", "abc"), ("test", "bca")):  # the same names, other labels
        rows = "".join(f"{k}.png,{kinds[k % 3]}\n" for k in range(6))
        files[f"{split}/metadata.csv"] = f"file_name,label\n{rows}".encode()
    found = by_name(opened(tarred(tmp_path / "y.tar", files)))
    assert [found[f"train/{k}.png"][1] for k in range(6)] == [0, 1, 2, 0, 1, 2]
    assert [found[f"test/{k}.png"][1] for k in range(6)] == [1, 2, 0, 1, 2, 0]
    # a table inside a class is about something else
    files = {**contents(CLASSED), "cats/metadata.csv": b"anything"}
    assert opened(zipped(tmp_path / "z.zip", files)).class_names == ("cats", "dogs")


def test_kinds_of_sources(tmp_path):
    assert isinstance(open_source(folder_of(tmp_path / "x", ["a.png"])), Folder)
    odd = zipped(tmp_path / "no_ending", contents(["a.png"]))
    assert isinstance(open_source(odd), Zip)
