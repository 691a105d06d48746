"""What can be wrong with D: it has learnt nothing, leaves nothing to learn, or knows its data by heart."""

from __future__ import annotations

import math

from .history import (
    OFTEN,
    THRESHOLDS,
    Game,
    Line,
    Lines,
    Verdict,
    at,
    distance,
    far,
    improving,
    often,
)

POOLED = 6  # reports of r_v
IDLE_LOSS = {  # what a D that says the same of everything has to pay at least
    "minimax": 2 * math.log(2),
    "non_saturating": 2 * math.log(2),
    "wasserstein": 0.0,
    "hinge": 2.0,
    "least_squares": 0.25,
    "relativistic": math.log(2),
}


def lazy_discriminator(lines: Lines, game: Game) -> Verdict | None:
    """D's loss is no better than a coin's, though samples are far from the data and stay there."""
    if improving(lines) or not far(lines):
        return None
    if not often(lines, lambda line: idleness(line, game) >= THRESHOLDS["idle loss"]):
        return None
    loss, coin = at(lines[-1], "loss/discriminator"), game.scale * IDLE_LOSS[game.loss]
    text = (
        f"D has learnt nothing: its loss, {loss:.3g}, is no better than a coin's, {coin:.3g}, though samples "
        f"are {distance(lines[-1])} from the data."
    )
    advice = "Raise discriminator.optimizer.learning_rate or critic_steps."
    return Verdict("lazy_discriminator", text, advice, True)


def idleness(line: Line, game: Game) -> float:
    """D's loss over that of a D which says the same of everything; NaN for a loss that is not known.

    The Wasserstein loss of such a D is 0: there, 1 plus D's loss.
    """
    coin = game.scale * IDLE_LOSS.get(game.loss, math.nan)
    loss = at(line, "loss/discriminator")
    return loss / coin if coin else 1 + loss


def strong_discriminator(lines: Lines, game: Game) -> Verdict | None:
    """D tells all apart, held-out data included, and G gets no nearer."""

    def saturated(line: Line) -> bool:
        flat = at(line, "signal/gradient") <= THRESHOLDS["saturated slope"]
        return flat and at(line, "gauge/jsd") >= THRESHOLDS["saturated jsd"]

    won = often(lines, lambda line: saturated(line) or at(line, "gauge/jsd") >= THRESHOLDS["strong jsd"])
    # read out, the score of a D that has learnt nothing can tell apart what is far apart
    idle = often(lines, lambda line: idleness(line, game) >= THRESHOLDS["idle loss"])
    if not won or idle or not far(lines) or improving(lines):
        return None
    jsd, slope = at(lines[-1], "gauge/jsd"), at(lines[-1], "signal/gradient")
    text = f"D is too strong: JSD is at least {jsd:.2f} of the possible 0.69 nats and G gets no nearer."
    advice = "Lower critic_steps or discriminator.optimizer.learning_rate, or raise penalties.r1.weight."
    if game.loss == "minimax" and slope <= THRESHOLDS["saturated slope"]:
        text += f" G's loss has gone flat (slope {slope:.2g})."
        advice = "Set loss=non_saturating. " + advice
    return Verdict("strong_discriminator", text, advice, True)


def overfitting(lines: Lines, game: Game) -> Verdict | None:
    """D takes held-out data for something else than training data, by more than chance."""
    ratio, error = by_heart(lines)
    if not ratio - 2 * error >= THRESHOLDS["over-fitting"]:
        return None
    text = (
        f"D knows its training data by heart: held-out data looks to it {100 * min(ratio, 1):.0f} % of the "
        "way from training data to samples."
    )
    advice = "Add training data, raise penalties.r1.weight, or set dropout in discriminator.network."

    def arrived(line: Line) -> bool:
        return at(line, "signal/energy") <= at(line, "signal/energy_floor")

    # no harm is done as long as samples can't be told from held-out data
    return Verdict("overfitting", text, advice, not often(lines, arrived))


def by_heart(lines: Lines) -> tuple[float, float]:
    """r_v of Karras et al. (2020), Eq. 1, pooled over the last reports, with its error; NaN for too few."""
    pairs = [(at(line, "signal/overfit"), at(line, "signal/overfit/error")) for line in lines[-POOLED:]]
    weights = [(ratio, 1 / max(error, 1e-3) ** 2) for ratio, error in pairs if math.isfinite(ratio + error)]
    # beside the first samples, all alike, held-out data is easily told from the training data by chance
    if len(lines) < POOLED or len(weights) < OFTEN:
        return math.nan, math.nan
    total = sum(weight for _, weight in weights)
    return sum(ratio * weight for ratio, weight in weights) / total, 1 / math.sqrt(total)
