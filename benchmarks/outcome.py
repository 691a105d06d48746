"""Where the benchmarks leave their results, and the line that says how they came about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evenodds.files import write_text
from evenodds.run import environment

RESULTS = Path(__file__).resolve().parent / "results"


def provenance(command: str) -> tuple[str, dict[str, Any]]:
    """One sentence on command, date, versions and machine; and the same as data."""
    machine = environment("cpu")
    machine["command"] = command
    sentence = (
        f"Made by `{command}` on {machine['started'][:10]}: evenodds {machine['evenodds']}, torch "
        f"{machine['torch']}, Python {machine['python']}, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['threads']} threads."
    )
    return sentence, machine


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write_result(name: str, text: str, data: dict[str, Any]) -> None:
    """results/name.md and results/name.json."""
    RESULTS.mkdir(exist_ok=True)
    write_text(RESULTS / f"{name}.md", text.rstrip() + "\n")
    write_text(RESULTS / f"{name}.json", json.dumps(data, indent=2) + "\n")
