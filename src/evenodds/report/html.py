"""report.html: one page about a run that opens anywhere, loads nothing and runs nobody else's code."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shlex
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, features

from ..errors import RunError
from ..files import write_text
from .charts import Chart, Series
from .facts import Facts, read_facts
from .frames import Frame, choose, load, sample_frames
from .history import History, read_history
from .measured import all_charts
from .words import cards, caveat, escape, lead, reading, tables

POINTS = 600  # a curve on the page
MOST_FRAMES = 60
BUDGET = 6_500_000  # bytes of pictures; a third more as text, which keeps the page under 10 MB
ATTEMPTS = ((MOST_FRAMES, 80, 1_024), (MOST_FRAMES, 60, 768), (40, 50, 640), (24, 40, 480), (8, 30, 320))


def write_report(run: Path) -> Path:
    """Write report.html from the files of a run directory.

    Raises:
        RunError: the run has neither records nor pictures yet, or a file can't be read or written.
    """
    facts = read_facts(run)
    history = read_history(run)
    frames = sample_frames(run)
    if not history.rows and not frames:
        raise RunError(f"{run} has no records and no sample pictures yet; let it train a little, then report")
    path = run / "report.html"
    write_text(path, page(facts, history, encoded(frames)))
    return path


def page(facts: Facts, history: History, frames: list[tuple[int, str]]) -> str:
    """The whole page; every text from the run's files is escaped.

    Args:
        frames: (examples, data URI) of the sample pictures, in order.
    """
    drawn = all_charts(history, facts, limit=POINTS)
    style, script = _resource("report.css"), _resource("report.js")
    title = facts.component("recipe") or facts.name
    values = {
        "title": escape(title, 200),
        "style": style,
        "script": script,
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "lead": lead(facts, history),
        "score": cards(facts, history),
        "reading": reading(history),
        "caveat": caveat(facts, history),
        "samples": _samples(frames),
        "curves": _curves(drawn),
        "tables": tables(facts, history),
        "run": escape(shlex.quote(facts.name if not facts.name.startswith("-") else f"./{facts.name}"), 300),
        "data": embedded({"charts": list(map(_chart, drawn)), "frames": [_frame(*one) for one in frames]}),
    }
    # One pass over the template alone: a value that looks like a placeholder stays what it is.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], _resource("template.html"))


def embedded(value: Any) -> str:
    """JSON that no HTML parser can take for the end of its script element.

    Raises:
        ValueError: a number is infinite or not a number.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def encoded(frames: list[Frame]) -> list[tuple[int, str]]:
    """(examples, data URI) of evenly chosen frames, in the best quality that keeps the page small."""
    pictures: list[tuple[int, bytes]] = []
    for most, quality, widest in ATTEMPTS:
        chosen = choose(frames, most)
        # Six frames tell what all of them will take, so that few attempts are made in full.
        probe = [len(_compressed(load(frame, widest=widest), quality)) for frame in choose(chosen, 6)]
        last_resort = (most, quality, widest) == ATTEMPTS[-1]
        if not last_resort and sum(probe) * len(chosen) > BUDGET * len(probe):
            continue
        pictures = [(frame.examples, _compressed(load(frame, widest=widest), quality)) for frame in chosen]
        if sum(len(data) for _, data in pictures) <= BUDGET:
            break
    kind = "webp" if features.check("webp") else "png"
    return [(at, f"data:image/{kind};base64,{base64.b64encode(one).decode()}") for at, one in pictures]


