"""How long things may be: what can't be read in one sitting gets split."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from sources import FILES, MODULES, ROOT, name_of, tree

FUNCTION_LINES = 40  # signature and docstring included
MODULE_LINES = 300
NETWORK_LINES = 400  # a family of networks stands in one file
COLUMNS = 110
ALGORITHM_LINES = 140
CORE_LINES = 450
# From the command line to optimizer.step().  Losses, networks and data are values that stand in its slots.
CORE_PATH = ("cli.train", "trainer", "build", "algorithm")


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("module", MODULES)
def test_functions_are_short(module):
    long = {
        f"{node.name}, line {node.lineno}: {length} lines"
        for node in ast.walk(tree(MODULES[module]))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    }
    assert not long


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short(module):
    budget = NETWORK_LINES if module.startswith("networks.") else MODULE_LINES
    assert len(lines(MODULES[module])) <= budget


PYTHON = [
    *FILES,
    *(p for folder in ("tests", "examples", "benchmarks") for p in (ROOT / folder).rglob("*.py")),
]


@pytest.mark.parametrize("path", sorted(PYTHON), ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_fit_a_screen(path):
    assert [number for number, line in enumerate(lines(path), 1) if len(line) > COLUMNS] == []


def test_algorithm_1_is_one_screen():
    assert 50 < len(lines(MODULES["algorithm"])) <= ALGORITHM_LINES


def test_the_path_from_the_command_line_to_the_update_is_short():
    """Lines with something on them; blank ones take no reading."""
    counts = {name: sum(bool(line.strip()) for line in lines(MODULES[name])) for name in CORE_PATH}
    assert sum(counts.values()) <= CORE_LINES, counts


def test_the_files_are_found():
    assert {"algorithm", "losses", "networks.mlp"} <= {name_of(path) for path in FILES}
