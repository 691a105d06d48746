"""Adaptive discriminator augmentation, Karras et al. (2020), section 3, and the fixed set of R3GAN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from .frame import frame_of
from .pipeline import CATEGORIES, TRANSFORMATIONS, Pipeline

R3GAN = {
    **dict.fromkeys(("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac"), 1.0),
    **dict.fromkeys(("brightness", "contrast", "lumaflip", "hue", "saturation"), 0.5),
    "cutout": 1.0,
}


class ADA(nn.Module):
    """Augmentation with a probability p that follows D's over-fitting.

    Every `every` training examples p is raised where D over-fits more than `target` says, and lowered where
    less, by so much that `ramp` examples would take it from 0 to 1.  D's over-fitting is

        r_v = (E D(training) − E D(held out)) / (E D(training) − E D(generated)),  Eq. 1, or
        r_t = E sign D(training)

    of logits on augmented images; 0 is none and 1 is all.  While D can't tell training from generated
    examples, it does not over-fit.

    Args:
        sample_shape: (C, H, W).
        value_range: (low, high) of the images.
        premultiplied: of 4 channels: colours times alpha, and alpha.
        transformations: names of categories (blit, geometric, color, noise, cutout) or single ones (xflip,
            rotate90, xint, scale, rotate, aniso, xfrac, brightness, contrast, lumaflip, hue, saturation), or
            name -> probability where p is 1.
        probability: p to begin with.
        target: of r; null leaves p as it is.
        signal: held_out for r_v, sign for r_t.
        every: training examples.
        ramp: training examples.

    Raises:
        ValueError: no images of a known range, an unknown transformation, or a number out of range.
    """

    overfitting: Tensor

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        value_range: tuple[float, float] | None,
        premultiplied: bool = False,
        transformations: list[str] | dict[str, float] | tuple[str, ...] = ("blit", "geometric", "color"),
        probability: float = 0.0,
        target: float | None = 0.6,
        signal: Literal["held_out", "sign"] = "held_out",
        every: int = 1_000,
        ramp: int = 500_000,
    ) -> None:
        super().__init__()
        if every < 1 or ramp < every or (target is not None and not 0 < target < 1):
            given = f"every={every}, ramp={ramp} and target={target}"
            raise ValueError(
                f"{given} can't be followed; give 1 <= every <= ramp and 0 < target < 1, or null"
            )
        frame = frame_of(sample_shape, value_range, premultiplied)
        self.pipeline = Pipeline(multipliers(transformations), frame, probability)
        self.target, self.signal, self.every, self.ramp = target, signal, every, ramp
        self.register_buffer("overfitting", torch.zeros(()))

    @property
    def probability(self) -> float:
        """p now."""
        return float(self.pipeline.probability)

    def set_probability(self, value: float) -> None:
        """p from now on."""
        self.pipeline.set_probability(value)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same, in the range of the data or somewhat beyond it."""
        result: Tensor = self.pipeline(x)
        return result

    def follow(self, train: Tensor, held_out: Tensor, fake: Tensor, *, examples: int) -> None:
        """Move p by r of these logits; `examples` have passed since the last time.

        Args:
            train: (N,) of training examples, augmented as all are.
            held_out: (M,) of examples that D has never learnt from.
            fake: (K,) of generated ones.
            examples: training examples.
        """
        if self.signal == "sign":
            self._follow(train.double().sign().mean().cpu(), examples)
            return
        train, held_out, fake = (logits.double().mean().cpu() for logits in (train, held_out, fake))
        apart = train - fake
        self._follow((train - held_out) / apart if apart > 0 else torch.zeros(()), examples)

    def _follow(self, ratio: Tensor, examples: int) -> None:
        if self.target is None or not bool(ratio.isfinite()):
            return
        self.overfitting.copy_(ratio)
        step = float((self.overfitting - self.target).sign()) * examples / self.ramp
        self.set_probability(min(max(self.probability + step, 0.0), 1.0))


def r3gan(
    *,
    sample_shape: tuple[int, ...],
    value_range: tuple[float, float] | None,
    premultiplied: bool = False,
    transformations: list[str] | dict[str, float] | None = None,
    probability: float = 0.3,
) -> Pipeline:
    """The same pipeline with R3GAN's set (Huang et al. 2024): all that moves pixels, colours half as often.

    Args:
        sample_shape: (C, H, W).
        value_range: (low, high) of the images.
        premultiplied: of 4 channels: colours times alpha, and alpha.
        transformations: instead of that set; see `ADA`.
        probability: p, which may be a schedule; there from 0 to 0.3 or 0.55 over the burn-in.

    Raises:
        ValueError: no images of a known range, or an unknown transformation.
    """
    chosen = R3GAN if transformations is None else multipliers(transformations)
    return Pipeline(chosen, frame_of(sample_shape, value_range, premultiplied), probability)


def multipliers(chosen: Sequence[str] | Mapping[str, float]) -> dict[str, float]:
    """Transformation -> probability where p is 1, from names of categories and of single ones.

    Raises:
        ValueError: a name is neither.
    """
    weights = chosen if isinstance(chosen, Mapping) else dict.fromkeys(chosen, 1.0)
    found: dict[str, float] = {}
    for name, weight in weights.items():
        if name not in CATEGORIES and name not in TRANSFORMATIONS:
            known = ", ".join((*CATEGORIES, *TRANSFORMATIONS))
            raise ValueError(f"no transformation is called {name!r}; use some of {known}")
        found |= dict.fromkeys(CATEGORIES.get(name, (name,)), weight)
    return found
