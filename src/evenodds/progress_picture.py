"""The picture of fixed latents that a run draws again and again."""

from __future__ import annotations

from PIL.Image import Image

from .config import Config
from .data.dataset import Dataset
from .drawing import draw_samples
from .sampling import Sampler

REFERENCE_POINTS = 2_500  # real points behind the samples of a 2-D problem


def progress_picture(sampler: Sampler, config: Config, dataset: Dataset, examples: int) -> Image:
    """Samples of seeds 0, 1, … as they are after so many examples; a row per class where there are classes.

    Args:
        sampler: of the averaged generator.
        config: of the run, which says how many samples.
        dataset: that it trains on.
        examples: training examples seen, for the title.
    """
    seeds, names = range(config.sample_count), dataset.class_names if config.conditional else ()
    per_class = max(1, config.sample_count // len(names)) if names else None
    labels = [seed // per_class % len(names) for seed in seeds] if per_class else None
    samples = sampler(seeds, labels)
    return draw_samples(
        samples,
        value_range=dataset.value_range,
        premultiplied=dataset.premultiplied,
        title=f"{config.recipe} · {examples:,} examples seen",
        reference=dataset.train.x[:REFERENCE_POINTS] if samples.ndim == 2 else None,
        columns=per_class,
        labels=names if per_class and per_class * len(names) == len(seeds) else None,
    )
