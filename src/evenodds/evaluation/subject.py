"""What metrics are measured on: a generator's samples and real examples, drawn and looked at once for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import Array, Dataset
from ..data.loader import to_range
from ..errors import ConfigError
from ..features import FeatureExtractor, Features, identity
from ..features.distance import Distance
from ..sampling import Sampler, as_uint8
from .drawing import block_size, drawn, labels_like
from .opening import INCEPTION, opened
from .record import VERSION, Evaluation, count_name
from .store import joined, stored

VALUES = "values"  # the extractor that is none: examples are their own features

Progress = Callable[[str, int, int], None]  # what is done, how many are done, of how many


def silent(what: str, done: int, total: int) -> None:
    """A `Progress` that says nothing."""


class Subject:
    """Samples and real examples as arrays, features and labels; features are made once and shared.

    Sample i is that of seed `first_seed` + i.  Where the generator is conditional, its class is that of a
    training example picked at random, so that classes are as frequent as in the data.

    Args:
        sampler: the generator.
        dataset: what it is measured on.
        split: of the data, that samples are compared with.
        with_reference: whether to measure real examples in the samples' place, too.
        first_seed: of the samples.
        extractor: "auto", a name or a file, see `features.open_extractor`.
        inception: file of Inception's weights, where it isn't the one that was fetched.
        preprocessing: how Inception's images are resized: tf, pytorch or clean; None for its default.
        distance: a .py file that defines a distance between images, see `features.distance`.
        device: where features are computed.
        progress: is told how far drawing and looking has got.
    """

    def __init__(
        self,
        sampler: Sampler,
        dataset: Dataset,
        *,
        split: str = "test",
        with_reference: bool = True,
        first_seed: int = 0,
        extractor: str = "auto",
        inception: Path | None = None,
        preprocessing: str | None = None,
        distance: Path | None = None,
        device: str = "cpu",
        progress: Progress = silent,
    ) -> None:
        self.sampler, self.dataset, self.split = sampler, dataset, split
        self.with_reference, self.first_seed = with_reference, first_seed
        self.notes: list[str] = []  # what the user should know beside the numbers, one sentence each
        self.memo: dict[tuple[str, int], Evaluation] = {}  # what another metric needs once more
        self.keeps_logits = True  # of samples; where no metric looks at them, they only take memory
        self.asked = extractor
        self.weights, self._preprocessing, self.device = inception, preprocessing, device
        self.distance_file = distance
        self._distance: Distance | None = None
        self.progress = progress
        self._fake: Features | None = None
        self._real: dict[tuple[str, int], Features] = {}

    @cached_property
    def inception(self) -> Subject:
        """The same samples and examples through the Inception network."""
        if self.asked == INCEPTION:
            return self
        other = Subject(
            self.sampler,
            self.dataset,
            split=self.split,
            with_reference=self.with_reference,
            first_seed=self.first_seed,
            extractor=INCEPTION,
            inception=self.weights,
            preprocessing=self._preprocessing,
            device=self.device,
            progress=self.progress,
        )
        other.notes = self.notes
        return other

    @cached_property
    def extractor(self) -> FeatureExtractor:
        """The network that features come from.

        Raises:
            ConfigError: there is none of that name, its weights are missing, or it can't see such examples.
        """
        return opened(
            self.asked,
            self.dataset,
            inception=self.weights,
            preprocessing=self._preprocessing,
            device=self.device,
        )

    def distance(self) -> Distance:
        """Between two images, as the user's file has it.

        Raises:
            ConfigError: none was given, or it fails.
        """
        if self.distance_file is None:
            raise ConfigError(
                "ppl needs a distance between images: give a .py file that defines one with --distance, or "
                "measure feature_path_length"
            )
        if self._distance is None:
            self._distance = Distance(self.distance_file, self.device)
        return self._distance

    def samples(self, count: int) -> Array:
        """The first `count` samples as the generator makes them, float32 (N, *sample_shape).

        Raises:
            ConfigError: there are not so many seeds.
            RunError: a sample holds a value that is no number.
        """
        blocks = list(self.blocks(0, count))
        return np.concatenate(blocks) if len(blocks) > 1 else blocks[0]

    def blocks(self, start: int, stop: int) -> Iterator[Array]:
        """The same for samples start … stop − 1, in blocks that fit the memory.

        Raises:
            ConfigError, RunError: as `samples`.
        """
        return drawn(self.sampler, self.first_seed, self.fake_labels(stop), start, stop)

    def images(self, count: int, what: str = "samples") -> Iterator[Array]:
        """The first `count` samples in 256 levels, as files hold them: uint8 blocks (n, C, H, W).

        Raises:
            ConfigError, RunError: as `samples`; also where values have no known range.
        """
        done = 0
        for x in self.blocks(0, count):
            self.progress(what, done, count)
            yield self._levels(x)
            done += len(x)
        self.progress(what, count, count)

    def fake(self, count: int) -> Features:
        """Features of the first `count` samples.

        Raises:
            ConfigError, RunError: as `samples` and `extractor`.
        """
        lacks = self.keeps_logits and self.extractor.classes is not None
        if self._fake is not None and self._fake.logits is None and lacks:
            self._fake = None
        if self._fake is None or len(self._fake.features) < count:
            before = [] if self._fake is None else [self._fake]
            self._fake = joined(
                chain(before, self._of_samples(sum(len(x.features) for x in before), count)), count
            )
        assert self._fake is not None
        features, logits = self._fake
        return Features(features[:count], None if logits is None else logits[:count])

    def fake_labels(self, count: int) -> Tensor | None:
        """(N,) int64 classes of the first `count` samples, None where the generator knows none."""
        return labels_like(self.dataset, len(self.sampler.class_names), self.first_seed, count)

    def real(self, count: int | None = None, *, split: str | None = None) -> Features:
        """Features of real examples: `count` of them picked at random, or all; kept on the disk.

        Args:
            count: how many; all where there are no more.
            split: that they are from; the one that samples are compared with where left out.
        """
        name = split or self.split
        rows = self.rows(count, name)
        key = (name, len(rows))
        if name == self.split and len(rows) < len(self.dataset.split(name)):
            return _chosen(self.real(), rows)  # all of them are needed by other metrics, and on the disk
        if key not in self._real:
            facts = {
                "data": self.dataset.fingerprint,
                "extractor": identity(self.extractor) | {"precision": self.extractor.precision},
                "split": name,
                "rows": len(rows),
                "version": VERSION,
            }
            self._real[key] = stored(facts, len(rows), partial(self._of_real, name, rows), self.notes)
        return self._real[key]

    def real_labels(self, count: int | None = None, *, split: str | None = None) -> Tensor | None:
        """(N,) int64 classes of the same examples; None where the data have no labels."""
        name = split or self.split
        y = self.dataset.split(name).y
        return None if y is None else torch.from_numpy(y[self.rows(count, name)].astype(np.int64))

    def real_examples(self, count: int | None = None, *, split: str | None = None) -> Array:
        """The same examples as the data hold them, (N, *sample_shape) uint8 or float32."""
        name = split or self.split
        return self.dataset.split(name).x[self.rows(count, name)]

    def rows(self, count: int | None, split: str) -> Array:
        """Which examples of a split `real` takes: (N,) int64, in order."""
        size = len(self.dataset.split(split))
        if count is None or count >= size:
            return np.arange(size)
        return np.sort(np.random.default_rng(0).permutation(size)[:count])

    @property
    def floor_split(self) -> str:
        """Where the real examples come from that take the samples' place: never the split compared with."""
        others = [name for name in ("train", "test", "validation") if name in self.dataset.splits]
        return next(name for name in others if name != self.split)

    def setting(
        self, metric: str, count: int, *, real: int, features: bool, more: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """All that must agree before two numbers may stand side by side.

        Args:
            metric: without its count.
            count: samples measured.
            real: real examples that they were compared with.
            features: whether it depends on the extractor.
            more: what else it depends on.
        """
        return {
            "metric": f"{metric}{count_name(count)}",
            "n": count,
            "split": self.split,
            "real": real,
            "data": self.dataset.fingerprint,
            "extractor": identity(self.extractor) if features else None,
            "version": VERSION,
            **(more or {}),
        }

    def _of_samples(self, start: int, stop: int) -> Iterator[Features]:
        """Features of samples start … stop − 1, in blocks."""
        for x in self.blocks(start, stop):
            self.progress("features of samples", start, stop)
            seen = self.extractor(self._seen(x))
            yield seen if self.keeps_logits else Features(seen.features, None)
            start += len(x)
        self.progress("features of samples", stop, stop)

    def _of_real(self, split: str, rows: Array) -> Iterator[Features]:
        """Features of these examples, in blocks."""
        x = self.dataset.split(split).x
        size = block_size(self.dataset.sample_shape)
        for low in range(0, len(rows), size):
            self.progress(f"features of real {split} examples", low, len(rows))
            yield self.extractor(self._seen(x[rows[low : low + size]]))
        self.progress(f"features of real {split} examples", len(rows), len(rows))

    def _seen(self, x: Array) -> Tensor:
        """Examples as the extractor takes them: images in the 256 levels of files, or values as they are."""
        if self.extractor.name != VALUES:
            return torch.from_numpy(np.ascontiguousarray(self._levels(x)))
        return to_range(torch.from_numpy(np.ascontiguousarray(x)), self.dataset.value_range)

    def _levels(self, x: Array) -> Array:
        """uint8 as it is, values of a known range in 256 levels."""
        if x.dtype == np.uint8:
            return x
        if self.dataset.value_range is None:
            raise ConfigError(
                f"a network takes images with values of a known range, and {self.dataset.name} has none; use "
                "--extractor values"
            )
        return as_uint8(x, self.dataset.value_range)


def _chosen(all_of_them: Features, rows: Array) -> Features:
    chosen, (features, logits) = torch.from_numpy(rows), all_of_them
    return Features(features[chosen], None if logits is None else logits[chosen])
