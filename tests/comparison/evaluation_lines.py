"""Runs of which only the files that a comparison reads are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

EXTRACTOR = {
    "name": "mnist", "sha256": "ab" * 32, "preprocessing": "28 × 28 gray, [0, 1]", "dim": 64,
}  # fmt: skip


def setting(metric: str = "kernel10k", **changed: Any) -> dict[str, Any]:
    base = {
        "metric": metric, "n": 10_000, "split": "test", "real": 10_000, "data": "1f07076a561c1fd4",
        "extractor": dict(EXTRACTOR), "version": 1,
    }  # fmt: skip
    return base | changed


def result(
    value: float | None, half: float | None = 0.001, *, metric: str = "kernel10k", **more: Any
) -> dict:
    changed = more.pop("changed", {})
    entry = {
        "name": metric, "value": value, "standard_error": None, "unit": "squared distance",
        "protocol": "10,000 samples against 10,000 test examples", "reference": None, "warning": "",
        "details": {}, "n": 10_000, "floor": 0.0002, "ceiling": None,
        "interval": None if half is None or value is None else [value - half, value + half],
        "setting": setting(metric, **changed),
    }  # fmt: skip
    return entry | more


def line(*results: dict, examples: int | None = 1_000, generator: str = "last", day: int = 1) -> dict:
    return {
        "time": f"2026-01-{day:02d}T00:00:00+0000", "source": "run", "generator": generator,
        "generator_sha256": "0" * 64, "examples": examples, "seeds": [0, 10_000], "seconds": 3.0,
        "data": {"name": "mnist", "fingerprint": "1f07076a561c1fd4", "split": "test"}, "warning": "",
        "results": list(results),
    }  # fmt: skip


def make_run(
    folder: Path, lines: list[dict | str] | None = None, *, seconds: float = 60.0, **config: Any
) -> Path:
    """A run directory; `lines` that are text are written as they are."""
    folder.mkdir(parents=True)
    settings = {"recipe": "gan-mnist", "data": {"name": "mnist"}, "seed": 0, "batch_size": 100} | config
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    records = [{"examples": at, "seconds": seconds * at / 1_000} for at in (250, 500, 750, 1_000)]
    (folder / "metrics.jsonl").write_text(
        "".join(json.dumps(one) + "\n" for one in records), encoding="utf-8"
    )
    if lines is not None:
        texts = [one if isinstance(one, str) else json.dumps(one) for one in lines]
        (folder / "evaluations.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return folder
