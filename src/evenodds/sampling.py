"""A trained generator, ready to use: seeds and labels in, samples out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import __version__
from .checkpoint import load_tensors, save_tensors
from .components import build_generator, build_prior
from .config import Config
from .data.dataset import Array, Dataset, pair
from .data.images.alpha import straight
from .errors import ConfigError, RunError
from .latents import Prior
from .run import resolve_device

# A sample must not depend on what else is drawn.  A matrix product may round differently by the number of its
# rows and by the row, so every forward pass has CHUNK rows, and seed n always stands in row n mod CHUNK.
CHUNK = 64
SEEDS = 2**32  # PyTorch's generator on the CPU looks at 32 bits of a seed


@dataclass
class Sampler:
    """Draws from a generator; seed n gives the same sample alone or among others.

    Args:
        generator: `(z, y) -> x`, in evaluation mode.
        prior: noise prior.
        sample_shape: of one sample.
        value_range: (low, high) of the samples, or None where they have no fixed range.
        class_names: names in label order; empty for an unconditional generator.
        facts: everything else that the generator file says of itself.
    """

    generator: nn.Module
    prior: Prior
    sample_shape: tuple[int, ...]
    value_range: tuple[float, float] | None = None
    class_names: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.generator = self.generator.eval()

    @classmethod
    def load(cls, path: str | Path, *, device: str = "cpu") -> Sampler:
        """From a generator file, or from a run directory.

        Args:
            path: of either.
            device: where to put the generator: cpu, cuda, mps …, or auto.

        Raises:
            RunError: nothing there, damaged, or not a generator file.
            ConfigError: no such device.
        """
        path = Path(path)
        if path.is_dir():
            if not (path / "generator.safetensors").is_file():
                raise RunError(
                    f"{path} holds no generator.safetensors; give a run that has saved its generator"
                )
            path = path / "generator.safetensors"
        tensors, facts = load_tensors(path, "generator")
        try:
            prior = build_prior(facts["prior"])
            names = tuple(facts["class_names"]) if facts["conditional"] else ()
            shape = tuple(facts["sample_shape"])
            with torch.random.fork_rng(devices=[]):  # first weights are drawn: no one else's numbers change
                generator = build_generator(
                    facts["generator"], latent_dim=prior.dim, sample_shape=shape, classes=len(names)
                )
            generator.load_state_dict(tensors)
            value_range = pair(facts["value_range"])
        except (ConfigError, RuntimeError, KeyError, TypeError, ValueError) as error:
            reason = textwrap.shorten(str(error), 200)
            raise RunError(f"{path} does not fit its own description ({reason}); use another copy") from None
        return cls(generator.to(resolve_device(device)), prior, shape, value_range, names, facts)

    @property
    def device(self) -> torch.device:
        """Where the generator is."""
        return next(self.generator.parameters()).device

    @property
    def premultiplied(self) -> bool:
        """Whether samples of 4 channels are colours multiplied by alpha, and alpha."""
        return bool(self.facts.get("premultiplied", False))

    def __call__(self, seeds: Sequence[int] | range, labels: Sequence[int] | None = None) -> Array:
        """Samples of these seeds, float32 (N, *sample_shape) in `value_range`.

        Args:
            seeds: one per sample, 0 … 2^32 − 1.
            labels: one per sample; by default the classes in turn, seed mod K.

        Raises:
            ConfigError: a seed or label out of range, labels for an unconditional generator, or not as many
                labels as seeds.
        """
        labels = self._checked(seeds, labels)
        samples = np.empty((len(seeds), *self.sample_shape), np.float32)
        chunks: list[list[int]] = []  # of positions in `seeds`, in each no two for the same row
        filled = [0] * CHUNK  # chunks in which that row is taken
        for position, seed in enumerate(seeds):
            row = seed % CHUNK
            if filled[row] == len(chunks):
                chunks.append([])
            chunks[filled[row]].append(position)
            filled[row] += 1
        for chunk in chunks:
            samples[chunk] = self._chunk([seeds[i] for i in chunk], [labels[i] for i in chunk])
        return samples

    def images(self, seeds: Sequence[int] | range, labels: Sequence[int] | None = None) -> Array:
        """The same as uint8, 0 … 255 over `value_range`; float32 as they are where there is no range.

        Transparent images are as files hold them: RGBA with colours that are not multiplied by alpha.
        """
        samples = self(seeds, labels)
        if self.value_range is None:
            return samples
        pixels = as_uint8(samples, self.value_range)
        return straight(pixels) if self.premultiplied else pixels

    def save(self, path: Path) -> None:
        """One safetensors file that `load` rebuilds this sampler from.

        Raises:
            RunError: the disk is full or the folder can't be written to.
        """
        facts = {key: value for key, value in self.facts.items() if key not in ("format", "kind", "sha256")}
        save_tensors(path, self.generator.state_dict(), facts, "generator")

    @torch.inference_mode()
    def _chunk(self, seeds: Sequence[int], labels: Sequence[int]) -> Array:
        """float32 (N, *sample_shape) by one forward pass; no two of the N seeds are equal mod CHUNK."""
        rows = torch.tensor([seed % CHUNK for seed in seeds])
        z = torch.zeros(CHUNK, self.prior.dim).index_copy_(0, rows, self.latents(seeds))
        y = torch.zeros(CHUNK, dtype=torch.int64).index_copy_(0, rows, torch.tensor(labels))
        x: Tensor = self.generator(z.to(self.device), y.to(self.device) if self.class_names else None)
        return x.float().cpu()[rows].numpy()

    def latents(self, seeds: Sequence[int] | range) -> Tensor:
        """z of these seeds, (N, L), each from its own random generator."""
        return torch.cat([self.prior(1, torch.Generator().manual_seed(int(seed))) for seed in seeds])

    def _checked(self, seeds: Sequence[int] | range, labels: Sequence[int] | None) -> Sequence[int]:
        classes = len(self.class_names)
        if any(not isinstance(seed, (int, np.integer)) or not 0 <= seed < SEEDS for seed in seeds):
            raise ConfigError("a seed is a whole number from 0 to 2^32 − 1; give such seeds")
        if labels is None:
            return [seed % classes for seed in seeds] if classes else [0] * len(seeds)
        if not classes:
            raise ConfigError("this generator knows no classes; leave the labels out")
        if len(labels) != len(seeds):
            raise ConfigError(f"{len(labels)} labels for {len(seeds)} seeds; give one label per seed")
        if any(not isinstance(label, (int, np.integer)) or not 0 <= label < classes for label in labels):
            raise ConfigError(f"a label is a whole number from 0 to {classes - 1}; give such labels")
        return labels


def sampler_of(
    generator: nn.Module, config: Config, dataset: Dataset, *, examples: int, metrics: dict[str, Any]
) -> Sampler:
    """The sampler of a generator under training, with all that its file will say of it.

    Args:
        generator: `(z, y) -> x`; it is put into evaluation mode.
        config: of the run.
        dataset: that it is trained on.
        examples: training examples seen so far.
        metrics: what was measured so far, by name.
    """
    prior = build_prior(config.prior)
    facts = {
        "generator": config.generator.network,
        "prior": config.prior,
        "sample_shape": list(dataset.sample_shape),
        "value_range": dataset.value_range,
        "premultiplied": dataset.premultiplied,
        "conditional": config.conditional,
        "class_names": list(dataset.class_names),
        "recipe": config.recipe,
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint},
        "examples": examples,
        "metrics": metrics,
        "evenodds": __version__,
    }
    names = dataset.class_names if config.conditional else ()
    return Sampler(generator, prior, dataset.sample_shape, dataset.value_range, names, facts)


def as_uint8(x: Array, value_range: tuple[float, float]) -> Array:
    """Values in (low, high) to 0 … 255, rounded; what lies outside is clipped.

    Args:
        x: any shape, float.
        value_range: (low, high).
    """
    low, high = value_range
    return np.clip(np.rint((x - low) * (255 / (high - low))), 0, 255).astype(np.uint8)
