"""Linear probes: what a linear classifier reads off features, by an L2-regularized L2-SVM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 2**24  # numbers of features made float at once: 64 MB
INNER_STEPS = 40  # conjugate gradients for one Newton step
_FORCING = 0.1  # how far they reduce the residual


class LinearSvm(NamedTuple):
    """K linear classifiers, each of one class against the rest.

    Args:
        weight: (F, K) float64, for features as they are: a standardization is multiplied in.
        bias: (K,) float64.
        objective: (K,) float64, what each minimizes.
        gap: (K,) float64, how far above its minimum each was before the last step, as a share of itself.
        steps: of Newton's method.
    """

    weight: Tensor
    bias: Tensor
    objective: Tensor
    gap: Tensor
    steps: int


class Choice(NamedTuple):
    """C chosen on validation data.

    Args:
        c: with the highest accuracy there; the smallest of equals.
        accuracies: of each C that was tried, 0 … 1.
        svm: fitted with the chosen one.
    """

    c: float
    accuracies: list[float]
    svm: LinearSvm


class _Problem(NamedTuple):
    """(N, F) features, what standardizes them, (N, K) signs and C."""

    x: Tensor
    mean: Tensor
    scale: Tensor
    signs: Tensor
    c: float


def fit_svm(
    x: Tensor,
    y: Tensor,
    classes: int,
    *,
    c: float = 1.0,
    standardize: bool = False,
    tolerance: float = 1e-3,
    steps: int = 50,
) -> LinearSvm:
    """min ½‖(w, b)‖² + C Σ max(0, 1 − s (w·x + b))² for each class against the rest, s = ±1.

    The objective of LIBLINEAR's L2-regularized L2-loss SVM (Fan et al. 2008), which scikit-learn's
    LinearSVC(loss="squared_hinge") has too: a sum, not a mean, and the bias is penalized like a weight.
    Truncated Newton (Keerthi and DeCoste 2005; Lin et al. 2008) on all classes at once, with an exact line
    search; the features are read as they are, a block at a time.

    Args:
        x: (N, F) features of any type; products are in float64 if x is, else in float32.
        y: (N,) labels 0 … K − 1.
        classes: K.
        c: weight of the loss.
        standardize: bring each feature to mean 0 and deviation 1 first; it changes what ‖w‖² penalizes.
        tolerance: how far above its minimum an objective may be, as a share of itself.
        steps: of Newton's method, at most.

    Raises:
        ValueError: labels that are no classes, features that are not finite, or C not above 0.
    """
    return _solve(_problem(x, y, classes, c, standardize), tolerance, steps)[0]


def choose_c(
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    classes: int,
    grid: Sequence[float],
    *,
    standardize: bool = False,
    tolerance: float = 1e-3,
) -> Choice:
    """The C with the best accuracy on validation data, each fit starting from that of the C below.

    Args:
        train: (N, F) features and (N,) labels that the classifiers are fitted to.
        validation: (M, F) and (M,) that choose C; test data have no part in it.
        classes: K.
        grid: of C, at least one; 1e-4 … 1e-2 in Radford et al. (2015), Table 2.
        standardize: as of `fit_svm`.
        tolerance: as of `fit_svm`.
    """
    if not grid or min(grid) <= 0:
        raise ValueError(f"C is chosen among positive values, not among {list(grid)}; give at least one")
    ordered, found, start = sorted(grid), [], None
    problem = _problem(*train, classes, ordered[0], standardize)
    for c in ordered:
        svm, start = _solve(problem._replace(c=c), tolerance, start=start)
        found.append((accuracy(svm, *validation), svm))
    best = max(range(len(found)), key=lambda i: found[i][0])  # the first of equals
    return Choice(ordered[best], [value for value, _ in found], found[best][1])


def scores(svm: LinearSvm, x: Tensor) -> Tensor:
    """w·x + b, (N, K) float64.

    Args:
        svm: with weights for F features.
        x: (N, F).
    """
    return _times(x, svm.weight) + svm.bias


def accuracy(svm: LinearSvm, x: Tensor, y: Tensor) -> float:
    """Share of examples whose highest score is that of their class, 0 … 1.

    Args:
        svm: fitted.
        x: (N, F) features.
        y: (N,) labels.
    """
    return float((scores(svm, x).argmax(1).cpu() == y.cpu()).double().mean())


def _problem(x: Tensor, y: Tensor, classes: int, c: float, standardize: bool) -> _Problem:
    """Checked; mean and scale from one pass, 0 and 1 where features are taken as they are."""
    if x.dim() != 2 or len(x) != len(y) or not len(x):
        raise ValueError(
            f"features of shape {tuple(x.shape)} and {len(y)} labels don't fit; give (N, F) and (N,)"
        )
    if int(y.min()) < 0 or int(y.max()) >= classes or classes < 2:
        raise ValueError(
            f"labels from {int(y.min())} to {int(y.max())} do not fit {classes} classes, at least 2"
        )
    if not c > 0:
        raise ValueError(f"C = {c} does not weigh the loss; give a number above 0")
    signs = torch.full((len(x), classes), -1.0, dtype=torch.float64, device=x.device)
    signs.scatter_(1, y.to(x.device).long()[:, None], 1.0)
    total, squares = (torch.zeros(x.shape[1], dtype=torch.float64, device=x.device) for _ in range(2))
    for rows in x.split(_rows(x)):
        total += rows.sum(0, dtype=torch.float64)
    mean = total / len(x)
    if not bool(mean.isfinite().all()):
        raise ValueError("features are not finite; look for what made them")
    if not standardize:
        return _Problem(x, torch.zeros_like(mean), torch.ones_like(mean), signs, c)
    for rows in x.split(_rows(x)):
        squares += (rows.double() - mean).square().sum(0)
    deviation = (squares / len(x)).sqrt()
    # a feature that does not vary says nothing
    scale = torch.where(deviation > 1e-6 * mean.abs(), 1 / deviation.clamp_min(1e-300), 0.0)
    return _Problem(x, mean, scale, signs, c)


def _solve(
    problem: _Problem, tolerance: float, steps: int = 50, start: Tensor | None = None
) -> tuple[LinearSvm, Tensor]:
    """The classifiers, and the (F + 1, K) weights in standardized units to start the next problem from."""
    classes = problem.signs.shape[1]
    w = problem.mean.new_zeros(len(problem.mean) + 1, classes) if start is None else start
    f, wanted = _products(problem, w), torch.ones(classes, dtype=torch.bool, device=w.device)
    gap, taken = torch.full_like(w[0], torch.inf), 0
    while taken < steps and bool(wanted.any()):
        gradient = _gradient(problem, w, f)
        direction, along = _newton(problem, gradient, f, wanted)
        # half the Newton decrement is the gap where the objective is quadratic: at the end, exactly
        decrement = -(gradient * direction).sum(0) / 2
        gap = torch.where(wanted, decrement / _objective(problem, w, f), gap)
        t = _line_search(problem, w, f, direction, along)
        w, f, taken = w + t * direction, f + t * along, taken + 1
        wanted = wanted & (gap > tolerance)
    weight = w[:-1] * problem.scale[:, None]
    bias = w[-1] - problem.mean @ weight
    return LinearSvm(weight, bias, _objective(problem, w, f), gap, taken), w


def _objective(problem: _Problem, w: Tensor, f: Tensor) -> Tensor:
    """½‖w‖² + C Σ max(0, 1 − s f)², (K,)."""
    return w.square().sum(0) / 2 + problem.c * (1 - problem.signs * f).clamp_min(0).square().sum(0)


def _gradient(problem: _Problem, w: Tensor, f: Tensor) -> Tensor:
    """w + 2C Σ (f − s) x over the examples within the margin, (F + 1, K)."""
    return w + 2 * problem.c * _transposed(problem, _active(problem, f) * (f - problem.signs))


def _active(problem: _Problem, f: Tensor) -> Tensor:
    """(N, K) float64, 1 where an example costs something."""
    return (problem.signs * f < 1).double()


def _newton(problem: _Problem, gradient: Tensor, f: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """−H⁻¹ gradient, roughly, and its products with the features; 0 for classes that are not wanted.

    Conjugate gradients with the diagonal of H = 1 + 2C Σ x xᵀ as preconditioner, each class for itself.
    """
    active = _active(problem, f)
    diagonal = 1 + 2 * problem.c * _diagonal(problem, active)
    d, along = torch.zeros_like(gradient), torch.zeros_like(f)
    rest = torch.where(wanted, -gradient, 0.0)
    z = rest / diagonal
    p, before = z, (rest * z).sum(0)
    aim = _FORCING * rest.norm(dim=0)
    for _ in range(INNER_STEPS):
        moving = rest.norm(dim=0) > aim
        if not bool(moving.any()):
            break
        xp = _products(problem, p)
        hp = p + 2 * problem.c * _transposed(problem, active * xp)
        step = torch.where(moving, before / (p * hp).sum(0), 0.0)
        d, along, rest = d + step * p, along + step * xp, rest - step * hp
        z = rest / diagonal
        after = (rest * z).sum(0)
        p, before = torch.where(moving, z + after / before * p, 0.0), after
    return d, along


def _line_search(problem: _Problem, w: Tensor, f: Tensor, d: Tensor, along: Tensor) -> Tensor:
    """The step t that minimizes each class's objective along d, (K,).

    The derivative is increasing and linear in pieces, so that Newton's method finds its zero after few steps;
    a bracket keeps it from leaving.
    """
    wd, dd = (w * d).sum(0), (d * d).sum(0)
    t = torch.ones_like(wd)
    low, high = torch.zeros_like(t), torch.full_like(t, torch.inf)
    for _ in range(30):
        gap = (1 - problem.signs * (f + t * along)).clamp_min(0)
        slope = wd + t * dd - 2 * problem.c * (problem.signs * along * gap).sum(0)
        curve = dd + 2 * problem.c * (along.square() * (gap > 0)).sum(0)
        low, high = torch.where(slope < 0, t, low), torch.where(slope > 0, t, high)
        moved = t - torch.where(curve > 0, slope / curve.clamp_min(1e-300), 0.0)
        outside = (moved < low) | (moved > high)
        moved = torch.where(outside, (low + high.clamp_max(2 * t)) / 2, moved)
        if bool(((moved - t).abs() <= 1e-9 * t).all()):
            break
        t = moved
    return t


def _products(problem: _Problem, v: Tensor) -> Tensor:
    """[standardized x, 1] v, (N, K) float64; x itself is not changed: the mean is taken off the product."""
    scaled = v[:-1] * problem.scale[:, None]
    return _times(problem.x, scaled) + (v[-1] - problem.mean @ scaled)


def _transposed(problem: _Problem, r: Tensor) -> Tensor:
    """[standardized x, 1]ᵀ r, (F + 1, K) float64."""
    total = torch.zeros(problem.x.shape[1], r.shape[1], dtype=torch.float64, device=r.device)
    rows = _rows(problem.x)
    for block, part in zip(problem.x.split(rows), r.split(rows), strict=True):
        wide = block.to(_precision(block))
        total += (part.to(wide.dtype).T @ wide).T  # ten times faster than wide.T @ part on a CPU
    sums = r.sum(0)
    return torch.cat([(total - torch.outer(problem.mean, sums)) * problem.scale[:, None], sums[None]])


def _diagonal(problem: _Problem, active: Tensor) -> Tensor:
    """Σ of the squares of [standardized x, 1] over active examples, (F + 1, K)."""
    shape = problem.x.shape[1], active.shape[1]
    total = torch.zeros(shape, dtype=torch.float64, device=active.device)
    rows = _rows(problem.x)
    mean = problem.mean.to(_precision(problem.x))
    for block, part in zip(problem.x.split(rows), active.split(rows), strict=True):
        total += (part.to(mean.dtype).T @ (block.to(mean.dtype) - mean).square_()).T
    return torch.cat([total * problem.scale[:, None].square(), active.sum(0)[None]])


def _times(x: Tensor, v: Tensor) -> Tensor:
    """x v, (N, K) float64."""
    turned = v.T.to(_precision(x)).contiguous()
    return torch.cat([(block.to(turned.dtype) @ turned.T).double() for block in x.split(_rows(x))])


def _precision(x: Tensor) -> torch.dtype:
    """Of products with x."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _rows(x: Tensor) -> int:
    """Examples in a block."""
    return max(1, BLOCK // x.shape[1])
