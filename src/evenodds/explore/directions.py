"""Directions in latent space: those along which samples change most, and those of measured attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..data.dataset import Array
from ..errors import ConfigError
from .space import Space, in_passes, styled
from .tracing import Call, LinearCalls

ACTIVATIONS = 1_024  # samples whose activations are analysed
RIDGE = 1e-2  # of the regression, in units of the points' own variance
AFFINE = 1e-3  # relative deviation from an affine map that rounding explains


class Directions(NamedTuple):
    """Unit vectors, the strongest first.

    Args:
        vectors: (k, F).
        strengths: (k,) how much a step of length 1 moves what `meaning` names.
        meaning: of the strengths, in words.
    """

    vectors: Tensor
    strengths: Tensor
    meaning: str


class Regressed(NamedTuple):
    """A direction fitted to an attribute.

    Args:
        vector: (F,) of length 1.
        slope: change of the attribute for one standard deviation along it, on points held out.
        r_squared: share of the attribute's variance that the fit explains, on points held out.
        deviation: standard deviation of the attribute over samples of one class.
    """

    vector: Tensor
    slope: float
    r_squared: float
    deviation: float


def closed_form(space: Space, k: int) -> Directions:
    """Eigenvectors of AᵀA, A the first linear map that a point enters; SeFa, Shen and Zhou (2021), Eq. 6.

    For w, A is all the maps from the style to the layers, one below the other.

    Raises:
        ConfigError: k is more than the space's dimensions, or the first map isn't linear in z.
    """
    _check_count(space, k)
    matrix = _style_maps(space) if space.name == "w" else _first_map(space)
    _, singular, vectors = torch.linalg.svd(matrix.double(), full_matrices=False)
    return Directions(
        _oriented(vectors[:k].float()), singular[:k].float(), "length of the first layer's change"
    )


def components(space: Space, k: int) -> Directions:
    """Principal components, as in GANSpace (Härkönen et al. 2020), of w, or for z of the first activations.

    The activations' components are carried back to z by least squares: U = argmin Σ‖U xⱼ − zⱼ‖², their Eq. 2.

    Raises:
        ConfigError: k is more than the space's dimensions, or there is no hidden layer.
    """
    _check_count(space, k)
    if space.name == "w":
        vectors, deviations = _principal(space.pool, k)
        return Directions(_oriented(vectors), deviations, "standard deviation of w along it")
    z = space.points(range(ACTIVATIONS))
    hidden = _activations(space, z)
    vectors, deviations = _principal(hidden, k)
    coordinates = (hidden - hidden.mean(0)) @ vectors.T  # (N, k), uncorrelated: each has a fit of its own
    back = (coordinates / coordinates.square().sum(0)).T @ (z - z.mean(0))  # (k, L)
    back = nn.functional.normalize(back, dim=1)
    return Directions(_oriented(back), deviations, "standard deviation of the activations along it")


def for_attribute(space: Space, values: Array, labels: Array | None = None) -> Regressed:
    """The direction in which an attribute grows, by ridge regression on the points of seeds 0 … N − 1.

    Half of the points are fitted, the other half says how well.

    Args:
        values: (N,) of the attribute.
        labels: (N,) classes of the samples, whose means don't count.

    Raises:
        ConfigError: the attribute doesn't vary.
    """
    points = space.points(range(len(values)), None if labels is None else labels.tolist()).double()
    y = torch.from_numpy(values).double()
    kinds = torch.zeros(len(y), dtype=torch.int64) if labels is None else torch.from_numpy(labels)
    for kind in kinds.unique():
        one = kinds == kind
        y[one] -= y[one].mean()
        points[one] -= points[one].mean(0)
    if float(y.std()) < 1e-9:
        raise ConfigError("the attribute is the same in all samples; choose another")
    half = len(y) // 2
    x, later = points[:half], points[half:]
    gram = x.T @ x
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    weights = torch.linalg.solve(gram, x.T @ y[:half])
    residual = (y[half:] - later @ weights).square().sum()
    vector = weights / weights.norm()
    along = later @ vector
    slope = float((along @ y[half:]) / along.square().sum() * along.std())
    explained = 1 - float(residual / y[half:].square().sum())
    return Regressed(vector.float(), slope, explained, float(y.std()))


def deviation_along(space: Space, vector: Tensor) -> float:
    """Standard deviation of the points along a unit vector: one step of a strip."""
    return space.spread if space.name == "z" else float((space.pool @ vector).std())


def moved(space: Space, point: Tensor, vector: Tensor, steps: Sequence[float]) -> Tensor:
    """(N, F): the point moved along a unit vector by that many standard deviations."""
    scaled = torch.tensor(steps)[:, None] * deviation_along(space, vector)
    return space.on(point + scaled * vector)


def _check_count(space: Space, k: int) -> None:
    dim = space.points([0]).shape[1]
    if not 1 <= k <= dim:
        raise ConfigError(f"{k} directions can't be had in {dim} dimensions; ask for 1 to {dim}")


def _principal(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The first k principal components (k, F) of (N, F), and standard deviations (k,), the largest first."""
    centred = (x - x.mean(0)).double()
    if len(x) >= x.shape[1]:
        values, vectors = torch.linalg.eigh(centred.T @ centred)
        vectors = vectors.T
    else:  # fewer points than dimensions: from the products among the points
        values, weights = torch.linalg.eigh(centred @ centred.T)
        vectors = weights.T @ centred
    chosen = nn.functional.normalize(vectors.flip(0)[:k], dim=1)
    return chosen.float(), (values.flip(0)[:k].clamp_min(0) / (len(x) - 1)).sqrt().float()


