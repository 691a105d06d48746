"""A run directory with curves, pictures, an event and a metric."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from synthetic_run import CONFIG, ENVIRONMENT, add_frame, records, write_metrics


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "digits run"
    (folder / "samples").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT), encoding="utf-8")
    write_metrics(folder, records())
    for index in range(5):
        add_frame(folder, 250 * index, 0.2 * index)
    return folder
