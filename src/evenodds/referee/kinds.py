"""The kinds of discriminators that an audit tries."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .evidence import Evidence
from .judges import conv_judge, mlp_judge, parzen_judges
from .probe import FEW_DIMENSIONS, Fitted, Pairs, calibrated, fit

STEPS = 3_000  # of training one discriminator, at most
WINDOW_POINTS = 10_000  # of either kind, in Parzen windows
WIDTHS_JUDGED = 1_000  # examples of either kind that the width of Parzen windows is chosen on

Fit = Callable[[Evidence, int, float], Fitted]  # (evidence, seed, seconds)


def kinds_for(evidence: Evidence, steps: int = STEPS) -> list[tuple[str, Fit]]:
    """Names and ways to fit, the cheapest first, for data of that shape; each in so many steps."""
    shape = evidence.train.real.shape[1:]
    if len(shape) == 3 and min(shape[1:]) >= 4:
        tried = [("MLP 256", _mlp((256,), steps, dropout=0.3)), ("convolutions", _conv(32, steps))]
        own = [("MLP 128", _mlp((128,), steps, dropout=0.5)), ("convolutions", _conv(16, steps))]
    elif len(shape) == 1 and shape[0] <= FEW_DIMENSIONS:
        waves = [(f"MLP 128-128, waves {f:g}", _mlp((128, 128), steps, frequency=f)) for f in (0.5, 2.0, 8.0)]
        tried = [("Parzen windows", _parzen), ("MLP 128-128", _mlp((128, 128), steps)), *waves]
        own = [("Parzen windows", _parzen), ("MLP 64-64", _mlp((64, 64), steps))]
    else:
        tried = [
            ("MLP 128-128", _mlp((128, 128), steps)),
            ("MLP 512-512", _mlp((512, 512), steps, dropout=0.3)),
        ]
        own = [("MLP 64-64", _mlp((64, 64), steps, dropout=0.3))]
    return tried + [(f"{name}, fitted on held-out examples", _on_held_out(make)) for name, make in own]


def _mlp(widths: Sequence[int], steps: int, *, dropout: float = 0.0, frequency: float = 0.0) -> Fit:
    def make(evidence: Evidence, seed: int, seconds: float) -> Fitted:
        real = evidence.train.real
        judge = mlp_judge(real, seed=seed, widths=widths, dropout=dropout, frequency=frequency)
        return fit(judge, evidence.train, evidence.judged, steps=steps, seed=seed, seconds=seconds)

    return make


def _conv(width: int, steps: int) -> Fit:
    def make(evidence: Evidence, seed: int, seconds: float) -> Fitted:
        judge = conv_judge(evidence.train.real, seed=seed, width=width)
        return fit(judge, evidence.train, evidence.judged, steps=steps, seed=seed, seconds=seconds)

    return make


def _parzen(evidence: Evidence, seed: int, seconds: float) -> Fitted:
    """Of several widths the best; a window needs no training."""
    real, fake = (part[:WINDOW_POINTS] for part in evidence.train)
    some = Pairs(*(part[:WIDTHS_JUDGED] for part in evidence.judged))
    windows = parzen_judges(real, fake)
    losses = [calibrated(window.__call__, some).loss for window in windows]
    best = min(range(len(windows)), key=losses.__getitem__)
    return calibrated(windows[best].__call__, evidence.judged)


def _on_held_out(make: Fit) -> Fit:
    return lambda evidence, seed, seconds: make(evidence._replace(train=evidence.held_out), seed, seconds)
