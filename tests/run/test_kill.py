"""`kill -9` at any moment costs what came after the last checkpoint, and nothing else."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_runs import BATCH, assert_same_run, checkpoints, die, in_child, metrics, tiny, train

from evenodds.checkpoint import load_tensors

CONFIG = tiny(f"checkpoint_every={BATCH}", f"report_every={BATCH}", "ema_half_life=100", "loss=relativistic")
LONG = tiny(f"checkpoint_every={BATCH}", f"report_every={BATCH}", f"examples={40 * BATCH}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run that nothing has interrupted."""
    directory = tmp_path_factory.mktemp("whole") / "run"
    train(CONFIG, directory)
    return directory


def train_until_killed(config, directory: Path, moment: str, count: int) -> None:
    """Train; die at the so-manieth file written: with half of it on disk, before or after its renaming."""
    replace, write_bytes, left = os.replace, Path.write_bytes, [count]

    def over(path: object) -> bool:
        left[0] -= 1
        return left[0] == 0

    def dying_replace(source: str, target: str) -> None:
        last = moment != "half" and over(target)
        if last and moment == "before":
            die()
        replace(source, target)
        if last:
            die()

    def dying_write(self: Path, data: bytes) -> int:
        if moment == "half" and over(self):
            write_bytes(self, data[: len(data) // 2])
            die()
        return write_bytes(self, data)

    os.replace, Path.write_bytes = dying_replace, dying_write  # type: ignore[assignment, method-assign]
    train(config, directory)


# Files of a start: config, environment, metrics, the first picture; then generator and checkpoint by turns.
MOMENTS = [
    ("before", 1),  # config.yaml
    ("after", 1),
    ("before", 2),
    ("after", 3),
    ("after", 4),
    ("half", 1),  # the first generator
    ("half", 2),  # the first checkpoint
    ("before", 6),
    ("after", 7),
    ("half", 5),
    ("before", 9),
    ("after", 10),
]


def test_killed_while_writing(whole, tmp_path):
    directory = tmp_path / "run"
    for moment, count in MOMENTS:
        assert in_child(train_until_killed, CONFIG, directory, moment, count)[0] == -9
        for path in checkpoints(directory):
            load_tensors(path, "checkpoint")  # whatever is there is whole
    assert in_child(train, CONFIG, directory)[0] == 0
    assert_same_run(whole, directory)
    seen = [line["examples"] for line in metrics(directory)]
    assert seen == [BATCH * n for n in range(1, 13)]  # none twice, none missing
    assert not list(directory.rglob("*.tmp"))


def test_killed_before_the_last_generator_is_complete(whole, tmp_path):
    """A run whose last checkpoint is there must have its generator too, or it would never be written."""
    directory = tmp_path / "run"
    train(CONFIG, directory, 11)
    files_of_a_start = 3
    for moment, count in (("half", 1), ("after", files_of_a_start + 1), ("before", files_of_a_start + 3)):
        in_child(train_until_killed, CONFIG, directory, moment, count)
    in_child(train, CONFIG, directory)
    assert_same_run(whole, directory)


def test_killed_at_random(tmp_path):
    """At moments that no file marks: so many reports after a start, and a little later."""
    moments = random.Random(20141208)
    train(LONG, tmp_path / "whole")
    directory, codes = tmp_path / "run", []
    for _ in range(6):
        codes.append(in_child(train, LONG, directory, kill_when=reports(directory, moments))[0])
    assert codes.count(-9) >= 2  # a fast machine may be through before the later ones
    assert in_child(train, LONG, directory)[0] == 0
    assert_same_run(tmp_path / "whole", directory)
    assert not list(directory.rglob("*.tmp"))


def reports(directory: Path, moments: random.Random) -> Callable[[], bool]:
    """Whether this session's moment has come, counted in its own reports: machines differ in speed."""
    path = directory / "metrics.jsonl"

    def recorded() -> int:
        return path.read_bytes().count(b"\n") if path.exists() else 0

    wanted, delay = recorded() + moments.randint(1, 4), moments.uniform(0, 0.02)

    def come() -> bool:
        if recorded() < wanted:
            return False
        time.sleep(delay)
        return True

    return come
