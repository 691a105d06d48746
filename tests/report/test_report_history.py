from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from synthetic_run import records, write_metrics  # type: ignore[import-not-found]

from evenodds.errors import RunError
from evenodds.report.charts import charts, running_mean, series
from evenodds.report.facts import EVEN_ODDS, Facts, implied_jsd, read_facts
from evenodds.report.history import Curve, Event, read_history


def facts(loss: object) -> Facts:
    return Facts("run", {"loss": loss}, {})


def test_columns_have_a_value_or_nan_for_every_record(tmp_path: Path):
    write_metrics(
        tmp_path,
        [{"examples": 10, "a": 1}, {"examples": 20, "a": None, "b": math.nan}, {"examples": 30, "b": 2.5}],
    )
    history = read_history(tmp_path)
    assert history.examples.tolist() == [10, 20, 30]
    np.testing.assert_array_equal(history.column("a"), [1, np.nan, np.nan])
    np.testing.assert_array_equal(history.column("b"), [np.nan, np.nan, 2.5])
    assert np.isnan(history.column("never")).all()
    assert history.latest("a") == (10, 1.0)
    assert history.latest("never") is None
    assert history.names() == ["a", "b"]


def test_after_a_resume_the_later_record_wins_key_by_key(tmp_path: Path):
    first = [{"examples": 10, "a": 1, "seen": 5}, {"examples": 20, "a": 2}, {"examples": 30, "a": 3}]
    write_metrics(tmp_path, [*first, {"examples": 20, "a": 7}, {"examples": 10, "metric/fid50k": 4.0}])
    history = read_history(tmp_path)
    assert history.examples.tolist() == [10, 20, 30]
    assert history.column("a").tolist() == [1, 7, 3]
    assert history.latest("seen") == (10, 5.0)
    assert history.protocols() == ["fid50k"]


@pytest.mark.parametrize(
    "tail",
    ['{"examples": 40, "a"', "[1, 2]", "null", "\x00\x00", '{"a": 1}', '{"examples": "40"}',
     '{"examples": NaN}', '{"examples": -1}', "[" * 100_000, '{"examples": ' + "9" * 5_000 + "}"],
)  # fmt: skip
def test_a_line_that_is_no_record_is_left_out_and_counted(tmp_path: Path, tail: str):
    write_metrics(tmp_path, [{"examples": 10, "a": 1}], tail)
    history = read_history(tmp_path)
    assert history.unreadable == 1
    assert history.examples.tolist() == [10]


