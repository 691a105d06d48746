"""What the lab knows of its data: the density, the window that is drawn, and the mass of each bin."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import Config
from ..data.dataset import Dataset
from ..errors import ConfigError
from ..theory import Density

LINE_BINS = 4096
PLANE_BINS = 320  # in each direction; must be halved three times
MARGIN = 0.12  # of the window beyond the outermost of the points below, on each side
POINTS = 10_000
# Where in a bin its mass is measured, in bins from the middle: on the line at two Gauss-Legendre nodes.
NODES = {1: (-0.5 / 3**0.5, 0.5 / 3**0.5), 2: (0.0,)}


@dataclass(frozen=True, eq=False)
class Target:
    """The data's density in bins.

    Args:
        density: of the data.
        low: (d,) lowest corner of the bins; on the line that is half a window left of what is drawn.
        high: (d,) highest corner.
        masses: (bins,) * d of the data, float64.
    """

    density: Density
    low: Tensor
    high: Tensor
    masses: Tensor

    @property
    def bins(self) -> int:
        """In each direction."""
        return len(self.masses)

    def centres(self, bins: int) -> Tensor:
        """(bins^d, d) middles of as many bins in each direction, the last coordinate fastest."""
        steps = (torch.arange(bins, dtype=torch.float64) + 0.5) / bins
        axes = [low + (high - low) * steps for low, high in zip(self.low, self.high, strict=True)]
        return torch.cartesian_prod(*axes).view(-1, len(axes))


def target(density: Density) -> Target:
    """The bins of a density on the line or in the plane.

    Raises:
        ConfigError: it has no log-density, or is too narrow for the bins.
    """
    points = density.sample(POINTS, torch.Generator().manual_seed(0)).double()
    density.log_density(points[:1])  # discrete points have none, and say so
    low, high = points.amin(0), points.amax(0)
    if density.dimension == 2:  # a square, so that both directions are drawn to one scale
        half, middle = (high - low).amax() / 2, (low + high) / 2
        low, high = middle - half, middle + half
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    bins = PLANE_BINS
    if density.dimension == 1:
        bins, reach = LINE_BINS, (high - low) / 2
        low, high = low - reach, high + reach
    masses = _masses(density, low, high, bins)
    total = float(masses.sum())
    if not 0.98 < total < 1.02:
        width = float((high - low).amax()) / bins
        raise ConfigError(
            f"the density is too narrow for the lab's bins of {width:.2g}, which find {total:.3f} "
            "of its mass, not 1; give it a larger std"
        )
    return Target(density, low, high, masses / max(total, 1.0))


def _masses(density: Density, low: Tensor, high: Tensor, bins: int) -> Tensor:
    """(bins,) * d from the density at the nodes of each bin."""
    dimension = density.dimension
    width = (high - low) / bins
    centres = Target(density, low, high, torch.empty([bins] * dimension)).centres(bins)
    total = torch.zeros(len(centres), dtype=torch.float64)
    nodes = list(itertools.product(NODES[dimension], repeat=dimension))
    for node in nodes:
        places = centres + torch.tensor(node, dtype=torch.float64) * width
        total += density.log_density(places).exp()
    masses: Tensor = (total * width.prod() / len(nodes)).view([bins] * dimension)
    return masses


def checked_target(config: Config, dataset: Dataset) -> Target:
    """The target of a run, once it is one that the lab can draw.

    Raises:
        ConfigError: the data's density is unknown or has more than two dimensions, or D or the latents are
            of a kind that has no such picture.
    """
    density = dataset.density
    if density is None:
        raise ConfigError(
            f"the lab needs data of a known density, and {dataset.name} has none; leave data.name as it is"
        )
    if density.dimension > 2:
        raise ConfigError(
            f"the lab draws one or two dimensions, and these data have {density.dimension}; give fewer"
        )
    if config.packing > 1:
        raise ConfigError(
            f"packing={config.packing} lets D judge several examples at once, so that no D(x) can be drawn; "
            "set packing=1"
        )
    dim, name = config.prior.get("dim", 100), config.prior["name"]
    if density.dimension == 1 and (dim != 1 or name not in ("uniform", "normal")):
        raise ConfigError(
            f"on the line the lab draws z -> x from a z that is one number, and prior {name!r} of dim={dim} "
            "gives another; set prior.name=uniform and prior.dim=1"
        )
    return target(density)
