"""What branches are asked for, checked before anything is written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..build import build_gan
from ..config import Config, config_from, differences, load_config, override
from ..data.dataset import Dataset
from ..data.loader import loader_of
from ..errors import ConfigError
from ..evaluation import check_metric
from ..opening import checkpoint_file
from ..run import resolve_device

CONTROL = "unchanged"
LONGEST = 80  # characters of a folder's name
Changes = tuple[str, ...]  # key=value, as --set takes them
# Setting -> why it can't change on the way.
FIXED = {
    "data": "the data, and a branch goes on with the run's own",
    "conditional": "what the players see, so the checkpoint's weights would not fit",
    "generator.network": "the generator, so the checkpoint's weights would not fit",
    "discriminator.network": "the discriminator, so the checkpoint's weights would not fit",
    "prior": "what the generator is made for, so the checkpoint's weights would not fit",
    "packing": "what the discriminator judges, so the checkpoint's weights would not fit",
}


@dataclass(frozen=True)
class Branch:
    """One continuation.

    Args:
        name: of its folder, and unique among the branches.
        changes: against the run that it leaves; none for the control.
        config: its own, complete.
        directory: of the branch, an ordinary run once it is started.
        parent: the run.
        checkpoint: of the run, from which it starts.
    """

    name: str
    changes: Changes
    config: Config
    directory: Path
    parent: Path
    checkpoint: Path

    @property
    def title(self) -> str:
        """What is changed."""
        return " ".join(self.changes) or CONTROL


def plan_branches(
    parent: Path,
    changes: Sequence[Changes],
    *,
    seen: int,
    examples: int,
    checkpoint: int | str = "last",
    directory: Path | None = None,
) -> list[Branch]:
    """The control and one branch for each of `changes`, in this order; nothing is written.

    Args:
        parent: the run to branch from.
        changes: the assignments of each branch.
        seen: training examples that the checkpoint has seen.
        examples: how many more each branch sees.
        checkpoint: as in `opening.checkpoint_file`.
        directory: for the folders of the branches; parent/branches/SEEN by default.

    Raises:
        ConfigError: an assignment that can't be made, changes nothing, or makes the weights unfit.
        RunError: no run, or no such checkpoint.
    """
    file = checkpoint_file(parent, checkpoint)
    if examples < 1:
        raise ConfigError(f"--examples {examples} is too few to train for; give at least 1")
    old = load_config(parent / "config.yaml")
    # a branch that ended early because enough is enough would be compared with longer ones
    values = old.model_dump(mode="json") | {"examples": seen + examples, "until": "examples"}
    base = config_from(values, "the branches")
    folder = directory or parent / "branches" / f"{seen:010d}"
    planned = [Branch(CONTROL, (), base, folder / CONTROL, parent, file)]
    for assignments in changes:
        config = changed(base, assignments)
        name = folder_name(assignments)
        if any(branch.config == config or branch.name == name for branch in planned):
            raise ConfigError(f"--set {' '.join(assignments)} is asked for twice; give it once")
        planned.append(Branch(name, assignments, config, folder / name, parent, file))
    return planned


def changed(base: Config, assignments: Changes) -> Config:
    """`base` with the assignments made.

    Raises:
        ConfigError: they can't be, change nothing, or make another game of it.
    """
    said = f"--set {' '.join(assignments)}"
    config = config_from(override(base.model_dump(mode="json"), assignments), said)
    different = [line.partition(":")[0] for line in differences(base, config)]
    if not different:
        raise ConfigError(f"{said} changes nothing: the run has it already; give another value")
    for key in different:
        if key in ("examples", "until"):
            raise ConfigError(f"{said}: all branches are equally long; leave {key!r} out, or use --examples")
        for fixed, why in FIXED.items():
            if key == fixed or key.startswith(f"{fixed}."):
                raise ConfigError(f"{said} changes {why}; start a new run with it: evenodds train {said}")
    return config


def folder_name(assignments: Changes) -> str:
    """critic_steps=3, with whatever a file system may not like replaced and told apart by a digest."""
    text = " ".join(assignments)
    name = re.sub(r"[^A-Za-z0-9._=+-]+", "_", text)
    if name == text and len(name) <= LONGEST and name != CONTROL:
        return name
    return f"{name[:LONGEST]}~{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def check_buildable(branch: Branch, dataset: Dataset) -> None:
    """Build everything of a branch once.

    Args:
        branch: to check.
        dataset: of its parent.

    Raises:
        ConfigError, DataError: it can't be trained.
    """
    config = branch.config
    resolve_device(config.device)
    with torch.random.fork_rng(devices=[]):
        build_gan(config, dataset, torch.device("cpu"))
    loader_of(dataset.train, config, dataset.value_range)
    for name in config.metrics:
        check_metric(name, dataset)
