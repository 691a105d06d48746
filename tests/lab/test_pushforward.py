"""The generator's own density against distributions whose image is known in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from evenodds.lab.pushforward import (
    CELLS,
    binned_jsd,
    even_latents,
    mapped,
    masses_of_cells,
    masses_of_points,
    merged,
)
from evenodds.latents import Normal, Sphere, Uniform
from evenodds.networks import GENERATORS


def normal_masses(mean: float, edges: torch.Tensor) -> torch.Tensor:
    return torch.special.ndtr(edges - mean).diff()


def test_an_affine_generator_of_a_uniform_z_is_uniform():
    ends = 0.5 + 1.25 * torch.linspace(-1, 1, CELLS + 1, dtype=torch.float64)  # uniform on [−0.75, 1.75]
    masses = masses_of_cells(ends, -1.0, 2.0, 12)  # edges at the quarters
    expected = torch.tensor([0.0, *[0.1] * 10, 0.0], dtype=torch.float64)
    assert torch.allclose(masses, expected, atol=1e-9)


def test_mass_that_is_folded_adds_up():
    """|z| of z uniform on [−1, 1] is uniform on [0, 1]: every place is reached twice."""
    masses = masses_of_cells(torch.linspace(-1, 1, CELLS + 1, dtype=torch.float64).abs(), 0.0, 1.0, 8)
    assert torch.allclose(masses, torch.full((8,), 1 / 8, dtype=torch.float64), atol=1e-9)


def test_a_constant_generator_puts_all_in_one_bin():
    masses = masses_of_cells(torch.full((CELLS + 1,), 0.3, dtype=torch.float64), -1.0, 1.0, 64)
    assert masses[41] == pytest.approx(1, abs=1e-9)  # 0.3 lies in [0.28125, 0.3125)
    assert masses.sum() == pytest.approx(1, abs=1e-9)


def test_no_mass_is_lost_in_a_network():
    torch.manual_seed(0)
    network = GENERATORS["mlp"](latent_dim=1, sample_shape=(1,), widths=[32, 32])
    ends = mapped(network, even_latents(Uniform(dim=1), CELLS + 1))[:, 0]
    masses = masses_of_cells(ends, -9.0, 9.0, 4096)
    assert masses.sum() == pytest.approx(1, abs=1e-8)
    random = mapped(network, Uniform(dim=1)(200_000, torch.Generator().manual_seed(1)))
    counted = masses_of_points(random, torch.tensor([-9.0]), torch.tensor([9.0]), 4096)
    assert (masses.cumsum(0) - counted.cumsum(0)).abs().max() < 2 / math.sqrt(200_000)


@pytest.mark.parametrize("mean, jsd", [(1.0, 0.111421), (2.0, 0.336831), (5.0, 0.675943)])
def test_jsd_of_two_gaussians_on_the_line(mean, jsd):
    """Computed independently by adaptive quadrature, to six digits."""
    edges = torch.linspace(-12, 17, 4097, dtype=torch.float64)
    z = even_latents(Normal(dim=1), CELLS + 1)[:, 0].double()
    masses = masses_of_cells(mean + z, -12.0, 17.0, 4096)
    assert binned_jsd(normal_masses(0, edges), masses) == pytest.approx(jsd, abs=2e-4)


def test_wider_bins_never_raise_jsd():
    torch.manual_seed(0)
    p, q = torch.rand(2, 64, 64, dtype=torch.float64)
    p, q = p / p.sum(), q / q.sum()
    wide = [merged(mass) for mass in (p, q)]
    assert wide[0].sum() == pytest.approx(1)
    assert 0 < binned_jsd(*wide) < binned_jsd(p, q)


def test_mass_outside_the_bins_counts_as_one_more_bin():
    nothing, everything = torch.zeros(4).double(), torch.tensor([0, 1, 0, 0]).double()
    assert binned_jsd(everything, nothing) == pytest.approx(math.log(2))
    assert binned_jsd(nothing, nothing) == pytest.approx(0)


@pytest.mark.parametrize("prior", [Uniform(dim=2, bound=1.5), Normal(dim=2), Sphere(dim=2)], ids=str)
def test_even_latents_have_the_priors_moments(prior):
    z = even_latents(prior, 2**14).double()
    variance = {"Uniform": 1.5**2 / 3, "Normal": 1.0, "Sphere": 0.5}[type(prior).__name__]
    assert z.shape == (2**14, 2)
    assert z.mean(0).abs().max() < 0.02
    assert torch.cov(z.T).numpy() == pytest.approx(variance * torch.eye(2).numpy(), abs=0.02)


def test_mapped_gives_flat_doubles():
    x = mapped(nn.ModuleList([Shift()])[0], torch.zeros(20_000, 1))
    assert x.shape == (20_000, 2)
    assert x.dtype == torch.float64


class Shift(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor([1.0, 2.0]))

    def forward(self, z, y=None):
        return (z + self.by).view(-1, 2, 1)
