"""1-nearest-neighbour classification: how well labelled samples stand in for a labelled training set."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 1_000  # test examples whose distances are held at once


def nearest_neighbour_error(x: Tensor, y: Tensor, test_x: Tensor, test_y: Tensor) -> float:
    """Share of test examples whose nearest training example (Euclid) has another label.

    With generated examples as the training set and real ones as the test set this is the protocol of Radford
    et al. (2015), appendix, Table 3: labels that lie, and classes that are covered in part, both cost.

    Args:
        x: (N, …) training examples; the first of those equally near counts.
        y: (N,) their labels.
        test_x: (M, …).
        test_y: (M,).

    Returns:
        A fraction from 0 to 1.
    """
    x, test_x = x.flatten(1).float(), test_x.flatten(1).float()
    if x.shape[1] != test_x.shape[1] or len(x) != len(y) or len(test_x) != len(test_y):
        raise ValueError("training and test examples must be of one shape, each with its label")
    half_squares = x.square().sum(1) / 2
    wrong = 0
    for part, labels in zip(test_x.split(CHUNK), test_y.split(CHUNK), strict=True):
        # ½‖x‖² − x·t has its minimum where ‖x − t‖ has
        nearest = torch.addmm(half_squares[None], part, x.T, alpha=-1).argmin(1)
        wrong += int((y[nearest] != labels).sum())
    return wrong / len(test_x)
