"""How evenly samples change with their latents: path length in an extractor's features."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from ..latents import Uniform
from ..metrics.path_length import PathLength, path_length, trimmed
from ..sampling import CHUNK, as_uint8
from .record import Evaluation, count_name, normal_interval
from .refusals import refusing
from .subject import VALUES, Subject
from .words import space

# Of a path.  Karras et al. (2019) step by 1e-4, which images in 256 levels don't show; over a sixteenth they
# change by much more than the rounding, and a path is still nearly straight.
STEP = 1 / 16
PERCENTILES = (1.0, 99.0)


def measure_feature_path_length(subject: Subject, count: int) -> Evaluation:
    """E ‖φ(G(z(t + ε))) − φ(G(z(t)))‖²/ε² over paths of latents; after Karras et al. (2019), section 4.1.

    The paper's number has LPIPS as the distance and ε = 1e-4; this one is not it, and has another name.
    """
    name = f"feature_path_length{count_name(count)}"
    straight = isinstance(subject.sampler.prior, Uniform)
    kind = "straight" if straight else "along a great circle"
    with refusing(name):
        result = _of_paths(subject, count, straight)
    low, high = normal_interval(result.value, result.standard_error)
    return Evaluation(
        name=name,
        value=result.value,
        standard_error=result.standard_error,
        unit="squared feature units",
        protocol=f"{count:,} paths from latent to latent, {kind}, a "
        f"step of 1/{1 / STEP:.0f} at a random place of each; squared distance over the squared step in "
        f"{space(subject)}; mean of the {result.kept:,} paths from percentile {PERCENTILES[0]:g} to "
        f"{PERCENTILES[1]:g}; ± is its standard error",
        reference=None,  # real examples have no latents to go between
        warning="Short paths are smooth ones, and those of a generator that makes always the same: read it "
        "beside coverage.",
        n=count,
        interval=(max(0.0, low), high),
        setting=subject.setting(
            "feature_path_length", count, real=0, features=True, more={"step": STEP, "straight": straight}
        ),
    )


def _of_paths(subject: Subject, count: int, straight: bool) -> PathLength:
    """Both ends of a path have the label of its first one: paths stay within a class.

    Raises:
        ValueError: outputs or features that are not finite.
    """
    sampler = subject.sampler
    generator = copy.deepcopy(sampler.generator).double().eval()
    first = subject.first_seed
    starts, ends = sampler.latents(range(first, first + 2 * count)).chunk(2)
    labels, random = subject.fake_labels(count), torch.Generator().manual_seed(0)
    lengths = []
    for low in range(0, count, CHUNK):
        rows = slice(low, min(low + CHUNK, count))
        y = None if labels is None else labels[rows].to(sampler.device)
        z = torch.cat([starts[rows], ends[rows]])

        def generate(x: Tensor, y: Tensor | None = y) -> Tensor:
            made: Tensor = generator(x.to(sampler.device), y)
            return made

        found = path_length(
            generate,
            lambda a, b: _distance(subject, a, b),
            z,
            space="w" if straight else "z",
            epsilon=STEP,
            percentiles=(0.0, 100.0),
            batch=CHUNK,
            generator=random,
        )
        lengths.append(found.lengths)
        subject.progress("paths", min(low + CHUNK, count), count)
    return trimmed(torch.cat(lengths), PERCENTILES)


def _distance(subject: Subject, a: Tensor, b: Tensor) -> Tensor:
    """Squared distances of features, (B,) float64."""
    one, other = (subject.extractor(_seen(subject, x)).features.double() for x in (a, b))
    return (one - other).square().sum(1)


def _seen(subject: Subject, x: Tensor) -> Tensor:
    """What the generator makes, as the extractor takes it."""
    value_range = subject.dataset.value_range
    if subject.extractor.name == VALUES or value_range is None:
        return x.float().cpu()
    return torch.from_numpy(as_uint8(x.cpu().numpy(), value_range))
