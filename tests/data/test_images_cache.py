"""The cache: decoded once, found by content, built by one process at a time, and resumed after a kill."""

import dataclasses
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from image_files import by_name, cache, encoded, folder_of, noise, numbered, opened

from evenodds.data.dataset import Split
from evenodds.data.images import cache as module
from evenodds.data.images import index, rows
from evenodds.data.images.arrange import arranged
from evenodds.data.images.decode import decode
from evenodds.data.images.folders import Folder
from evenodds.data.images.progress import reporting
from evenodds.data.images.size import proposed_size
from evenodds.data.loader import Loader
from evenodds.errors import ConfigError, DataError

__all__ = ["cache"]


@pytest.fixture
def folder(tmp_path) -> Path:
    return folder_of(tmp_path / "x", [*numbered(10, "a/"), *numbered(10, "b/")])


@pytest.fixture
def decoded(monkeypatch) -> list[int]:
    """One entry for each file that is decoded."""
    seen: list[int] = []

    def counting(content: bytes, how):
        seen.append(len(content))
        return decode(content, how)

    monkeypatch.setattr(rows, "decode", counting)
    return seen


def caches(cache: Path) -> list[Path]:
    return sorted(path for path in cache.iterdir() if path.name != "seen")


def test_decoded_once_and_read_as_it_is_used(folder, cache, decoded, monkeypatch):
    first = opened(folder)
    assert len(decoded) == 20
    monkeypatch.setattr(Folder, "read", lambda *_: pytest.fail("nothing has changed"))
    second = opened(folder)
    assert len(decoded) == 20
    assert first.fingerprint == second.fingerprint
    assert by_name(first).keys() == by_name(second).keys()
    for data in (first, second):
        assert isinstance(data.train.x, np.memmap)
        assert data.train.x.base is data.validation.x.base  # slices of one file
        assert data.train.x.flags.c_contiguous
    assert [sorted(path.name for path in made.iterdir()) for made in caches(cache)] == [
        [".lock", "index.json", "pixels.npy"]
    ]
    stored = np.load(caches(cache)[0] / "pixels.npy", allow_pickle=False)
    np.testing.assert_array_equal(stored, np.concatenate([first.train.x, first.validation.x]))


def test_the_stored_fingerprint_is_the_data_sets_own(folder, tmp_path):
    folder_of(tmp_path / "y", [*numbered(8, "train/a/"), *numbered(8, "train/b/"), *numbered(4, "test/a/")])
    for path in (folder, tmp_path / "y"):
        data = opened(path)
        assert data.digest
        assert dataclasses.replace(data, digest="").fingerprint == data.fingerprint == data.digest


def test_found_by_content(folder, cache, decoded, tmp_path):
    data = opened(folder)
    for path in folder.rglob("*.png"):
        os.utime(path, (1, 1))
    shutil.copytree(folder, tmp_path / "copy")
    assert opened(folder).fingerprint == opened(tmp_path / "copy").fingerprint == data.fingerprint
    assert len(decoded) == 20
    assert len(caches(cache)) == 1
    (folder / "a" / "3.png").write_bytes(encoded(noise(seed=77)))
    changed = opened(folder)
    assert len(decoded) == 40
    assert changed.fingerprint != data.fingerprint
    np.testing.assert_array_equal(np.moveaxis(by_name(changed)["a/3.png"][2], 0, -1), noise(seed=77))
    assert opened(tmp_path / "copy").fingerprint == data.fingerprint


def test_options_make_caches_of_their_own(folder, cache):
    made = [
        opened(folder, **options)
        for options in (
            {},
            {"size": 8},
            {"size": [8, 12]},
            {"size": 8, "resize": "box"},
            {"size": [8, 12], "fit": "stretch"},
            {"channels": 1},
            {"channels": 4},
            {"seed": 1},
            {"test": 0.2},
            {"labels": "none"},
        )
    ]
    assert len({data.fingerprint for data in made}) == len(made)
    assert len(caches(cache)) == len(made)
    assert [data.sample_shape for data in made[:3]] == [(3, 12, 12), (3, 8, 8), (3, 8, 12)]
    assert [len(part) for part in made[8].splits.values()] == [12, 4, 4]
    opened(folder, strict=True, value_range=[0, 1])
    assert len(caches(cache)) == len(made)


