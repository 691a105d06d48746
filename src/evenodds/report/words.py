"""The words and tables of report.html; every function returns HTML in which foreign text is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..comparison.results import Result, latest
from ..drawing.canvas import one_line
from .facts import LOG_2, LOG_4, NO_PROBABILITY, Facts, implied_jsd
from .history import Event, History

MOST_ROWS = 400  # of a table: a configuration has a hundred, and YAML can be made to unfold without end
DEEPEST = 8
LONGEST = 500  # letters of one value


def escape(value: object, longest: int = LONGEST) -> str:
    """Text as HTML, on one line, cut with … beyond `longest` letters; also right inside quotes."""
    # A lone surrogate can't be written as UTF-8; it becomes a question mark.
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return html.escape(one_line(text, longest=longest), quote=True)


def lead(facts: Facts, history: History) -> str:
    """What was trained on what, how far and how fast."""
    loss, data = facts.component("loss"), facts.component("data")
    parts = [
        "A generative adversarial net"
        + (f" with the {escape(loss, 60)} loss" if loss else "")
        + (f", trained on {escape(data, 60)}" if data else ""),
        " ".join([_progress(facts, history), *_pace(history)]),
    ]
    return "; ".join(parts) + "."


def _progress(facts: Facts, history: History) -> str:
    if not history.rows:
        return "no records yet"
    seen, wanted = history.examples[-1], facts.number("examples")
    done = f" of {wanted:,.0f} ({seen / wanted:.0%})" if wanted else ""
    return f"D has been shown {seen:,.0f}{done} real training examples"


def _pace(history: History) -> list[str]:
    seconds, rate = history.latest("seconds"), history.latest("rate")
    said = [f"in {duration(seconds[1])} of training"] if seconds and seconds[1] >= 0 else []
    return [*said, f"at {rate[1]:,.0f} examples a second"] if rate else said


def duration(seconds: float) -> str:
    """3,725 seconds as `1 h 2 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def cards(facts: Facts, history: History) -> str:
    """The three numbers of the score."""
    value, real, fake = (history.latest(name) for name in ("value/held_out", "d/held_out", "d/fake"))
    said: list[tuple[str, str, str]] = []
    if value:
        ends = f"even odds {_signed(-LOG_4)}; D tells all apart 0"
        said.append(("V(D,G) on held-out data", f"{_signed(value[1])} nats", ends))
        bound = f"≥ {proved(history, value[1]):.3f} nats"
        said.append(("JSD of data and generator", bound, f"of the possible {LOG_2:.3f}; even odds 0"))
    if real and fake:
        what = "mean of D" if facts.is_probability else "sigmoid of D's score"
        both = f"{real[1]:.3f} | {fake[1]:.3f}"
        said.append((f"{what}: held-out data | samples", both, "even odds 0.5 | 0.5; D wins 1 | 0"))
    items = "".join(
        f"<div><dt>{a}</dt><dd><strong>{b}</strong><small>{c}</small></dd></div>" for a, b, c in said
    )
    return f'<dl class="cards">{items}</dl>' if items else ""


def proved(history: History, value: float) -> float:
    """What D proves of the JSD, in nats: by its value or, where that says nothing, by the gauge.

    A score that is no probability may lie anywhere; only the gauge calibrates it first.
    """
    gauge = history.latest("gauge/jsd")
    return implied_jsd(value) or (max(gauge[1], 0.0) if gauge else 0.0)


def reading(history: History) -> str:
    """What the latest V on held-out data means, in a sentence."""
    latest = history.latest("value/held_out")
    if latest is None:
        return "V(D,G) on held-out data has not been recorded yet, so there is no score."
    bound = proved(history, latest[1])
    if bound > 0:
        return (
            f"JSD is at least {bound:.3f} of the possible {LOG_2:.3f} nats; even odds would be 0. "
            f"({100 * bound / LOG_2:.0f} % of the way from even odds to a D that tells all apart.)"
        )
    return (
        f"JSD is at least 0 of the possible {LOG_2:.3f} nats: on held-out data this D does no better than "
        "a coin; that is even odds, if D is strong enough to see a difference."
    )


def caveat(facts: Facts, history: History) -> str:
    """What the reading doesn't say."""
    latest = history.latest("value/held_out")
    if latest is None:
        return ""
    when = f"From one record, at {latest[0]:,} examples, on data that D is not trained on."
    weak = "A lower bound: a weak D makes it small; being small does not show that the generator has won."
    said = [when, weak]
    if not facts.is_probability:
        calibrated = not implied_jsd(latest[1]) and proved(history, latest[1])
        how = "is of its score, calibrated" if calibrated else "holds all the same, but is loose"
        said.append(f"Here D is only the {NO_PROBABILITY}; the bound {how}.")
    probed = history.latest("probe/jsd")
    if probed:
        said.append(
            f"A fresh discriminator, trained against the generator of {probed[0]:,} examples, "
            f"shows at least {max(probed[1], 0):.3f} nats."
        )
    return " ".join(said)


def tables(facts: Facts, history: History) -> str:
    """Metrics, events, configuration and environment; lines that could not be read are counted."""
    made = [_measured(history), _metrics(history), _events(history)]
    made.append(_settings("Configuration", "config.yaml", facts.config))
    made.append(_settings("Environment", "environment.json", facts.environment))
    if history.unreadable:
        lines = "1 line" if history.unreadable == 1 else f"{history.unreadable:,} lines"
        made.append(
            f'<p class="aside">{lines} of metrics.jsonl could not be read as a record and '
            "is left out; a process that is killed leaves its last line unfinished.</p>"
        )
    if damaged := len(history.evaluations.damaged):
        made.append(
            f'<p class="aside">Damaged lines of evaluations.jsonl that are left out: {damaged:,}.</p>'
        )
    return "\n".join(made)


def _measured(history: History) -> str:
    """The latest number of each metric, under each protocol that it was measured in."""
    rows = [
        (
            one.metric,
            f"{one.value:.5g} {one.unit}",
            "" if one.interval is None else f"{one.interval[0]:.5g} to {one.interval[1]:.5g}",
            _real(one),
            "" if one.examples is None else f"{one.examples:,}",
            one.generator,
            one.protocol,
            one.also,
        )
        for one in latest(history.evaluations.results)[:MOST_ROWS]
    ]
    if not rows:
        return ""
    heads = ("Metric", "Value", "95 % interval", "Real examples score", "Examples", "Generator",
             "How it was measured", "Also found")  # fmt: skip
    said = "The latest number under each protocol; only numbers of one protocol are comparable."
    return _section("Measured", _table(said, heads, rows))


def _real(result: Result) -> str:
    if result.floor is not None:
        return f"{result.floor:.4g} (floor)"
    return "" if result.ceiling is None else f"{result.ceiling:.4g} (ceiling)"


def _metrics(history: History) -> str:
    """The latest value of each protocol, with its error and whatever else was recorded about it."""
    rows: list[tuple[str, ...]] = []
    known = {one.metric for one in history.evaluations.results}
    for protocol in [name for name in history.protocols() if name not in known][:MOST_ROWS]:
        latest = history.latest(f"metric/{protocol}")
        if latest is None:
            continue
        error = history.latest(f"metric/{protocol}/standard_error")
        interval = f" ± {error[1]:.4g}" if error and error[0] == latest[0] else ""
        rows.append((protocol, f"{latest[1]:.6g}{interval}", f"{latest[0]:,}", _about(history, protocol)))
    if not rows:
        return ""
    heads = ("Protocol", "Value ± standard error", "Examples", "How it was measured")
    return _section("Metrics", _table("The latest value of each protocol.", heads, rows))


def _about(history: History, protocol: str) -> str:
    """All `metric/<protocol>/<name>` but the standard error, as `name: value; …`."""
    prefix = f"metric/{protocol}/"
    numbers = {name: history.latest(name) for name in history.names(prefix)}
    said = {name: f"{latest[1]:,.6g}" for name, latest in numbers.items() if latest}
    said |= {name: text for name, text in history.texts.items() if name.startswith(prefix)}
    said.pop(f"{prefix}standard_error", None)
    return "; ".join(f"{name[len(prefix) :]}: {text}" for name, text in said.items())


def _events(history: History) -> str:
    if not history.events:
        return ""
    shown = history.events[-MOST_ROWS:]
    first = len(history.events) - len(shown) + 1
    rows = [
        (str(number), f"{event.examples:,}", _kind(event), event.text)
        for number, event in enumerate(shown, first)
    ]
    left = len(history.events) - len(shown)
    said = (
        f"The latest {len(shown)} of {len(history.events):,}."
        if left
        else "What was noticed while training; the numbers stand on the curves."
    )
    return _section("Events", _table(said, ("No.", "Examples", "Kind", "What"), rows))


def _kind(event: Event) -> str:
    return event.kind.replace("_", " ") + (" (trouble)" if event.trouble else "")


def _settings(title: str, file: str, values: Mapping[str, Any]) -> str:
    if not values:
        return f'<p class="aside">{title}: the run directory has no {file}.</p>'
    rows: list[tuple[str, ...]] = []
    for name, text in flattened(values):
        if len(rows) == MOST_ROWS:
            rows.append(("…", f"more in {file}"))
            break
        rows.append((name, text))
    inner = _table(f"From {file}.", ("Setting", "Value"), rows)
    return f"<details open><summary>{title}</summary>{inner}</details>"


def flattened(values: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """(dotted name, text) of every leaf, one at a time, so that the caller can stop."""
    for name, value in values.items():
        name = f"{prefix}{name}"
        if isinstance(value, Mapping | list | tuple) and depth == DEEPEST:
            yield name, "…"
        elif isinstance(value, Mapping) and value:
            yield from flattened(value, f"{name}.", depth + 1)
        elif isinstance(value, list | tuple) and any(
            isinstance(one, Mapping | list | tuple) for one in value
        ):
            yield from flattened({str(index): one for index, one in enumerate(value)}, f"{name}.", depth + 1)
        elif isinstance(value, list | tuple):
            yield name, ", ".join(map(_text, value[:50])) + (", …" if len(value) > 50 else "")
        else:
            yield name, _text(value)


def _text(value: object) -> str:
    """As it would be written in the file."""
    return (
        {None: "null", True: "true", False: "false"}[value]
        if value is None or isinstance(value, bool)
        else str(value)
    )


def _section(title: str, inner: str) -> str:
    return f"<section><h2>{title}</h2>{inner}</section>"


def _table(caption: str, heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    """A table whose first column names the row; all cells are escaped."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _signed(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
