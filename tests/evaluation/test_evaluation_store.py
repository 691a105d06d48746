"""Features of real examples on the disk: made once, found again, and made anew where they were damaged."""

from __future__ import annotations

import multiprocessing
import os
import stat

import numpy as np
import pytest
import torch
from known_generators import Given, gaussian_data, subject_of

from evenodds.data.sources import digits
from evenodds.errors import ConfigError
from evenodds.evaluation import Subject
from evenodds.evaluation import store as store_module
from evenodds.evaluation.store import joined, stored
from evenodds.features import Features

COUNT = 300


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENODDS_CACHE", str(tmp_path))
    return tmp_path / "features"


def blocks(made: list[int], logits: bool = True):
    """Three blocks of known numbers; each time that one is made is noted."""
    x = torch.arange(COUNT * 7, dtype=torch.float32).view(COUNT, 7)
    for low in range(0, COUNT, 100):
        made.append(low)
        part = x[low : low + 100]
        yield Features(part, -part[:, :2].contiguous() if logits else None)


def asked(made, notes=None, logits=True, **facts) -> Features:
    given = [] if notes is None else notes
    return stored({"data": "abc", **facts}, COUNT, lambda: blocks(made, logits), given)


@pytest.mark.parametrize("logits", [True, False])
def test_made_once(folder, logits):
    made = []
    first, again = asked(made, logits=logits), asked(made, logits=logits)
    assert made == [0, 100, 200]
    truth = joined(blocks([], logits), COUNT)
    for found in (first, again):
        assert torch.equal(found.features, truth.features)
        assert (found.logits is None) is not logits
        if logits:
            assert torch.equal(found.logits, truth.logits)
    assert len(list(folder.glob("*.safetensors"))) == 1
    assert not list(folder.glob("*.tmp"))


def test_every_fact_counts(folder):
    made = []
    asked(made)
    for facts in (
        {"split": "test"},
        {"extractor": {"sha256": "1"}},
        {"extractor": {"sha256": "2"}},
        {"rows": 9},
    ):
        asked(made, **facts)
    assert len(made) == 15


@pytest.mark.parametrize("damage", ["cut", "turned", "empty", "text", "header"])
def test_damaged_files_are_made_again(folder, damage):
    made = []
    asked(made)
    (path,) = folder.glob("*.safetensors")
    content = bytearray(path.read_bytes())
    if damage == "turned":
        content[len(content) // 2] ^= 1
    elif damage == "header":
        content[:8] = b"\xff" * 8
    changed = {"cut": content[:-100], "empty": b"", "text": b"no tensors"}.get(damage, content)
    path.write_bytes(bytes(changed))
    assert torch.equal(asked(made).features, joined(blocks([]), COUNT).features)
    assert made == [0, 100, 200] * 2
    asked(made)
    assert len(made) == 6


def test_a_full_disk_costs_the_copy_and_no_more(folder, monkeypatch):
    made, notes = [], []
    monkeypatch.setattr(store_module.shutil, "disk_usage", lambda path: type("Free", (), {"free": 10}))
    found = asked(made, notes)
    assert torch.equal(found.features, joined(blocks([]), COUNT).features)
    assert len(notes) == 1
    assert "could not be kept" in notes[0]
    assert "EVENODDS_CACHE" in notes[0]
    assert not list(folder.glob("*.safetensors"))


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write"
)
def test_a_folder_that_may_not_be_written_to(folder):
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    made, notes = [], []
    asked(made, notes)
    assert len(notes) == 1
    folder.chmod(stat.S_IRWXU)


def test_what_the_extractor_refuses_is_no_fault_of_the_disk(folder):
    def refused():
        yield Features(torch.zeros(100, 3), None)
        raise ConfigError("it takes images of another size")

    with pytest.raises(ConfigError, match="another size"):
        stored({"data": "abc"}, COUNT, refused, [])
    assert not list(folder.glob("*.safetensors"))
    assert not list(folder.glob("*.tmp"))


def test_interrupted_while_writing(folder):
    def interrupted():
        yield Features(torch.zeros(100, 3), None)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stored({"data": "abc"}, COUNT, interrupted, [])
    assert [path.suffix for path in folder.iterdir()] == [".lock"]


def _in_a_process(cache: str, results) -> None:
    os.environ["EVENODDS_CACHE"] = cache
    made: list[int] = []
    found = asked(made)
    results.put((len(made), float(found.features.sum())))


def test_two_processes_at_once(tmp_path):
    """One makes them, the other waits and finds them."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    both = [context.Process(target=_in_a_process, args=(str(tmp_path), results)) for _ in range(2)]
    for one in both:
        one.start()
    found = [results.get(timeout=120) for _ in both]
    for one in both:
        one.join()
    total = float(torch.arange(COUNT * 7, dtype=torch.float32).sum())
    assert sorted(count for count, _ in found) == [0, 3]
    assert [sum_ for _, sum_ in found] == [total, total]


def test_rows_of_a_subject():
    """Some of the examples compared with are rows of all of them; labels and pixels are of the same rows."""
    data = digits()
    subject = Subject(Given(data.train.x), data, extractor="values")
    whole = subject.real()
    some = subject.real(40)
    rows = subject.rows(40, "test")
    assert len(np.unique(rows)) == 40
    assert torch.equal(some.features, whole.features[torch.from_numpy(rows)])
    assert torch.equal(
        some.features, torch.from_numpy(subject.real_examples(40)).float().flatten(1) * (2 / 255) - 1
    )
    assert subject.real_labels(40).tolist() == data.test.y[rows].tolist()
    assert subject.floor_split == "train"
    assert Subject(Given(data.train.x), data, split="train").floor_split == "test"


def test_another_extractor_and_other_data_have_files_of_their_own(folder):
    one, other = gaussian_data(50, 4), gaussian_data(60, 4)
    for data in (one, other, one):
        subject_of(one.train.x, data).real()
    assert len(list(folder.glob("*.safetensors"))) == 2