def test_the_channels_that_the_images_need(tmp_path, cache):
    grey = folder_of(tmp_path / "grey", numbered(10), channels=1)
    assert opened(grey).sample_shape == (1, 12, 12)
    np.testing.assert_array_equal(by_name(opened(grey))["4.png"][2][0], noise(channels=1, seed=4))
    (grey / "coloured.png").write_bytes(encoded(noise(seed=50)))
    assert opened(grey).sample_shape == (3, 12, 12)
    opaque = noise(channels=4, seed=51)
    opaque[..., 3] = 255
    (grey / "opaque.png").write_bytes(encoded(opaque))
    data = opened(grey)
    assert data.sample_shape == (3, 12, 12)
    assert not data.premultiplied
    opaque[0, 0, 3] = 254
    (grey / "clear.png").write_bytes(encoded(opaque))
    data = opened(grey)
    assert data.sample_shape == (4, 12, 12)
    assert data.premultiplied
    assert opened(grey, channels=3).sample_shape == (3, 12, 12)
    assert not opened(grey, channels=3).premultiplied


def test_nothing_is_copied_on_the_way_to_the_batches(folder):
    data = opened(folder)
    loader = Loader(data.train, 4, seed=0, value_range=data.value_range)
    assert np.shares_memory(loader._x.numpy(), data.train.x)
    batch = next(loader)
    assert batch.x.dtype == torch.float32
    order = loader._permutation(0)[:4].numpy()
    np.testing.assert_allclose(batch.x.numpy(), data.train.x[order] / 127.5 - 1, atol=1e-6)
    before = (data.source, data.train.x.copy())
    data.train.x[0] = 0  # a copy of the page, never the file
    np.testing.assert_array_equal(opened(Path(before[0])).train.x, before[1])


def test_2_bad_files_among_1000(tmp_path):
    folder = folder_of(tmp_path / "x", numbered(1000), height=2, width=2)
    (folder / "17.png").write_bytes(b"no image at all")
    (folder / "500.png").write_bytes((folder / "501.png").read_bytes()[:40])
    data = opened(folder)
    assert len(data.train) + len(data.validation) == 998
    assert {name for name, _ in data.files.bad} == {"17.png", "500.png"}
    assert data.notes[0].startswith("2 of 1,000 files were left out: ")
    assert "17.png" in data.notes[0]
    assert "500.png" in data.notes[0]
    for _ in range(2):
        with pytest.raises(DataError, match=r"2 of 1,000 images .* can't be used: .*17\.png.*strict=false"):
            opened(folder, strict=True)


def test_mostly_bad_is_refused(tmp_path, cache):
    folder = folder_of(tmp_path / "x", numbered(4), height=1, width=1)
    for number in range(4, 7):
        (folder / f"{number}.png").write_bytes(encoded(noise(seed=number)))
    for _ in range(2):
        with pytest.raises(DataError, match=r"4 of 7 images .*more than half: 1 × 1 pixel: 0\.png, 1\.png"):
            opened(folder)
    assert [path.name for made in caches(cache) for path in made.iterdir()] == [".lock"]
    (folder / "8.png").write_bytes(encoded(noise(seed=8)))
    assert len(by_name(opened(folder))) == 4


def test_small_images_are_counted(tmp_path):
    folder = folder_of(tmp_path / "x", numbered(8), height=40, width=40)
    folder_of(folder, ["small/0.png", "small/1.png"], height=40, width=15)
    data = opened(folder, size=32, labels="none")
    assert len(by_name(data)) == 10
    assert data.notes[0].startswith("2 of 10 images are less than half as high or wide as the 32 × 32 pixels")
    sizes = {size for part in data.files.sizes.values() for size in part}
    assert sizes == {(40, 40), (40, 15)}


