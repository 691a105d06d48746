"""What can be wrong with G: it is dead, collapsed, partly or wholly, swings, copies, or is averaged badly."""

from __future__ import annotations

import itertools
import math

from .history import (
    LONG,
    LOOKS_BACK,
    OFTEN,
    THRESHOLDS,
    Game,
    Line,
    Lines,
    Verdict,
    at,
    distance,
    far,
    first_of,
    improving,
    mean,
    median,
    often,
)


def variety(game: Game) -> str:
    """What brings a collapsed G apart, of what the run does not have yet."""
    settings = [] if game.conditional else ["packing=2"]  # they exclude each other
    settings += [] if game.loss == "relativistic" else ["loss=relativistic"]
    return "raise penalties.r1.weight" + (f", or set {' or '.join(settings)}." if settings else ".")


def dead_generator(lines: Lines, game: Game) -> Verdict | None:
    """Samples that don't move, or don't depend on the latents, far from the data."""
    still = often(lines, lambda line: at(line, "signal/drift") <= THRESHOLDS["dead drift"])
    same = often(lines, lambda line: at(line, "signal/diversity_raw") <= THRESHOLDS["dead diversity"])
    if not (still or same) or not far(lines):
        return None
    what = "samples no longer change" if still else "every latent gives the same sample"
    text = f"G is dead: {what}, {distance(lines[-1])} from the data."
    advice = "Check that generator.optimizer.learning_rate is above 0; start anew with a lower one."
    return Verdict("dead_generator", text, advice, True)


def collapse(lines: Lines, game: Game) -> Verdict | None:
    """Samples are much more alike than data, after having been less so."""
    best = max((value for line in lines[:-OFTEN] if math.isfinite(value := spread(line))), default=0.0)
    bar = min(THRESHOLDS["collapsed"], THRESHOLDS["collapse"] * best)
    if not often(lines, lambda line: spread(line) <= bar):
        return None
    text = (
        f"G has collapsed: two of its samples are {spread(lines[-1]):.2g} times as far apart as two examples "
        f"of the data, and had been {best:.2g} times{_support(lines[-1])}."
    )
    return Verdict(
        "collapse", text, f"Set on_trouble=rollback to go back to before; or {variety(game)}", True
    )


def never_spread(lines: Lines, game: Game) -> Verdict | None:
    """Samples are much more alike than data from the start, and it doesn't get better."""
    found = [spread(line) for line in lines[-LONG:]]
    if len(found) < LONG or not all(value <= THRESHOLDS["collapsed"] for value in found):
        return None
    if sum(found[-2:]) > THRESHOLDS["spreading"] * sum(found[:2]):
        return None
    text = (
        f"G has been making little else than one sample for {LONG} reports: two are {found[-1]:.2g} times as "
        f"far apart as two examples of the data{_support(lines[-1])}."
    )
    return Verdict("collapse", text, _sentence(variety(game)), True)


def spread(line: Line) -> float:
    """Distance of two samples over that of two examples of the data, of the newest generator."""
    return first_of(line, "signal/diversity_raw", "signal/diversity")


def partial_collapse(lines: Lines, game: Game) -> Verdict | None:
    """Samples miss a part of the data that they had reached before, or never reach it."""
    best = least_imbalance(lines[:-OFTEN])
    bar = max(THRESHOLDS["unbalanced"], THRESHOLDS["imbalance"] + best)
    if not (often(lines, lambda line: imbalance(line) >= bar) or _never_reached(lines)):
        return None
    reached = at(lines[-1], "signal/coverage")
    text = (
        f"G misses a part of the data: {100 * imbalance(lines[-1]):.0f} % of its samples would have to be "
        f"others for the shares to be right; they reach {100 * min(reached, 1):.0f} % of the clusters that "
        "data reach."
    )
    return Verdict("partial_collapse", text, _sentence(variety(game)), True)


def imbalance(line: Line) -> float:
    """Total variation between samples and data over the clusters, mean of both generators for less noise."""
    both = [at(line, "signal/balance"), at(line, "signal/balance_raw")]
    found = [value for value in both if math.isfinite(value)]
    return mean(found) if found else math.nan


def least_imbalance(lines: Lines) -> float:
    """The least so far, over three reports that follow each other; infinite where there are fewer."""
    values = [value for line in lines if math.isfinite(value := imbalance(line))]
    return min((mean(values[start : start + 3]) for start in range(len(values) - 2)), default=math.inf)


def _never_reached(lines: Lines) -> bool:
    """Though training goes on for long, and without gain."""
    balance = [imbalance(line) for line in lines[-LONG:]]
    if len(lines) < 2 * LONG or not all(value >= THRESHOLDS["stuck"] for value in balance):
        return False
    half = LONG // 2
    return mean(balance[half:]) >= THRESHOLDS["improving"] * mean(balance[:half])


