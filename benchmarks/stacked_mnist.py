"""Stacked MNIST's 1000 modes: `python benchmarks/stacked_mnist.py --dir STATE [--run best=RUN]`

Srivastava et al. (2017), section 4.2: 26,000 samples, each channel classified, the triple of digits is the
mode; modes captured and the reverse KL, KL(samples' modes ‖ even), in nats.  DCGAN and PacDCGAN2 as in Lin et
al. (2018) and the loss ablation of Huang et al. (2024), table 1, all with one small pair of networks that a
CPU trains in minutes, the same number of examples and seed.  `--run` adds a run trained elsewhere.

Every run is kept in STATE and gone on with when the script is started again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from evenodds import Config
from evenodds.build import build
from evenodds.config import config_from, load_config
from evenodds.data.dataset import Dataset
from evenodds.data.sources import DATASETS
from evenodds.errors import ConfigError
from evenodds.evaluation import Subject
from evenodds.features import identity
from evenodds.files import write_text
from evenodds.metrics.class_modes import class_modes, product_prior
from evenodds.report.history import read_history
from evenodds.sampling import Sampler
from outcome import provenance, write_result
from stacked_mnist_report import MODES, SAMPLES, page_of, sheet
from trained import finished, trained

EXAMPLES = 200_000
Row = dict[str, Any]  # one run: name, examples, seconds, what was measured

# R3GAN's players have no batch norm (the penalties would not be those of single examples), DCGAN's have.
PLAIN = {"normalization": ("pixel", "none"), "learning_rate": 1e-3, "betas": (0.0, 0.99)}
DCGAN = {"normalization": ("batch", "batch"), "learning_rate": 1e-3, "betas": (0.5, 0.999)}
ROWS: dict[str, dict[str, Any]] = {
    "DCGAN": {**DCGAN, "loss": "non_saturating"},
    "PacDCGAN2": {**DCGAN, "loss": "non_saturating", "packing": 2},
    "RpGAN+R1+R2": {**PLAIN, "loss": "relativistic", "penalties": ("r1", "r2")},
    "GAN+R1+R2": {**PLAIN, "loss": "non_saturating", "penalties": ("r1", "r2")},
    "RpGAN+R1": {**PLAIN, "loss": "relativistic", "penalties": ("r1",)},
    "GAN+R1": {**PLAIN, "loss": "non_saturating", "penalties": ("r1",)},
}


def config_of(name: str, seed: int = 0, examples: int = EXAMPLES) -> Config:
    """One row of the table, on the networks that all rows share."""
    row = ROWS[name]
    network = {"name": "dcgan", "width": 32, "max_width": 128, "kernel": 4}
    rate, (beta1, beta2) = row["learning_rate"], row["betas"]
    falling = {"name": "linear", "start": rate, "end": rate / 10, "begin": examples // 2, "until": examples}
    adam = {"name": "adam", "learning_rate": falling, "beta1": beta1, "beta2": beta2}
    players = [{"network": {**network, "norm": norm}, "optimizer": adam} for norm in row["normalization"]]
    gamma = {"name": "cosine", "start": 1.0, "end": 0.1, "until": examples // 2}
    return config_from(
        {
            "recipe": "stacked-mnist-small",
            "data": {"name": "stacked_mnist", "size": 28, "value_range": [-1, 1]},
            "generator": players[0],
            "discriminator": players[1],
            "prior": {"name": "normal", "dim": 64},
            "loss": row["loss"],
            "penalties": {name: {"weight": gamma, "every": 1} for name in row.get("penalties", ())},
            "packing": row.get("packing", 1),
            "batch_size": 32,
            "ema_half_life": 3_000,
            "examples": examples,
            "seed": seed,
            "device": "cpu",
            "threads": 1,
            "precision": "bfloat16",
            "referee": False,
            "report_every": 20_000,
            "samples_every": "never",
            "checkpoint_every": 20_000,
        }
    )


@cache
def stacks() -> Dataset:
    """What all rows are trained on, read once and where needed."""
    dataset: Dataset = build("data set", DATASETS, config_of("DCGAN").data)
    return dataset


def folder_of(state: Path, name: str, seed: int) -> Path:
    """Where a row's run is."""
    return state / f"{name.replace('+', '-')}-{seed}"


def named_run(argument: str) -> tuple[str, Path]:
    """NAME=PATH.

    Raises:
        ConfigError: it isn't.
    """
    name, equals, path = argument.partition("=")
    if not (name and equals and path):
        raise ConfigError(f"--run {argument!r} is no NAME=PATH; give one as in --run best=runs/00000-mine")
    return name, Path(path)


