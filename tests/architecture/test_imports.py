"""Imports point down, in three layers: mathematics, the run, and what stands around a run."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest
from sources import FILES, MODULES, ROOT, SRC, imports, name_of, own

LAYERS = {
    1: """algorithm losses penalties latents ema schedules networks metrics theory augment
          dirac""",
    2: """errors files config components adaptation optimizers build checkpoint run recorder tracking saving
          trainer sampling opening evaluation acceleration distributed data referee odds plugins
          drawing memory system_memory progress_picture settings_text fine_tuning compatibility features
          download""",
    3: """recipes explore export lab report cli web estimator doctor branching loss_doctor planning
          comparison""",
}
LAYER = {name: layer for layer, names in LAYERS.items() for name in names.split()}
# Layer 1 imports torch and the standard library; these also numpy, for arrays that no network has seen.
MAY_IMPORT_NUMPY = ("metrics", "theory")
THE_API = ""  # the package's __init__ re-exports from every layer
# The import name where it is not the distribution's.
DISTRIBUTIONS = {"PIL": "pillow", "yaml": "pyyaml"}


def layer_of(module: str) -> int | None:
    """By the longest prefix that the table names."""
    parts = module.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((LAYER[prefix] for prefix in prefixes if prefix in LAYER), None)


def third_party(path) -> set[tuple[int, str]]:
    """(line, package) of imports from neither this package nor the standard library."""
    packages = {(line, name.partition(".")[0]) for line, name in imports(path) if own(name) is None}
    return {(line, package) for line, package in packages if package not in sys.stdlib_module_names}


@pytest.mark.parametrize("module", [m for m in MODULES if m != THE_API])
def test_every_module_has_a_layer(module):
    assert layer_of(module), f"{module} stands in no layer: add it to LAYERS"


@pytest.mark.parametrize("module", [m for m in MODULES if m != THE_API])
def test_imports_point_down(module):
    upward = [
        f"line {line}: {target}"
        for line, name in imports(MODULES[module])
        if (target := own(name)) and (layer_of(target) or 0) > (layer_of(module) or 9)
    ]
    assert not upward, f"{module} (layer {layer_of(module)}) imports from above: {upward}"


@pytest.mark.parametrize("module", [m for m in MODULES if layer_of(m) == 1])
def test_the_mathematics_imports_torch_and_its_own_layer_only(module):
    allowed = {"torch", "numpy"} if module.startswith(MAY_IMPORT_NUMPY) else {"torch"}
    others = {package for _, package in third_party(MODULES[module])} - allowed
    assert not others
    beside = {target for _, name in imports(MODULES[module]) if (target := own(name)) is not None}
    assert {layer_of(target) for target in beside} <= {1}


@pytest.mark.parametrize("package", ["cli", "web"])
def test_nothing_imports_the_command_line_or_the_web(package):
    importers = {
        f"{name_of(path)} line {line}"
        for path in FILES
        for line, name in imports(path)
        if (own(name) or "").partition(".")[0] == package and name_of(path).partition(".")[0] != package
    }
    assert not importers


def test_no_circle_among_the_packages_modules():
    graph = {
        module: {target for _, name in imports(path) if (target := own(name)) and target != module}
        for module, path in MODULES.items()
        if module != THE_API
    }
    # what a package's __init__ re-exports from its own modules is no circle
    graph = {
        m: {t for t in ts if not t.startswith(f"{m}.") and not m.startswith(f"{t}.")}
        for m, ts in graph.items()
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"circle: {' → '.join((*path, module))}"
        if module not in done:
            for target in graph.get(module, ()):
                visit(target, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    requirements = [*project["dependencies"], *(entry for extra in extras for entry in extra)]
    return {re.split(r"[^A-Za-z0-9._-]", entry)[0].lower() for entry in requirements}


@pytest.mark.parametrize("module", MODULES)
def test_every_third_party_import_is_a_declared_dependency(module):
    names = declared()
    unknown = {p for _, p in third_party(MODULES[module]) if DISTRIBUTIONS.get(p, p).lower() not in names}
    assert not unknown, f"{module} imports {unknown}, which pyproject.toml does not declare"


def test_the_command_line_starts_without_torch():
    code = (
        "import sys, evenodds.cli.main; print(*sorted({'torch', 'numpy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SRC.parent
    )
    assert done.stdout.split() == []
