"""Quality against images seen and against CPU seconds, for every recipe that this machine can train.

    python benchmarks/time_to_quality.py --dir runs/quality gan-digits gan-mnist   # train; again to go on
    python benchmarks/time_to_quality.py --dir runs/quality --report RUN:CPU_MINUTES …   # measure and report

A run is kept at PLANS' number of images and at halves, quarters, … down to 1/32 of it; then the distance of
its samples from the test images is measured, beside its floor: what as many training images score.  CPU
seconds are those of training alone, one thread.  RUN is a finished run of one of the recipes, measured once
more at its end.  Recipes that are not in PLANS are listed with their speed here, from one small step.  Writes
results/time_to_quality.{md,json,png}; needs the recipes' data in $EVENODDS_DATA.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evenodds import Config, Dataset, Loader, Sampler, evaluate, recipe, train_step
from evenodds.acceleration import precision
from evenodds.build import build, build_gan
from evenodds.data.dataset import Split
from evenodds.data.sources import DATASETS
from evenodds.files import write_text
from evenodds.recipes import recipe_names
from evenodds.run import has_checkpoint
from evenodds.sampling import sampler_of
from evenodds.trainer import Progress, training
from time_to_quality_report import report

HALVINGS = 5  # the first point is at 1/32 of a run's images


@dataclass(frozen=True)
class Plan:
    """How a recipe is run here: so many seeds, images and CPU minutes, and what it is judged by.

    Args:
        seeds: 0, 1, …
        examples: training examples; the recipe's schedules stay as they are, so that fewer than the recipe
            has is its beginning.
        metric: a distance between samples and test examples, lower is better.
    """

    seeds: int
    examples: int
    metric: str


PLANS = {
    "gan-digits": Plan(seeds=3, examples=256_000, metric="kernel2k"),
    "gan-mnist": Plan(seeds=2, examples=204_800, metric="frechet2k"),
    "dcgan-mnist": Plan(seeds=1, examples=51_200, metric="frechet2k"),
    "dcgan-cifar10": Plan(seeds=1, examples=25_600, metric="kernel2k"),
    "emoji-64": Plan(seeds=1, examples=12_800, metric="kernel2k"),
}
ELSEWHERE = {  # measured by a benchmark of their own
    "gan-ring": "mixtures.md",
    "gan-grid": "mixtures.md",
    "gan-mnist-2014": "mnist_2014.md",
    "gan-mnist-laptop": "laptop.md",
    "rpgan-stacked-mnist": "stacked_mnist.md",
}
# images a second of one core, as the recipes note; the others are measured
NOTED = {"dcgan-64": 7.0, "sngan-cifar10": 7.0, "stylegan2-64": 0.4, "r3gan-small": 40.0}
SHAPES = {"r3gan-stacked-mnist": (3, 32, 32), "r3gan-cifar10": (3, 32, 32)}
FOLDER_SHAPE = (3, 64, 64)  # of the recipes for a folder of pictures
RATE_BATCH = 2  # images in the step that is timed


def data_of(config: Config) -> Dataset:
    dataset = build("data set", DATASETS, config.data)
    assert isinstance(dataset, Dataset)
    return dataset


def planned(name: str, seed: int) -> Config:
    """The recipe, without anything beside training that would take time."""
    plan, changes = PLANS[name], {"seed": seed, "threads": 1, "referee": False}
    quiet = {"metrics": (), "metrics_every": "never", "samples_every": "never"}
    every = {"report_every": plan.examples // 16, "checkpoint_every": plan.examples // 8}
    return recipe(name).model_copy(update={**changes, **quiet, **every, "examples": plan.examples})


def train(name: str, seed: int, directory: Path) -> None:
    """One run to its end, or on from where it was stopped."""
    plan, folder = PLANS[name], directory / f"{name}-{seed}"
    config, notes = planned(name, seed), Notes(directory / f"{name}-{seed}.points")
    if (notes.folder / "costs.jsonl").is_file() and notes.last() >= plan.examples:
        return
    dataset = data_of(config)
    points = [plan.examples >> halving for halving in range(HALVINGS, -1, -1)]
    if not has_checkpoint(folder):
        notes.begin(config, dataset)
    mark, spent = time.process_time(), None
    for progress in training(config, folder, dataset=dataset):
        if spent is None:  # what was spent before the checkpoint that training goes on from
            spent = notes.spent(progress.examples)
        before = progress.examples - progress.session.per_iteration
        reached = any(before < point <= progress.examples for point in points)
        if not reached and progress.report is None:
            continue
        spent += time.process_time() - mark
        notes.add(progress, spent, keep=reached)
        print(f"{name} seed {seed}: {progress.examples:,} images, {spent:.0f} CPU s", flush=True)
        mark = time.process_time()


class Notes:
    """The kept generators of a run, and its CPU seconds by the images seen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, config: Config, dataset: Dataset) -> None:
        """The untrained generator: where the distance begins."""
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        gan, _ = build_gan(config, dataset, torch.device("cpu"))
        sampler_of(gan.generator, config, dataset, examples=0, metrics={}).save(self.file(0))
        write_text(self.folder / "costs.jsonl", json.dumps({"examples": 0, "cpu_seconds": 0.0}) + "\n")

    def file(self, examples: int) -> Path:
        return self.folder / f"{examples:010d}.safetensors"

    def lines(self) -> list[dict[str, Any]]:
        text = (self.folder / "costs.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def last(self) -> int:
        return int(self.lines()[-1]["examples"])

    def spent(self, examples: int) -> float:
        """Before so many examples."""
        return max(line["cpu_seconds"] for line in self.lines() if line["examples"] < examples)

    def add(self, progress: Progress, spent: float, *, keep: bool) -> None:
        """Note the cost; keep the averaged generator at a point."""
        if keep:
            session = progress.session
            average = session.ema.generator
            sampler = sampler_of(
                average, session.config, session.dataset, examples=progress.examples, metrics={}
            )
            sampler.save(self.file(progress.examples))
        line = {"examples": progress.examples, "cpu_seconds": round(spent, 2), "point": keep}
        earlier = [old for old in self.lines() if old["examples"] < progress.examples]
        write_text(self.folder / "costs.jsonl", "".join(json.dumps(one) + "\n" for one in [*earlier, line]))


def measured(path: Path, dataset: Dataset, plan: Plan, cache: Path) -> dict[str, Any]:
    """The distance of a generator file from held-out data, measured once and kept in `cache`."""
    known = json.loads(cache.read_text(encoding="utf-8")) if cache.is_file() else {}
    key = f"{path.parent.name}/{path.name} {plan.metric}"
    if key not in known:
        split = "validation" if dataset.test is None else "test"
        sampler = Sampler.load(path)
        (result,) = evaluate(sampler, dataset, [plan.metric], split=split)
        known[key] = result.record()
        write_text(cache, json.dumps(known) + "\n")
        print(f"{key}: {result.value:.4f}, floor {result.floor}", flush=True)
    found: dict[str, Any] = known[key]
    return found


def curves(directory: Path) -> dict[str, list[list[dict[str, Any]]]]:
    """recipe -> runs -> points, of what has been trained so far."""
    found: dict[str, list[list[dict[str, Any]]]] = {}
    for name, plan in PLANS.items():
        folders = [directory / f"{name}-{seed}.points" for seed in range(plan.seeds)]
        folders = [folder for folder in folders if (folder / "costs.jsonl").is_file()]
        dataset = data_of(recipe(name)) if folders else None
        for folder in folders:
            assert dataset is not None
            notes = Notes(folder)
            first = plan.examples >> HALVINGS
            kept = [
                line
                for line in notes.lines()
                if not line["examples"] or (line["point"] and line["examples"] >= first)
            ]
            points = [
                line
                | measured(notes.file(line["examples"]), dataset, plan, directory / f"{name}.measured.json")
                for line in kept
            ]
            found.setdefault(name, []).append(points)
    return found


def finished(runs: list[str], directory: Path) -> dict[str, dict[str, Any]]:
    """recipe -> its finished run's end, from RUN:CPU_MINUTES."""
    ends = {}
    for argument in runs:
        run, _, minutes = argument.partition(":")
        facts = Sampler.load(run).facts
        name = facts["recipe"]
        dataset = data_of(recipe(name))
        cache = directory / f"{name}.measured.json"
        result = measured(Path(run) / "generator.safetensors", dataset, PLANS[name], cache)
        ends[name] = result | {"examples": facts["examples"], "cpu_seconds": 60 * float(minutes or "nan")}
    return ends


def rates(directory: Path) -> dict[str, float]:
    """Recipes that are not run here -> images per CPU second."""
    cache = directory / "rates.json"
    known = NOTED | (json.loads(cache.read_text(encoding="utf-8")) if cache.is_file() else {})
    for name in sorted(set(recipe_names()) - PLANS.keys() - ELSEWHERE.keys() - known.keys()):
        known[name] = rate(name)
        write_text(cache, json.dumps(known) + "\n")
        print(f"{name}: {known[name]:.2g} images per CPU second", flush=True)
    return known


def rate(name: str) -> float:
    """Images that D sees per CPU second: of one iteration with a small batch, on one thread."""
    config = recipe(name).model_copy(update={"batch_size": RATE_BATCH, "micro_batch": None})
    pixels = np.random.default_rng(0).integers(0, 256, (64, *SHAPES.get(name, FOLDER_SHAPE)), np.uint8)
    split = Split(pixels, np.arange(64) % 10)
    names = tuple("0123456789") if config.conditional else ()
    dataset = Dataset("noise", split, split, None, class_names=names)
    gan, rules = build_gan(config, dataset, torch.device("cpu"))
    rules.apply(gan, 0, 0)
    loader = Loader(split, RATE_BATCH, seed=0, value_range=(-1, 1))
    begun = time.process_time()
    with precision(config, torch.device("cpu")):
        train_step(gan, loader)
    return RATE_BATCH * config.critic_steps / (time.process_time() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path("runs/quality"))
    parser.add_argument("recipes", nargs="*", help=f"to train: any of {', '.join(PLANS)}")
    parser.add_argument("--report", nargs="*", metavar="RUN:CPU_MINUTES", help="measure what there is")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.dir.mkdir(parents=True, exist_ok=True)
    for name in options.recipes:
        for seed in range(PLANS[name].seeds):
            train(name, seed, options.dir)
    if options.report is not None:
        slow = {name: (speed, recipe(name).examples) for name, speed in rates(options.dir).items()}
        runs, ends = curves(options.dir), finished(options.report, options.dir)
        report(runs, ends, slow, ELSEWHERE, [name for name in PLANS if name not in runs])


if __name__ == "__main__":
    main()
