"""The published laptop run (46,900 minibatches of 64, k = 10): timed whole, and against a tutorial's loop.

    python benchmarks/laptop.py              # about ten minutes on two cores
    python benchmarks/laptop.py --only-race  # the comparison alone

The race does the same work twice, in turns within one process: this library's step on its loader, and the
loop that tutorials print, with a DataLoader, BCELoss on a sigmoid, PyTorch's default Adam and an `.item()` a
batch.  Networks, losses, batch, k and thread count are the same.  The whole run is done with Adam and with
momentum SGD; the recipe has the one whose Parzen score on validation images is better.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evenodds import Config, Dataset, Loader, Sampler, evaluate, recipe, train_step, training
from evenodds.acceleration import precision
from evenodds.build import build, build_gan
from evenodds.data.sources import DATASETS
from evenodds.drawing import draw_samples, save_picture
from outcome import RESULTS, provenance, table, write_result

RECIPE = "gan-mnist-laptop"
PUBLISHED_SECONDS = 18 * 60 + 50  # on the GPU of an Apple M1 Pro
ITERATIONS, REPEATS = 20, 7  # of the race: each lap is so many G steps and ten times as many minibatches
MOMENTUM_SGD = {"name": "sgd", "learning_rate": 0.1, "momentum": 0.5}
CPU = torch.device("cpu")


def our_laps(config: Config, dataset: Dataset) -> Callable[[], None]:
    """One lap of this library's step."""
    gan, rules = build_gan(config, dataset, CPU)
    loader = Loader(dataset.train, config.batch_size, seed=0, value_range=dataset.value_range)

    def lap() -> None:
        for _ in range(ITERATIONS):
            rules.apply(gan, 0, 0)
            with precision(config, CPU):
                train_step(gan, loader)

    return lap


class Images(torch.utils.data.Dataset[Tensor]):
    """What a tutorial's data set does for each example."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(self.x[index]).float().div(255)


def tutorial_laps(config: Config, dataset: Dataset) -> Callable[[], None]:
    """One lap of the loop that tutorials print, on the same networks."""
    widths = config.generator.network["widths"]
    generator = nn.Sequential(
        nn.Linear(config.prior["dim"], widths[0]), nn.ReLU(), nn.Linear(widths[0], widths[1]), nn.ReLU(),
        nn.Linear(widths[1], 784), nn.Sigmoid(),
    )  # fmt: skip
    wide, narrow = config.discriminator.network["widths"]
    dropout = config.discriminator.network["dropout"]
    discriminator = nn.Sequential(
        nn.Linear(784, wide), nn.LeakyReLU(0.2), nn.Dropout(dropout),
        nn.Linear(wide, narrow), nn.LeakyReLU(0.2), nn.Dropout(dropout), nn.Linear(narrow, 1), nn.Sigmoid(),
    )  # fmt: skip
    g_optimizer = torch.optim.Adam(generator.parameters(), 1e-3, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), 5e-5, betas=(0.5, 0.999))
    criterion = nn.BCELoss()
    batches = endless(
        torch.utils.data.DataLoader(
            Images(dataset.train.x), batch_size=config.batch_size, shuffle=True, drop_last=True
        )
    )

    def lap() -> None:
        for _ in range(ITERATIONS):
            for _ in range(config.critic_steps):
                real = next(batches).view(config.batch_size, -1)
                ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
                d_optimizer.zero_grad()
                real_loss = criterion(discriminator(real), ones)
                fake = generator(torch.randn(len(real), config.prior["dim"])).detach()
                d_loss = real_loss + criterion(discriminator(fake), zeros)
                d_loss.backward()
                d_optimizer.step()
                d_loss.item()
            g_optimizer.zero_grad()
            fake = generator(torch.randn(config.batch_size, config.prior["dim"]))
            g_loss = criterion(discriminator(fake), torch.ones(config.batch_size, 1))
            g_loss.backward()
            g_optimizer.step()
            g_loss.item()

    return lap


def endless(loader: torch.utils.data.DataLoader[Tensor]) -> Iterator[Tensor]:
    while True:
        yield from loader


def race(config: Config, dataset: Dataset) -> dict[str, list[float]]:
    """Images per second of every lap, in turns; the first lap of each is a warm-up."""
    exact = config.model_copy(update={"precision": "float32"})
    laps = {
        "tutorial loop": tutorial_laps(config, dataset),
        "evenodds, float32": our_laps(exact, dataset),
        "evenodds, bfloat16 products": our_laps(config.model_copy(update={"precision": "bfloat16"}), dataset),
    }
    images = ITERATIONS * config.critic_steps * config.batch_size
    speeds: dict[str, list[float]] = {name: [] for name in laps}
    for repeat in range(REPEATS + 1):
        for name, lap in laps.items():
            started = time.perf_counter()
            lap()
            if repeat:
                speeds[name].append(images / (time.perf_counter() - started))
    return speeds


def whole(config: Config, dataset: Dataset, name: str) -> dict[str, Any]:
    """The whole run with everything it writes; its seconds, and its Parzen scores."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "run"
        started = time.perf_counter()
        for _ in training(config, directory):
            pass
        seconds = time.perf_counter() - started
        sampler = Sampler.load(directory)
        (validation,) = evaluate(sampler, dataset, ["parzen10k"], split="validation", reference=False)
        (test,) = evaluate(sampler, dataset, ["parzen10k"], reference=False)
    picture = draw_samples(sampler(range(64)), value_range=(0, 1), title=f"{RECIPE}, {name}, {seconds:.0f} s")
    save_picture(picture, RESULTS / f"laptop_{name}.png")
    print(f"{name}: {seconds:.0f} s, validation {validation.value:.1f}, test {test.value:.1f}", flush=True)
    return {"seconds": seconds, "validation": validation.record(), "test": test.record()}


