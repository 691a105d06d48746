"""The same training behind scikit-learn's interface: `fit(X)`, `sample(n)`, for arrays in memory."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from .config import Component, Config, config_from
from .data.arrays import array_problems, as_examples
from .data.dataset import Array, Dataset, shuffled_splits
from .errors import ConfigError, DataError
from .sampling import Sampler
from .trainer import training

# RpGAN + R1 + R2 (Huang et al. 2024): keeps both of two clusters where non-saturating kept one
CONVERGENT: Mapping[str, Mapping[str, Any]] = {"r1": {"weight": 0.05}, "r2": {"weight": 0.05}}
SAMPLE_SEEDS = 2**32  # seeds are drawn from so many


class GANEstimator:
    """A generative adversarial net that is fitted to an array and sampled from.

    Vectors are standardized feature by feature for training and come back in their own units; images come
    back in the type, range and shape they had.

    Args:
        network: of both players: a name, or `{name: …, option: value}` for the generator.
        loss: a name from `LOSSES`.
        penalties: name -> options, as in `{"r1": {"weight": 1.0}}`; `{}` for none.
        latent_dim: length of z.
        examples: training examples that D sees before training ends.
        batch_size: examples per minibatch; smaller data sets use a quarter of their size.
        learning_rate: of Adam, for both players.
        critic_steps: D's steps per step of G, the k of Goodfellow et al. (2014).
        ema_half_life: of the averaged generator, in training examples.
        validation: fraction of X that is held out to measure V(D, G) on.
        random_state: seed of everything.
        threads: of the CPU; networks this small are no faster on several.
        directory: keeps the run (plots, checkpoints) there; None keeps none of it.

    Attributes:
        sampler_: the trained generator.
        history_: the reports, one dict each, as in metrics.jsonl.
    """

    sampler_: Sampler
    history_: list[dict[str, Any]]

    def __init__(
        self,
        *,
        network: str | Component = "mlp",
        loss: str = "relativistic",
        penalties: Mapping[str, Mapping[str, Any]] = CONVERGENT,
        latent_dim: int = 32,
        examples: int = 300_000,
        batch_size: int = 64,
        learning_rate: float = 5e-4,
        critic_steps: int = 1,
        ema_half_life: float = 10_000.0,
        validation: float = 0.1,
        random_state: int = 0,
        threads: int = 1,
        directory: str | Path | None = None,
    ) -> None:
        self.network = network
        self.loss = loss
        self.penalties = penalties
        self.latent_dim = latent_dim
        self.examples = examples
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.critic_steps = critic_steps
        self.ema_half_life = ema_half_life
        self.validation = validation
        self.random_state = random_state
        self.threads = threads
        self.directory = directory

    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Train on X, (N, d) vectors or (N, H, W) or (N, H, W, C) or (N, C, H, W) images; y is not used.

        Raises:
            DataError: X has NaN, another rank or type, or too few examples.
            ConfigError: an option that can't be used.
        """
        dataset, self._scale = _prepared(np.asarray(X), self.validation, self.random_state)
        config = self._config(dataset)
        if self.directory is not None:
            self._train(config, Path(self.directory), dataset)
        else:
            with tempfile.TemporaryDirectory(prefix="evenodds-") as folder:
                self._train(config, Path(folder) / "run", dataset)
        return self

    def sample(self, n: int = 1, random_state: int | None = None) -> Array:
        """n samples like the examples of `fit`, in their units; the same random_state gives the same samples.

        Raises:
            ConfigError: before `fit`, or n below 1.
        """
        if not hasattr(self, "sampler_"):
            raise ConfigError("this estimator has learnt nothing yet; call fit(X) first")
        if n < 1:
            raise ConfigError(f"{n} samples can't be drawn; ask for at least 1")
        seeds = np.random.default_rng(random_state).integers(SAMPLE_SEEDS, size=n).tolist()
        return self._scale.back(self.sampler_, seeds)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments, as scikit-learn asks for them."""
        return {
            name: getattr(self, name)
            for name in inspect.signature(type(self).__init__).parameters
            if name != "self"
        }

    def set_params(self, **parameters: Any) -> Self:
        """Change arguments of the constructor before the next `fit`.

        Raises:
            ConfigError: there is no such argument.
        """
        known = self.get_params()
        for name, value in parameters.items():
            if name not in known:
                raise ConfigError(
                    f"GANEstimator has no parameter {name!r}; choose one of: {', '.join(known)}"
                )
            setattr(self, name, value)
        return self

    def _train(self, config: Config, directory: Path, dataset: Dataset) -> None:
        reports = [p.report for p in training(config, directory, dataset=dataset) if p.report]
        self.history_ = reports
        self.sampler_ = Sampler.load(directory)

    def _config(self, dataset: Dataset) -> Config:
        batch_size = min(self.batch_size, max(len(dataset.train) // 4, 1))
        images = len(dataset.sample_shape) > 1
        network = {"name": self.network} if isinstance(self.network, str) else dict(self.network)
        if network["name"] == "mlp":
            network.setdefault("output", "tanh" if images else "linear")
        optimizer = {"name": "adam", "learning_rate": self.learning_rate, "beta1": 0.5}
        report_every = max(batch_size * self.critic_steps, self.examples // 50)
        return config_from(
            {
                "recipe": "estimator",
                "data": {"name": "memory", "fingerprint": dataset.fingerprint},
                "generator": {"network": network, "optimizer": optimizer},
                "discriminator": {"network": {"name": network["name"]}, "optimizer": optimizer},
                "prior": {"name": "normal", "dim": self.latent_dim},
                "loss": self.loss,
                "penalties": {name: dict(options) for name, options in self.penalties.items()},
                "critic_steps": self.critic_steps,
                "batch_size": batch_size,
                "ema_half_life": self.ema_half_life,
                "examples": self.examples,
                "seed": self.random_state,
                "threads": self.threads,
                "report_every": report_every,
                "samples_every": "never",
                "checkpoint_every": "never"
                if self.directory is None
                else max(report_every, self.examples // 10),
            },
            "GANEstimator",
        )


class _Scale:
    """How examples were mapped for training, and the way back."""

    shift: Array
    factor: Array

    def __init__(self, x: Array, original: Array) -> None:
        self.dtype, self.shape, self.images = original.dtype, original.shape[1:], x.ndim == 4
        self.channels_last = original.ndim == 4 and x.shape != original.shape
        if self.images:
            low, high = (0.0, 255.0) if x.dtype == np.uint8 else (float(x.min()), float(x.max()))
            self.shift, self.factor = np.asarray((high + low) / 2), np.asarray((high - low) / 2 or 1.0)
        else:
            deviation = x.std(axis=0, dtype=np.float64)
            self.shift, self.factor = (
                x.mean(axis=0, dtype=np.float64),
                np.where(deviation > 0, deviation, 1.0),
            )

    def forth(self, x: Array) -> Array:
        """Zero mean and unit deviation for vectors, [−1, 1] for floating-point images, uint8 as it is."""
        if self.dtype == np.uint8 and self.images:
            return x
        scaled: Array = (x - self.shift) / self.factor
        return scaled.astype(np.float32)

    def back(self, sampler: Sampler, seeds: list[int]) -> Array:
        """Samples in the units, type and layout of the examples."""
        if self.dtype == np.uint8 and self.images:
            x = sampler.images(seeds)
        else:
            x = (sampler(seeds) * self.factor + self.shift).astype(self.dtype)
        x = np.moveaxis(x, 1, -1) if self.channels_last else x
        return x.reshape(len(x), *self.shape)


def _prepared(x: Array, validation: float, seed: int) -> tuple[Dataset, _Scale]:
    problems = array_problems(x, None)
    if problems:
        raise DataError(f"X can't be trained on: {problems[0]}")
    examples = as_examples(x)
    scale = _Scale(examples, x)
    train, held_out, _ = shuffled_splits(
        scale.forth(examples), None, validation=validation, test=0.0, seed=seed
    )
    value_range = (-1.0, 1.0) if scale.images else None
    return Dataset("memory", train, held_out, None, value_range=value_range, source="memory"), scale
