"""The f-GAN table: divergences as the best score of a critic; Nowozin et al. (2016), Tables 1, 2 and 6."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from .density import Density
from .distances import Estimate, Method, divergences

Function = Callable[[Tensor], Tensor]


class FDivergence(NamedTuple):
    """D_f(p ‖ q) = ∫ q f(p/q) = sup_T E_p T − E_q f*(T), with f convex and f(1) = 0 but for "gan".

    Args:
        f: of u = p/q, above 0.
        best: T* = f′(p/q), as a function of the log ratio l = log p/q.
        activation: g_f, which maps any number v to where f* is defined.
        conjugate: f*(t) = sup_u t u − f(u).
    """

    f: Function
    best: Function
    activation: Function
    conjugate: Function

    def score(self, real: Tensor, fake: Tensor) -> Tensor:
        """g_f(v(x)) − f*(g_f(v(y))), Eq. 6: its mean is at most D_f, whatever the critic's outputs v.

        Args:
            real: (N,) the critic's output on real examples.
            fake: (N,) on generated ones.

        Returns:
            (N,) nats; a critic minimises the negative of its mean.
        """
        return self.activation(real) - self.conjugate(self.activation(fake))


def _kl(u: Tensor) -> Tensor:
    return torch.special.xlogy(u, u)  # type: ignore[no-any-return]


def _jensen_shannon(u: Tensor) -> Tensor:
    return _kl(u) - (u + 1) * ((1 + u) / 2).log()


def _gan(u: Tensor) -> Tensor:
    return _kl(u) - (u + 1) * (1 + u).log()


F_DIVERGENCES: dict[str, FDivergence] = {
    "kl": FDivergence(
        f=_kl,
        best=lambda ratio: 1 + ratio,
        activation=lambda v: v,
        conjugate=lambda t: (t - 1).exp(),
    ),
    "reverse_kl": FDivergence(
        f=lambda u: -u.log(),
        best=lambda ratio: -(-ratio).exp(),
        activation=lambda v: -(-v).exp(),
        conjugate=lambda t: -1 - (-t).log(),
    ),
    "pearson": FDivergence(
        f=lambda u: (u - 1).square(),
        best=lambda ratio: 2 * ratio.expm1(),
        activation=lambda v: v,
        conjugate=lambda t: t.square() / 4 + t,
    ),
    "squared_hellinger": FDivergence(  # 2 − 2 ∫ √(pq), twice `Divergences.hellinger`
        f=lambda u: (u.sqrt() - 1).square(),
        best=lambda ratio: -(-ratio / 2).expm1(),
        activation=lambda v: -(-v).expm1(),
        conjugate=lambda t: 1 / (1 - t) - 1,
    ),
    "jensen_shannon": FDivergence(  # twice `Divergences.jsd`
        f=_jensen_shannon,
        best=lambda ratio: math.log(2) - softplus(-ratio),
        activation=lambda v: math.log(2) - softplus(-v),
        conjugate=lambda t: -(2 - t.exp()).log(),
    ),
    "gan": FDivergence(  # the value of the game, C(G): f(1) = −log 4
        f=_gan,
        best=lambda ratio: -softplus(-ratio),
        activation=lambda v: -softplus(-v),
        conjugate=lambda t: -(-t.expm1()).log(),
    ),
}


# The same quantity among the fields of Divergences, and how many times it is there.
_AS_MEASURED = {
    "kl": ("kl", 1),
    "reverse_kl": ("reverse_kl", 1),
    "pearson": ("pearson", 1),
    "squared_hellinger": ("hellinger", 2),
    "jensen_shannon": ("jsd", 2),
    "gan": ("value", 1),
}


def f_divergence(name: str, p: Density, q: Density, *, method: Method = "auto") -> Estimate:
    """D_f(p ‖ q) = ∫ q f(p/q), which is the mean score of the best critic.

    Args:
        name: of F_DIVERGENCES.
        p: the data's density.
        q: the generator's.
        method: as in `divergences`.

    Raises:
        ValueError: no such divergence, or `divergences` can't be had.
    """
    if name not in _AS_MEASURED:
        raise ValueError(f"no f-divergence {name!r}; choose one of: {', '.join(_AS_MEASURED)}")
    field, times = _AS_MEASURED[name]
    measured: Estimate = getattr(divergences(p, q, method=method), field)
    return Estimate(times * measured.value, times * measured.error)
