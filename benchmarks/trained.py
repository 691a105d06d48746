"""Trains the runs of a study: each in its own folder, gone on with where it was stopped, its cost kept."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from evenodds import Config, training
from evenodds.config import differences, load_config
from evenodds.data.dataset import Dataset
from evenodds.errors import NonFiniteError
from evenodds.files import write_text
from evenodds.run import has_checkpoint


class Cost(NamedTuple):
    """What a run has cost, and how it ended."""

    seconds: float  # of CPU, over all sessions
    failure: str | None  # why it ended before its time: a loss or weight that is no number any more


def finished(config: Config, folder: Path) -> Cost | None:
    """What a run has cost that came to its end with that very config; None of any other."""
    note = noted(folder)
    if note.get("ended") != config.examples or differences(load_config(folder / "config.yaml"), config):
        return None
    return Cost(note["seconds"], note["failure"])


def noted(folder: Path) -> dict[str, Any]:
    """What stands in FOLDER.cost.json; nothing without a run."""
    path = beside(folder)
    if not (path.is_file() and has_checkpoint(folder)):
        return {}
    note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return note


def beside(folder: Path) -> Path:
    """Where the cost of a run is noted."""
    return folder.with_name(folder.name + ".cost.json")


def trained(config: Config, folder: Path, dataset: Dataset) -> Cost:
    """Train a run to its end, or go on with it; the last good checkpoint of one that fails stays.

    Args:
        config: of the run.
        folder: of the run; its cost is noted beside it, in FOLDER.cost.json.
        dataset: what `config.data` names, loaded once for all runs.
    """
    if done := finished(config, folder):
        return done
    before, began, failure = noted(folder).get("seconds", 0.0), time.process_time(), None

    def keep(ended: int | None) -> float:
        seconds = round(before + time.process_time() - began, 1)
        write_text(
            beside(folder), json.dumps({"seconds": seconds, "ended": ended, "failure": failure}) + "\n"
        )
        return seconds

    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        for progress in training(config, folder, dataset=dataset):
            if progress.report is not None:  # a killed process has noted all but the last stretch
                keep(None)
    except NonFiniteError as error:
        failure = str(error)
    return Cost(keep(config.examples), failure)
