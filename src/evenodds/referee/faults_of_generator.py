"""What can be wrong with G: it is dead, collapsed, partly or wholly, swings, copies, or is averaged badly."""

from __future__ import annotations

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
    often,
    smoothed,
)

VARIETY = "raise penalties.r1.weight, or set packing=2 or loss=relativistic."


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
    spread = [first_of(line, "signal/diversity_raw", "signal/diversity") for line in lines]
    best = max((value for value in spread[:-OFTEN] if math.isfinite(value)), default=0.0)
    bar = min(THRESHOLDS["collapsed"], THRESHOLDS["collapse"] * best)
    if sum(value <= bar for value in spread[-LOOKS_BACK:]) < OFTEN:
        return None
    text = f"G has collapsed: two samples are {spread[-1]:.2g} times as far apart as two examples of the data"
    text += f", and had been {best:.2g} times." + _support(lines[-1])
    return Verdict("collapse", text, f"Go back to before; then {VARIETY}", True)


def never_spread(lines: Lines, game: Game) -> Verdict | None:
    """Samples are much more alike than data from the start, and it doesn't get better."""
    spread = [first_of(line, "signal/diversity_raw", "signal/diversity") for line in lines[-LONG:]]
    if len(spread) < LONG or not all(value <= THRESHOLDS["collapsed"] for value in spread):
        return None
    if sum(spread[-2:]) > 1.15 * sum(spread[:2]):
        return None
    text = f"G makes little else than one sample: two are {spread[-1]:.2g} times as far apart as two examples"
    text += f" of the data, for {LONG} reports now.{_support(lines[-1])}"
    return Verdict("collapse", text, VARIETY.capitalize(), True)


def partial_collapse(lines: Lines, game: Game) -> Verdict | None:
    """Samples miss a part of the data that they had reached before, or never reach it."""
    balance = smoothed(lines[:-OFTEN], "signal/balance")
    covered = smoothed(lines[:-OFTEN], "signal/coverage")
    bar = max(THRESHOLDS["unbalanced"], THRESHOLDS["imbalance"] + min(balance, default=math.inf))
    floor = min(THRESHOLDS["uncovered"], max(covered, default=0.0) - THRESHOLDS["lost coverage"])

    def lost(line: Line) -> bool:
        return at(line, "signal/balance") >= bar or at(line, "signal/coverage") <= floor

    if not (often(lines, lost) or _never_reached(lines)):
        return None
    reached, off = at(lines[-1], "signal/coverage"), at(lines[-1], "signal/balance")
    text = (
        f"G misses a part of the data: its samples reach {100 * min(reached, 1):.0f} % of the clusters that "
        f"data reach, and {100 * off:.0f} % of them would have to be others for the shares to be right."
    )
    return Verdict("partial_collapse", text, VARIETY.capitalize(), True)


def _never_reached(lines: Lines) -> bool:
    """For twice LONG reports, the last half of them without gain."""
    balance = [at(line, "signal/balance") for line in lines[-LONG:]]
    if len(lines) < 2 * LONG or not all(value >= THRESHOLDS["stuck"] for value in balance):
        return False
    half = LONG // 2
    return mean(balance[half:]) >= THRESHOLDS["improving"] * mean(balance[:half])


def oscillation(lines: Lines, game: Game) -> Verdict | None:
    """Samples go on moving far, and get no nearer to the data."""
    window = lines[-LONG:]
    energy = [first_of(line, "signal/energy_raw", "signal/energy") for line in window]
    moves = [drift for line in window if math.isfinite(drift := at(line, "signal/drift"))]
    if len(window) < LONG or len(moves) < LONG - 1 or not min(energy) >= THRESHOLDS["far"]:
        return None
    half = LONG // 2
    if mean(energy[half:]) < THRESHOLDS["improving"] * mean(energy[:half]):
        return None
    if sorted(moves)[len(moves) // 2] < THRESHOLDS["swinging"]:
        return None
    text = (
        f"The players chase each other: samples move {moves[-1]:.2g} times the data's spread between two "
        f"reports, for {LONG} reports now, and come no nearer ({distance(lines[-1])} away)."
    )
    advice = "Lower both learning rates, set beta1=0, or add penalties.r1 (wgan_gp where loss=wasserstein)."
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
    floor = at(lines[-1], "signal/energy_floor")
    shakes = _deviation(newest) >= THRESHOLDS["shaking"] * mean(newest) and mean(newest) >= 3 * floor
    if not shakes or mean(averaged) < mean(newest) / THRESHOLDS["lagging"]:
        return None
    text = f"The generator's quality shakes from report to report ({min(newest):.2g} to {max(newest):.2g})"
    return Verdict("ema_fast", text + ", and so does the average.", "Raise ema_half_life.", False)


def batch_norm(lines: Lines, game: Game) -> Verdict | None:
    """Batch norm's running averages give other samples than its batches do."""
    bar = THRESHOLDS["batch norm"]
    if not often(lines, lambda line: at(line, "signal/batch_norm") >= bar * at(line, "signal/energy_floor")):
        return None
    text = f"G's samples in training differ from those outside by {at(lines[-1], 'signal/batch_norm'):.2g}"
    advice = "Raise batch_size, or set batch_norm=false in generator.network."
    return Verdict("batch_norm", text + ": batch norm's running averages don't fit.", advice, False)


def _support(line: Line) -> str:
    size = at(line, "signal/support")
    return f"; about {max(size, 1):,.0f} different ones." if math.isfinite(size) else "."


def _deviation(values: list[float]) -> float:
    middle = mean(values)
    return math.sqrt(mean([(value - middle) ** 2 for value in values]))
