"""Parzen-window log-likelihood, the number of Table 1 in Goodfellow et al. (2014), section 5.

A generator has no density to evaluate; this puts an isotropic Gaussian on each of its samples and asks how
likely held-out examples are under that mixture.  `describe()` says what the answer can't tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Examples = NDArray[Any] | Tensor  # (N, ...) values in [0, 1]
SIGMAS = tuple(float(sigma) for sigma in np.logspace(-1, 0, 10))  # the grid of the 2014 evaluation
REFERENCE = "10,000 real training images score 242 ± 4 on MNIST"
BLOCK_EXAMPLES = 1024
BLOCK_VALUES = 4_000_000  # per block in float64: 32 MB


class ParzenResult(NamedTuple):
    """Log-likelihood of test examples under Gaussians on the samples, in nats per example.

    Args:
        mean: over the test examples.
        standard_error: population standard deviation over the test examples / √(test examples).
        sigma: bandwidth chosen on the validation examples.
        samples: how many Gaussians; more of them score higher, so this is part of the number.
        test_examples: how many.
        validation_mean: mean over the validation examples at the same sigma.
    """

    mean: float
    standard_error: float
    sigma: float
    samples: int
    test_examples: int
    validation_mean: float


def log_likelihood(points: Examples, samples: Examples, sigma: float) -> NDArray[np.float64]:
    """log p(x) = logmeanexp_j(−‖x − s_j‖² / 2σ²) − d log(σ √(2π)), in nats, (N,).

    Needs less than 300 MB beyond its arguments.  The work is done in float64 on the device of the samples;
    Apple's GPUs don't have float64.

    Args:
        points: (N, ...) values in [0, 1].
        samples: (M, ...) of the same shape, in [0, 1]: the centres s_j.
        sigma: standard deviation of each Gaussian, in units of the values.

    Raises:
        ValueError: values outside [0, 1], unequal shapes, no examples, or a sigma that is not positive.
    """
    scores: NDArray[np.float64] = _log_likelihoods(points, samples, (sigma,))[0]
    return scores


def fit_sigma(samples: Examples, validation: Examples) -> tuple[float, dict[float, float]]:
    """The bandwidth of SIGMAS with the highest mean log-likelihood on held-out examples.

    Args:
        samples: (M, ...) values in [0, 1].
        validation: (N, ...) values in [0, 1], not the test examples.

    Returns:
        The chosen sigma, and the mean log-likelihood in nats of every sigma tried.

    Raises:
        ValueError: as `log_likelihood`.
    """
    means = _log_likelihoods(validation, samples, SIGMAS).mean(1)
    table = dict(zip(SIGMAS, means.tolist(), strict=True))
    return max(table, key=lambda sigma: table[sigma]), table


def parzen(samples: Examples, validation: Examples, test: Examples) -> ParzenResult:
    """The 2014 protocol: choose sigma on validation examples, then score the test examples once.

    The published numbers take 10,000 samples; on MNIST the first 1,000 of training images 50,000–59,999 for
    validation, and the 10,000 test images.

    Raises:
        ValueError: as `log_likelihood`.
    """
    sigma, table = fit_sigma(samples, validation)
    scores = log_likelihood(test, samples, sigma)
    standard_error = float(scores.std()) / math.sqrt(len(scores))
    return ParzenResult(float(scores.mean()), standard_error, sigma, len(samples), len(scores), table[sigma])


def describe() -> str:
    """What the number can't say, in one sentence (Theis, van den Oord and Bethge 2015)."""
    return (
        "A Parzen-window log-likelihood ranks models neither by likelihood nor by how their samples look: "
        f"blurred or averaged samples can beat real ones (reference: {REFERENCE})."
    )


def _log_likelihoods(points: Examples, samples: Examples, sigmas: tuple[float, ...]) -> NDArray[np.float64]:
    """(S, N): every sigma from one pass over the distances, which are what costs time."""
    for sigma in sigmas:
        if not (sigma > 0 and math.isfinite(sigma)):
            raise ValueError(f"sigma is {sigma}; give a positive number, such as 0.2")
    x, s = _flat(points, "points"), _flat(samples, "samples")
    if x.shape[1] != s.shape[1]:
        raise ValueError(
            f"points have {x.shape[1]} values each and samples {s.shape[1]}; give examples of one shape"
        )
    features = x.shape[1]
    columns = []
    for block in _blocks(x):
        block = block.to(s.device)
        total = torch.full((len(sigmas), len(block)), -math.inf, dtype=torch.float64, device=s.device)
        for centres in _blocks(s):
            squared = _squared_distances(block, centres)
            for row, sigma in zip(total, sigmas, strict=True):
                # both sums subtract their largest term first, so nothing underflows far from every sample
                row.copy_(torch.logaddexp(row, torch.logsumexp(squared / (-2 * sigma**2), 1)))
        columns.append(total.cpu())
    normalizers = [features * math.log(sigma * math.sqrt(2 * math.pi)) for sigma in sigmas]
    scores: NDArray[np.float64] = torch.cat(columns, 1).numpy() - np.array(normalizers)[:, None]
    return scores - math.log(len(s))  # the mean over the Gaussians, not their sum


def _squared_distances(x: Tensor, s: Tensor) -> Tensor:
    """‖x − s‖² for every pair, (N, M).

    In float32 the product would cost half the time and up to 0.014 nats per example on MNIST at σ = 0.1.
    """
    squared = torch.addmm(s.square().sum(1), x, s.T, alpha=-2).add_(x.square().sum(1, keepdim=True))
    return squared.clamp_min_(0)  # rounding can leave −1e-13 where x = s


def _blocks(flat: Tensor) -> Iterator[Tensor]:
    """Float64 parts of (N, d), small enough for memory whatever N and d are."""
    size = max(1, min(BLOCK_EXAMPLES, BLOCK_VALUES // flat.shape[1]))
    return (part.double() for part in flat.split(size))


def _flat(examples: Examples, name: str) -> Tensor:
    """(N, d) of the same type, checked."""
    if isinstance(examples, np.ndarray) and not examples.flags.writeable:
        examples = examples.copy()  # a tensor can't share memory that may not be written
    values = torch.as_tensor(examples).detach()
    if values.ndim == 0 or values.numel() == 0:
        raise ValueError(f"{name} of shape {tuple(values.shape)} hold no values; give at least one example")
    low, high = (float(bound) for bound in values.aminmax())
    if not (low >= 0 and high <= 1):  # also refuses what is not a number
        raise ValueError(
            f"{name} range from {low:g} to {high:g}; map them to [0, 1] first, since the log-likelihood "
            "depends on the units of the values"
        )
    return values.reshape(len(values), -1)
