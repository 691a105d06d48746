"""A full disk, an error or a kill never leave half a file, nor cost the one that was there."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
from pathlib import Path

import pytest
import torch
from tiny_runs import BATCH, assert_same_run, checkpoints, in_child, one_sentence, tiny, train, tree

from evenodds.checkpoint import load_tensors, save_tensors
from evenodds.errors import RunError
from evenodds.files import remove_stale, write_text, write_with
from evenodds.run import Run


def fail(error: BaseException | type[BaseException]) -> None:
    raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, RuntimeError, MemoryError])
def test_any_exception_leaves_what_was_there(error, tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error):
        write_with(path, lambda temporary: [temporary.write_text("new"), fail(error)])
    assert tree(tmp_path) == {"file": b"old"}


def test_an_oserror_becomes_a_sentence(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    full = OSError(28, "No space left on device")
    with pytest.raises(RunError) as caught:
        write_with(path, lambda temporary: [temporary.write_text("new"), fail(full)])
    assert one_sentence(caught.value, str(path), "No space left on device", "free some space")
    assert tree(tmp_path) == {"file": b"old"}


def test_a_writer_that_writes_nothing_is_refused(tmp_path):
    with pytest.raises(RunError):
        write_with(tmp_path / "file", lambda temporary: None)
    assert tree(tmp_path) == {}


def test_a_missing_folder_is_a_sentence(tmp_path):
    with pytest.raises(RunError) as caught:
        write_text(tmp_path / "none" / "file", "text")
    assert one_sentence(caught.value, "none")


def test_new_content_replaces_old(tmp_path):
    path = tmp_path / "file"
    for text in ("ä", "longer than before", ""):
        write_text(path, text)
        assert tree(tmp_path) == {"file": text.encode()}


def test_threads_that_write_the_same_file_leave_one_of_theirs(tmp_path):
    path, errors = tmp_path / "file", []
    texts = [str(n) * 100_000 for n in range(8)]

    def write(text: str) -> None:
        try:
            for _ in range(5):
                write_text(path, text)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert list(tree(tmp_path)) == ["file"]
    assert path.read_text() in texts


def test_files_can_be_read_by_whom_the_umask_lets(tmp_path):
    before = os.umask(0o027)
    try:
        save_tensors(tmp_path / "a.safetensors", {"w": torch.zeros(1)}, {}, "generator")
    finally:
        os.umask(before)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o640


def test_stale_files_of_the_pattern_alone_are_removed(tmp_path):
    names = [
        ".a.0badcafe.tmp",
        ".a.12345.tmp",
        ".b.0badcafe.tmp",
        "a",
        ".a",
        ".a.tmp",
        "a.0badcafe.tmp",
        ".a.x.tmp",
    ]
    for name in names:
        (tmp_path / name).touch()
    remove_stale(tmp_path, "a")
    assert sorted(tree(tmp_path)) == sorted(names[2:])
    remove_stale(tmp_path)
    assert sorted(tree(tmp_path)) == sorted(names[3:])


def test_a_run_clears_away_what_killed_ones_left(tmp_path):
    train(tiny(), tmp_path, 1)
    stale = [
        ".metrics.jsonl.0badcafe.tmp",
        ".generator-best.safetensors.0badcafe.tmp",
        "checkpoints/.0000000008.safetensors.0badcafe.tmp",
        "samples/.0000000008.png.77.tmp",
    ]
    report = ".report.html.0badcafe.tmp"  # another program may be writing it this moment
    for name in (*stale, report):
        (tmp_path / name).touch()
    Run(tmp_path, tiny()).close()
    assert [name for name in tree(tmp_path) if name.endswith(".tmp")] == [report]


def train_within(config, directory: Path, limit: int) -> int:
    """Train, while no file can grow beyond `limit` bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return train(config, directory)


def sizes(directory: Path) -> tuple[int, int]:
    return (directory / "generator.safetensors").stat().st_size, checkpoints(directory)[-1].stat().st_size


@pytest.mark.parametrize("share", [0.3, 0.99], ids=["no generator", "generator but no checkpoint"])
def test_a_checkpoint_that_cannot_be_written(share, tmp_path):
    config, directory = tiny("discriminator.network.widths=[256,64]"), tmp_path / "run"
    train(config, tmp_path / "whole")
    train(config, directory, 6)
    before = checkpoints(directory)[-1].read_bytes()
    generator, checkpoint = sizes(directory)
    assert generator < 0.9 * checkpoint
    limit = int(0.99 * generator) if share < 0.5 else int(share * checkpoint)
    code, said = in_child(train_within, config, directory, limit)
    assert code == 0
    assert said.startswith("RunError: ")
    assert one_sentence(RunError(said), str(directory), "File too large", "free some space")
    assert checkpoints(directory)[-1].read_bytes() == before
    load_tensors(checkpoints(directory)[-1], "checkpoint")
    assert not list(directory.rglob("*.tmp"))
    train(config, directory)
    assert_same_run(tmp_path / "whole", directory)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 900 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = (
        os.getuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", place], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("mounting a small file system takes root")
    yield place
    # lazily: a process that another test forked meanwhile may hold it for a moment
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk(small_disk, tmp_path):
    config = tiny("samples_every=never", "report_every=never", "checkpoint_every=never")
    directory = small_disk / "run"
    train(config, directory, 3)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:  # until it is full
            file.write(bytes(4096))
    before = checkpoints(directory)[-1].read_bytes()
    with pytest.raises(RunError) as caught:
        train(config, directory)
    assert one_sentence(caught.value, str(directory), "No space left on device", "free some space")
    assert checkpoints(directory)[-1].read_bytes() == before
    assert not list(directory.rglob("*.tmp"))
    filler.unlink()
    train(config, directory)
    assert int(checkpoints(directory)[-1].stem) == 12 * BATCH
