"""The augmentations of Karras et al. (2020), "Training GANs with Limited Data", appendix B, as one module.

Each transformation is done to an image with probability (its own multiplier) · p, where p stands for all.
What is done with a probability below 1 can be undone in distribution, so that it need not leak into samples
(section 2.2); hence the parameters are drawn so that no direction is favoured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from . import color, warp
from .frame import Frame, plain
from .holes import rectangles

MOST_SHIFT = 0.125  # of the size
SCALE = 0.2 * math.log(2)  # standard deviation of the logarithm
BRIGHTNESS = 0.2
CONTRAST = 0.5 * math.log(2)
SATURATION = math.log(2)
NOISE = 0.1
HOLE = 0.5  # of the size

BLIT = ("xflip", "rotate90", "xint")
GEOMETRIC = ("scale", "rotate", "aniso", "xfrac")
ORDER = ("scale", "rotate", "aniso", "rotate", "xfrac")
COLOR = ("brightness", "contrast", "lumaflip", "hue", "saturation")
CATEGORIES: dict[str, tuple[str, ...]] = {
    "blit": BLIT,
    "geometric": GEOMETRIC,
    "color": COLOR,
    "noise": ("noise",),
    "cutout": ("cutout",),
}
TRANSFORMATIONS = tuple(name for names in CATEGORIES.values() for name in names)


class Pipeline(nn.Module):
    """x -> T(x), for every image a T of its own.

    The numbers come from PyTorch's global generator of the device, as many in every call with as many images.
    The probability is a buffer, so that a checkpoint has it; it stays on the CPU, where reading it waits for
    nothing.

    Args:
        multipliers: transformation -> its probability where p is 1.
        frame: what is known of the images.
        probability: p to begin with.

    Raises:
        ValueError: an unknown transformation, or a number that is no probability.
    """

    probability: Tensor

    def __init__(self, multipliers: Mapping[str, float], frame: Frame, probability: float) -> None:
        super().__init__()
        unknown = sorted(multipliers.keys() - set(TRANSFORMATIONS))
        if unknown:
            raise ValueError(
                f"no transformation is called {unknown[0]!r}; use some of {', '.join(TRANSFORMATIONS)}"
            )
        for name, value in (("probability", probability), *multipliers.items()):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}, which is no probability; give 0 to 1")
        self.frame = frame
        self.multipliers = {
            name: value for name, value in multipliers.items() if value and frame.allows(name)
        }
        self.register_buffer("probability", torch.tensor(float(probability), dtype=torch.float64))

    def set_probability(self, value: float) -> None:
        """p from now on."""
        self.probability.fill_(value)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same, in the range of the data or somewhat beyond it."""
        p = float(self.probability)
        if p == 0 or not self.multipliers:
            return x
        chances = {name: min(p * value, 1.0) for name, value in self.multipliers.items()}
        with torch.autocast(x.device.type, enabled=False):  # 8 bits would round what D is to look at
            return plain(lambda y: self._transformed(y, chances), x, self.frame)

    def _transformed(self, x: Tensor, chances: Mapping[str, float]) -> Tensor:
        """x in [−1, 1], in the order of the paper."""
        x = moved(x, chances, self.frame)
        if any(name in chances for name in COLOR):
            x = color.colored(x, color_matrices(x, chances), self.frame.kind)
        if "noise" in chances:
            x = noisy(x, chances["noise"], self.frame.kind)
        return cut_out(x, chances["cutout"], self.frame.empty) if "cutout" in chances else x


def moved(x: Tensor, chances: Mapping[str, float], frame: Frame) -> Tensor:
    """All that moves pixels, in one warp; images that are moved by whole pixels only keep their values.

    Args:
        x: (N, C, H, W).
        chances: transformation -> its probability.
        frame: what is beyond the edge.
    """
    exactly = sources(x, chances, BLIT)
    if exactly is None:
        exactly = torch.eye(3, device=x.device, dtype=x.dtype).expand(len(x), 3, 3)
        result = x
    else:
        result = _based(lambda y: warp.moved(y, exactly, frame.outside), x, frame)
    finely = sources(x, chances, ORDER)
    if finely is None:
        return result
    still = (finely == torch.eye(3, device=x.device, dtype=x.dtype)).all(2).all(1)
    finer = _based(lambda y: warp.warped(y, exactly @ finely, frame.outside), x, frame)
    return torch.where(still[:, None, None, None], result, finer)


def _based(move: Callable[[Tensor], Tensor], x: Tensor, frame: Frame) -> Tensor:
    """`move` with nothing, −1 in premultiplied images, as 0, which is what comes in from outside."""
    return move(x + 1) - 1 if frame.outside == "zero" else move(x)


def sources(x: Tensor, chances: Mapping[str, float], names: tuple[str, ...]) -> Tensor | None:
    """(N, 3, 3) from places in the result to places in x; None if none of `names` has a chance.

    Rotations before and after the anisotropic scaling each have 1 − √(1 − p), so that one of both has p.
    """
    found: Tensor | None = None
    for name in names:
        if name in chances:
            new = MOVES[name](x, chances[name])
            found = new if found is None else found @ new  # the later one is undone first
    return found


