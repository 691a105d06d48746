"""Running a Python file that the user names, on purpose; whatever it raises becomes one sentence."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import textwrap
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from .errors import ConfigError


def run_file(path: Path, module_name: str, defines: str) -> ModuleType:
    """Run a Python file and return its module.

    Args:
        path: the file.
        module_name: that it gets.
        defines: what it should define, for messages: "a loss".

    Raises:
        ConfigError: there is no such file, or it fails; the line is named.
    """
    if not path.is_file():
        raise ConfigError(f"{path} does not exist; give a Python file that defines {defines}")
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} can't be imported; give a Python file that defines {defines}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up
    with blaming(path):
        spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Whatever code of the file raises becomes one sentence with its line."""
    try:
        yield
    except SyntaxError as error:
        where = f"{error.filename or path}, line {error.lineno}"
        raise ConfigError(f"{where}: {_reason(error.msg)}; correct the file") from None
    except (Exception, SystemExit) as error:  # anything at all may stand in someone else's file
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path
        ]
        where = f"{path}, line {frames[-1].lineno}" if frames else str(path)
        raise ConfigError(f"{where}: {type(error).__name__}: {_reason(error)}; correct the file") from None


def _reason(error: object) -> str:
    return textwrap.shorten(str(error), 200) or "no reason given"
