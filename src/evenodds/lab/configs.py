"""The games of the lab: one configuration for each density it draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import Config, config_from
from ..errors import ConfigError, suggest
from ..recipes import recipe

ON_THE_LINE: Mapping[str, Any] = {
    "generator": {"network": {"name": "mlp", "widths": [64, 64, 64], "activation": "elu"}},
    "discriminator": {"network": {"name": "mlp", "widths": [64, 64, 64], "activation": "elu"}},
    "prior": {"name": "uniform", "dim": 1, "bound": 2.0},
    "loss": "non_saturating",
    "batch_size": 256,
    "critic_steps": 2,
    "examples": 1_000_000,
}
QUIET = {  # the lab draws its own pictures and measures for itself
    "metrics": [], "metrics_every": "never", "samples_every": "never", "referee": False,
    "report_every": 25_600, "checkpoint_every": 256_000, "device": "cpu", "threads": 1,
}  # fmt: skip
LINE = ("gaussian", "gaussian_mixture")
PLANE = ("ring", "grid", "spiral", "swiss_roll", "two_moons", "checkerboard")
LABS = (*LINE, *PLANE)


def lab_config(density: str) -> Config:
    """The game that the lab plays on the density of that name.

    Raises:
        ConfigError: there is none; the nearest one is named.
    """
    if density == "points":
        raise ConfigError(
            f"the lab draws densities, and single points have none; choose one of: {', '.join(sorted(LABS))}"
        )
    if density not in LABS:
        raise ConfigError(f"the lab knows no density {density!r}{suggest(density, LABS)}")
    values = _on_the_line() if density in LINE else _in_the_plane(density)
    return config_from({**values, **QUIET, "recipe": f"lab-{density}", "data": {"name": density}})


def _on_the_line() -> dict[str, Any]:
    """Small smooth players, a uniform z of one coordinate as in the paper's figure, Adam to a standstill."""
    until = ON_THE_LINE["examples"]
    players = {}
    # D goes on learning while G comes to rest, so that it ends near its best: Heusel et al. (2017)
    for name, start, end in (("generator", 1e-3, 1e-5), ("discriminator", 2e-3, 2e-4)):
        rate = {"name": "cosine", "start": start, "end": end, "until": until}
        adam = {"name": "adam", "learning_rate": rate, "beta1": 0.0, "beta2": 0.99}
        players[name] = {**ON_THE_LINE[name], "optimizer": adam}
    return {**ON_THE_LINE, **players}


def _in_the_plane(density: str) -> dict[str, Any]:
    """The recipe of the ring or the grid; for the rest that of the ring, whose scale theirs is."""
    name = "gan-grid" if density in ("grid", "checkerboard") else "gan-ring"
    return recipe(name).model_dump(mode="json")