def test_a_character_cut_in_half_is_tolerated(tmp_path: Path):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"examples": 10, "a": 1}\n{"examples": 20, "text": "\xe2\x80')
    assert read_history(tmp_path).examples.tolist() == [10]


def test_events_are_kept_in_order_and_once(tmp_path: Path):
    event = {"kind": "verdict", "text": "D is ahead"}
    write_metrics(
        tmp_path,
        [{"examples": 10, "event": event}, {"examples": 20, "event": 3}, {"examples": 10, "event": event}],
    )
    assert read_history(tmp_path).events == (Event(10, "verdict", "D is ahead"),)


def test_text_and_truth_values_are_no_numbers(tmp_path: Path):
    write_metrics(tmp_path, [{"examples": 10, "a": True, "b": "x", "c": [1], "d": 10**400}])
    history = read_history(tmp_path)
    assert history.names() == []
    assert history.texts == {"b": "x"}


def test_a_folder_that_is_no_run_is_refused_with_the_remedy(tmp_path: Path):
    with pytest.raises(RunError, match=r"holds no metrics\.jsonl; give the folder of a run"):
        read_history(tmp_path)


def test_losses_at_even_odds_agree_with_the_definitions():
    """Scores 0 (1/2 for least squares) put into the losses as their papers write them."""
    half = math.log(0.5)
    assert EVEN_ODDS["minimax"] == pytest.approx((-half - half, half), abs=1e-12)
    assert EVEN_ODDS["non_saturating"] == pytest.approx((-half - half, -half), abs=1e-12)
    assert EVEN_ODDS["hinge"] == (max(0, 1 - 0) + max(0, 1 + 0), 0)
    assert EVEN_ODDS["least_squares"] == (((0.5 - 1) ** 2 + 0.5**2) / 2, (0.5 - 1) ** 2 / 2)
    assert EVEN_ODDS["relativistic"] == pytest.approx((math.log(1 + math.exp(0)),) * 2, abs=1e-12)
    assert EVEN_ODDS["wasserstein"] == (0, 0)


def test_scales_move_even_odds_and_unknown_options_remove_them():
    halved = facts({"name": "non_saturating", "discriminator_scale": 0.5}).even_odds
    assert halved == pytest.approx((math.log(2), math.log(2)), abs=1e-12)
    assert facts("hinge").even_odds == (2, 0)
    assert facts({"name": "hinge", "margin": 2}).even_odds is None
    assert facts({"name": "mine"}).even_odds is None
    assert facts({"name": "hinge", "generator_scale": math.nan}).even_odds is None


def test_the_bound_is_the_divergence_for_the_best_discriminator():
    """p = (3/4, 1/4) and q = (1/4, 3/4): V at D* = p/(p+q), and JSD by its definition as two KL."""
    p, q = np.array([0.75, 0.25]), np.array([0.25, 0.75])
    best = p / (p + q)
    value = float((p * np.log(best)).sum() + (q * np.log(1 - best)).sum())
    middle = (p + q) / 2
    jsd = float((p * np.log(p / middle)).sum() + (q * np.log(q / middle)).sum()) / 2
    assert implied_jsd(value) == pytest.approx(jsd, abs=1e-12)
    assert implied_jsd(-5.0) == 0
    assert implied_jsd(0.0) == pytest.approx(math.log(2), abs=1e-12)


def test_a_running_mean_keeps_lines_and_constants():
    assert running_mean(np.full(9, 3.0), 5) == pytest.approx(np.full(9, 3.0))
    line = np.arange(20.0)
    assert running_mean(line, 5)[2:-2] == pytest.approx(line[2:-2])
    assert running_mean(line, 5)[0] == pytest.approx(1.0)  # the mean of 0, 1, 2
    assert running_mean(line, 5)[-1] == pytest.approx(18.0)


def test_a_long_curve_is_summarised_by_means_and_extremes():
    values = np.tile([0.0, 4.0], 5_000)
    one = series("a", "value", Curve(np.arange(10_000.0), values), 100)
    assert len(one.x) == 100
    assert one.y == pytest.approx(np.full(100, 2.0))
    assert (one.low.max(), one.high.min()) == (0.0, 4.0)
    assert one.x[0] == pytest.approx(49.5)
    assert one.window == 3 * 100


def test_charts_without_values_are_left_out(tmp_path: Path):
    write_metrics(tmp_path, [{"examples": 10, "loss/generator": 1.0, "d/real": None}])
    assert [chart.key for chart in charts(read_history(tmp_path), facts("hinge"), limit=100)] == ["losses"]


def test_levels_and_note_follow_from_the_loss(run: Path):
    history = read_history(run)
    said = {chart.key: chart for chart in charts(history, facts("wasserstein"), limit=100)}
    assert [level.y for level in said["losses"].levels] == [0.0]
    assert "a probability only for minimax and non-saturating" in said["odds"].note
    known = {chart.key: chart for chart in charts(history, facts("non_saturating"), limit=100)}
    assert [level.y for level in known["losses"].levels] == pytest.approx([math.log(4), math.log(2)])
    assert known["odds"].note == ""
    assert [level.y for level in known["value"].levels] == pytest.approx([-math.log(4), 0.0])
    assert known["odds"].limits == (0.0, 1.0)


def test_standard_errors_belong_to_their_metric(run: Path):
    chart = charts(read_history(run), facts("hinge"), limit=100)[-1]
    assert (chart.title, chart.series[0].y.tolist()) == ("parzen10k", [100.0, 150.0])
    assert chart.series[0].error is not None
    assert chart.series[0].error.tolist() == [2.0, 2.0]


def test_damaged_settings_are_refused_and_missing_ones_empty(run: Path, tmp_path: Path):
    assert read_facts(tmp_path).config == {}
    for name, text in (("config.yaml", "a: [1"), ("environment.json", "{"), ("config.yaml", "- 1")):
        (run / name).write_text(text)
        with pytest.raises(RunError, match="restore it from a copy"):
            read_facts(run)
        (run / name).write_text("{}")
    (run / "environment.json").write_text(json.dumps(records(2)[0]))
    assert read_facts(run).environment["examples"] == 10
