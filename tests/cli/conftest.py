"""Verbs called in this process, so that PyTorch is imported once; and one small run for many tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from small_run import TINY

from evenodds.cli.main import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch, tmp_path):
    """An empty folder to work in, and nothing of the developer's own machine."""
    monkeypatch.chdir(tmp_path)
    for name in ("EVENODDS_DATA", "EVENODDS_DEBUG", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EVENODDS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def cli(capfd):
    """Run a verb; its exit status and what it wrote."""

    def call(*words: object) -> Result:
        capfd.readouterr()
        code = main([str(word) for word in words])
        return Result(code, *capfd.readouterr())

    return call


@pytest.fixture
def refused(cli):
    """Run a verb that has to be refused in one sentence; the sentence."""

    def call(*words: object) -> str:
        result = cli(*words)
        assert result.code == 2, result
        assert result.err.startswith("evenodds: "), result.err
        assert result.err.count("\n") == 1, result.err
        return result.err

    return call


@pytest.fixture
def no_drawing(monkeypatch):
    """Leave out plots, movie and report, for tests that are about something else."""
    monkeypatch.setattr("evenodds.report.write_all", lambda run, *, skipped: {})


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A run of gan-digits that has seen 1,280 examples, with its report."""
    base = tmp_path_factory.mktemp("trained")
    assert main(["train", *TINY, "--dir", str(base)]) == 0
    return base / "00000-gan-digits"


@pytest.fixture(scope="session")
def command():
    """Start `evenodds` as a process of its own."""

    def start(*words: object, environment: dict[str, str] | None = None, **options) -> subprocess.Popen:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        program = [sys.executable, "-m", "evenodds.cli.main", *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        # a shell's background jobs ignore Ctrl-C, and would hand that down
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(program, env=environment, **pipes)
        finally:
            signal.signal(signal.SIGINT, before)

    return start