def modes_of(sampler: Sampler, dataset: Dataset) -> Row:
    """Modes, reverse KL with interval and floor; and what classified."""
    subject = Subject(sampler, dataset, with_reference=False)
    logits = subject.fake(SAMPLES).logits
    if logits is None:
        raise ConfigError(f"{subject.extractor.name} classifies nothing; measure stacks of digits")
    mode = torch.from_numpy(dataset.train.y)
    digits = torch.bincount(torch.cat([mode // 100, mode // 10 % 10, mode % 10]), minlength=10)
    found = class_modes(logits.argmax(1), MODES, prior=product_prior(digits))
    return found._asdict() | {"classifier": identity(subject.extractor)}


def measured(run: Path, load: Callable[[], Dataset], note: Path) -> Row:
    """What the averaged generator of a run scores; kept in `note`, and read from there.

    Args:
        run: its folder.
        load: reads what it was trained on, where that is needed.
        note: a JSON file, measured anew where it is of another checkpoint.
    """
    sampler = Sampler.load(run)
    reached = sampler.facts["examples"]
    done = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    if done.get("reached") == reached:
        found: Row = done
        return found
    found = {"reached": reached, "averaged": modes_of(sampler, load())}
    write_text(note, json.dumps(found) + "\n")
    return found


def row_of(name: str, seed: int, options: argparse.Namespace) -> Row:
    """One row of the comparison, trained as far as it wasn't yet."""
    folder = folder_of(options.dir, name, seed)
    config = config_of(name, seed, options.examples)
    cost = finished(config, folder) or trained(config, folder, stacks())
    row = {"name": name, "seed": seed, "examples": options.examples, **cost._asdict()}
    if not options.train_only:
        row |= measured(folder, stacks, folder.with_name(f"{folder.name}.modes.json"))
    print({key: value for key, value in row.items() if key != "averaged"}, flush=True)
    return row


def has_ended(name: str, seed: int, options: argparse.Namespace) -> bool:
    """Whether nothing is left to train of that row."""
    return finished(config_of(name, seed, options.examples), folder_of(options.dir, name, seed)) is not None


def row_of_run(name: str, run: Path, state: Path) -> Row:
    """A run trained elsewhere, measured as the others are."""
    config = load_config(run / "config.yaml")
    found = measured(run, partial(build, "data set", DATASETS, config.data), state / f"run-{name}.modes.json")
    last = read_history(run).latest("seconds")
    clock = {} if last is None else {"clock_seconds": last[1]}
    return {"name": name, "seed": config.seed, "config": config.model_dump(mode="json"), **clock, **found}


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, required=True, help="where runs and their results are kept")
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS), help="all, if not given")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="of every row")
    parser.add_argument("--run", action="append", default=[], metavar="NAME=PATH", help="a run to add")
    parser.add_argument("--out", default="stacked_mnist", help="name of the result files")
    parser.add_argument("--finished", action="store_true", help="report what is finished, train nothing")
    parser.add_argument("--train-only", action="store_true", help="train, measure nothing, write no report")
    return parser.parse_args(arguments)


def main() -> None:
    options = options_of()
    named = [named_run(argument) for argument in options.run]
    torch.set_num_threads(1)
    wanted = [(name, seed) for seed in range(options.seeds) for name in options.rows]
    if options.finished:
        wanted = [one for one in wanted if has_ended(*one, options)]
    rows = [row_of(name, seed, options) for name, seed in wanted]
    if options.train_only:
        return
    runs = [row_of_run(name, path, options.dir) for name, path in named]
    command = f"python benchmarks/stacked_mnist.py --dir STATE --seeds {options.seeds}"
    sentence, machine = provenance(command + "".join(f" --run {name}=RUN" for name, _ in named))
    first = {row["name"]: row for row in reversed(rows)}  # of every method the first seed
    folders = {name: folder_of(options.dir, name, row["seed"]) for name, row in first.items()}
    shown = [first[name] for name in options.rows if name in first]
    sheet({**folders, **dict(named)}, [*shown, *runs], options.out)
    text = page_of(rows, runs, sentence, options.out)
    configs = {name: config_of(name, 0, options.examples).model_dump(mode="json") for name in options.rows}
    write_result(options.out, text, {"machine": machine, "rows": rows, "runs": runs, "configs": configs})
    print(text)


if __name__ == "__main__":
    main()