# A process that has imported everything already: a fresh one would take seconds to import PyTorch.
FORK = multiprocessing.get_context("fork")
needs_fork = pytest.mark.skipif(os.name == "nt", reason="there is no fork")


def build(folder: Path, killed_at: int, said) -> None:
    """Open the folder, in a process of its own, that may be killed when so many images are decoded."""
    rows.CHUNK = 8
    marks = []

    def progress(done: int, total: int) -> None:
        marks.append(done)
        if done >= killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    with reporting(progress):
        said.put((opened(folder).fingerprint, len(marks)))


def killed(folder: Path) -> None:
    process = FORK.Process(target=build, args=(folder, 40, FORK.SimpleQueue()))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


@needs_fork
def test_a_killed_build_goes_on(tmp_path, cache, decoded, monkeypatch):
    folder = folder_of(tmp_path / "x", numbered(100))
    (folder / "3.png").write_bytes(b"bad")
    killed(folder)
    [made] = caches(cache)
    size = (made / "partial.pixels").stat().st_size
    assert size == 39 * 4 * 144  # one of the 40 was bad
    # as if the kill had come while both files were written: half a row, half a line
    with open(made / "partial.pixels", "ab") as file:
        file.write(bytes(100))
    with open(made / "partial.rows", "ab") as file:
        file.write(b"[null, [12, 12], fal")
    marks: list[tuple[int, int]] = []
    with reporting(lambda *mark: marks.append(mark)):
        data = opened(folder)
    assert marks[0] == (40, 100)
    assert marks[-1] == (100, 100)
    assert len(decoded) == 60
    monkeypatch.setenv("EVENODDS_CACHE", str(tmp_path / "another"))
    assert opened(folder).fingerprint == data.fingerprint
    assert opened(folder).files.bad == data.files.bad
    assert sorted(path.name for path in made.iterdir()) == [".lock", "index.json", "pixels.npy"]


@needs_fork
def test_facts_without_pixels_are_not_believed(tmp_path, cache):
    """After a power cut there may be anything."""
    folder = folder_of(tmp_path / "x", numbered(100))
    killed(folder)
    [made] = caches(cache)
    content = bytearray((made / "partial.pixels").read_bytes())
    content[5 * 576 : 6 * 576] = bytes(576)
    (made / "partial.pixels").write_bytes(content[: 20 * 576])
    marks: list[int] = []
    with reporting(lambda done, _: marks.append(done)):
        data = opened(folder)
    assert marks[0] == 20  # as many as there are pixels for
    assert 0 in marks[1:]  # and one of them was zeros: begun again
    np.testing.assert_array_equal(np.moveaxis(by_name(data)["5.png"][2], 0, -1), noise(seed=5))


@pytest.mark.parametrize("damage", ["pixel", "cut", "gone", "index", "no index", "other shape"])
def test_a_damaged_cache_is_made_again(folder, cache, damage):
    data = opened(folder)
    [made] = caches(cache)
    pixels = made / "pixels.npy"
    content = bytearray(pixels.read_bytes())
    if damage == "pixel":
        content[-1] ^= 1
        pixels.write_bytes(content)
    elif damage == "cut":
        pixels.write_bytes(content[:-1])
    elif damage == "gone":
        pixels.unlink()
    elif damage == "other shape":
        np.save(pixels, np.zeros((2, 3), np.uint8), allow_pickle=False)
    elif damage == "index":
        text = (made / "index.json").read_text()
        (made / "index.json").write_text(text.replace("b/3.png", "b/4.png"))
    else:
        (made / "index.json").unlink()
    again = opened(folder)
    assert again.fingerprint == dataclasses.replace(again, digest="").fingerprint == data.fingerprint
    assert any("damaged" in note for note in again.notes) == (damage != "no index")
    assert opened(folder).notes == ()


