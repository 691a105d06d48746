"""Starting from trained players instead of fresh ones: to go on with other data.

Karras et al. (2020), "Training generative adversarial networks with limited data", section 4.3: a network
that has learnt other images first gets further with few.  Both players are needed for that: a fresh
discriminator teaches the trained generator next to nothing at first, and so spoils it (Mo et al. 2020,
"Freeze the discriminator", section 2).
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from .algorithm import GAN
from .checkpoint import below, load_tensors, restore_optimizer
from .config import Config, load_config
from .data.dataset import Dataset
from .ema import EMA
from .errors import ConfigError, RunError
from .networks import DISCRIMINATORS, GENERATORS
from .opening import checkpoint_file

FRESH_D = (
    "it holds no discriminator, so D starts fresh: until D has learnt, it misleads the trained G; "
    "a run's folder or checkpoint has both"
)


@dataclass(frozen=True)
class Source:
    """Trained players in a file.

    Args:
        file: where they are.
        tensors: named "generator/…", "discriminator/…", "ema/…" and so on, as in a checkpoint.
        facts: what the generator file says of itself.
        config: of the run that they are from; None for a generator file, which has no discriminator.
        examples: training examples that they have seen.
    """

    file: Path
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    config: Config | None
    examples: int

    @property
    def name(self) -> str:
        """Of the file, after the run's for a checkpoint, whose own is a number."""
        run = f"{self.file.resolve().parent.parent.name}/" if self.config else ""
        return f"{run}{self.file.name}"


@dataclass(frozen=True)
class Origin:
    """Where a run's weights come from, for its record.

    Args:
        facts: file name, SHA-256, data and examples that the weights have seen, which players were taken.
        text: the same as a sentence or two.
    """

    facts: dict[str, Any]
    text: str


def read_source(path: str | Path) -> Source:
    """The players in a run, a checkpoint of a run, or a generator file.

    Raises:
        RunError: nothing there, damaged, or none of these.
    """
    path = Path(path)
    file = checkpoint_file(path) if path.is_dir() else path
    if _kind(file) == "generator":
        tensors, facts = load_tensors(file, "generator")
        both = {f"{player}/{key}": t for player in ("generator", "ema") for key, t in tensors.items()}
        return Source(file, both, facts, None, facts["examples"])
    tensors, seen = load_tensors(file, "checkpoint")
    run = file.resolve().parent.parent
    if not (run / "config.yaml").is_file():
        raise RunError(
            f"{file} lies in no run; give a checkpoint where training left it, or the run's folder"
        )
    _, facts = load_tensors(run / "generator.safetensors", "generator")
    return Source(file, tensors, facts, load_config(run / "config.yaml"), seen["examples"])


def start_from(gan: GAN, ema: EMA, config: Config, dataset: Dataset) -> Origin | None:
    """Give the players and the average the weights that `config.start` names; None where it names none.

    Args:
        gan: fresh; its weights are overwritten, those that depend on labels only as far as they fit.
        ema: of its generator, likewise.
        config: of the new run.
        dataset: that it trains on.

    Raises:
        RunError: the file can't be used.
        ConfigError: it was trained for other samples, latents or networks; both are named.
    """
    if config.start is None:
        return None
    source = read_source(config.start.file)
    refuse_other(source, config, dataset)
    labels = len(source.facts["class_names"]) if source.facts["conditional"] else 0
    change = labels, dataset.classes if config.conditional else 0
    average = ema.generator
    fresh = [f"G's {name}" for name in adopt(gan.generator, below(source.tensors, "generator"), *change)]
    with torch.no_grad():
        for mine, new in zip(average.state_dict().values(), gan.generator.state_dict().values(), strict=True):
            mine.copy_(new)  # what is fresh is the same in both
    adopt(average, below(source.tensors, "ema"), *change)
    if source.config is not None:
        learnt = below(source.tensors, "discriminator")
        fresh += [f"D's {name}" for name in adopt(gan.discriminator, learnt, *change)]
    if config.start.optimizers:
        _take_optimizers(gan, source, config, fresh)
    return _origin(source, config, fresh)


def refuse_other(source: Source, config: Config, dataset: Dataset) -> None:
    """Weights fit the samples, latents and networks that they were trained for, and no others.

    Raises:
        ConfigError: they are others; both are named.
    """
    facts, file = source.facts, source.file
    theirs, ours = tuple(facts["sample_shape"]), dataset.sample_shape
    if theirs != ours:
        theirs_said, ours_said = (" × ".join(map(str, shape)) for shape in (theirs, ours))
        both = f"{file} was trained on samples of {theirs_said}, and {dataset.name} has {ours_said}"
        images = len(theirs) == len(ours) == 3
        remedy = f"set data.size=[{theirs[1]},{theirs[2]}]" if images else "use other data"
        raise ConfigError(f"{both}; {remedy}, or train without --from")
    asked: dict[str, tuple[Any, Any, str]] = {
        "the range of values": (facts["value_range"], dataset.value_range, "data.value_range"),
        "the prior": (facts["prior"], config.prior, "prior"),
        "the generator": (
            _complete(GENERATORS, facts["generator"]),
            _complete(GENERATORS, config.generator.network),
            "generator.network",
        ),
    }
    if source.config is not None:
        networks = (source.config.discriminator.network, config.discriminator.network)
        complete = [_complete(DISCRIMINATORS, network) for network in networks]
        asked["the discriminator"] = (complete[0], complete[1], "discriminator.network")
        asked["packing"] = (source.config.packing, config.packing, "packing")
    for what, (old, new, setting) in asked.items():
        if json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True):
            raise ConfigError(
                f"{what} of {file} is {json.dumps(old)} and this run's is {json.dumps(new)}; "
                f"set {setting} alike, or leave out the recipe to take over the settings of the file"
            )


