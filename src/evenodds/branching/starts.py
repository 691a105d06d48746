"""A branch's own directory: an ordinary run, whose first checkpoint is its parent's."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..checkpoint import load_tensors, save_tensors
from ..config import Config, load_config
from ..errors import RunError
from ..files import write_text
from .plans import Branch

FACTS = "branch.json"
UNDER_WAY = ("pending/", "referee/")  # of the report that was not finished: under the settings of before


def start(branch: Branch, train_examples: int) -> None:
    """Make the branch's directory, whole or not at all; nothing is done where it is already there.

    Args:
        branch: to start.
        train_examples: in the training split.

    Raises:
        RunError: the directory can't be written, or is of another checkpoint or something else.
    """
    sha256 = hashlib.sha256(branch.checkpoint.read_bytes()).hexdigest()
    if branch.directory.exists():
        _refuse_other(branch, sha256)
        return
    tensors, facts = load_tensors(branch.checkpoint, "checkpoint")
    old = load_config(branch.parent / "config.yaml")
    facts = continued(facts, old, branch.config, train_examples)
    temporary = branch.directory.with_name(f".{branch.name}.{secrets.token_hex(4)}.tmp")
    try:
        (temporary / "checkpoints").mkdir(parents=True)
        branch.config.save(temporary / "config.yaml")
        write_text(temporary / "metrics.jsonl", _history(branch.parent, facts["examples"]))
        origin = {
            "parent": str(branch.parent.resolve()),
            "checkpoint": branch.checkpoint.name,
            "sha256": sha256,
            "examples": facts["examples"],
            "changes": list(branch.changes),
        }
        write_text(temporary / FACTS, json.dumps(origin, indent=2, ensure_ascii=False) + "\n")
        path = temporary / "checkpoints" / f"{facts['examples']:010d}.safetensors"
        save_tensors(path, kept(tensors, old, branch.config), facts, "checkpoint")
        os.replace(temporary, branch.directory)
    except OSError as error:
        reason = f"{branch.directory} can't be made ({error.strerror})"
        raise RunError(f"{reason}; free some space or give another --dir") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def continued(facts: Mapping[str, Any], old: Config, new: Config, train_examples: int) -> dict[str, Any]:
    """The facts of a checkpoint under a new config.

    Examples are counted as iterations times the examples of one, and the loader in batches: where either
    size changes, both counts go up to the next whole one.  The loader stays in its pass over the data.

    Args:
        facts: of the checkpoint.
        old: config under which it was written.
        new: config to go on with.
        train_examples: in the training split.
    """
    result = dict(facts) | {"best": None, "measured": {}}  # its best generator is the best of its own
    sizes = [config.batch_size * config.critic_steps for config in (old, new)]
    if sizes[0] != sizes[1]:
        result["iteration"] = -(-facts["examples"] // sizes[1])
        result["examples"] = result["iteration"] * sizes[1]
    if old.batch_size != new.batch_size:
        passed, within = divmod(facts["position"], train_examples // old.batch_size)
        per_pass = train_examples // new.batch_size
        batches = -(-within * old.batch_size // new.batch_size)
        result["position"] = passed * per_pass + min(batches, per_pass)
    return result


def kept(tensors: Mapping[str, Tensor], old: Config, new: Config) -> dict[str, Tensor]:
    """What a branch takes over: everything if it changes nothing, else the players with their optimizers.

    An optimizer of another kind starts afresh.
    """
    if new.model_copy(update={"examples": old.examples, "until": old.until}) == old:
        return dict(tensors)
    left_behind = list(UNDER_WAY)
    for player in ("generator", "discriminator"):
        before, after = (getattr(config, player).optimizer["name"] for config in (old, new))
        left_behind += [f"{player}_optimizer/"] if before != after else []
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(tuple(left_behind))}


def examples_seen(directory: Path) -> int:
    """By the last checkpoint of a run or branch; 0 where there is none."""
    names = [path.stem for path in (directory / "checkpoints").glob("*.safetensors")]
    return max((int(name) for name in names if name.isdigit()), default=0)


def _history(parent: Path, examples: int) -> str:
    """The parent's records up to the checkpoint, so that curves and verdicts know what came before."""
    path, kept_lines = parent / "metrics.jsonl", []
    if not path.is_file():
        return ""
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue  # a line that a kill cut short
        if isinstance(line, dict) and line.get("examples", 0) <= examples:
            kept_lines.append(text + "\n")
    return "".join(kept_lines)


def _refuse_other(branch: Branch, sha256: str) -> None:
    """A folder that is there already has to be this very branch."""
    path = branch.directory / FACTS
    try:
        origin = json.loads(path.read_text(encoding="utf-8"))
        same = origin["sha256"] == sha256 and tuple(origin["changes"]) == branch.changes
    except (OSError, ValueError, LookupError, TypeError):
        raise RunError(f"{branch.directory} is no branch of {branch.parent}; give another --dir") from None
    if not same:
        other = f"{branch.directory} is a branch of another checkpoint ({path} says which)"
        raise RunError(f"{other}; delete it or give another --dir")
    seen = examples_seen(branch.directory)
    if seen > branch.config.examples + branch.config.batch_size * branch.config.critic_steps:
        raise RunError(f"{branch.directory} has seen {seen:,} examples already; give a larger --examples")
