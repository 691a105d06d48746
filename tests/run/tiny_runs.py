"""Configs that train in a fraction of a second, and what their runs leave, in a form that can be compared."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from evenodds.checkpoint import load_tensors
from evenodds.config import Config, config_from, override
from evenodds.data import sources
from evenodds.data.dataset import Dataset
from evenodds.trainer import training

BATCH = 8
MLP = {"name": "mlp", "widths": [12]}
DIGITS: dict[str, Any] = {
    "recipe": "tiny",
    "data": "digits",
    "generator": {"network": {**MLP, "output": "tanh"}, "optimizer": {"name": "adam", "learning_rate": 1e-3}},
    "discriminator": {
        "network": {**MLP, "dropout": 0.3},
        "optimizer": {"name": "adam", "learning_rate": 1e-3},
    },
    "prior": {"name": "normal", "dim": 5},
    "loss": "non_saturating",
    "batch_size": BATCH,
    "examples": 12 * BATCH,
    "device": "cpu",
    "report_every": 4 * BATCH,
    "held_out": 20,
    "samples_every": "never",  # drawing takes longer than training
    "sample_count": 4,
    "checkpoint_every": 6 * BATCH,
}
RING = {**DIGITS, "data": "ring", "generator": {**DIGITS["generator"], "network": MLP}}


def tiny(*assignments: str, base: dict[str, Any] = DIGITS) -> Config:
    """The tiny config with `key.sub=value` assignments."""
    return config_from(override(base, assignments))


def digits() -> Dataset:
    return sources.digits()


def train(
    config: Config, directory: Path, iterations: int | None = None, dataset: Dataset | None = None
) -> int:
    """Train to the end, or leave the loop after so many iterations of this session; how many there were."""
    done = 0
    with contextlib.closing(training(config, directory, dataset=dataset)) as steps:
        for _ in steps:
            done += 1
            if done == iterations:
                break
    return done


def checkpoints(directory: Path) -> list[Path]:
    return sorted(p for p in (directory / "checkpoints").glob("*.safetensors") if p.stem.isdigit())


def last_state(directory: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and facts of the last checkpoint, without the time it took."""
    tensors, facts = load_tensors(checkpoints(directory)[-1], "checkpoint")
    return tensors, {key: value for key, value in facts.items() if key != "seconds"}


def metrics(directory: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, every one of which must be whole, without clock times."""
    text = (directory / "metrics.jsonl").read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    lines = [json.loads(line) for line in text.splitlines()]
    return [
        {k: v for k, v in line.items() if k not in ("seconds", "rate", "signal/seconds")} for line in lines
    ]


def assert_same_weights(left: Path, right: Path, *, but: tuple[str, ...] = ()) -> None:
    """Every tensor and fact of both last checkpoints is the same, to the last bit, `but` those named so."""
    (tensors, facts), (others, other_facts) = last_state(left), last_state(right)
    if but:
        tensors, others = (
            {name: value for name, value in state.items() if not name.startswith(but)}
            for state in (tensors, others)
        )
    assert tensors.keys() == others.keys()
    differing = [name for name in tensors if not torch.equal(tensors[name], others[name])]
    assert differing == []
    assert facts == other_facts


def assert_same_run(left: Path, right: Path) -> None:
    """Two runs differ in nothing but clock times."""
    assert_same_weights(left, right)
    assert metrics(left) == metrics(right)
    assert (left / "generator.safetensors").read_bytes() == (right / "generator.safetensors").read_bytes()
    pictures = [{p.name: p.read_bytes() for p in (run / "samples").iterdir()} for run in (left, right)]
    assert pictures[0] == pictures[1]
    assert pictures[0]  # there are some


def tree(directory: Path) -> dict[str, bytes]:
    """Every file below, with its content."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def one_sentence(error: BaseException, *parts: str) -> bool:
    """One line, with a remedy after a semicolon or a comma, that names all of `parts`."""
    text = str(error)
    return (
        "\n" not in text and re.search(r"[;,] \w", text) is not None and all(part in text for part in parts)
    )


# A server that has imported everything once forks the processes: they start at once, without our threads.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["evenodds.trainer", "torch.utils.tensorboard", "torch._dynamo"])
sys.path.insert(0, str(Path(__file__).parent))


def in_child(
    function: Callable[..., Any], *arguments: Any, kill_when: Callable[[], bool] | None = None
) -> tuple[int, Any]:
    """Exit code and result of `function(*arguments)` in a process of its own; -9 if it was killed."""
    receiver, sender = _SERVER.Pipe(duplex=False)
    child = _SERVER.Process(target=_report, args=(sender, function, arguments))
    child.start()
    sender.close()
    while kill_when is not None and child.is_alive():
        if kill_when():
            child.kill()
            break
        time.sleep(0.001)
    result = None
    with contextlib.suppress(EOFError):
        result = receiver.recv()
    child.join(60)
    assert child.exitcode is not None
    return child.exitcode, result


def _report(sender: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    try:
        result = function(*arguments)
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    sender.send(result)
    sender.close()


def die() -> None:
    """As by `kill -9`: nothing is flushed, no handler runs."""
    os.kill(os.getpid(), signal.SIGKILL)