def test_large_caches_are_checked_by_blocks(folder, monkeypatch):
    monkeypatch.setattr(index, "WHOLE", 1000)
    monkeypatch.setattr(index, "BLOCK", 16)
    x = np.arange(256 * 1024, dtype=np.uint32).astype(np.uint8).reshape(256, 1, 32, 32)
    digest = index.pixel_digest(x)
    for place in (0, x.size - 1):
        x.reshape(-1)[place] ^= 1
        assert index.pixel_digest(x) != digest
        x.reshape(-1)[place] ^= 1
    assert index.pixel_digest(x) == digest
    assert index.pixel_digest(x[:-1]) != digest


def test_a_full_disk(folder, cache, monkeypatch):
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=20_000))
    with pytest.raises(DataError, match=r"needs 0\.0 GB in .* 0\.0 GB are free; .*EVENODDS_CACHE") as caught:
        opened(folder)
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    monkeypatch.setenv("EVENODDS_CACHE", str(cache.parent))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for target in ("evenodds.data.images.partial.Partial.append", "evenodds.data.images.finish._content"):
        with monkeypatch.context() as patch:
            patch.setattr(target, full)
            with pytest.raises(DataError, match=r"No space left on device.*EVENODDS_CACHE") as caught:
                opened(folder)
            assert "\n" not in str(caught.value)
    assert len(by_name(opened(folder))) == 20


def test_a_cache_folder_that_can_not_be_made(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EVENODDS_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="EVENODDS_CACHE"):
        opened(folder)


@needs_fork
def test_two_processes_build_one_cache(tmp_path, cache):
    folder = folder_of(tmp_path / "x", numbered(60))
    said = FORK.SimpleQueue()
    both = [FORK.Process(target=build, args=(folder, 1000, said)) for _ in range(2)]
    for process in both:
        process.start()
    results = [said.get() for _ in both]
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert results[0][0] == results[1][0] == opened(folder).fingerprint
    assert sorted(marks for _, marks in results) == [0, 9]  # one decoded, the other waited or came later
    assert len(caches(cache)) == 1


def test_the_one_that_waits_finds_what_the_other_made(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "x", numbered(30))
    begun, released = threading.Event(), threading.Event()
    built = module._built
    builds = []

    def slow(*arguments, **options):
        builds.append(1)
        begun.set()
        released.wait(20)
        return built(*arguments, **options)

    monkeypatch.setattr(module, "_built", slow)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(opened(folder).fingerprint)) for _ in range(2)]
    threads[0].start()
    begun.wait(20)
    threads[1].start()
    time.sleep(0.2)
    assert builds == [1]
    released.set()
    for thread in threads:
        thread.join(20)
    assert len(found) == 2
    assert found[0] == found[1]
    assert builds == [1]


def test_equal_images_are_in_one_split(tmp_path):
    folder = folder_of(tmp_path / "x", numbered(40))
    for number in range(40):  # each three times, also as another kind of file
        shutil.copy(folder / f"{number}.png", folder / f"copy{number}.png")
        (folder / f"other{number}.bmp").write_bytes(encoded(noise(seed=number), "BMP"))
    for seed in range(5):
        data = opened(folder, validation=0.35, test=0.3, seed=seed)
        where = {name: split for name, (split, _, _) in by_name(data).items()}
        for number in range(40):
            assert len({where[f"{number}.png"], where[f"copy{number}.png"], where[f"other{number}.bmp"]}) == 1
        counts = [len(part) for part in data.splits.values()]
        assert sum(counts) == 120
        assert all(abs(count - size) <= 4 for count, size in zip(counts, (42, 42, 36), strict=True))


