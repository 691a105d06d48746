"""Regularizers: terms added to a player's loss, and constraints on the discriminator's weights."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from .networks.styled import PathMeasured


class Scored(NamedTuple):
    """A batch together with what the discriminator said about it."""

    x: Tensor  # (N, *sample_shape), requires grad while a penalty is due
    y: Tensor | None  # (N,) class labels
    logits: Tensor  # (N,), or (N / m,) where D judges packs of m


class Penalty(Protocol):
    """What may stand in `GAN.penalties`.

    A penalty is due at every `every`-th discriminator step, and then weighs `weight * every` ("lazy"
    regularization, Karras et al. 2020, section 3.1), so that its mean strength does not depend on `every`.
    """

    @property
    def weight(self) -> float:
        """Factor of the term in D's loss."""

    @property
    def every(self) -> int:
        """Due at every n-th discriminator step."""

    def __call__(self, discriminator: nn.Module, real: Scored, fake: Scored) -> Tensor | None:
        """One value per logit, added to D's loss; None if this regularizer adds no term."""

    def project(self, discriminator: nn.Module) -> None:
        """Put D's weights back into the constraint after its update; nothing for a plain term."""


@runtime_checkable
class GeneratorPenalty(Protocol):
    """What may stand in `GAN.penalties` for the generator: due at every `every`-th of its steps."""

    @property
    def weight(self) -> float:
        """Factor of the term in G's loss."""

    @property
    def every(self) -> int:
        """Due at every n-th generator step; then it weighs `weight * every`."""

    def of_generator(self, generator: nn.Module, z: Tensor, y: Tensor | None) -> Tensor:
        """One value per latent looked at, added to G's loss; z is (N, L), y (N,) or None."""


Penalties = Mapping[str, Penalty]
NONE: Penalties = {}
AnyPenalties = Mapping[str, Penalty | GeneratorPenalty]


def due_for_d(penalties: AnyPenalties, step: int) -> dict[str, Penalty]:
    """D's that are due at its `step`-th update, from 0."""
    named = {name: p for name, p in penalties.items() if not isinstance(p, GeneratorPenalty)}
    return {name: penalty for name, penalty in named.items() if step % penalty.every == 0}


def due_for_g(penalties: AnyPenalties, step: int) -> dict[str, GeneratorPenalty]:
    """G's that are due at its `step`-th update, from 0."""
    named = {name: p for name, p in penalties.items() if isinstance(p, GeneratorPenalty)}
    return {name: penalty for name, penalty in named.items() if step % penalty.every == 0}


def exact(device: torch.device, *, needed: bool = True) -> contextlib.AbstractContextManager[object]:
    """Passes in full precision: under autocast the gradient of a gradient would be rounded twice."""
    return torch.autocast(device.type, enabled=False) if needed else contextlib.nullcontext()


def leaf(x: Tensor) -> Tensor:
    """x as something to differentiate by, in at least float32."""
    return x.detach().to(torch.promote_types(x.dtype, torch.float32)).requires_grad_()