def _oriented(vectors: Tensor) -> Tensor:
    """The sign of an eigenvector is arbitrary: here its largest coordinate is positive."""
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * largest.sign()


@torch.no_grad()
def _first_map(space: Space) -> Tensor:
    """(outputs, L): the matrix of the first linear map that z enters."""
    dim = space.sampler.prior.dim
    first = _entered_by_z(space)[0]
    z = torch.cat([torch.zeros(1, dim), torch.eye(dim), 2 * torch.eye(dim)])
    matrix = _matrix(first.on(_entering(space, first, z, [0] * len(z)).to(space.sampler.device)))
    if matrix is None:
        raise ConfigError(
            "this generator's first layer isn't linear in z, so it has no closed-form directions in z; "
            "use --method pca, or --space w where there is one"
        )
    return matrix


@torch.no_grad()
def _style_maps(space: Space) -> Tensor:
    """(outputs, F): the matrices of all linear maps that w itself enters, one below the other."""
    generator = styled(space.sampler, "has no space w")
    mean = generator.style_mean.detach()
    pair = torch.stack([mean, mean + 1])
    with LinearCalls() as seen:
        generator.synthesize(pair)
    of_style = [call for call in seen.calls if _same(call.entering, pair)]
    unit = torch.eye(len(mean)).to(mean)
    w = mean + torch.cat([torch.zeros_like(unit[:1]), unit, 2 * unit])
    matrices = [matrix for call in of_style if (matrix := _matrix(call.on(w))) is not None]
    if not matrices:
        raise ConfigError("this generator's styles enter no linear map of their own; use --method pca")
    return torch.cat(matrices)


def _same(x: Tensor, y: Tensor) -> bool:
    return x.shape == y.shape and torch.equal(x, y)


def _matrix(values: Tensor) -> Tensor | None:
    """(outputs, dim) of a map, from its values at 0, at the unit vectors and twice these; None if not affine.

    Args:
        values: (2 · dim + 1, …).
    """
    values = values.flatten(1).float().cpu()
    origin, once, twice = values[:1], *values[1:].chunk(2)
    matrix = (once - origin).T
    deviation = (twice - origin).T - 2 * matrix
    return matrix if float(deviation.abs().max()) <= AFFINE * float(matrix.abs().max()) else None


def _activations(space: Space, z: Tensor) -> Tensor:
    """(N, hidden): what enters the second linear map, that is the first one's values after activation."""
    entered = _entered_by_z(space)
    if len(entered) < 2:
        raise ConfigError("this generator has one layer only; use --method closed-form")
    classes = len(space.sampler.class_names)
    labels = [seed % classes for seed in range(len(z))] if classes else [0] * len(z)
    return _entering(space, entered[1], z, labels).flatten(1)


@torch.no_grad()
def _entered_by_z(space: Space) -> list[Call]:
    """The linear maps of G whose input depends on z, in the order in which they are computed."""
    sampler = space.sampler
    z = sampler.latents([0, 1]).to(sampler.device)
    y = torch.zeros(2, dtype=torch.int64, device=sampler.device) if sampler.class_names else None
    with LinearCalls() as seen:
        sampler.generator(z, y)
    found = [call for call in seen.calls if len(call.entering) == 2 and not torch.equal(*call.entering)]
    if not found:
        raise ConfigError("this generator's latents enter no linear map; directions can't be computed")
    return found


def _entering(space: Space, call: Call, z: Tensor, labels: Sequence[int]) -> Tensor:
    """(N, …): what enters that map of G for these latents."""

    def entering(z: Tensor, y: Tensor | None) -> Tensor:
        with LinearCalls(only=call.number) as seen:
            space.sampler.generator(z, y)
        return seen.calls[0].entering

    y = labels if space.sampler.class_names else None
    return in_passes(entering, z, range(len(z)), y, space.sampler.device)
