"""The size that images are brought to where none is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LARGEST = 64  # pixels: what a generator learns on any machine in reasonable time; more has to be asked for
STEPS = (8, 16, 32, 64)
SAME_ASPECT = 0.05  # relative difference within which two aspect ratios count as the same
MOST = 0.9  # of the images


def proposed_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """(H, W) for images of these (height, width).

    Images that all have one size of at most 64 × 64 keep it. Others are brought to 8, 16, 32 or 64 pixels:
    the most that nine in ten are not enlarged for. They become square, unless nine in ten have one other
    aspect ratio, which is then kept at about the same number of pixels, in multiples of 8.
    """
    if len(set(sizes)) == 1 and max(sizes[0]) <= LARGEST:
        return sizes[0]
    heights, widths = np.array(sizes, np.float64).T
    shorter = float(np.quantile(np.minimum(heights, widths), 1 - MOST, method="lower"))
    side = max((step for step in STEPS if step <= shorter), default=STEPS[0])
    aspects = np.log(widths / heights)
    aspect = float(np.median(aspects))
    alike = np.abs(aspects - aspect) < SAME_ASPECT
    if abs(aspect) < SAME_ASPECT or alike.mean() < MOST or side < STEPS[1]:
        return side, side
    height, width = (max(8, 8 * round(side * np.exp(sign * aspect / 2) / 8)) for sign in (-1, 1))
    return int(height), int(width)
