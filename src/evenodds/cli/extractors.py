"""`evenodds extractors [fetch | build]`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console

from .data import downloading
from .display import status
from .signals import uninterrupted
from .text import command, duration, listed, wrapped

if TYPE_CHECKING:
    from ..features.listing import Entry

extractors_app = App(
    name="extractors",
    help="List the networks that features for metrics come from; fetch or build their weights.",
    result_action="return_value",
    sort_key=11,
)


@extractors_app.default
def listing(
    *, as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False
) -> int:
    """List the extractors: what each is for, how many features, whether its weights are here, their hash.

    Args:
        as_json: print JSON.
    """
    with uninterrupted():
        from ..features.listing import entries
    found = entries()
    if as_json:
        print(json.dumps([entry._asdict() for entry in found], indent=2, ensure_ascii=False))
        return 0
    for entry in found:
        print(entry.name)
        print(wrapped(_sentence(entry), "  "))
    print()
    print(
        wrapped("Or a file of your own: --extractor mine.py (it defines network, an nn.Module) or mine.onnx.")
    )
    return 0


def _sentence(entry: Entry) -> str:
    """What there is to know of an extractor."""
    parts = [entry.purpose]
    if entry.dim is not None:
        classes = f", {entry.classes:,} classes" if entry.classes else ""
        parts.append(f"{entry.dim:,} features{classes}")
    if entry.accuracy is not None:
        parts.append(f"{100 * entry.accuracy:.2f} % of {entry.test_examples:,} test images right")
    if entry.sha256:
        parts.append(f"SHA-256 {entry.sha256[:16]}…")
    if entry.problem:
        parts.append(entry.problem)
    elif entry.place:
        parts.append(entry.place)
    return "; ".join(parts)


@extractors_app.command
def fetch(name: str, /) -> int:
    """Download an extractor's weights and verify them; a download that broke off goes on.

    Args:
        name: of the extractor; inception is the one that has to be fetched.
    """
    with uninterrupted():
        from ..features.weights import fetch_weights
    print(f"{name} is in {fetch_weights(name, progress=downloading(Console(stderr=True)))}")
    return 0


@extractors_app.command
def build(
    name: str, /, *, data: str | None = None, to: Path | None = None, threads: int | None = None
) -> int:
    """Train a classifier again, as those that come with evenodds were, and write its weights to a file.

    It takes minutes on a CPU. Ctrl-C keeps what is done of it; the same command goes on. Weights that another
    machine built differ in their last digits, and so do numbers measured with them.

    Args:
        name: mnist or cifar10.
        data: the data set or a file of it; the one of that name if left out.
        to: the file to write, .safetensors; in the cache if left out.
        threads: of the CPU; as many as PyTorch takes if left out.
    """
    with uninterrupted():
        import torch

        from ..features.building import build_classifier
    if threads is not None:
        torch.set_num_threads(max(threads, 1))
    try:
        with status(f"building {name}") as counting:
            built = build_classifier(
                name,
                data=_opened(data),
                path=to,
                report=lambda at: counting(f"building {name}, updates", at.step, at.steps),
            )
    except KeyboardInterrupt:
        options = [*(["--data", data] if data else []), *(["--to", str(to)] if to else [])]
        again = command("extractors", "build", name, *options)
        raise KeyboardInterrupt(f"interrupted; to go on: {again}") from None
    print("\n".join(_built(built.path, built.sha256, built.facts)))
    return 0


def _opened(data: str | None) -> Any:
    """The data set that --data means."""
    if data is None:
        return None
    from ..components import build as component
    from ..data.sources import DATASETS, source_for

    return component("data set", DATASETS, source_for(data))


def _built(path: Path, sha256: str, facts: dict[str, Any]) -> list[str]:
    """Where it is, how good it is, and how to use it."""
    classes = ", ".join(f"{100 * value:.1f}" for value in facts["class_accuracy"])
    rows = [
        ("written", str(path)),
        ("SHA-256", sha256),
        ("test images right", f"{100 * facts['accuracy']:.2f} % of {facts['test_examples']:,}"),
        ("of each class", f"{classes} %"),
        ("took", duration(facts["seconds"])),
    ]
    return [listed(rows), f"To measure with it: {command('evaluate', 'RUN', '--extractor', path)}"]
