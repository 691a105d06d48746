"""Settings as YAML holds them: read, written, changed by `key.sub=value`, and compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from .errors import ConfigError


class Loader(yaml.SafeLoader):
    """YAML in which 1e-4 is a number, as everywhere else."""


class Dumper(yaml.SafeDumper):
    """Its counterpart, which quotes a text "1e-4"."""


_FLOAT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
for _class in (Loader, Dumper):
    _class.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789"))
# PyYAML raises whatever a conversion raises: ValueError for 2001-13-01, KeyError for !!bool 2, and so on
YAML_ERRORS = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError)


def from_yaml(text: str) -> Any:
    """What YAML text holds; the loader inherits from SafeLoader, so it makes nothing but plain data."""
    return _copied(yaml.load(text, Loader=Loader))


def override(values: Mapping[str, Any], assignments: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """`values` with `key.sub=value` assignments applied; a component whose name changes loses its options.

    Raises:
        ConfigError: an assignment without "=", or a path through something that has no parts.
    """
    result: dict[str, Any] = _copied(values)
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path.strip():
            raise ConfigError(f"--set {assignment!r} is no assignment; write --set key=value")
        _assign(result, path.strip().split("."), _parsed(text), assignment)
    return result


def differences(old: BaseModel, new: BaseModel, *, ignoring: frozenset[str] = frozenset()) -> list[str]:
    """`setting: old -> new` for every setting that differs."""
    flat_old, flat_new = _flat(old.model_dump(mode="json")), _flat(new.model_dump(mode="json"))
    return [
        f"{key}: {flat_old.get(key, 'absent')} -> {flat_new.get(key, 'absent')}"
        for key in sorted(flat_old.keys() | flat_new.keys())
        if flat_old.get(key) != flat_new.get(key) and key not in ignoring
    ]


def _assign(values: dict[str, Any], keys: list[str], value: object, assignment: str) -> None:
    *parents, last = keys
    for key in parents:
        below = values.setdefault(key, {})
        if isinstance(below, str):
            below = values[key] = {"name": below}
        if not isinstance(below, dict):
            raise ConfigError(f"--set {assignment!r}: {key!r} has no parts; write --set {key}=value")
        values = below
    if last == "name" and "name" in values and values["name"] != value:
        values.clear()  # another component: the options were the old one's
    values[last] = value


def _parsed(text: str) -> object:
    """As YAML; what is none, such as a broken bracket, is a text."""
    try:
        return from_yaml(text)
    except YAML_ERRORS:
        return text


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, (list, tuple)) else value


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and (value or not prefix):
            flat |= _flat(value, f"{prefix}{key}.")
        else:  # {} counts below the top: it may be a penalty whose options are all left at their defaults
            flat[prefix + key] = value
    return flat
