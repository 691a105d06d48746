"""The Dirac-GAN: closed-form eigenvalues and paths against evenodds' own losses, penalties and steps.

The game and the closed forms are those of benchmarks/dirac.py, which prints them as a table; here they are
held to the printed reference numbers.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "dirac.py"
spec = importlib.util.spec_from_file_location("dirac_benchmark", SCRIPT)
dirac = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = dirac  # dataclasses look their module up
spec.loader.exec_module(dirac)

IN_PRINT = {  # Mescheder et al. (2018), section 3 and their tables, at f′(0) = ½ and f″(0) = −¼
    "GAN": (-0.5j, 0.5j),
    "NSGAN": (-0.5j, 0.5j),
    "WGAN": (-1j, 1j),
    "WGAN, clip 1": (-1j, 1j),
    "GAN + R1 γ=.3": (-0.15 - 0.47697j, -0.15 + 0.47697j),
    "GAN + R1 γ=1": (-0.5, -0.5),
    "GAN + R1 γ=2": (-1.866025, -0.133975),
    "GAN + R2 γ=.3": (-0.15 - 0.47697j, -0.15 + 0.47697j),
    "NSGAN + R1 γ=.3": (-0.15 - 0.47697j, -0.15 + 0.47697j),
    "RpGAN": (-0.5j, 0.5j),
    "RpGAN + R1, R2 γ=.15": (-0.15 - 0.47697j, -0.15 + 0.47697j),
    "instance noise σ=.7": (-0.1225 - 0.484762j, -0.1225 + 0.484762j),
    "consensus γ=1": (-0.25 - 0.5j, -0.25 + 0.5j),
}


@pytest.fixture(scope="module")
def spectra():
    return dirac.spectra()


@pytest.mark.parametrize("name", IN_PRINT)
def test_eigenvalues_at_the_equilibrium(spectra, name):
    known, found = spectra[name]
    for one, other in ((known, IN_PRINT[name]), (found, known)):
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) < 1e-6


def test_every_eigenvalue_is_held_to_print(spectra):
    assert set(spectra) == set(IN_PRINT)


def test_wgan_gp_has_no_derivative_at_the_equilibrium():
    def at(psi: float) -> torch.Tensor:
        theta, psi = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (0.0, psi))
        return dirac.vector_field(dirac.METHODS["WGAN-GP λ=.7"], theta, psi).detach()

    # ψ̇ = −λ (|ψ| − 1) sgn ψ jumps by 2 λ from one side to the other
    assert at(1e-9)[1].item() == pytest.approx(0.7, abs=1e-8)
    assert at(-1e-9)[1].item() == pytest.approx(-0.7, abs=1e-8)
    assert at(0.0).isfinite().all()


def half_a_digit(printed: str) -> float:
    """Half a unit of the last printed place."""
    mantissa, _, exponent = printed.partition("e")
    places = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - places)


@pytest.mark.parametrize("schedule", dirac.SCHEDULES)
@pytest.mark.parametrize("name", dirac.REFERENCE)
def test_closed_forms_reach_the_printed_radii(name, schedule):
    printed = dirac.REFERENCE[name][list(dirac.SCHEDULES).index(schedule)]
    found = dirac.radius(dirac.closed_form(dirac.METHODS[name], schedule)[-1])
    assert abs(found - float(printed)) <= 1.001 * half_a_digit(printed)


def largest_difference(name: str, schedule: str, steps: int) -> float:
    """How far the paths part, relative to the radius; at every step, not only at the end."""
    method = dirac.METHODS[name]
    ours, truth = (path(method, schedule, steps) for path in (dirac.simulate, dirac.closed_form))
    return max(math.dist(a, b) / dirac.radius(b) for a, b in zip(ours, truth, strict=True))


@pytest.mark.parametrize("schedule", dirac.SCHEDULES)
@pytest.mark.parametrize("name", dirac.METHODS)
def test_steps_are_those_of_the_closed_form(name, schedule):
    assert largest_difference(name, schedule, steps=20) < 1e-12


@pytest.mark.parametrize("name", ["NSGAN", "WGAN-GP λ=.7", "GAN + R1 γ=.3"])
def test_all_500_simultaneous_steps(name):
    assert largest_difference(name, "simultaneous", steps=500) < 1e-9


@pytest.mark.parametrize("name", ["GAN", "GAN + R1 γ=.3"])
def test_all_500_alternating_steps(name):
    assert largest_difference(name, "G, D", steps=500) < 1e-9


def test_what_the_theory_says_about_convergence():
    """Neutral games spiral out when both move at once; R1 and R2 converge; alternation stays near."""
    end = {
        name: dirac.radius(dirac.closed_form(dirac.METHODS[name], "simultaneous")[-1])
        for name in dirac.METHODS
    }
    start = dirac.radius(dirac.START)
    assert end["GAN"] > start
    assert end["WGAN"] > start
    for name, radius in end.items():
        assert (radius < 1e-5) is ("R1" in name or "R2" in name)
