"""What a generator with a style space offers beside its samples: truncation, mixing, directions."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Styled(Protocol):
    """A generator that first maps z to a style w (Karras et al. 2019): G(z, y) = synthesize(style(z, y))."""

    @property
    def style_layers(self) -> int:
        """At how many places a style enters, from coarse to fine."""

    @property
    def style_mean(self) -> Tensor:
        """(F,) running mean of w over the training: the point that truncation pulls towards."""

    def style(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, L) latents and (N,) labels to (N, F) styles."""

    def synthesize(self, w: Tensor) -> Tensor:
        """(N, F) styles, or (N, style_layers, F) with one for every place, to samples (N, C, H, W)."""


@runtime_checkable
class PathMeasured(Styled, Protocol):
    """A styled generator that remembers how long its paths are, for `penalties.PathLength`."""

    @property
    def path_length_mean(self) -> Tensor:
        """(1,) running mean, a buffer, so that it is saved with the generator."""


def truncated(w: Tensor, mean: Tensor, psi: float) -> Tensor:
    """mean + ψ (w − mean), the truncation trick in W, Karras et al. (2019), appendix B.

    Args:
        w: styles (…, F).
        mean: (F,), `style_mean` of the generator.
        psi: 1 leaves the styles as they are, 0 makes every one the mean, below 0 is the opposite style.
    """
    return mean.lerp(w, psi)
