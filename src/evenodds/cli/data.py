"""`evenodds data check | info | fetch`"""

from __future__ import annotations

import dataclasses
from json import dumps
from typing import TYPE_CHECKING, Any

from cyclopts import App
from rich.console import Console

from .display import is_live, status
from .signals import uninterrupted
from .text import listed, shape, size, wrapped

if TYPE_CHECKING:
    from ..data.check import Report

data_app = App(
    name="data", help="Check, describe or download a data set.", result_action="return_value", sort_key=10
)


@data_app.command
def check(source: str, /, *, strict: bool = False, json: bool = False) -> int:
    """Look for what would spoil training, and propose how to train.

    Files that can't be read, images too small, copies and near-copies, splits that overlap, rare classes;
    then size, channels, mirroring and augmentation, and what so many images can carry. The exit status
    is 2 if it can't be trained on, 0 if it can.

    Args:
        source: name of a data set, or a file or folder of any kind that --data takes.
        strict: also exit with 2 where there is a warning.
        json: print everything found as JSON.
    """
    with status(f"checking {source}"):
        with uninterrupted():
            from ..data.check import examine
        report = examine(source)
    failed = bool(report.count("error") or (strict and report.count("warning")))
    if json:
        print(_json(source, report))
        return 2 if failed else 0
    for finding in report.findings:
        print(wrapped(f"{finding.severity}: {finding.message}"))
    if report.advice is not None:
        print(listed(_proposals(dataclasses.asdict(report.advice))))
    print(f"{source}: {_verdict(report)}")
    return 2 if failed else 0


def _verdict(report: Report) -> str:
    """Whether it can be trained on."""
    errors, warnings = report.count("error"), report.count("warning")
    if errors:
        return f"can't be trained on, {_count(errors, 'error')}"
    if warnings:
        return f"can be trained on, with {_count(warnings, 'warning')}"
    return "nothing wrong"


def _json(source: str, report: Report) -> str:
    """Findings and proposals, for programs."""
    facts = {
        "source": source,
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
        "advice": None if report.advice is None else dataclasses.asdict(report.advice),
    }
    return dumps(facts, indent=2, ensure_ascii=False)


def _proposals(advice: dict[str, Any]) -> list[tuple[str, str]]:
    """How to train on the data, in words: (what, proposal and reason)."""
    if advice["size"] is None:
        return [("can carry", advice["capacity"])]
    channels = _count(advice["channels"], "channel")
    said = {True: "yes", False: "no"}
    return [
        ("train at", f"{shape(advice['size'])} pixels, {channels}, fit {advice['fit']}"),
        ("use labels", f"{said[advice['conditional']]}: {advice['conditional_reason']}"),
        ("mirror", f"{said[advice['mirror']]}: {advice['mirror_reason']}"),
        ("augment", f"{advice['augment']}: {advice['augment_reason']}"),
        ("can carry", advice["capacity"]),
    ]


@data_app.command
def info(source: str, /) -> int:
    """Say what is in a data set.

    Args:
        source: name of a data set, or a file or folder of any kind that --data takes.
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
    decoded = facts["decoded"]
    if decoded:
        by = f"evenodds {decoded.get('evenodds', '?')} with Pillow {decoded.get('pillow', '?')}"
        rows.append(("decoded", f"resize={decoded['resize']}, fit={decoded['fit']}, by {by}"))
    rows += [("note", note) for note in facts["notes"]]
    print(listed(rows))
    for name, split in facts["splits"].items():
        print(wrapped(f"{name}: {_split(split)}"))
    print(listed(_proposals(facts["advice"])))
    return 0


@data_app.command
def fetch(name: str, /) -> int:
    """Download mnist or fashion_mnist and verify it; files that are there already are kept.

    Args:
        name: of the data set.
    """
    with uninterrupted():
        from ..data.named import fetch as download
    print(f"{name} is in {download(name, progress=downloading(Console(stderr=True)))}")
    return 0


def downloading(console: Console) -> Any:
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
