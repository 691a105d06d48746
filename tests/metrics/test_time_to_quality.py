"""benchmarks/time_to_quality.py: what is kept of a run, and when a level counts as reached."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def study():
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("time_to_quality")
    finally:
        sys.path.remove(str(FOLDER))


def points(*values: float, floor: float = 1.0) -> list[dict]:
    """At 0, 100, 200, 400, … images, a CPU second for every 10."""
    seen = [0, *(100 * 2**number for number in range(len(values) - 1))]
    return [
        {"examples": n, "cpu_seconds": n / 10, "value": value, "floor": floor}
        for n, value in zip(seen, values, strict=True)
    ]


def test_a_level_is_reached_between_two_points(study):
    from time_to_quality_report import reached

    run = points(101, 61, 21, 6)
    assert reached(run, 0.6) == (100, 10)  # exactly at a point
    images, seconds = reached(run, 0.4)  # half-way from 0.6 to 0.2, in log images
    assert images == pytest.approx(100 * 2**0.5)
    assert seconds == pytest.approx(images / 10)
    assert reached(run, 0.05) == pytest.approx((400, 40))
    assert reached(run, 0.04) is None
    assert reached(points(101, 30), 0.5) == (100, 10)  # nothing is known of before the first point


def test_a_run_is_kept_at_its_points_and_goes_on_where_it_was(study, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "PLANS", {"gan-digits": study.Plan(1, 1024, "parzen100")})
    monkeypatch.setattr(study, "HALVINGS", 2)
    study.train("gan-digits", 0, tmp_path)
    notes = study.Notes(tmp_path / "gan-digits-0.points")
    kept = sorted(int(path.stem) for path in notes.folder.glob("*.safetensors"))
    assert kept == [0, 256, 512, 1024]
    lines = notes.lines()
    assert [line["examples"] for line in lines] == sorted(line["examples"] for line in lines)
    spent = [line["cpu_seconds"] for line in lines]
    assert spent == sorted(spent)
    assert spent[-1] > 0
    before = (notes.folder / "costs.jsonl").read_bytes()
    study.train("gan-digits", 0, tmp_path)  # nothing is left to do
    assert (notes.folder / "costs.jsonl").read_bytes() == before

    monkeypatch.setattr(study, "PLANS", {"gan-digits": study.Plan(1, 2048, "parzen100")})
    monkeypatch.setattr(study, "planned", lambda name, seed: longer(study, name, seed))
    study.train("gan-digits", 0, tmp_path)  # longer: from the checkpoint on
    assert notes.last() == 2048
    assert notes.lines()[-1]["cpu_seconds"] > spent[-1]

    found = study.curves(tmp_path)["gan-digits"]
    assert [point["examples"] for point in found[0]] == [0, 512, 1024, 2048]
    assert all(point["name"] == "parzen100" for point in found[0])


def longer(study, name, seed):
    """The config of the shorter run, which may differ in its length alone."""
    from evenodds import recipe

    changes = {"seed": seed, "threads": 1, "referee": False, "metrics": (), "metrics_every": "never"}
    every = {"samples_every": "never", "report_every": 64, "checkpoint_every": 128}
    return recipe(name).model_copy(update={**changes, **every, "examples": 2048})
