"""Ways between points of a latent space."""

from __future__ import annotations

import torch
from torch import Tensor

from .space import Space


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """(1 − t) a + t b, the straight line; (N, F) for N values of t, with a and b (F,)."""
    return (1 - t)[:, None] * a + t[:, None] * b


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """sin((1 − t)Ω)/sin Ω · a + sin(tΩ)/sin Ω · b, Ω the angle between a and b; Shoemake (1985).

    In many dimensions a normal prior has its mass near a sphere, which a straight line leaves (White 2016).
    Where a and b point the same way, or into opposite directions, the way is straight.

    Args:
        a, b: (F,).
        t: (N,) from 0 to 1.

    Returns:
        (N, F); a at t = 0 and b at t = 1, exactly.
    """
    cosine = torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=0).clamp(-1, 1)
    angle = cosine.arccos()
    if float(angle.sin()) < 1e-4:
        return lerp(a, b, t.to(a))
    first, second = ((1 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin()
    points = (first[:, None] * a + second[:, None] * b).to(a)
    points[t == 0], points[t == 1] = a, b  # exactly
    return points


def path(space: Space, a: Tensor, b: Tensor, steps: int) -> Tensor:
    """(steps, F) points from a to b, both included: on a great circle, or straight in a cube and in w."""
    t = torch.linspace(0, 1, steps, dtype=torch.float64)
    points = lerp(a, b, t.to(a)) if space.straight else space.on(slerp(a, b, t))
    points[0], points[-1] = a, b  # a key is its seed's own sample, to the last bit
    return points


def loop(space: Space, keys: Tensor, steps: int) -> Tensor:
    """(K · steps, F): from key to key and from the last to the first, `steps` points from each to the next.

    Args:
        keys: (K, F).
        steps: the key itself and what lies between it and the next.
    """
    following = keys.roll(-1, 0)
    return torch.cat([path(space, a, b, steps + 1)[:-1] for a, b in zip(keys, following, strict=True)])
