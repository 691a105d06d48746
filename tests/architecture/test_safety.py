"""Nothing that a user opens may run code, and the tested versions are named without addresses."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from sources import FILES, ROOT

RUN_CODE_WHEN_OPENED = {
    "cloudpickle", "dill", "imp", "joblib", "jsonpickle", "marshal", "pickle", "shelve", "torchvision",
}  # fmt: skip
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec", "os.system", "torch.save",
    "torch.hub.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load",
}  # fmt: skip
REQUIRED_ARGUMENTS = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "np.save": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "numpy.save": ("allow_pickle", False),
}
WATCHED = [
    *FILES,
    *(p for folder in ("examples", "benchmarks") for p in sorted((ROOT / folder).rglob("*.py"))),
]
every_file = pytest.mark.parametrize("path", WATCHED, ids=lambda path: str(path.relative_to(ROOT)))


def dotted(node: ast.expr) -> str:
    """`torch.load` of a call's function."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def violations(source: str) -> list[str]:
    """What in a file could run code that came with data."""
    nodes, found = list(ast.walk(ast.parse(source))), []
    safe_loaders = {
        node.name
        for node in nodes
        if isinstance(node, ast.ClassDef) and [dotted(base) for base in node.bases] == ["yaml.SafeLoader"]
    }
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names = {name.partition(".")[0] for name in (*module, *(alias.name for alias in node.names))}
            found += [f"{node.lineno}: import {name}" for name in names & RUN_CODE_WHEN_OPENED]
        elif isinstance(node, ast.Call) and (problem := problem_of(node, safe_loaders)):
            found.append(f"{node.lineno}: {problem}")
    return found


def problem_of(call: ast.Call, safe_loaders: set[str]) -> str:
    """Of one call, "" if there is none."""
    name = dotted(call.func)
    given = {
        word.arg: word.value.value if isinstance(word.value, ast.Constant) else dotted(word.value)
        for word in call.keywords
    }
    if name == "yaml.load":
        return "" if given.get("Loader") in safe_loaders else "yaml.load without a SafeLoader"
    if name in FORBIDDEN_CALLS:
        return name
    if name in REQUIRED_ARGUMENTS:
        argument, value = REQUIRED_ARGUMENTS[name]
        return "" if given.get(argument) is value else f"{name} without {argument}={value}"
    return "shell=True" if given.get("shell") is True else ""


@every_file
def test_nothing_runs_code_that_came_with_data(path):
    assert violations(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "def f():\n    import joblib",
        "import torchvision.datasets",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.save(path, x)",
        "eval('1')",
        "exec(text)",
        "yaml.load(text, Loader=L)",
        "class L(yaml.Loader): pass\nyaml.load(text, Loader=L)",
        "subprocess.run(command, shell=True)",
        "torch.save(x, path)",
    ],
)
def test_the_check_sees(source):
    assert len(violations(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "network.eval()",
        "torch.load(path, weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "yaml.safe_load(text)",
        "class L(yaml.SafeLoader): pass\nyaml.load(text, Loader=L)",
        "re.compile('a')",
    ],
)
def test_the_check_lets_pass(source):
    assert violations(source) == []


def bare_excepts(path: Path) -> list[int]:
    handlers = [
        node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ExceptHandler)
    ]
    return [node.lineno for node in handlers if node.type is None]


@every_file
def test_no_error_is_swallowed_without_its_name(path):
    assert bare_excepts(path) == []


def test_constraints_are_names_and_versions_only():
    path = ROOT / "constraints.txt"
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    entries = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert entries
    for line in entries:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!]*", line), line
    assert len({line.partition("==")[0].lower() for line in entries}) == len(entries)
