"""What the report says is proved, where D's value says nothing: the gauge, which calibrates its score."""

from __future__ import annotations

import json

import pytest

from evenodds.report.history import read_history
from evenodds.report.words import reading


@pytest.mark.parametrize(
    ("value", "gauge", "said"),
    [
        (-3.0, 0.378, "at least 0.378 of"),  # a relativistic D's score lies anywhere
        (-3.0, -0.02, "no better than a coin"),
        (-3.0, None, "no better than a coin"),
        (-0.386294, 0.1, "at least 0.500 of"),  # (V + log 4) / 2, Goodfellow et al. (2014)
    ],
)
def test_the_bound(value, gauge, said, tmp_path):
    line = {"examples": 64, "iteration": 1, "value/held_out": value}
    line |= {} if gauge is None else {"gauge/jsd": gauge}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert said in reading(read_history(tmp_path))
