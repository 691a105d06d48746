"""`evenodds recipes`"""

from __future__ import annotations

from .text import command, wrapped


def recipes(name: str | None = None, /) -> int:
    """List the recipes, or print one.

    Args:
        name: of the recipe to print; what is printed is a complete YAML file for: evenodds train FILE.yaml
    """
    from ..recipes import describe, recipe_names, recipe_text

    if name is not None:
        print(recipe_text(name), end="")
        return 0
    for known in recipe_names():
        print(known)
        print(wrapped(describe(known).partition("\n")[0], "  "))
    first = recipe_names()[0]
    print(f"\nTo read one: {command('recipes', first)}; to train it: {command('train', first)}")
    return 0
