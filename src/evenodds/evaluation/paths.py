"""How evenly samples change with their latents: path length, by a distance or in an extractor's features."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ..data.dataset import Dataset
from ..errors import ConfigError
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
PUBLISHED_STEP = 1e-4
LARGEST = 256  # pixels that the published length looks at: larger images are averaged down
PERCENTILES = (1.0, 99.0)
Apart = Callable[[Tensor, Tensor], Tensor]  # two batches as the generator makes them to (N,)


def measure_ppl(subject: Subject, count: int) -> Evaluation:
    """E d(G(z(t + ε)), G(z(t)))/ε² by the distance d of a file; Karras et al. (2019), section 4.1."""
    distance, value_range = subject.distance(), subject.dataset.value_range
    assert value_range is not None  # by needs_image_paths
    return _evaluation(
        subject,
        count,
        "ppl",
        PUBLISHED_STEP,
        lambda a, b: distance(_looked_at(a, value_range), _looked_at(b, value_range)),
        by=f"distance of {distance.name} (file and weights {distance.sha256[:8]}…)",
        warning="Published lengths have LPIPS with VGG16 as their distance and paths in w; short paths "
        "are also those of a generator that makes always the same: read it beside coverage.",
        more={"distance": {"name": distance.name, "sha256": distance.sha256}},
    )


def measure_feature_path_length(subject: Subject, count: int) -> Evaluation:
    """E ‖φ(G(z(t + ε))) − φ(G(z(t)))‖²/ε² over paths of latents; after Karras et al. (2019), section 4.1.

    The paper's number has LPIPS as the distance and ε = 1e-4; this one is not it, and has another name.
    """
    return _evaluation(
        subject,
        count,
        "feature_path_length",
        STEP,
        lambda a, b: _distance(subject, a, b),
        by=f"squared distance in {space(subject)}",
        unit="squared feature units",
        warning="Short paths are smooth ones, and those of a generator that makes always the same: read it "
        "beside coverage.",
    )


def _evaluation(
    subject: Subject,
    count: int,
    metric: str,
    step: float,
    apart: Apart,
    *,
    by: str,
    unit: str = "",
    warning: str,
    more: dict[str, object] | None = None,
) -> Evaluation:
    """What both lengths say alike; features are those of the extractor where nothing more is needed."""
    name, straight = f"{metric}{count_name(count)}", isinstance(subject.sampler.prior, Uniform)
    with refusing(name):
        result = _of_paths(subject, count, step, apart, straight=straight)
    low, high = normal_interval(result.value, result.standard_error)
    setting = {"step": step, "straight": straight}
    return Evaluation(
        name=name,
        value=result.value,
        standard_error=result.standard_error,
        unit=unit,
        protocol=f"{count:,} {'straight' if straight else 'great-circle'} paths from latent to latent, "
        f"a step of {step:g} at a random place of each; {by}, over the squared step; mean of the paths from "
        f"percentile {PERCENTILES[0]:g} to {PERCENTILES[1]:g}; ± is its standard error",
        reference=None,  # real examples have no latents to go between
        warning=warning,
        n=count,
        interval=(max(0.0, low), high),
        setting=subject.setting(metric, count, real=0, features=more is None, more=setting | (more or {})),
    )


def _of_paths(subject: Subject, count: int, step: float, apart: Apart, *, straight: bool) -> PathLength:
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
            apart,
            z,
            space="w" if straight else "z",
            epsilon=step,
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


def _looked_at(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """What the generator makes as LPIPS takes it: (N, 3, H, W) in [−1, 1] of about 256 pixels at most."""
    low, high = value_range
    x = (x - low) / (high - low)
    x = x[:, :3] + (1 - x[:, 3:]) if x.shape[1] == 4 else x.expand(-1, 3, -1, -1)  # laid over white
    factor = x.shape[2] // LARGEST
    return 2 * (functional.avg_pool2d(x, factor) if factor > 1 else x) - 1


def needs_image_paths(dataset: Dataset) -> None:
    """A perceptual distance is one between images."""
    if len(dataset.sample_shape) != 3 or dataset.value_range is None:
        raise ConfigError(f"ppl is of images, and {dataset.name} has none; use feature_path_length")
