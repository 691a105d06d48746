"""The table of what a plan may train, and how a configuration is made of a row of it.

A row starts from a recipe, whose numbers somebody has tuned; a plan changes the data, the widths, and every
duration in proportion to the length of the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..data.advice import Advice
from ..recipes import recipe
from ..schedules import SCHEDULES

Kind = Literal["images", "vectors"]
HALF_LIVES = 60  # of the averaged generator in a run, as in emoji-64
SHORTEST = 4_000  # half-life in examples, as in emoji-64: averages of less shook in a run of 67,000 emoji
RAMP = 0.05  # the half-life is at most this share of the examples seen (Karras et al. 2020, ADA, appendix C)
# Passes over the data beyond which D is taken to learn them by heart.  Few images: the referee found it after
# 50 passes over 3,225 emoji (recipe emoji-64, one run); for more images a guess.
PASSES = {"none": math.inf, "light": 200.0, "strong": 40.0}


@dataclass(frozen=True)
class Candidate:
    """Something that a plan may train.

    Args:
        name: to call it.
        recipe: that it starts from.
        kind: of the data.
        sides: (least, most) pixels of the shorter side of an image.
        widths: of the networks, ascending; empty for what has none.
        needs: width -> examples at 64 × 64 pixels after which it makes good pictures; 0 for any number.
        accelerator: whether it is only worth it on one.
        why: what it is good for.
    """

    name: str
    recipe: str
    kind: Kind
    sides: tuple[int, int] = (0, 10**6)
    widths: tuple[int, ...] = (0,)
    needs: tuple[int, ...] = (0,)
    accelerator: bool = False
    why: str = ""


# The first that fits the data and the machine is taken.  `needs` of dcgan: faces of emoji were seen after
# 40,000 examples at width 32 (recipe emoji-64); the wider rows are an order of magnitude, no measurement.
CANDIDATES = (
    Candidate("points", "gan-ring", "vectors", why="the data are vectors"),
    Candidate(
        "mlp", "gan-digits", "images", (1, 15), why="images of less than 16 pixels need no convolutions"
    ),
    Candidate(
        "dcgan",
        "emoji-64",
        "images",
        (16, 10**6),
        widths=(32, 64, 128),
        needs=(40_000, 400_000, 4_000_000),
        why="of what was tried on one CPU core, it shows the most after the fewest images",
    ),
)


class Cadence(NamedTuple):
    """How often in a run something is done that is no training."""

    reports: int = 50
    pictures: int = 25
    checkpoints: int = 10


class Variant(NamedTuple):
    """One size of a candidate."""

    height: int
    width: int
    channels: int  # of the networks' first or last hidden map, 0 for what has none

    @property
    def side(self) -> int:
        """Pixels of the shorter side."""
        return min(self.height, self.width)


def candidate_for(advice: Advice, device: str) -> Candidate:
    """The row of the table for these data and this device."""
    kind: Kind = "vectors" if advice.size is None else "images"
    side = min(advice.size) if advice.size else 1
    return next(
        row
        for row in CANDIDATES
        if row.kind == kind
        and (kind == "vectors" or row.sides[0] <= side <= row.sides[1])
        and not (row.accelerator and device == "cpu")
    )


def examples_needed(candidate: Candidate, variant: Variant) -> float:
    """Examples after which such networks make good pictures; in proportion to the side, for larger images."""
    at_64 = dict(zip(candidate.widths, candidate.needs, strict=True)).get(variant.channels, 0)
    return at_64 * max(variant.side / 64, 0.5)


def variants(candidate: Candidate, size: tuple[int, int] | None, *, resizable: bool) -> list[Variant]:
    """All that may be trained, the smallest first: every size down to 16 pixels with every width."""
    height, width = size or (1, 1)
    sizes = [(height, width)]
    while resizable and min(sizes[-1]) >= 32:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    return [Variant(h, w, channels) for h, w in reversed(sizes) for channels in candidate.widths]


def settings(
    candidate: Candidate,
    variant: Variant,
    data: Mapping[str, Any],
    advice: Advice,
    *,
    examples: int,
    cadence: Cadence,
    floats: bool,
    resizable: bool,
) -> dict[str, Any]:
    """The values of a configuration for so many examples.

    Args:
        candidate: the row of the table.
        variant: its size.
        data: component of the data set.
        advice: about the data.
        examples: of the whole run.
        cadence: of its reports, pictures and checkpoints.
        floats: whether the samples have no fixed range.
        resizable: whether the data set takes a size.
    """
    base = recipe(candidate.recipe).model_dump(mode="json")
    values: dict[str, Any] = stretched(base, examples / base["examples"])
    square = variant.height == variant.width
    size = variant.height if square else [variant.height, variant.width]
    values |= {
        "recipe": f"planned-{candidate.name}",
        "data": {**data, "size": size} if resizable else dict(data),
        "conditional": advice.conditional,
        "mirror": advice.mirror,
        "augment": augmentation(advice, examples),
        "examples": examples,
        "ema_half_life": half_life(examples),
        **intervals(examples, values["batch_size"], cadence),
    }
    if floats:
        values["generator"]["network"]["output"] = "linear"
    return _sized(values, variant) | {"metrics": [], "metrics_every": "never"}


def _sized(values: dict[str, Any], variant: Variant) -> dict[str, Any]:
    """With the widths of a variant, and penalties in proportion to its pixels."""
    if variant.channels:
        for player in ("generator", "discriminator"):
            values[player]["network"] |= {"width": variant.channels, "max_width": 8 * variant.channels}
        for penalty in values["penalties"].values():
            penalty["weight"] = times(penalty["weight"], variant.height * variant.width / 64**2)
    return values


def stretched(value: Any, factor: float) -> Any:
    """Settings with every duration of a schedule multiplied by `factor`."""
    if isinstance(value, list):
        return [stretched(item, factor) for item in value]
    if not isinstance(value, Mapping):
        return value
    inside = {key: stretched(item, factor) for key, item in value.items()}
    if inside.get("name") in SCHEDULES:
        scaled = [key for key in ("begin", "until") if inside.get(key)]
        inside |= {key: max(1, round(inside[key] * factor)) for key in scaled}
    return inside


def times(weight: Any, factor: float) -> Any:
    """A number or a schedule, multiplied."""
    if not isinstance(weight, Mapping):
        return weight * factor
    ends = ("value", "start", "end", "minimum")
    return {key: value * factor if key in ends else value for key, value in weight.items()}


def half_life(examples: int) -> dict[str, Any]:
    """Of the averaged generator: grows with the examples seen, to a sixtieth of a long run."""
    longest = max(SHORTEST, examples // HALF_LIVES)
    return {"name": "linear", "start": 0.0, "end": longest, "until": round(longest / RAMP)}


def intervals(examples: int, batch: int, cadence: Cadence) -> dict[str, int]:
    """How often to report, draw and save, in examples."""

    def every(times: int) -> int:
        return max(batch, round(examples / times / batch) * batch)

    return {
        "report_every": every(cadence.reports),
        "samples_every": every(cadence.pictures),
        "checkpoint_every": every(cadence.checkpoints),
    }


def augmentation(advice: Advice, examples: int) -> dict[str, Any] | None:
    """ADA where the data are seen so often that they could be learnt by heart; it finds its own strength."""
    if passes(advice, examples) <= PASSES[advice.augment]:
        return None
    return {"name": "ada", "ramp": max(10_000, examples // 2)}


def passes(advice: Advice, examples: int) -> float:
    """How often every image is seen; a mirror image counts as another."""
    return examples / (advice.examples * (1 + advice.mirror))
