"""`evenodds data check | info | fetch`"""

from __future__ import annotations

from typing import Any

from cyclopts import App
from rich.console import Console

from .display import is_live, status
from .signals import uninterrupted
from .text import listed, shape, size, wrapped

data_app = App(
    name="data", help="Check, describe or download a data set.", result_action="return_value", sort_key=10
)


@data_app.command
def check(source: str, /) -> int:
    """Look for what would spoil training: damaged files, duplicates, splits that overlap, rare classes.

    The exit status is 2 if it can't be trained on, 0 if it can.

    Args:
        source: name of a data set, a file, or a folder of IDX files.
    """
    with status(f"checking {source}"):
        with uninterrupted():
            from ..data.check import check as find
        findings = find(source)
    for finding in findings:
        print(wrapped(f"{finding.severity}: {finding.message}"))
    errors = sum(finding.severity == "error" for finding in findings)
    if not findings:
        print(f"{source}: nothing wrong")
    elif not errors:
        print(f"{source}: can be trained on, with {_count(len(findings), 'warning')}")
    else:
        print(f"{source}: can't be trained on, {_count(errors, 'error')}")
    return 2 if errors else 0


@data_app.command
def info(source: str, /) -> int:
    """Say what is in a data set.

    Args:
        source: name of a data set, a file, or a folder of IDX files.
    """
    with status(f"reading {source}"):
        with uninterrupted():
            from ..data.check import info as describe
        facts = describe(source)
    names = facts["class_names"]
    shown = ", ".join(names[:20]) + (", …" if names[20:] else "")
    kind = "numbers" if facts["value_range"] is None else f"mapped to {facts['value_range']} for the players"
    rows = [
        ("name", facts["name"]),
        ("source", facts["source"]),
        ("example", f"{shape(facts['sample_shape'])}, {facts['dtype']}, {kind}"),
        ("classes", f"{len(names)}: {shown}" if names else "no labels"),
        ("in memory", size(facts["bytes"])),
        ("fingerprint", facts["fingerprint"]),
    ]
    print(listed(rows))
    for name, split in facts["splits"].items():
        print(wrapped(f"{name}: {_split(split)}"))
    return 0


@data_app.command
def fetch(name: str, /) -> int:
    """Download mnist or fashion_mnist and verify it; files that are there already are kept.

    Args:
        name: of the data set.
    """
    with uninterrupted():
        from ..data.named import fetch as download
    print(f"{name} is in {download(name, progress=_shown(Console(stderr=True)))}")
    return 0


def _shown(console: Console) -> Any:
    """A download's progress: one line that grows on a terminal, else a line when a file is complete."""
    live = is_live(console)

    def progress(file: str, done: int, total: int) -> None:
        text = f"{file}  {size(done)} of {size(total)}"
        if live:
            console.file.write(f"\r{text:<70}" + ("\n" if done >= total else ""))
            console.file.flush()
        elif done >= total:
            print(text, file=console.file, flush=True)

    return progress


def _split(facts: dict[str, Any]) -> str:
    """One sentence about a split."""
    text = (
        f"{facts['examples']:,} examples, stored values {facts['minimum']:.4g} to {facts['maximum']:.4g}, "
        f"mean {facts['mean']:.4g}, standard deviation {facts['std']:.4g}"
    )
    counts = facts.get("per_class")
    if counts:
        span = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"
        text += f"; {span} of each class"
    return text


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
