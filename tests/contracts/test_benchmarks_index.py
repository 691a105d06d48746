"""benchmarks/README.md names every script, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
INDEX = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
SCRIPTS = sorted(path.name for path in BENCHMARKS.glob("*.py"))
COMMANDS = set(re.findall(r"`python benchmarks/(\w+\.py)", INDEX))
LINKS = sorted(set(re.findall(r"\]\(([^)]+)\)", INDEX)))


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_is_named(script):
    source = (BENCHMARKS / script).read_text(encoding="utf-8")
    assert (script in COMMANDS) if "def main(" in source else f"`{script}`" in INDEX


@pytest.mark.parametrize("script", sorted({*COMMANDS, *re.findall(r"`(\w+\.py)`", INDEX)}))
def test_every_script_named_exists(script):
    assert (BENCHMARKS / script).is_file()


@pytest.mark.parametrize("link", LINKS)
def test_every_result_linked_exists(link):
    assert (BENCHMARKS / link).is_file()


def test_the_index_is_not_empty():
    assert len(COMMANDS) > 15
    assert len(LINKS) > 12


@pytest.mark.parametrize("script", sorted(COMMANDS))
def test_options_shown_are_options_of_the_script(script):
    source = (BENCHMARKS / script).read_text(encoding="utf-8")
    shown = re.findall(rf"python benchmarks/{re.escape(script)}([^`]*)`", INDEX)
    for option in re.findall(r"--[\w-]+", " ".join(shown)):
        assert f'"{option}"' in source, option
