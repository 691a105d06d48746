"""The Dirac-GAN of Mescheder et al. (2018): `python benchmarks/dirac.py`

The data is one point, 0; the generator has one weight, the point θ that it makes; the discriminator one, ψ,
with D(x) = −ψx (these authors give generated examples the positive sign).  The eigenvalues of the game's
gradient field at its equilibrium (0, 0) decide what converges; they and the updates are known in closed form.

Everything here that moves is moved by evenodds' own losses, penalties and steps.  Prints two tables, and
writes results/dirac.json and results/dirac.md.
"""

from __future__ import annotations

import cmath
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from evenodds.dirac import SCHEDULES, DiracGAN, Point, eigenvalues
from evenodds.losses import LOSSES
from evenodds.penalties import R1, R2, Penalties, WassersteinGradientPenalty, WeightClip

RESULTS = Path(__file__).resolve().parent / "results"
STEP, STEPS, START = 0.2, 500, (1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Method:
    """A row of the tables: how evenodds plays it, and what is known about it.

    Args:
        loss: a name in LOSSES.
        penalties: D's.
        theta_dot: (θ, ψ) -> the direction in which G moves.
        psi_dot: (θ, ψ) -> the direction in which D moves.
        bound: of |ψ|, for weight clipping.
        eigenvalues: of the gradient field at (0, 0); empty where the field has no derivative there.
    """

    loss: str
    penalties: Penalties = field(default_factory=dict)
    theta_dot: Callable[[float, float], float]
    psi_dot: Callable[[float, float], float]
    bound: float = math.inf
    eigenvalues: tuple[complex, ...] = ()


def slope(t: float) -> float:
    """f′(t) of f(t) = −log(1 + e^−t)."""
    return 1 / (1 + math.exp(t))


def pair(trace: float, determinant: float) -> tuple[complex, complex]:
    """The eigenvalues of a 2 × 2 matrix."""
    root = cmath.sqrt(trace**2 / 4 - determinant)
    return trace / 2 - root, trace / 2 + root


def logistic(loss: str, *, r1: float = 0.0, r2: float = 0.0) -> Method:
    """A game of log-odds, f′(0) = ½, with γ of its penalties.

    With one real and one generated point, relativistic pairing is the non-saturating game.
    """
    penalties: Penalties = {"r1": R1(weight=r1)} if r1 else {}
    penalties |= {"r2": R2(weight=r2)} if r2 else {}
    sign = 1 if loss == "minimax" else -1
    return Method(
        loss=loss,
        penalties=penalties,
        theta_dot=lambda theta, psi: -psi * slope(sign * psi * theta),
        psi_dot=lambda theta, psi: theta * slope(psi * theta) - (r1 + r2) * psi,
        eigenvalues=pair(-(r1 + r2), 0.25),
    )


def wasserstein(bound: float = math.inf, gp: float = 0.0) -> Method:
    """The linear game, clipped or with λ/2 (|ψ| − 1)²: our penalty without its ½ has weight λ/2."""
    penalties: Penalties = {}
    if gp:
        penalties = {"wgan_gp": WassersteinGradientPenalty(weight=gp / 2)}
    elif bound < math.inf:
        penalties = {"weight_clip": WeightClip(bound=bound)}
    return Method(
        loss="wasserstein",
        penalties=penalties,
        theta_dot=lambda theta, psi: -psi,
        psi_dot=lambda theta, psi: theta - gp * (abs(psi) - 1) * np.sign(psi),
        bound=bound,
        eigenvalues=() if gp else (-1j, 1j),
    )


METHODS = {
    "GAN": logistic("minimax"),
    "NSGAN": logistic("non_saturating"),
    "WGAN": wasserstein(),
    "WGAN, clip 1": wasserstein(bound=1.0),
    "WGAN-GP λ=.7": wasserstein(gp=0.7),
    "GAN + R1 γ=.3": logistic("minimax", r1=0.3),
    "GAN + R1 γ=1": logistic("minimax", r1=1.0),
    "GAN + R1 γ=2": logistic("minimax", r1=2.0),
    "GAN + R2 γ=.3": logistic("minimax", r2=0.3),
    "NSGAN + R1 γ=.3": logistic("non_saturating", r1=0.3),
    "RpGAN": logistic("relativistic"),
    "RpGAN + R1, R2 γ=.15": logistic("relativistic", r1=0.15, r2=0.15),
}

# Radii after STEPS steps by SCHEDULES, from a simulation written independently of this library.
REFERENCE = {
    "GAN": ("3.09695", "1.42102", "1.84527"),
    "NSGAN": (".640207", ".283923", ".138877"),
    "WGAN": ("25636", "1.39786", "1.05963"),
    "WGAN-GP λ=.7": ("1.80179", "1.22107", ".716301"),
    "GAN + R1 γ=.3": ("2.64e-6", "2.30e-7", "9.2e-34"),
    "GAN + R1 γ=1": ("9.5e-22", "7.5e-17", "5.1e-12"),
    "NSGAN + R1 γ=.3": ("2.21e-6", "1.50e-7", "4e-34"),
}


def simulate(method: Method, schedule: str, steps: int = STEPS) -> list[Point]:
    """θ and ψ after every iteration, from START; the reference moves G first."""
    return _game(method).path(schedule, steps, START)


def closed_form(method: Method, schedule: str, steps: int = STEPS) -> list[Point]:
    """The same path from the vector field on paper."""
    (theta, psi), path = START, []
    for _ in range(steps):
        moved = theta + STEP * method.theta_dot(theta, psi)
        theta = theta if schedule == "simultaneous" else moved
        for _ in range(SCHEDULES[schedule]):
            psi = max(-method.bound, min(method.bound, psi + STEP * method.psi_dot(theta, psi)))
        theta = moved
        path.append((theta, psi))
    return path


def radius(point: Point) -> float:
    return math.hypot(*point)


def vector_field(method: Method, theta: Tensor, psi: Tensor) -> Tensor:
    """(θ̇, ψ̇) at a point, from both players' losses, differentiable in θ and ψ."""
    return _game(method).field(theta, psi)


def _game(method: Method) -> DiracGAN:
    """The method as evenodds plays it."""
    return DiracGAN(LOSSES[method.loss], method.penalties, step=STEP)


def noisy_field(sigma: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Instance noise: the GAN's field, averaged over N(0, σ²) on real and generated by quadrature."""
    nodes, weights = (torch.tensor(part) for part in np.polynomial.hermite.hermgauss(60))
    noise, weights = nodes * sigma * math.sqrt(2), weights / math.sqrt(math.pi)

    def at(theta: Tensor, psi: Tensor) -> Tensor:
        real, fake = -psi * noise, -psi * (theta + noise)
        means = [(weights * side(real, fake)).sum() for side in (minimax.generator, minimax.discriminator)]
        grads = zip(means, (theta, psi), strict=True)
        return -torch.stack([torch.autograd.grad(mean, w, create_graph=True)[0] for mean, w in grads])

    minimax = LOSSES["minimax"]
    return at


def consensus_field(gamma: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Consensus optimization (Mescheder et al. 2017): v − γ ∇ ½‖v‖²."""

    def at(theta: Tensor, psi: Tensor) -> Tensor:
        v = vector_field(METHODS["GAN"], theta, psi)
        pull = torch.autograd.grad(v.square().sum() / 2, (theta, psi), create_graph=True)
        return v - gamma * torch.stack(pull)

    return at


def spectra() -> dict[str, tuple[tuple[complex, ...], tuple[complex, ...]]]:
    """Every method's eigenvalues: known, and found by differentiating evenodds' losses twice."""
    table = {}
    for name, method in METHODS.items():
        if method.eigenvalues:
            table[name] = (
                method.eigenvalues,
                eigenvalues(lambda theta, psi, method=method: vector_field(method, theta, psi)),
            )
    variance = 0.7**2
    # f″(0)σ² ± √(f″(0)²σ⁴ − f′(0)²) with f″(0) = −¼ and f′(0) = ½
    table["instance noise σ=.7"] = pair(-variance / 2, 0.25), eigenvalues(noisy_field(0.7))
    table["consensus γ=1"] = pair(-0.5, 0.0625 + 0.25), eigenvalues(consensus_field(1.0))
    return table


def trajectories() -> list[dict[str, str | float]]:
    """One row per method and schedule: the last radius on paper, ours, and how far the paths ever part."""
    rows: list[dict[str, str | float]] = []
    for (name, method), (column, schedule) in itertools.product(METHODS.items(), enumerate(SCHEDULES)):
        ours, truth = simulate(method, schedule), closed_form(method, schedule)
        parted = max(math.dist(a, b) / radius(b) for a, b in zip(ours, truth, strict=True))
        reference = REFERENCE[name][column] if name in REFERENCE else "–"
        rows.append(
            {
                "method": name,
                "schedule": schedule,
                "reference": reference,
                "closed_form": radius(truth[-1]),
                "evenodds": radius(ours[-1]),
                "largest_relative_difference": parted,
            }
        )
    return rows


def shown(values: tuple[complex, ...]) -> str:
    return ", ".join(f"{value.real + 0.0:.6f} {value.imag:+.6f}i" for value in values)


def report(spectrum: dict[str, tuple[tuple[complex, ...], tuple[complex, ...]]], rows: list[dict]) -> str:
    """Both tables in Markdown."""
    lines = ["| method | known eigenvalues | evenodds | difference |", "|---|---|---|---|"]
    for name, (known, found) in spectrum.items():
        largest = max(abs(a - b) for a, b in zip(known, found, strict=True))
        lines.append(f"| {name} | {shown(known)} | {shown(found)} | {largest:.1e} |")
    lines += [
        "",
        f"Radius √(θ² + ψ²) after {STEPS} steps of {STEP} from (θ, ψ) = {START}:",
        "",
        "| method | schedule | reference | closed form | evenodds | largest relative difference on the way |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        method, schedule, reference, *numbers, parted = row.values()
        lines.append(
            f"| {method} | {schedule} | {reference} | "
            + " | ".join(f"{n:.6g}" for n in numbers)
            + f" | {parted:.1e} |"
        )
    return "\n".join(lines)


def main() -> None:
    from evenodds.files import write_text
    from evenodds.run import environment

    torch.set_num_threads(1)
    spectrum, rows = spectra(), trajectories()
    machine = environment("cpu")
    table = report(spectrum, rows)
    print(table)
    title = "# The Dirac-GAN: eigenvalues at the equilibrium and paths, against closed forms"
    made = (
        f"Made by `python benchmarks/dirac.py` on {machine['started'][:10]}: evenodds {machine['evenodds']}, "
        f"torch {machine['torch']}, Python {machine['python']}, {machine['processor']}."
    )
    write_text(RESULTS / "dirac.md", f"{title}\n\n{made}\n\n{table}\n")
    known = {name: [shown(values) for values in both] for name, both in spectrum.items()}
    content = {"machine": machine, "eigenvalues": known, "trajectories": rows}
    write_text(RESULTS / "dirac.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
