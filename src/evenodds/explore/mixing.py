"""Style mixing and truncation: which layers carry what, and how variety is traded for quality."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import ConfigError
from ..latents import Sphere
from ..networks.styled import Styled, truncated
from .figures import Cell, Table, heading, need_images, rows_of, tiles
from .interpolation import class_name, row_label
from .space import Space, styled

PARTS = ("coarse", "middle", "fine")
PSIS = (1.0, 0.7, 0.5, 0.3, 0.0, -0.5, -1.0)


def layers_of(part: str, count: int) -> range:
    """The style layers of a third, coarse, middle or fine, or those that `2-5` names.

    Raises:
        ConfigError: neither, or layers that there aren't.
    """
    if part in PARTS:
        third = PARTS.index(part)
        return range(round(third * count / 3), round((third + 1) * count / 3))
    first, _, last = part.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()):
        raise ConfigError(
            f"layers {part!r} are neither {', '.join(PARTS)} nor numbers such as 2-5; give those"
        )
    layers = range(int(first), int(last or first) + 1)
    if not layers or layers[-1] >= count:
        raise ConfigError(f"layers {part!r} don't exist; this generator has 0-{count - 1}")
    return layers


def mixing_table(
    space: Space, columns: Sequence[int], rows: Sequence[int], *, part: str, label: int | None = None
) -> Table:
    """Every row's sample with some layers' styles from every column's, Karras et al. (2019), figure 3.

    Args:
        columns: seeds that give the styles of `part`.
        rows: seeds that give all other styles.
        part: coarse, middle, fine, or layers as in 2-5.
        label: of all; None for each seed's own, seed mod K.

    Raises:
        ConfigError: a generator without styles, or no such layers.
    """
    generator = styled(space.sampler, "can't mix them; interpolate instead")
    need_images(space.sampler, "mix")
    count = generator.style_layers
    layers = layers_of(part, count)
    styles = Space(space.sampler, "w")
    givers, takers = (styles.points(s, None if label is None else [label] * len(s)) for s in (columns, rows))
    mixed = takers[:, None, None].expand(-1, len(columns), count, -1).clone()  # (R, C, layers, F)
    mixed[:, :, layers.start : layers.stop] = givers[None, :, None]
    sources = [*columns, *(seed for seed in rows for _ in (None, *columns))]
    w = torch.cat([givers[:, None].expand(-1, count, -1), _beside(takers, mixed, count)])
    drawn = tiles(space.sampler, styles.samples(w, sources))
    cells: list[list[Cell]] = [
        [None, *drawn[: len(columns)]],
        *rows_of(drawn[len(columns) :], 1 + len(columns)),
    ]
    shown = f"layers {layers.start} to {layers.stop - 1} of {count}" + (f" ({part})" if part in PARTS else "")
    return Table(
        cells=cells,
        title=heading(space.sampler, f"{shown} from the columns, the others from the rows"),
        columns=["", *(f"seed {seed}" for seed in columns)],
        rows=["", *(f"seed {seed}" for seed in rows)],
    )


def _beside(takers: Tensor, mixed: Tensor, count: int) -> Tensor:
    """Each row's own styles, then its mixtures: (R · (1 + C), layers, F)."""
    own = takers[:, None, None].expand(-1, 1, count, -1)
    return torch.cat([own, mixed], 1).flatten(0, 1)


def truncation_table(
    space: Space, seeds: Sequence[int], *, psis: Sequence[float] = PSIS, label: int | None = None
) -> Table:
    """A row for each seed, pulled towards the mean: mean + ψ (w − mean), Karras et al. (2019), appendix B.

    A generator without styles has its latent scaled instead, ψ·z, as Brock et al. (2019) draw from a narrower
    prior.

    Args:
        psis: one per column; 1 is the sample as it is, 0 the mean, below 0 what is opposite.
        label: of all; None for each seed's own, seed mod K.

    Raises:
        ConfigError: vectors, or latents on a sphere, which can't be scaled.
    """
    need_images(space.sampler, "truncate")
    points, seeds_of, labels = [], [], []
    for seed in seeds:
        own = row_label(space, seed, label)
        points += [pulled(space, seed, own, psi) for psi in psis]
        seeds_of += [seed] * len(psis)
        labels += (own or []) * len(psis)
    where = Space(space.sampler, "w" if isinstance(space.sampler.generator, Styled) else "z")
    x = where.samples(torch.stack(points), seeds_of, labels or None)
    text = "styles pulled towards their mean" if where.name == "w" else "latents scaled by psi"
    return Table(
        cells=rows_of(tiles(space.sampler, x), len(psis)),
        title=heading(space.sampler, f"truncation: {text}"),
        columns=[f"psi = {psi:g}" for psi in psis],
        rows=[f"seed {seed}" + class_name(space, row_label(space, seed, label)) for seed in seeds],
    )


def pulled(space: Space, seed: int, labels: list[int] | None, psi: float) -> Tensor:
    """(F,) the point of a seed at ψ: a style, or a latent where there are none.

    Raises:
        ConfigError: latents on a sphere, without styles.
    """
    generator = space.sampler.generator
    if isinstance(generator, Styled):
        w = Space(space.sampler, "w").points([seed], labels)[0]
        return truncated(w, generator.style_mean.detach().cpu().float(), psi)
    if isinstance(space.sampler.prior, Sphere):
        raise ConfigError(
            "this generator's latents lie on a sphere, and scaling them would leave it; "
            "use a generator with styles or with a normal or uniform prior"
        )
    return psi * space.points([seed])[0]