def text_of(config: Config, speeds: dict[str, list[float]], runs: dict[str, dict[str, Any]]) -> str:
    medians = {name: statistics.median(laps) for name, laps in speeds.items()}
    ratios = {
        name: statistics.median(a / b for a, b in zip(laps, speeds["tutorial loop"], strict=True))
        for name, laps in speeds.items()
    }
    rows = [
        (name, f"{medians[name]:,.0f}", f"{min(laps):,.0f} – {max(laps):,.0f}", f"{ratios[name]:.2f}")
        for name, laps in speeds.items()
    ]
    text = (
        f"Median of {REPEATS} laps in turns, {ITERATIONS * config.critic_steps} minibatches of 64 each:\n\n"
    )
    text += table(["loop", "images/s", "range", "against the tutorial loop, lap by lap"], rows)
    if not runs:
        return text
    text += (
        f"\n\nThe whole run, {config.examples // 64:,} minibatches with reports, pictures and checkpoints "
        f"(published: {PUBLISHED_SECONDS} s on an M1 Pro's GPU, networks not stated):\n\n"
    )
    rows = [
        (name, f"{run['seconds']:.0f}", f"{config.examples / run['seconds']:,.0f}",
         f"{run['validation']['value']:.1f}",
         f"{run['test']['value']:.1f} ± {run['test']['standard_error']:.1f}")
        for name, run in runs.items()
    ]  # fmt: skip
    text += table(["optimizer", "seconds", "images/s", "validation, nats", "test, nats"], rows)
    pictures = " ".join(f"![{name}](laptop_{name}.png)" for name in runs)
    return f"{text}\n\n{next(iter(runs.values()))['test']['protocol']}.\n\n{pictures}\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only-race", action="store_true")
    options = parser.parse_args()
    config = recipe(RECIPE)
    dataset = build("data set", DATASETS, config.data)
    speeds = race(config, dataset)
    print(text_of(config, speeds, {}), flush=True)
    if options.only_race:
        return
    sgd = config.model_copy(
        update={
            player: getattr(config, player).model_copy(update={"optimizer": MOMENTUM_SGD})
            for player in ("generator", "discriminator")
        }
    )
    runs = {"adam": whole(config, dataset, "adam"), "sgd": whole(sgd, dataset, "sgd")}
    sentence, machine = provenance("python benchmarks/laptop.py")
    text = f"# The published laptop run\n\n{sentence}\n\n{text_of(config, speeds, runs)}"
    write_result("laptop", text, {"machine": machine, "images_per_second": speeds, "runs": runs})
    print(text)


if __name__ == "__main__":
    main()
