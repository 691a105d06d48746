"""The package's source files, parsed once for the tests of this folder."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "evenodds"
FILES = sorted(SRC.rglob("*.py"))


def name_of(path: Path) -> str:
    """`data.idx` for src/evenodds/data/idx.py, `data` for its __init__, "" for the package's own."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of everything a file imports, wherever in the file it does so."""
    folder = ("evenodds", *path.relative_to(SRC).parts[:-1])
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(folder[: len(folder) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (above, node.module) if part)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def own(name: str) -> str | None:
    """`data.idx` for evenodds.data.idx.read_idx; None for other packages."""
    if name != "evenodds" and not name.startswith("evenodds."):
        return None
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in MODULES:
        parts.pop()
    return ".".join(parts)