def test_arranged():
    options = {"validation": 0.2, "test": 0.0, "where": "x"}
    digests = [bytes([k]) * 32 for k in range(100)]
    groups = arranged(digests, [], seed=0, **options)
    assert sorted(itertools.chain(*groups.values())) == list(range(100))
    assert {name: len(group) for name, group in groups.items()} == {"train": 80, "validation": 20}
    # the order of the files doesn't matter, but the seed does
    backwards = arranged(digests[::-1], [], seed=0, **options)
    assert [99 - k for k in backwards["train"]] == groups["train"]
    assert arranged(digests, [], seed=1, **options)["train"] != groups["train"]
    # one image more moves few others to another split
    more = arranged([*digests, bytes([200]) * 32], [], seed=0, **options)
    assert len(set(more["validation"]) ^ set(groups["validation"])) <= 3
    same = [b"x" * 32] * 9 + [b"y" * 32]
    assert sorted(map(len, arranged(same, [], seed=0, **options).values())) == [1, 9]
    with pytest.raises(DataError, match="leaves one empty"):
        arranged([b"x" * 32] * 10, [], seed=0, **options)
    given = arranged(digests, ["test"] * 30 + ["train"] * 70, seed=0, **options)
    assert set(given["test"]) == set(range(30))
    assert [len(group) for group in given.values()] == [56, 14, 30]


@pytest.mark.parametrize(
    ("sizes", "proposed"),
    [
        ([(28, 28)] * 9, (28, 28)),
        ([(48, 32)] * 9, (48, 32)),
        ([(72, 72)] * 9, (64, 64)),
        ([(1024, 1024)] * 9, (64, 64)),
        ([(480, 640)] * 9, (56, 72)),
        ([(640, 480)] * 9, (72, 56)),
        ([(40, 40)] * 19 + [(500, 500)], (32, 32)),
        ([(30, 30)] * 1 + [(500, 500)] * 19, (64, 64)),
        ([(300, 500)] * 5 + [(500, 300)] * 5, (64, 64)),
        ([(5, 5)] * 4 + [(6, 6)], (8, 8)),
        ([(4, 5)] * 9, (4, 5)),
        ([(60, 2000)] * 9, (8, 184)),
    ],
)
def test_proposed_sizes(sizes, proposed):
    assert proposed_size(sizes) == proposed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 0}, "size"),
        ({"size": [1, 2, 3]}, "size"),
        ({"size": 5000}, "size"),
        ({"channels": 2}, "channels"),
        ({"resize": "lancos"}, "did you mean 'lanczos'"),
        ({"fit": "croop"}, "did you mean 'crop'"),
        ({"validation": 0.0}, "validation"),
        ({"validation": 0.6, "test": 0.4}, "sum below 1"),
        ({"seed": -1}, "seed"),
        ({"value_range": [1, 0]}, "value_range"),
    ],
)
def test_options_out_of_range(folder, options, said):
    with pytest.raises(ConfigError, match=said):
        opened(folder, **options)


def test_large_images_come_in_small_chunks(folder, monkeypatch):
    data = opened(folder)
    sizes = []
    decoded_rows = module.decoded_rows

    def counting(*arguments):
        for chunk in decoded_rows(*arguments):
            sizes.append(len(chunk))
            yield chunk

    monkeypatch.setattr(module, "decoded_rows", counting)
    monkeypatch.setattr(rows, "CHUNK_BYTES", 7 * 4 * 144)
    assert len(by_name(opened(folder, seed=1))) == 20
    assert sizes == [7, 7, 6]
    monkeypatch.setattr(rows, "CHUNK_BYTES", 1)
    again = opened(folder, seed=2)
    assert len(by_name(again)) == 20
    assert dataclasses.replace(again, digest="").fingerprint == again.digest != data.digest


def test_splits_stay_slices():
    """What `Split` is given is what it holds."""
    x = np.zeros((4, 1, 2, 2), np.uint8)
    assert Split(x[:2]).x.base is x


def test_the_index_is_plain_json(folder, cache):
    data = opened(folder)
    stored = json.loads((caches(cache)[0] / "index.json").read_text())
    facts = json.loads(stored["index"])
    assert facts["options"]["resize"] == "lanczos"
    assert facts["options"]["size"] == [12, 12]
    assert facts["options"]["channels"] == 3
    assert {"decoder", "pillow", "evenodds"} <= facts["options"].keys()
    assert data.files.options["fit"] == "crop"
    assert facts["names"] == [*data.files.names["train"], *data.files.names["validation"]]
    assert len(facts["labels"]) == 20
