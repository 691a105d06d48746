"""The generator and the data that `sample` and `evaluate` are about."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from ..components import build
from ..config import load_config
from ..data.dataset import Dataset
from ..data.sources import DATASETS, source_for
from ..errors import ConfigError, RunError
from ..sampling import Sampler

Which = Literal["last", "best"]


def generator_file(path: Path, which: Which) -> Path:
    """The file itself, or the one of a run directory.

    Raises:
        RunError: the run has none.
    """
    if not path.is_dir():
        if which == "best":
            raise RunError(f"{path} is no run, so it has no best generator; leave out --generator")
        return path
    file = path / ("generator.safetensors" if which == "last" else "generator-best.safetensors")
    if not file.is_file():
        runs = sorted(found.parent for found in path.glob("*/generator.safetensors"))
        remedy = f"give a run, such as {runs[-1]}" if runs else "give a run that has saved its generator"
        if which == "best":
            remedy = "leave out --generator, or train with metrics, which choose the best"
        raise RunError(f"{path} holds no {file.name}; {remedy}")
    return file


def open_generator(path: Path, which: Which, device: str = "cpu") -> Sampler:
    """The sampler in a run or a generator file.

    Raises:
        RunError: there is none, or it is damaged.
        ConfigError: there is no such device.
    """
    return Sampler.load(generator_file(path, which), device=device)


def open_data(path: Path, sampler: Sampler, argument: str | None) -> Dataset:
    """What a generator is to be measured on: --data, else what its run was trained on.

    Raises:
        ConfigError: a bare file, and no --data.
        DataError: the data can't be read.
    """
    config = path / "config.yaml"
    if argument is None and not config.is_file():
        name = (sampler.facts.get("data") or {}).get("name", "what it was trained on")
        raise ConfigError(f"{path} is no run that names its data; add --data (it was trained on {name})")
    spec = load_config(config).data if argument is None else source_for(argument)
    dataset: Dataset = build("data set", DATASETS, spec)
    if argument is not None and dataset.train.x.dtype == "uint8" and sampler.value_range is not None:
        # the same bytes, in the range that this generator was trained to make
        return dataclasses.replace(dataset, value_range=sampler.value_range)
    return dataset


def data_warning(sampler: Sampler, dataset: Dataset) -> str:
    """One sentence if the data are not those that the generator was trained on, else nothing."""
    trained = sampler.facts.get("data") or {}
    if trained.get("fingerprint") in (None, dataset.fingerprint):
        return ""
    return (
        f"the generator was trained on other data ({trained.get('name')}, fingerprint "
        f"{trained['fingerprint']}) than {dataset.name} (fingerprint {dataset.fingerprint}); "
        "the numbers compare it with something it never saw"
    )