def squared_gradient_norm(logits: Tensor, x: Tensor) -> Tensor:
    """‖∂ logit / ∂x‖² per logit, of the shape of `logits`, differentiable once more.

    Where D judges packs of m examples, the norm is that of the gradient with respect to the whole pack.
    """
    with exact(x.device):
        (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.square().reshape(len(logits), -1).sum(1)


@dataclass(frozen=True, kw_only=True)
class R1:
    """½ ‖∇D(x)‖² on real examples, Mescheder et al. (2018), Eq. 9; `weight` is their γ."""

    weight: float = 1.0
    every: int = 1

    def __call__(self, discriminator: nn.Module, real: Scored, fake: Scored) -> Tensor:
        """(N,)."""
        return squared_gradient_norm(real.logits, real.x) / 2

    def project(self, discriminator: nn.Module) -> None:
        """No constraint."""


@dataclass(frozen=True, kw_only=True)
class R2:
    """½ ‖∇D(G(z))‖² on generated examples, Mescheder et al. (2018), Eq. 10; `weight` is their γ."""

    weight: float = 1.0
    every: int = 1

    def __call__(self, discriminator: nn.Module, real: Scored, fake: Scored) -> Tensor:
        """(N,)."""
        return squared_gradient_norm(fake.logits, fake.x) / 2

    def project(self, discriminator: nn.Module) -> None:
        """No constraint."""


@dataclass(frozen=True, kw_only=True)
class WassersteinGradientPenalty:
    """(‖∇D(x̂)‖ − 1)² at x̂ drawn evenly between real and generated, Gulrajani et al. (2017), Eq. 3."""

    weight: float = 10.0
    every: int = 1

    def __call__(self, discriminator: nn.Module, real: Scored, fake: Scored) -> Tensor:
        """(N,)."""
        packs = len(real.logits)
        mix = torch.rand(packs, device=real.x.device, dtype=real.x.dtype)  # a pack moves as one
        mix = mix.repeat_interleave(len(real.x) // packs).view(-1, *[1] * (real.x.ndim - 1))
        x_hat = leaf(torch.lerp(real.x.detach(), fake.x.detach(), mix))
        with exact(x_hat.device):
            squared = squared_gradient_norm(discriminator(x_hat, real.y), x_hat)
        # the root's derivative is infinite at 0: a dead unit would turn every weight into NaN
        return (squared.clamp_min(1e-24).sqrt() - 1).square()

    def project(self, discriminator: nn.Module) -> None:
        """No constraint."""


@dataclass(frozen=True, kw_only=True)
class WeightClip:
    """Every weight of D kept in [−bound, bound], Arjovsky et al. (2017), Algorithm 1.

    Args:
        bound: the paper's c.
        weight: the share of the way back that an update goes: 1 clips, 0 does nothing.
        every: clip after every n-th discriminator step.
    """

    bound: float = 0.01
    weight: float = 1.0
    every: int = 1

    def __call__(self, discriminator: nn.Module, real: Scored, fake: Scored) -> None:
        """No term in the loss."""

    @torch.no_grad()
    def project(self, discriminator: nn.Module) -> None:
        """Clip."""
        for parameter in discriminator.parameters():
            parameter.lerp_(parameter.clamp(-self.bound, self.bound), self.weight)


@dataclass(frozen=True, kw_only=True)
class PathLength:
    """(‖J_wᵀ ε‖ − a)², a small step of w moves the image equally far everywhere, Karras et al. (2020), Eq. 4.

    ε is noise in the image's shape with variance 1 / (H · W), J_w the Jacobian of the image by the style, and
    a the running mean of the norm, a buffer of the generator that counts as a constant.  The learning rate
    and the betas of the optimizer are not corrected for `every`, as the authors do (their appendix B).

    Args:
        weight: of the term.
        every: due at every n-th generator step; it then weighs `weight * every`.
        share: of the minibatch's latents that are looked at.
        decay: share of a that every use renews.
    """

    weight: float = 2.0
    every: int = 4
    share: float = 0.5
    decay: float = 0.01

    def __post_init__(self) -> None:
        if not (0 < self.share <= 1 and 0 < self.decay <= 1):
            given = f"share={self.share} and decay={self.decay}"
            raise ValueError(f"path_length's share and decay are from above 0 to 1, not {given}")

    def of_generator(self, generator: nn.Module, z: Tensor, y: Tensor | None) -> Tensor:
        """(N',) of the first N' = share · N latents, at least one.

        Raises:
            ValueError: the generator has no styles.
        """
        if not isinstance(generator, PathMeasured):
            found = type(generator).__name__
            raise ValueError(f"path_length needs styles, and {found} has none; choose generator stylegan2")
        n = max(1, round(self.share * len(z)))
        with exact(z.device):
            style = generator.style(z[:n], None if y is None else y[:n])
            w = style.unsqueeze(1).expand(-1, generator.style_layers, -1)  # (N', layers, F)
            w = w if w.requires_grad else w.requires_grad_()  # where what makes styles is frozen
            lengths = path_lengths(generator.synthesize(w), w)
        with torch.no_grad():
            mean = generator.path_length_mean.lerp_(lengths.mean(), self.decay)
        return (lengths - mean.clone()).square()


def path_lengths(x: Tensor, w: Tensor) -> Tensor:
    """‖J_wᵀ ε‖ per example (N,), root mean square over the layers, differentiable once more.

    Args:
        x: images (N, C, H, W) made from w.
        w: styles (N, layers, F).
    """
    noise = torch.randn_like(x) / (x.shape[2] * x.shape[3]) ** 0.5
    (gradient,) = torch.autograd.grad((x * noise).sum(), w, create_graph=True)
    # the root's derivative is infinite at 0
    return gradient.square().sum(2).mean(1).clamp_min(1e-24).sqrt()


PENALTIES: dict[
    str, type[R1] | type[R2] | type[WassersteinGradientPenalty] | type[WeightClip] | type[PathLength]
] = {
    "r1": R1,
    "r2": R2,
    "wgan_gp": WassersteinGradientPenalty,
    "weight_clip": WeightClip,
    "path_length": PathLength,
}
