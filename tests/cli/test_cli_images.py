"""Images on the command line: how far decoding has got, and what was left out."""

import io
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from evenodds.cli import counting, display
from evenodds.cli.counting import Counting
from evenodds.cli.display import DECODING
from evenodds.cli.main import main
from evenodds.data.images.progress import report


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EVENODDS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "my pictures"
    path.mkdir()
    for number in range(20):
        x = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(x).save(path / f"{number}.png")
    (path / "no image.png").write_bytes(b"text")
    return path


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(counting.time, "perf_counter", lambda: now[0])
    return now


def test_lines_with_rate_and_time_left(clock):
    out = io.StringIO()
    shown = Counting(Console(file=out), None)
    for seconds, done in ((0, 4_000), (1, 6_000), (6, 16_000), (7, 18_000), (12, 28_000), (28, 60_000)):
        clock[0] = 100.0 + seconds
        shown(DECODING, done, 60_000)
    assert out.getvalue().splitlines() == [
        "decoding images, once for all runs: 16,000/60,000 · 2,000/s · 22 s left",
        "decoding images, once for all runs: 28,000/60,000 · 2,000/s · 16 s left",
        "decoding images, once for all runs: 60,000/60,000 · 2,000/s",
    ]


def test_beside_the_spinner(clock):
    texts: list[str] = []
    spinner = types.SimpleNamespace(update=texts.append)
    shown = Counting(Console(file=io.StringIO()), (spinner, "reading"))
    for seconds, done in ((0.0, 0), (0.1, 100), (0.3, 300), (0.6, 600), (1.0, 1000)):
        clock[0] = 100.0 + seconds
        shown(DECODING, done, 1000)
    assert texts == [
        "decoding images, once for all runs: 0/1,000",
        "decoding images, once for all runs: 300/1,000 · 1,000/s · 0.7 s left",
        "decoding images, once for all runs: 600/1,000 · 1,000/s · 0.4 s left",
        "reading",
    ]


def test_status_listens_and_stops_listening(capsys, clock):
    with display.status("reading"):
        report(0, 10)
        clock[0] += 6
        report(5, 10)
    clock[0] += 20
    report(10, 10)
    assert capsys.readouterr().err.splitlines() == [
        "decoding images, once for all runs: 5/10 · 0.83/s · 6.0 s left"
    ]


def test_what_was_left_out_is_said_before_training(folder, capsys):
    out = [
        "--set",
        "batch_size=8",
        "--set",
        "conditional=false",
        "--dry-run",
        "--dir",
        str(folder.parent / "runs"),
    ]
    assert main(["train", "gan-digits", "--data", str(folder), *out]) == 0
    said = capsys.readouterr().out
    assert "# data: 1 of 21 files were left out: not an image of a known format: no image.png" in said
    assert "# data: my pictures, 18 train, 2 validation examples of 3 × 8 × 8" in said
    assert f"path: {folder}" in said
    assert main(["train", "gan-digits", "--data", str(folder), *out, "--set", "data.strict=true"]) == 2
    assert "strict=false" in capsys.readouterr().err


def test_data_info_says_how_it_was_decoded(folder, capsys):
    assert main(["data", "info", str(folder)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "decoded resize=lanczos, fit=crop, by evenodds" in said
    assert "note 1 of 21 files were left out: not an image of a known format: no image.png" in said


def test_relative_paths_are_saved_whole(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder.parent)
    table = "".join(f"{number}.png,{number % 2}\n" for number in range(20)) + "no image.png,1\n"
    (folder.parent / "table.csv").write_text(table)
    settings = ["--set", "batch_size=8", "--dry-run", "--dir", "runs", "--set", "data.labels=table.csv"]
    assert main(["train", "gan-digits", "--data", folder.name, *settings]) == 0
    said = capsys.readouterr().out
    assert f"path: {folder.resolve()}" in said
    assert f"labels: {folder.resolve().parent / 'table.csv'}" in said
    (folder.parent / "none").mkdir()
    settings[-1] = "data.labels=none"
    arguments = ["--data", f"./{folder.name}", *settings, "--set", "conditional=false"]
    assert main(["train", "gan-digits", *arguments]) == 0
    assert "labels: none" in capsys.readouterr().out
