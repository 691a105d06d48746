"""Where a generator puts the mass of its latents: its own density, in bins of equal size.

With one latent coordinate and data on the line the masses are exact: G sends each of many narrow cells of
equal mass to an interval, and the interval's mass is shared among the bins it overlaps.  Otherwise they are
counted from latents that fill their space more evenly than random ones.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..latents import Normal, Prior, Uniform

CELLS = 2**14  # of the latent line
NARROWEST = 1e-8  # of all bins together: narrower intervals are widened, lest rounding drown sums of 1/width
AT_ONCE = 2**14  # latents in one forward pass


def even_latents(prior: Prior, n: int, *, seed: int = 0) -> Tensor:
    """n latents (n, L) float32 that stand for the prior, evenly spread where its quantiles are known.

    On one coordinate these are the quantiles of 0 … 1 in n − 1 equal steps, in order (of a normal prior half
    a step inside the ends, which are infinite); on more, a scrambled Sobol sequence; of other priors, draws.

    Args:
        prior: p(z).
        n: how many; a power of 2 suits Sobol.
        seed: of the scrambling or the draws.
    """
    if not isinstance(prior, (Normal, Uniform)):
        return prior(n, torch.Generator().manual_seed(seed))
    if prior.dim == 1:
        share = torch.linspace(0, 1, n, dtype=torch.float64)[:, None]
    else:
        sobol = torch.quasirandom.SobolEngine(prior.dim, scramble=True, seed=seed)
        share = sobol.draw(n, dtype=torch.float64)
    if isinstance(prior, Uniform):
        return (prior.bound * (2 * share - 1)).float()
    z: Tensor = torch.special.ndtri(share.clamp(0.5 / n, 1 - 0.5 / n))
    return z.float()


@torch.no_grad()
def mapped(generator: nn.Module, z: Tensor) -> Tensor:
    """G(z) of latents (N, L), flattened, (N, d) float64 on the CPU."""
    device = next(generator.parameters()).device
    parts = [generator(part.to(device), None).flatten(1).double().cpu() for part in z.split(AT_ONCE)]
    return torch.cat(parts)


def masses_of_cells(ends: Tensor, low: float, high: float, bins: int) -> Tensor:
    """Mass (bins,) float64 between `low` and `high` of cells whose ends G sends to `ends`.

    Every cell has the same mass and is taken for mapped linearly.  What falls outside is not in the sum.

    Args:
        ends: (M + 1,) G at the ends of M neighbouring cells.
        low: left end of the first bin.
        high: right end of the last.
        bins: how many, equally wide.
    """
    edges = torch.linspace(low, high, bins + 1, dtype=torch.float64)
    middle, width = (ends[1:] + ends[:-1]) / 2, (ends[1:] - ends[:-1]).abs()
    width = width.clamp(min=NARROWEST * (high - low))
    slope = 1 / (len(width) * width)  # of the distribution function, while it crosses the cell
    turns = torch.cat([middle - width / 2, middle + width / 2])
    order = turns.argsort()
    turns, change = turns[order], torch.cat([slope, -slope])[order]
    zero = torch.zeros(1, dtype=torch.float64)
    slopes, offsets = (torch.cat([zero, sums.cumsum(0)]) for sums in (change, change * turns))
    passed = torch.searchsorted(turns, edges, right=True)
    return (edges * slopes[passed] - offsets[passed]).diff().clamp(min=0)


def masses_of_points(x: Tensor, low: Tensor, high: Tensor, bins: int) -> Tensor:
    """Share (bins,) * d of points (N, d) in each bin of a box; points outside are not in the sum.

    Args:
        x: points.
        low: (d,) lowest corner.
        high: (d,) highest corner.
        bins: in each direction.
    """
    place = ((x - low) / (high - low) * bins).floor()
    place = place[((place >= 0) & (place < bins)).all(1)].long()
    flat = torch.zeros(len(place), dtype=torch.int64)
    for coordinate in range(x.shape[1]):
        flat = flat * bins + place[:, coordinate]
    counts = torch.bincount(flat, minlength=bins ** x.shape[1]).double()
    return counts.view([bins] * x.shape[1]) / len(x)


def merged(masses: Tensor) -> Tensor:
    """Masses of bins twice as wide in each direction."""
    for axis in range(masses.ndim):
        masses = masses.unflatten(axis, (-1, 2)).sum(axis + 1)
    return masses


def binned_jsd(p: Tensor, q: Tensor) -> float:
    """½ Σ p log(2p/(p+q)) + ½ Σ q log(2q/(p+q)) in nats, between 0 and log 2.

    Sorting into bins can only bring two distributions closer, so this is at most their JSD, and grows to it
    as bins get finer.  Mass that is missing from the bins is taken to lie in one more bin outside.

    Args:
        p: masses of any shape, summing to 1 at most.
        q: masses of the same shape.
    """
    both = [torch.cat([mass.flatten(), (1 - mass.sum()).clamp(min=0)[None]]) for mass in (p, q)]
    total = both[0] + both[1]
    parts = [torch.special.xlogy(mass, 2 * mass / total.clamp(min=1e-300)).sum() for mass in both]
    return min(max(float(parts[0] + parts[1]) / 2, 0.0), math.log(2))
