"""What the referee has seen, in the report: marks on the curves, events in the table, the probe."""

from __future__ import annotations

from pathlib import Path

from synthetic_run import records, write_metrics  # type: ignore[import-not-found]

from evenodds.report.charts import MOST_MARKS, charts, marks
from evenodds.report.facts import read_facts
from evenodds.report.history import read_history
from evenodds.report.html import write_report
from evenodds.report.plots import write_plots


def event(kind: str, trouble: bool) -> dict[str, object]:
    return {"kind": kind, "text": f"{kind} it is.", "trouble": trouble, "since": 0}


def judged() -> list[dict[str, object]]:
    """The synthetic run with a gauge, signals, a probe and two events."""
    lines: list[dict[str, object]] = records()
    for index, line in enumerate(lines):
        line.pop("event", None)
        line |= {"gauge/jsd": 0.3 - 0.001 * index, "gauge/jsd/low": 0.2, "signal/diversity": 0.5}
        line["verdicts"] = ["learning"]
    lines[0]["event"] = [event("learning", False)]
    lines[2]["event"] = [event("partial_collapse", True)]
    lines[-1] |= {"probe/jsd": 0.4321, "probe/jsd/low": 0.4}
    return lines


def test_every_chart_has_the_marks(run: Path) -> None:
    lines = judged()
    write_metrics(run, lines)
    history = read_history(run)
    drawn = charts(history, read_facts(run), limit=100)
    found = [(mark.examples, mark.number, mark.kind, mark.trouble) for chart in drawn for mark in chart.marks]
    wanted = [
        (lines[0]["examples"], 1, "learning", False),
        (lines[2]["examples"], 2, "partial_collapse", True),
    ]
    assert found == wanted * len(drawn)
    assert {"gauge", "samples"} <= {chart.key for chart in drawn}


def test_the_latest_events_are_marked_under_their_own_numbers(run: Path) -> None:
    lines = judged()
    lines[1]["event"] = [event(f"kind{n}", False) for n in range(3 * MOST_MARKS)]
    write_metrics(run, lines)
    history = read_history(run)
    last = len(history.events)
    assert [mark.number for mark in marks(history)] == list(range(last - MOST_MARKS + 1, last + 1))


def test_page_and_plots_say_it(run: Path) -> None:
    write_metrics(run, judged())
    page = write_report(run).read_text(encoding="utf-8")
    assert "partial collapse (trouble)" in page
    assert "partial_collapse it is." in page
    assert "shows at least 0.432 nats" in page
    assert {path.name for path in write_plots(run)} >= {"gauge.png", "samples.png"}
