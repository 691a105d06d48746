"""CIFAR's binary version, from files written here after its description."""

import gzip
import io
import tarfile

import numpy as np
import pytest

from evenodds.data.cifar import is_cifar, load_cifar
from evenodds.data.sources import DATASETS, source_for
from evenodds.errors import ConfigError, DataError

RECORDS = 7
CLASSES = b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"


def records(seed: int, count: int = RECORDS, label_bytes: int = 1, classes: int = 10) -> bytes:
    """Each: its labels, then 3072 bytes."""
    random = np.random.default_rng(seed)
    return b"".join(
        bytes(random.integers(0, classes, label_bytes, dtype=np.uint8)) + random.bytes(3072)
        for _ in range(count)
    )


def ten() -> dict[str, bytes]:
    files = {f"data_batch_{number}.bin": records(number) for number in range(1, 6)}
    return files | {"test_batch.bin": records(9), "batches.meta.txt": CLASSES}


def hundred() -> dict[str, bytes]:
    names = {
        "fine_label_names.txt": "\n".join(f"fine {k}" for k in range(100)).encode(),
        "coarse_label_names.txt": "\n".join(f"coarse {k}" for k in range(20)).encode(),
    }
    return {"train.bin": records(1, 30, 2, 20), "test.bin": records(2, 5, 2, 20)} | names


def archive(files: dict[str, bytes], folder: str = "cifar-10-batches-bin") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def put(folder, files: dict[str, bytes]):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_pixels_and_labels_are_where_the_description_says(tmp_path):
    files = ten()
    (x, y), test, names = load_cifar(put(tmp_path / "c", files))
    assert x.shape == (5 * RECORDS, 3, 32, 32)
    assert (len(test[0]), names[0], names[9], len(names)) == (RECORDS, "airplane", "truck", 10)
    for index in (0, 8, 34):
        batch, row = divmod(index, RECORDS)
        record = files[f"data_batch_{batch + 1}.bin"][row * 3073 : (row + 1) * 3073]
        assert y[index] == record[0]
        # green plane, row 4, column 9
        assert x[index, 1, 4, 9] == record[1 + 1024 + 4 * 32 + 9]


def test_an_archive_is_read_as_its_folder_is(tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(archive(ten()))
    put(tmp_path / "folder", ten())
    packed, plain = (
        DATASETS["cifar_binary"](path=str(tmp_path / name)) for name in ("cifar-10-binary.tar.gz", "folder")
    )
    assert packed.fingerprint == plain.fingerprint
    assert [len(split) for split in packed.splits.values()] == [31, 4, 7]
    assert packed.name == "cifar10"
    for name in ("cifar-10-binary.tar.gz", "folder"):
        assert source_for(str(tmp_path / name))["name"] == "cifar_binary"


def test_cifar_100_has_fine_and_coarse_labels(tmp_path):
    files = hundred()
    path = put(tmp_path / "c", files)
    for kind, at, count in (("fine", 1, 100), ("coarse", 0, 20)):
        (x, y), _, names = load_cifar(path, labels=kind)
        assert (len(x), len(names), names[3]) == (30, count, f"{kind} 3")
        assert y.tolist() == [files["train.bin"][row * 3074 + at] for row in range(30)]
        assert x[2, 0, 0, 5] == files["train.bin"][2 * 3074 + 2 + 5]
    assert source_for(str(path))["name"] == "cifar_binary"
    with pytest.raises(ConfigError, match=r"did you mean 'coarse'"):
        load_cifar(path, labels="coarsely")


def test_names_and_test_images_may_be_missing(tmp_path):
    path = put(tmp_path / "c", {"data_batch_2.bin": records(0)})
    (x, _), test, names = load_cifar(path)
    assert (len(x), test, names) == (RECORDS, None, tuple("0123456789"))


@pytest.mark.parametrize(
    "files, message",
    [
        ({"data_batch_1.bin": records(1)[:-1]}, "not a multiple of the 3073"),
        ({"data_batch_1.bin": b""}, "has 0 bytes"),
        (
            {"data_batch_1.bin": b"\x0a" + bytes(3072), "batches.meta.txt": CLASSES},
            "the label 10 where there",
        ),
        ({"train.bin": records(1)}, "CIFAR-100"),
        ({"test_batch.bin": records(1)}, "no training file"),
        ({"data_batch_1.bin": records(1), "batches.meta.txt": b"\xff\xfe"}, "is no text"),
        ({"data_batch_1.bin": records(1), "batches.meta.txt": b"\n"}, "0 class names"),
        ({"data_batch_1": b"\x80\x02}q", "batches.meta": b"\x80"}, "pickled"),
    ],
)
def test_bad_folders_are_refused_with_a_remedy(tmp_path, files, message):
    path = put(tmp_path / "c", files)
    with pytest.raises(DataError, match=message):
        load_cifar(path)


def test_the_pickled_version_is_refused_by_name(tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(archive({"data_batch_1": b"\x80\x02", "readme.html": b""}, "cifar-10-batches-py"))
    assert is_cifar(path)
    with pytest.raises(DataError, match=r"binary version.*cifar-10-binary.tar.gz"):
        DATASETS[source_for(str(path))["name"]](path=str(path))
    path.write_bytes(archive({"meta": b"\x80", "train": b"\x80"}, "cifar-100-python"))
    with pytest.raises(DataError, match="pickled"):
        load_cifar(path)


@pytest.mark.parametrize("length", [0, 1, 10, 100, 5_000, 60_000])
def test_an_archive_cut_short_is_refused(tmp_path, length):
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(archive(ten())[:length])
    assert is_cifar(path)
    with pytest.raises(DataError, match="copy or download it again"):
        load_cifar(path)


def test_a_bomb_is_refused_before_it_fills_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("evenodds.data.cifar.MOST_BYTES", 1 << 20)
    path = tmp_path / "cifar.tar.gz"
    path.write_bytes(archive({"data_batch_1.bin": bytes(3073 * 1000)}))
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match="unpacks to more than 1 MiB"):
        load_cifar(path)
    # a header that announces more than there is
    path.write_bytes(gzip.compress(bytes(2 << 20)))
    with pytest.raises(DataError):
        load_cifar(path)


def test_other_archives_and_folders_are_not_cifar(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(archive({"x.jpg": b"x"}, "images"))
    put(tmp_path / "b", {"train.jpg": b""})
    assert not is_cifar(tmp_path / "a.tar.gz")
    assert not is_cifar(tmp_path / "b")