def adopt(network: nn.Module, learnt: Mapping[str, Tensor], old: int, new: int) -> list[str]:
    """Copy learnt weights into a network; with another number of classes, all but what belongs to labels.

    Where labels join a layer's input they come last, so that its first columns are those of the rest.

    Args:
        network: that is overwritten.
        learnt: its counterpart's weights and buffers by name.
        old: classes of the counterpart.
        new: classes of the network.

    Returns:
        Names of what stays fresh, wholly or in the columns of labels.

    Raises:
        ConfigError: a tensor is missing or of another shape for another reason.
    """
    fresh = []
    state = network.state_dict()
    odd = [name for name in learnt.keys() - state.keys() if old == new]
    for name, mine in state.items():
        theirs = learnt.get(name)
        if theirs is not None and theirs.shape == mine.shape:
            mine.copy_(theirs)
        elif old == new or (theirs is not None and not _differs_by_labels(theirs, mine, old, new)):
            odd.append(name)
        else:
            fresh.append(name)
            if theirs is not None:
                rest = tuple(
                    slice(min(sizes) - (min(old, new) if sizes[0] != sizes[1] else 0))
                    for sizes in zip(theirs.shape, mine.shape, strict=True)
                )
                mine[rest] = theirs[rest].to(mine)
    if odd:
        raise ConfigError(
            f"the weight {sorted(odd)[0]} of the file does not fit this network; use its own recipe"
        )
    return fresh


def _differs_by_labels(theirs: Tensor, mine: Tensor, old: int, new: int) -> bool:
    """Whether the shapes differ in one dimension only, by as much as the numbers of classes."""
    if theirs.ndim != mine.ndim:
        return False
    steps = [ours - other for other, ours in zip(theirs.shape, mine.shape, strict=True) if other != ours]
    return steps == [new - old]


def _take_optimizers(gan: GAN, source: Source, config: Config, fresh: list[str]) -> None:
    if source.config is None:
        raise ConfigError(f"{source.file} holds no optimizers; give a run, or set start.optimizers=false")
    players = ("generator", "discriminator")
    names = [[getattr(c, player).optimizer["name"] for player in players] for c in (source.config, config)]
    if fresh or names[0] != names[1]:
        why = f"{fresh[0]} starts anew" if fresh else f"theirs are {names[0]} and ours {names[1]}"
        raise ConfigError(f"the optimizers of {source.file} don't fit ({why}); set start.optimizers=false")
    restore_optimizer(gan.generator_optimizer, below(source.tensors, "generator_optimizer"))
    restore_optimizer(gan.discriminator_optimizer, below(source.tensors, "discriminator_optimizer"))


def _origin(source: Source, config: Config, fresh: list[str]) -> Origin:
    with source.file.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    facts, data = source.facts, source.facts["data"]
    taken = ["generator", "discriminator"] if source.config else ["generator"]
    assert config.start is not None
    record = {
        "file": source.name,
        "sha256": sha256,
        "recipe": facts["recipe"],
        "data": data,
        "examples": source.examples,
        "players": taken,
        "optimizers": config.start.optimizers,
        "fresh": fresh,
    }
    whom = "G and D" if source.config else "G"
    learnt = f"{facts['recipe']}, {source.examples:,} examples of {data['name']}"
    said = [f"started from {whom} of {source.name} ({learnt})"]
    said += [] if source.config else [FRESH_D]
    if fresh:
        said.append(f"what depends on labels starts anew, as the classes are others: {', '.join(fresh)}")
    return Origin(record, "; ".join(said))


def _complete(table: Mapping[str, Callable[..., Any]], spec: Mapping[str, Any]) -> dict[str, Any]:
    """A component with every option that it leaves at its default written out."""
    if spec["name"] not in table:
        return dict(spec)
    parameters = inspect.signature(table[spec["name"]]).parameters.values()
    # a default None often stands for something that follows from the data: it is equal to itself
    defaults = {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
    return {**plain, **spec, "classes": None}  # whose number may differ


def _kind(path: Path) -> str:
    """What evenodds says that a file is; "" if it is none of ours."""
    if not path.is_file():
        raise RunError(f"{path} does not exist; give a run, a checkpoint or a generator file")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("evenodds", "null"))
    except (SafetensorError, ValueError, OSError, RecursionError):
        return ""  # load_tensors says what is wrong with it
    return str(header.get("kind")) if isinstance(header, dict) else ""