def _compressed(picture: Image.Image, quality: int) -> bytes:
    """Encoded afresh: whatever else a stranger's file carried stays behind."""
    buffer = io.BytesIO()
    if features.check("webp"):
        picture.save(buffer, format="WEBP", quality=quality, method=1)
    else:
        picture.quantize(64, method=Image.Quantize.FASTOCTREE).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _resource(name: str) -> str:
    """A text file of this package."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The name by which the page's security policy admits this text, and no other, as style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _samples(frames: list[tuple[int, str]]) -> str:
    """The section with the latest picture, and where there are several, the means to move through them."""
    if not frames:
        return ""
    last = len(frames) - 1
    at, source = frames[last]
    scrub = (
        '<div class="scrub"><button type="button" id="play">Play</button>'
        '<label for="scrubber" class="note">Progress</label>'
        f'<input type="range" id="scrubber" min="0" max="{last}" value="{last}"></div>'
        '<p class="note how">Arrow keys, the slider or the curves move through the training.</p>'
    )
    return (
        '<section class="samples" aria-labelledby="samples-heading">'
        '<h2 id="samples-heading">Samples from the same latents</h2>'
        f'<img id="frame" src="{source}" alt="Samples of the generator after {at:,} training examples">'
        f'<p class="at" id="frame-at">{at:,} examples</p>{scrub if len(frames) > 1 else ""}</section>'
    )


def _curves(drawn: list[Chart]) -> str:
    """A figure for each chart, to be filled by the script, with the latest values already in the legend."""
    if not drawn:
        return ""
    figures = "".join(_figure(index, chart) for index, chart in enumerate(drawn))
    return (
        '<section class="curves" aria-labelledby="curves-heading"><h2 id="curves-heading">Curves</h2>'
        '<p class="note">Over real training examples shown to D; dashed lines are theory.</p>'
        '<noscript><p class="note">Curves need JavaScript here; plots/ has them as pictures.</p></noscript>'
        f"{figures}</section>"
    )


def _figure(index: int, chart: Chart) -> str:
    """Title, empty drawing and legend of one chart."""
    window = max(one.window for one in chart.series)
    smoothed = f" Bold: mean of {window:,} records; faint: the records." if window > 1 else ""
    right = f" Right axis: {chart.right[2]}." if chart.right else ""
    latest = "; ".join(f"{one.name}: latest {one.smooth[-1]:.4g}" for one in chart.series)
    spoken = f"{chart.title} over training examples. {latest}"
    items = "".join(
        f'<li class="{one.role}">{escape(one.name, 80)} <span>{one.smooth[-1]:.4g}</span></li>'
        for one in chart.series
    )
    return (
        f'<figure data-chart="{index}"><h3>{escape(chart.title, 120)} <small class="note">'
        f"{escape(_unit(chart), 80)}</small></h3>"
        f'<p class="note">{escape(chart.note + smoothed + right, 600)}</p>'
        f'<svg role="img" aria-label="{escape(spoken, 400)}"></svg>'
        f'<figcaption><p class="at"></p><ul>{items}</ul>{_protocol(chart)}</figcaption></figure>'
    )


def _protocol(chart: Chart) -> str:
    return f'<p class="note">{escape(chart.protocol, 900)}</p>' if chart.protocol else ""


def _unit(chart: Chart) -> str:
    return "" if chart.label == chart.title else chart.label


def _chart(chart: Chart) -> dict[str, Any]:
    """What the script needs to draw it."""
    return {
        "limits": [float(limit) for limit in chart.limits],
        "series": [_series(one) for one in chart.series],
        "levels": [level._asdict() for level in chart.levels],
        "regions": [region._asdict() for region in chart.regions],
        "right": list(chart.right[:2]) if chart.right else None,
        "marks": [[mark.examples, mark.number, mark.kind, mark.trouble] for mark in chart.marks],
    }


def _series(one: Series) -> dict[str, Any]:
    summarised = bool((one.low < one.y).any())
    return {
        "role": one.role,
        "thin": one.thin,
        "window": one.window,
        "x": [round(float(at)) for at in one.x],
        "y": _short(one.y),
        "smooth": _short(one.smooth),
        "low": _short(one.low) if summarised else None,
        "high": _short(one.high) if summarised else None,
        "error": None if one.error is None else _short(one.error),
        "interval": None if one.interval is None else [_short(end) for end in one.interval],
    }


def _short(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    """Five significant digits: a pixel is a thousandth."""
    return [float(f"{value:.5g}") for value in values]


def _frame(examples: int, source: str) -> dict[str, Any]:
    return {"examples": examples, "src": source}
