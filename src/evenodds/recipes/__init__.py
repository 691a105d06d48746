"""Complete configurations by name, each named after its method and its data."""

from __future__ import annotations

from importlib import resources

import yaml

from ..config import Config, config_from
from ..errors import ConfigError, suggest


def recipe_names() -> list[str]:
    """The names of all recipes, in alphabetical order."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def recipe(name: str) -> Config:
    """The configuration of that name.

    Raises:
        ConfigError: there is none; the nearest one is named.
    """
    return config_from(yaml.safe_load(recipe_text(name)), f"recipe {name!r}")


def recipe_text(name: str) -> str:
    """The recipe as it is written, with its comments.

    Raises:
        ConfigError: there is none; the nearest one is named.
    """
    names = recipe_names()
    # Looked up in the list, never joined to a path as given: a name can't lead out of the folder.
    if name not in names:
        raise ConfigError(f"there is no recipe {name!r}{suggest(name, names)}")
    return (resources.files(__package__) / f"{name}.yaml").read_text(encoding="utf-8")


def describe(name: str) -> str:
    """What the recipe's opening comment says of it, in one paragraph whose first line is its title.

    Raises:
        ConfigError: there is no such recipe.
    """
    lines = []
    for line in recipe_text(name).splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip())
    return "\n".join(lines)
