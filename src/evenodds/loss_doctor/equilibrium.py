"""Whether the game of a loss comes to rest where the samples are the data: the Dirac-GAN of `..dirac`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from ..dirac import DiracGAN, Point, eigenvalues
from ..losses import AdversarialLoss
from ..penalties import R1
from .findings import Finding

GAMMA = 1.0  # R1's weight
STEPS, START = 500, (1.0, 1.0)
PATHS = ("simultaneous", "G, D")
NEUTRAL = 1e-6  # real parts within are 0
Stability = Literal["converges", "circles", "leaves", "stands"]


class Dirac(NamedTuple):
    """A loss on one point.

    Args:
        eigenvalues: of the field at the equilibrium.
        stability: what they mean for small steps.
        paths: schedule -> θ and ψ after every iteration.
    """

    eigenvalues: tuple[complex, ...]
    stability: Stability
    paths: dict[str, list[Point]]

    def radii(self) -> dict[str, float]:
        """How far each path ends from the equilibrium; infinite where it ran away."""
        ends = {name: math.hypot(*path[-1]) for name, path in self.paths.items()}
        return {name: end if math.isfinite(end) else math.inf for name, end in ends.items()}


def stability(values: Sequence[complex]) -> Stability:
    """What the eigenvalues of a two-player field say of its equilibrium, Mescheder et al. (2018), section 3.

    An eigenvalue 0 that is no rotation means a direction without force: a player that is not moved.
    """
    if any(value.real > NEUTRAL for value in values):
        return "leaves"
    if any(abs(value) <= NEUTRAL for value in values):
        return "stands"
    return "circles" if any(abs(value.real) <= NEUTRAL for value in values) else "converges"


def play_dirac(loss: AdversarialLoss, *, offset: float, r1: float) -> Dirac:
    """The loss on one point.

    Args:
        loss: to test.
        offset: the constant at which D rests.
        r1: weight of R1; 0 for none.
    """
    method = DiracGAN(loss, {"r1": R1(weight=r1)} if r1 else {}, offset=offset)
    values = eigenvalues(method.field)
    return Dirac(values, stability(values), {name: method.path(name, STEPS, START) for name in PATHS})


def check_dirac(free: Dirac, regularized: Dirac) -> list[Finding]:
    """What becomes of the game without a penalty, and with R1."""
    with_r1 = f"with R1 (weight {GAMMA:g})"
    if regularized.stability != "converges":
        text = f"{_seen(regularized)}: {_MEANING[regularized.stability]}"
        found = Finding(with_r1, "bad", f"{text}; R1 does not help, the loss itself has to change")
    else:
        found = Finding(with_r1, "good", f"{_seen(regularized)}: it converges")
    text = f"{_seen(free)}: {_MEANING[free.stability]}"
    if free.stability == "circles":
        needs = "needs R1" if regularized.stability == "converges" else "and R1 does not help"
        return [Finding("without a penalty", "note", f"{text}, {needs}"), found]
    return [Finding("without a penalty", "good" if free.stability == "converges" else "bad", text), found]


_MEANING: dict[Stability, str] = {
    "converges": "it converges",
    "circles": "it oscillates around the equilibrium",
    "leaves": "it diverges from the equilibrium",
    "stands": "a player is not moved at all near the equilibrium",
}


def _seen(dirac: Dirac) -> str:
    """Eigenvalues, and where the paths end."""
    start = math.hypot(*START)
    ends = dirac.radii()
    moved = ", ".join(f"{ends[name]:.2g} {words}" for name, words in zip(PATHS, _WAYS, strict=True))
    return (
        f"eigenvalues {in_words(dirac.eigenvalues)}; from radius {start:.2f} to {moved} after {STEPS} steps"
    )


_WAYS = ("when both move at once", "in turns")


def in_words(values: Sequence[complex]) -> str:
    """±0.5i, −0.5 ± 0.866i, −0.5 twice, or −1.87 and −0.134: two eigenvalues of a real matrix."""
    low, high = (_rounded(value.real) for value in values)
    turn = _rounded(abs(values[0].imag))
    if turn != "0":
        return f"±{turn}i" if low == "0" else f"{low} ± {turn}i"
    return f"{low} twice" if low == high else f"{low} and {high}"


def _rounded(part: float) -> str:
    """Three digits with a real minus sign; 0 where it is one but for rounding."""
    return "0" if abs(part) < NEUTRAL else f"{part:.3g}".replace("-", "−")
