"""Transparency: colours multiplied by alpha, as they are trained on, and straight, as files hold them.

What shows nothing has no colour once it is multiplied, so that a generator needn't learn one; see Porter and
Duff (1984), section 3, for why this is the form to compute in.
"""

from __future__ import annotations

import numpy as np

from ..dataset import Array


def straight(x: Array) -> Array:
    """Colours divided by alpha, rounded; 0 where alpha is 0, at most 255 where a sample breaks the rule.

    Args:
        x: (…, 4, H, W) uint8, of which the first three are multiplied by the fourth.
    """
    colours, alpha = x[..., :3, :, :].astype(np.uint32), x[..., 3:, :, :].astype(np.uint32)
    divided = (colours * 255 + alpha // 2) // np.maximum(alpha, 1)
    return np.concatenate([np.minimum(divided, 255) * (alpha > 0), alpha], axis=-3).astype(np.uint8)


def multiplied(x: Array) -> Array:
    """Colours times alpha, rounded; the opposite of `straight`.

    Args:
        x: (…, 4, H, W) uint8.
    """
    colours, alpha = x[..., :3, :, :].astype(np.uint32), x[..., 3:, :, :].astype(np.uint32)
    return np.concatenate([(colours * alpha + 127) // 255, alpha], axis=-3).astype(np.uint8)
