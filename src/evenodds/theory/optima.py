"""The best discriminator of two known densities, and the least value that each loss can take."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from .density import Density
from .distances import Divergences, Estimate, Method, divergences, log_ratio


def optimal_discriminator(p: Density, q: Density) -> Callable[[Tensor], Tensor]:
    """x (N, d) -> logits (N,) of D*(x) = p(x)/(p(x) + q(x)); Goodfellow et al. (2014), Proposition 1.

    A logit is ±∞ where only one density is 0, and 0 where both are, where any D is as good.
    """
    return lambda x: log_ratio(p.log_density(x), q.log_density(x))


# The least loss of D, by name as in `losses.LOSSES`, and by how much an error of the divergence weighs in it.
# hinge: Lim and Ye (2017).  least_squares: D* = p/(p + q).  wasserstein: over critics of slope at most 1.
_OPTIMA: dict[str, tuple[Callable[[float], float], str, float]] = {
    "minimax": (lambda jsd: math.log(4) - 2 * jsd, "jsd", 2.0),
    "non_saturating": (lambda jsd: math.log(4) - 2 * jsd, "jsd", 2.0),
    "wasserstein": (lambda distance: -distance, "wasserstein1", 1.0),
    "hinge": (lambda variation: 2 * (1 - variation), "total_variation", 2.0),
    "least_squares": (lambda triangular: (2 - triangular) / 8, "triangular", 1 / 8),
    "relativistic": (lambda jsd: math.log(2) - jsd, "relativistic", 1.0),
}


def optimal_loss(name: str, between: Divergences) -> Estimate:
    """What the best discriminator's loss of that name comes to, given the divergences of the two densities.

    Raises:
        ValueError: no such loss, or it depends on a distance that is not known here.
    """
    if name not in _OPTIMA:
        raise ValueError(f"no optimum is known for loss {name!r}; choose one of: {', '.join(_OPTIMA)}")
    formula, field, factor = _OPTIMA[name]
    divergence: Estimate | None = getattr(between, field)
    if divergence is None:
        raise ValueError(
            f"the optimum of loss {name!r} is known on the line by quadrature only; use a density on the line"
        )
    return Estimate(formula(divergence.value), factor * divergence.error)


def optimal_value(name: str, p: Density, q: Density, *, method: Method = "auto") -> Estimate:
    """The least expected loss of any discriminator, for p real and q generated; `optimal_loss` of both.

    Args:
        name: as in `losses.LOSSES`; for wasserstein D is any function of slope at most 1.
        p: the data's density.
        q: the generator's.
        method: as in `divergences`.

    Raises:
        ValueError: no such loss, or it depends on a distance that is not known for these densities.
    """
    return optimal_loss(name, divergences(p, q, method=method))
