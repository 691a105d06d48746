"""What a machine has for training, what it lacks, and how fast it trains."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import time
from pathlib import Path

import torch
from PIL import features

from . import __version__
from .algorithm import train_step
from .build import build_gan
from .components import build
from .config import Config
from .data.loader import Loader
from .data.named import NAMED, find_folder
from .data.sources import DATASETS
from .errors import DataError
from .recipes import recipe
from .run import device_name, processor, resolve_device

RECIPE = "gan-digits"  # what is timed, and what the estimate is for
PACKAGES = (
    "torch",
    "numpy",
    "pillow",
    "safetensors",
    "pydantic",
    "cyclopts",
    "rich",
    "matplotlib",
    "tensorboard",
)
TIMED_S = 2.5  # for each number of threads
WARM_UP = 10  # iterations that are not timed: the first ones allocate
LEAST_FREE = 1e9  # bytes on disk
LEAST_MEMORY = 2e9  # bytes


def examine() -> tuple[list[tuple[str, str]], list[str]]:
    """(name, fact) rows, and one sentence with its remedy for everything that is missing.

    Raises:
        EvenoddsError: training doesn't work.
    """
    config = recipe(RECIPE)
    memory, free = memory_bytes(), shutil.disk_usage(Path.cwd()).free
    facts = [
        ("evenodds", f"{__version__}, Python {platform.python_version()}, {platform.platform()}"),
        ("packages", _versions()),
        ("processor", f"{processor()}, {usable_cores()} of {os.cpu_count()} cores usable"),
        ("load", _load()),
        ("device", device_name(torch.device(resolve_device("auto")))),
        ("memory", "unknown" if memory is None else f"{memory / 1e9:.1f} GB"),
        ("free disk here", f"{free / 1e9:.1f} GB"),
    ]
    missing = []
    if memory is not None and memory < LEAST_MEMORY:
        missing.append(f"memory: {memory / 1e9:.1f} GB is little; close other programs or use small batches")
    if free < LEAST_FREE:
        missing.append(f"disk space: {free / 1e9:.1f} GB is little for checkpoints; free some or use --dir")
    if not features.check("webp"):
        missing.append("WebP in Pillow: movies are written as GIF; install a Pillow that has it")
    for name in NAMED:
        place, problem = _place(name)
        facts.append((name, place))
        missing += [problem] if problem else []
    return facts + _speeds(config), missing


def examples_per_second(config: Config, *, threads: int, device: str, seconds: float) -> float:
    """Training examples a second of this configuration's step, with so many CPU threads.

    Args:
        config: what to train; nothing is written.
        threads: for PyTorch; put back afterwards.
        device: to train on.
        seconds: to measure for.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        dataset = build("data set", DATASETS, config.data)
        gan, _ = build_gan(config, dataset, torch.device(device))
        loader = Loader(
            dataset.train, config.batch_size, seed=0, value_range=dataset.value_range, device=device
        )
        for _ in range(WARM_UP):
            train_step(gan, loader)
        steps, begun = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - begun) < seconds:
            stats = train_step(gan, loader)
            # reading one number makes an accelerator finish; otherwise only the queueing would be timed
            float(stats["loss/discriminator"][0])
            steps += 1
        return steps * config.batch_size * config.critic_steps / elapsed
    finally:
        torch.set_num_threads(before)


def usable_cores() -> int:
    """Cores that this process may use, which a container may restrict."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int | None:
    """Memory of the machine, or the container's limit if that is less; None where it can't be known."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such file outside containers; "max" where there is no limit
        return total
    return min(total, limit)


def _speeds(config: Config) -> list[tuple[str, str]]:
    """Rows with the speed of one thread and of all, and how long the recipe takes."""
    device, default = resolve_device("auto"), torch.get_num_threads()
    rows, fastest = [], (0.0, 1)
    for threads in sorted({1, default}):
        speed = examples_per_second(config, threads=threads, device=device, seconds=TIMED_S)
        fastest = max(fastest, (speed, threads))
        said = f"{threads} thread" + ("" if threads == 1 else "s")
        rows.append((said, f"{speed:,.0f} examples/s of {RECIPE}"))
    speed, threads = fastest
    advice = f", fastest with --threads {threads}" if threads != default else ""
    seconds = config.examples / speed
    rows.append(("evenodds train", f"about {seconds:,.0f} s for its {config.examples:,} examples{advice}"))
    return rows


def _load() -> str:
    """What else keeps the processor busy: a speed measured beside it says little."""
    if not hasattr(os, "getloadavg"):
        return "unknown"
    busy = os.getloadavg()[0]
    much = "; other programs are slowing this machine down" if busy > usable_cores() / 2 else ""
    return f"{busy:.1f} processes over the last minute{much}"


def _versions() -> str:
    found = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    return ", ".join(found)


def _place(name: str) -> tuple[str, str]:
    """Where a named data set is, or would be looked for; and what to do if it is missing."""
    try:
        return str(find_folder(name)), ""
    except DataError as error:
        return "not on this machine", f"only to train on {name}: {error}"
