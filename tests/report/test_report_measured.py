"""The report's curves and table of what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic_run import records, write_metrics

from evenodds.report.facts import read_facts
from evenodds.report.history import read_history
from evenodds.report.html import page
from evenodds.report.measured import all_charts, most_points
from evenodds.report.plots import write_plots


def evaluation(
    value: float | None, examples: int, *, split: str = "validation", metric: str = "kernel1k", **more: Any
) -> str:
    result = {
        "name": metric, "value": value, "unit": "squared distance", "protocol": f"1,000 samples <{split}>",
        "interval": None if value is None else [value - 0.1, value + 0.2], "floor": None, "ceiling": None,
        "n": 1000, "setting": {"metric": metric, "split": split},
    } | more  # fmt: skip
    generator = "training" if split == "validation" else "last"
    return json.dumps({"generator": generator, "examples": examples, "time": "", "results": [result]})


@pytest.fixture
def measured(run: Path) -> Path:
    lines = [evaluation(1 / at, 100 * at) for at in range(1, 6)]
    lines += ['{"cut', evaluation(0.25, 1_000, split="test", floor=0.01), evaluation(None, 600)]
    lines += [evaluation(0.9, 1_000, split="test", metric="precision1k", ceiling=0.95)]
    (run / "evaluations.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return run


def test_a_curve_with_interval_and_floor(measured: Path):
    drawn = all_charts(read_history(measured), read_facts(measured), limit=100)
    (old, new) = [chart for chart in drawn if chart.key.startswith("metric-")]
    assert (old.key, old.title, new.key) == ("metric-0", "parzen10k", "metric-1")
    (line,) = new.series
    assert line.x.tolist() == [100, 200, 300, 400, 500]
    assert line.y.tolist() == pytest.approx([1 / at for at in range(1, 6)])
    assert line.interval is not None
    assert line.interval[0].tolist() == pytest.approx([1 / at - 0.1 for at in range(1, 6)])
    assert new.title == "kernel1k (lower is better)"
    (level,) = new.levels
    assert (level.y, level.text) == (0.01, "floor: real examples score 0.01 on the test split")
    assert new.limits[0] < 0.01
    assert new.protocol == "1,000 samples <validation>"
    assert new.marks == old.marks


def test_one_measurement_is_no_curve(measured: Path):
    titles = [chart.title for chart in all_charts(read_history(measured), read_facts(measured), limit=100)]
    assert not any(title.startswith("precision1k") for title in titles)


def test_the_page_has_the_curve_and_the_table(measured: Path):
    text = page(read_facts(measured), read_history(measured), [])
    assert "<h2>Measured</h2>" in text
    assert "1,000 samples &lt;validation&gt;" in text
    assert "<validation>" not in text
    assert "0.01 (floor)" in text
    assert "0.95 (ceiling)" in text
    assert "Damaged lines of evaluations.jsonl that are left out: 1." in text
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert data["charts"][-1]["series"][0]["interval"][1] == pytest.approx([1.2, 0.7, 0.53333, 0.45, 0.4])


def test_what_training_measures_stands_in_one_chart_only(run: Path):
    """Training writes the same numbers to metrics.jsonl."""
    lines = records()
    for line in lines:
        line.pop("metric/parzen10k", None)
    lines[3]["metric/kernel1k"] = lines[60]["metric/kernel1k"] = 0.5
    write_metrics(run, lines)
    made = [evaluation(0.5, lines[at]["examples"]) for at in (3, 60)]
    (run / "evaluations.jsonl").write_text("\n".join(made), encoding="utf-8")
    drawn = all_charts(read_history(run), read_facts(run), limit=100)
    assert [chart.key for chart in drawn if chart.key.startswith("metric-")] == ["metric-0"]
    text = page(read_facts(run), read_history(run), [])
    assert "<h2>Metrics</h2>" not in text
    assert text.count("<h3>kernel1k") == 1


def test_the_plot_is_drawn(measured: Path):
    assert "metrics.png" in [path.name for path in write_plots(measured)]


def test_the_latest_of_several_at_one_point_counts(run: Path):
    lines = [evaluation(1.0, 100), evaluation(2.0, 200), evaluation(3.0, 100)]
    (run / "evaluations.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert [one.value for one in most_points(read_history(run).evaluations.results)] == [3.0, 2.0]
    assert most_points([]) == []