def color_matrices(x: Tensor, chances: Mapping[str, float]) -> Tensor:
    """(N, 4, 4): brightness, contrast, luma flip, hue and saturation, one after the other."""
    found = torch.eye(4, device=x.device, dtype=x.dtype).expand(len(x), 4, 4)
    for name in COLOR:
        if name in chances:
            found = COLORS[name](x, chances[name]) @ found
    return found


def noisy(x: Tensor, chance: float, kind: color.Kind) -> Tensor:
    """x + σ n with σ = |N(0, 0.1²)|; what is transparent stays so."""
    sigma = _drawn(x, chance, lambda n: NOISE * torch.randn_like(n).abs(), 0.0)[:, None, None, None]
    noise = sigma * torch.randn_like(x)
    if kind != "premultiplied":
        return x + noise
    # colours times alpha, in [−1, 1], scale with alpha in [0, 1]
    return x + torch.cat([noise[:, :3] * ((x[:, 3:] + 1) / 2), torch.zeros_like(x[:, 3:])], 1)


def cut_out(x: Tensor, chance: float, empty: float) -> Tensor:
    """A rectangle of half the size, around any point of the image, painted `empty`."""
    height, width = x.shape[2:]
    middle = torch.rand(2, len(x), device=x.device, dtype=x.dtype)
    size = _drawn(x, chance, lambda n: torch.full_like(n, HOLE), 0.0)
    left = ((middle[0] - size / 2) * width).round()
    top = ((middle[1] - size / 2) * height).round()
    right, bottom = ((middle[0] + size / 2) * width).round(), ((middle[1] + size / 2) * height).round()
    hole = rectangles(x, left, top, right - left, bottom - top)
    return torch.where(hole, torch.full_like(x, empty), x)


def _drawn(x: Tensor, chance: float, draw: Callable[[Tensor], Tensor], neutral: float) -> Tensor:
    """(N,) numbers: drawn where chance has it, else neutral."""
    hit = torch.rand(len(x), device=x.device, dtype=x.dtype) < chance
    drawn = draw(x.new_empty(len(x)))
    return torch.where(hit, drawn, torch.full_like(drawn, neutral))


def _normal(x: Tensor, chance: float, deviation: float) -> Tensor:
    return _drawn(x, chance, lambda n: deviation * torch.randn_like(n), 0.0)


def _integers(x: Tensor, chance: float, count: int) -> Tensor:
    return _drawn(x, chance, lambda n: torch.rand_like(n).mul(count).floor().clamp(max=count - 1), 0.0)


def _uniform(x: Tensor, chance: float, most: float) -> Tensor:
    return _drawn(x, chance, lambda n: torch.rand_like(n).mul(2 * most).sub(most), 0.0)


def _turned(x: Tensor, chance: float) -> Tensor:
    return warp.turn(_uniform(x, 1 - math.sqrt(1 - chance), math.pi))


def _quarter_turns(x: Tensor, chance: float) -> Tensor:
    """Half turns where the image is no square."""
    square = x.shape[2] == x.shape[3]
    number = _integers(x, chance, 4 if square else 2)
    return warp.quarter_turns(number if square else 2 * number)


def _mirrored(x: Tensor, chance: float) -> Tensor:
    factor = 1 - 2 * _integers(x, chance, 2)
    return warp.stretch(factor, torch.ones_like(factor))


def _shifted(x: Tensor, chance: float) -> Tensor:
    """By whole pixels, up to an eighth of the size, both ways or not at all."""
    height, width = x.shape[2:]
    hit = _drawn(x, chance, torch.ones_like, 0.0)
    across, down = (torch.rand(2, len(x), device=x.device, dtype=x.dtype) * 2 - 1) * MOST_SHIFT * hit
    return warp.shift((across * width).round(), (down * height).round())


def _finely_shifted(x: Tensor, chance: float) -> Tensor:
    height, width = x.shape[2:]
    hit = _drawn(x, chance, torch.ones_like, 0.0)
    across, down = torch.randn(2, len(x), device=x.device, dtype=x.dtype) * MOST_SHIFT * hit
    return warp.shift(across * width, down * height)


def _scaled(x: Tensor, chance: float) -> Tensor:
    factor = _normal(x, chance, SCALE).exp()
    return warp.stretch(factor, factor)


def _stretched(x: Tensor, chance: float) -> Tensor:
    factor = _normal(x, chance, SCALE).exp()
    return warp.stretch(factor, 1 / factor)


Matrices = Callable[[Tensor, float], Tensor]  # (x, probability) -> a matrix for each image
MOVES: dict[str, Matrices] = {
    "xflip": _mirrored,
    "rotate90": _quarter_turns,
    "xint": _shifted,
    "scale": _scaled,
    "rotate": _turned,
    "aniso": _stretched,
    "xfrac": _finely_shifted,
}
COLORS: dict[str, Matrices] = {
    "brightness": lambda x, chance: color.brightness(_normal(x, chance, BRIGHTNESS)),
    "contrast": lambda x, chance: color.contrast(_normal(x, chance, CONTRAST).exp()),
    "lumaflip": lambda x, chance: color.luma_flip(_integers(x, chance, 2)),
    "hue": lambda x, chance: color.hue(_uniform(x, chance, math.pi)),
    "saturation": lambda x, chance: color.saturation(_normal(x, chance, SATURATION).exp()),
}