def oscillation(lines: Lines, game: Game) -> Verdict | None:
    """Samples go on moving far, to and fro, and get no nearer to the data."""
    window = lines[-LONG:]
    # of the nearer one: a G that moves about the data has an average that lies among them
    energy = [
        min(
            first_of(line, "signal/energy", "signal/energy_raw"),
            first_of(line, "signal/energy_raw", "signal/energy"),
        )
        for line in window
    ]
    moves = [drift for line in window if math.isfinite(drift := at(line, "signal/drift"))]
    if len(window) < LONG or len(moves) < LONG - 1 or not min(energy) >= THRESHOLDS["far"]:
        return None
    half = LONG // 2
    if median(energy[half:]) < THRESHOLDS["improving"] * median(energy[:half]):
        return None
    # a G that runs away from a D that stands still moves straight on
    back = [value for line in window if math.isfinite(value := at(line, "signal/return"))]
    if not back or median(moves) < THRESHOLDS["swinging"] or mean(back) < THRESHOLDS["returning"]:
        return None
    text = (
        f"The players chase each other: samples move {at(lines[-1], 'signal/drift'):.2g} times the data's "
        f"spread between two reports, for {LONG} reports now, and come no nearer "
        f"({distance(lines[-1])} away)."
    )
    penalty = "wgan_gp" if game.loss == "wasserstein" else "r1"
    advice = f"Lower both learning rates, set beta1=0, or add penalties.{penalty}."
    return Verdict("oscillation", text, advice, True)


def memorization(lines: Lines, game: Game) -> Verdict | None:
    """The nearest example of far too many samples is one of the training data, not a held-out one."""
    found = [z for line in lines[-LOOKS_BACK:] if math.isfinite(z := at(line, "signal/memorization"))]
    if not found or found[-1] < THRESHOLDS["copies"]:
        return None
    text = (
        f"G repeats its training data: samples are nearer to it than to held-out data (z = {found[-1]:.1f})."
    )
    advice = "Add training data, or stop earlier: an older checkpoint may copy less."
    return Verdict("memorization", text, advice, True)


def slow_average(lines: Lines, game: Game) -> Verdict | None:
    """The averaged generator is far behind the newest."""

    def behind(line: Line) -> bool:
        averaged, newest = at(line, "signal/energy"), at(line, "signal/energy_raw")
        floor = at(line, "signal/energy_floor")
        return averaged >= THRESHOLDS["lagging"] * max(newest, floor)

    if len(lines) < LONG or not all(behind(line) for line in lines[-LOOKS_BACK:]):
        return None
    averaged, newest = at(lines[-1], "signal/energy"), at(lines[-1], "signal/energy_raw")
    text = f"The averaged generator lags: {averaged:.2g} from the data, the newest one {newest:.2g}."
    return Verdict("ema_slow", text, "Lower ema_half_life.", False)


def fast_average(lines: Lines, game: Game) -> Verdict | None:
    """The averaged generator shakes as much as the newest one."""
    window = lines[-LONG:]
    newest = [at(line, "signal/energy_raw") for line in window]
    averaged = [at(line, "signal/energy") for line in window]
    if len(window) < LONG or not all(map(math.isfinite, newest + averaged)) or improving(lines):
        return None
    if not _shake(newest) >= THRESHOLDS["shaking"] or mean(newest) < 3 * at(lines[-1], "signal/energy_floor"):
        return None
    if mean(averaged) < mean(newest) / THRESHOLDS["lagging"]:
        return None
    text = f"The generator's quality shakes from report to report ({min(newest):.2g} to {max(newest):.2g})"
    return Verdict("ema_fast", text + ", and so does the average.", "Raise ema_half_life.", False)


def batch_norm(lines: Lines, game: Game) -> Verdict | None:
    """Batch norm's running averages give other samples than its batches do."""
    bar = THRESHOLDS["batch norm"]
    if not often(lines, lambda line: at(line, "signal/batch_norm") >= bar * at(line, "signal/energy_floor")):
        return None
    text = f"G's samples in training differ from those outside by {at(lines[-1], 'signal/batch_norm'):.2g}"
    advice = "Raise batch_size, or do without: batch_norm=false in an mlp, norm=pixel in a dcgan."
    return Verdict("batch_norm", text + ": batch norm's running averages don't fit.", advice, False)


def _support(line: Line) -> str:
    size = at(line, "signal/support")
    return f"; about {max(size, 1):,.0f} different ones" if math.isfinite(size) else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _shake(values: list[float]) -> float:
    """How far they rise from one to the next, over their mean; what only falls doesn't shake."""
    rises = [max(after - before, 0.0) for before, after in itertools.pairwise(values)]
    return mean(rises) / mean(values) if mean(values) > 0 else 0.0
