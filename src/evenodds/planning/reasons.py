"""What a plan has chosen, and why, in a line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..config import Config
from ..data.advice import Advice
from .candidates import PASSES, Candidate, Variant, examples_needed, passes
from .choice import Budget, Engine


class Reason(NamedTuple):
    """One choice.

    Args:
        what: that was chosen, such as batch.
        value: of it.
        why: a phrase.
        settings: that it stands for; where the user has set one of them, the choice was not the plan's.
    """

    what: str
    value: str
    why: str
    settings: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """What a plan was made from.

    Args:
        candidate: the row of the table.
        advice: about the data.
        budget: of the run.
        resizable: whether the size was the plan's to choose.
        fixed: whether the user gave a recipe.
        engines: examples a second of the first variant, by how the machine is used.
        rates: examples a second of every variant that was measured.
    """

    candidate: Candidate
    advice: Advice
    budget: Budget
    resizable: bool
    fixed: bool
    engines: Mapping[Engine, float]
    rates: Mapping[Variant, float]


def reasons(known: Known, config: Config, variant: Variant, rate: float, beside: float) -> list[Reason]:
    """Every choice of a plan.

    Args:
        known: what it was made from.
        config: the outcome.
        variant: that was chosen.
        rate: examples a second in training steps.
        beside: seconds that reports, pictures and checkpoints take.
    """
    advice, base = known.advice, known.candidate.recipe
    found = [_network(known, config, variant)]
    if advice.size:
        found.append(Reason("size", _by(variant), _why_size(known, variant), ("data.size",)))
    found.append(
        Reason("batch", f"{config.batch_size} examples", f"as recipe {base} has it", ("batch_size",))
    )
    if advice.size and not known.fixed:
        told = "both players see the labels" if config.conditional else "labels are not used"
        found.append(Reason("labels", told, advice.conditional_reason, ("conditional",)))
        found.append(Reason("mirror", "yes" if config.mirror else "no", advice.mirror_reason, ("mirror",)))
        found.append(_augment(known, config))
        found.append(_penalties(config, variant, base))
    grows = _ends(config.ema_half_life)
    why = "the average forgets its start sooner at first (Karras et al. 2020)"
    found.append(Reason("average", f"half-life {grows} examples", why, ("ema_half_life",)))
    return [*found, _engine(known, config), _length(known, config, rate, beside)]


def _network(known: Known, config: Config, variant: Variant) -> Reason:
    name = config.generator.network["name"]
    value = f"{name}, width {variant.channels}" if variant.channels else name
    why = known.candidate.why
    return Reason("networks", value, why, ("recipe", "generator.network", "discriminator.network"))


def _why_size(known: Known, variant: Variant) -> str:
    if not known.resizable:
        return "the size of the data"
    need = examples_needed(known.candidate, variant)
    within = known.budget.examples_at(known.rates[variant])
    if within < need:
        return f"the smallest; good pictures need some {need:,.0f} examples, and {within:,} are within reach"
    if (variant.height, variant.width) == known.advice.size:
        return f"what the images offer; {within:,} examples are within reach, good pictures need {need:,.0f}"
    return f"{within:,} examples are within reach; larger images would need more than there is time for"


def _augment(known: Known, config: Config) -> Reason:
    advice, times = known.advice, passes(known.advice, config.examples)
    often = f"every image is seen {times:.0f} times"
    why = (
        f"{often}, too seldom to be learnt by heart"
        if times <= PASSES[advice.augment]
        else (f"{often}, and {advice.augment_reason}")
    )
    value = str(config.augment["name"]) if config.augment else "none"
    return Reason("augmentation", value, why, ("augment",))


def _penalties(config: Config, variant: Variant, base: str) -> Reason:
    weights = ", ".join(
        f"{name} {_ends(options.get('weight', 1.0))}" for name, options in config.penalties.items()
    )
    pixels = variant.height * variant.width / 64**2
    why = f"as recipe {base} has it"
    if variant.channels and pixels != 1:
        why += f", times {pixels:g}: in proportion to the pixels (Karras et al. 2020)"
    return Reason("penalties", weights or "none", why, ("penalties",))


def _engine(known: Known, config: Config) -> Reason:
    threads = "" if config.threads is None else f", {config.threads} thread" + "s" * (config.threads > 1)
    measured = sorted(known.engines.items(), key=lambda item: -item[1])
    told = [
        f"{speed:,.0f}/s in {engine.precision}" + (f" on {engine.threads}" if engine.threads else "")
        for engine, speed in measured
    ]
    why = f"measured: {', '.join(told)}" if len(told) > 1 else "networks so small gain nothing by more"
    return Reason("machine", f"{config.precision}{threads}", why, ("precision", "threads"))


def _length(known: Known, config: Config, rate: float, beside: float) -> Reason:
    value = f"{config.examples:,} examples"
    if known.budget.examples is not None:
        return Reason("length", value, f"{rate:,.0f} a second were measured", ("examples",))
    whole = config.examples / rate + beside
    why = (
        f"{rate:,.0f} a second were measured; reports, pictures and checkpoints take "
        f"{100 * beside / whole:.0f} % of the time, and 5 % are kept in reserve"
    )
    return Reason("length", value, why, ("examples",))


def _ends(value: Any) -> str:
    """3 for a number, 0 → 3 for a schedule."""
    if isinstance(value, Mapping):
        ends = [value[key] for key in ("start", "end") if key in value] or [value.get("value")]
        return " → ".join(f"{end:,g}" for end in ends)
    return f"{value:,g}"


def _by(variant: Variant) -> str:
    return f"{variant.height} × {variant.width} pixels"
