"""The linter, the formatter and the type checker, as they are set up in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sources import ROOT


def run(*command: str) -> None:
    """Run `python -m command` in the repository; fail with what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"\n{done.stdout}{done.stderr}"


def test_ruff_check():
    run("ruff", "check", ".")


def test_ruff_format():
    run("ruff", "format", "--check", ".")


@pytest.mark.slow
def test_mypy_strict():
    run("mypy")
