"""Numbers as a reader likes them, and lines on the terminal."""

from __future__ import annotations

import math
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path


def duration(seconds: float) -> str:
    """3.2 s, 42 s, 1 min 20 s, 2 h 5 min, 3 d 4 h."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    at = next(index for index, (_, size) in enumerate(units) if whole >= size)
    (large, size), (small, part) = units[at], units[at + 1]
    rest = whole % size // part
    return f"{whole // size} {large}" + (f" {rest} {small}" if rest else "")


def size(count: float) -> str:
    """Bytes as 812 bytes, 48 kB, 1.2 MB or 3.4 GB."""
    for unit, bytes_ in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= bytes_:
            value = count / bytes_
            return f"{value:.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"
    return f"{count:.0f} bytes"


def rate(value: float) -> str:
    """Per second, to two digits: 5,900/s."""
    if not math.isfinite(value) or value <= 0:
        return "…/s"
    digits = 1 - math.floor(math.log10(value))
    return f"{round(value, digits):,.{max(digits, 0)}f}/s"


def signed(value: float, digits: int) -> str:
    """With a real minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def shape(sizes: Sequence[int]) -> str:
    """1 × 8 × 8."""
    return " × ".join(str(size) for size in sizes)


def command(*words: str | Path) -> str:
    """A command to copy into a shell; with the path it was called by where the shell would not find it."""
    called = Path(sys.argv[0])
    program = str(called) if called.name == "evenodds" and not shutil.which("evenodds") else "evenodds"
    return shlex.join([program, *(str(word) for word in words)])


def wrapped(text: str, indent: str = "") -> str:
    """`text` within the terminal's width, 100 at most, every line indented."""
    return _filled(text, indent, indent)


def listed(rows: Sequence[tuple[str, str]]) -> str:
    """Names and facts in two columns; a long fact goes on below its own beginning."""
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(_filled(fact, name.ljust(width), " " * width) for name, fact in rows)


def _filled(text: str, first: str, indent: str) -> str:
    width = min(shutil.get_terminal_size((80, 24)).columns, 100)
    # paths and names are copied: they are never cut
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def columns(rows: Iterable[Sequence[str]], indent: str = "  ") -> str:
    """Rows as aligned columns, the last of them as long as it likes."""
    table = [list(row) for row in rows]
    widths = (
        [max((len(row[i]) for row in table), default=0) for i in range(len(table[0]) - 1)] if table else []
    )
    lines = (
        indent + "  ".join([cell.ljust(width) for cell, width in zip(row, widths, strict=False)] + row[-1:])
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)
