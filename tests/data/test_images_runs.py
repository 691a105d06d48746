"""Training on image files: from the folder to samples, resumed, and refused when the folder has changed."""

import dataclasses
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from image_files import cache, encoded, folder_of, noise, numbered, opened

from evenodds.checkpoint import load_tensors
from evenodds.config import Config
from evenodds.data.images.constructors import find_archive
from evenodds.data.sources import DATASETS, source_for
from evenodds.errors import DataError
from evenodds.sampling import Sampler
from evenodds.trainer import training

__all__ = ["cache"]
PLAYER = {"network": {"name": "mlp", "widths": [8]}, "optimizer": {"name": "adam"}}


def config(path: Path, examples: int, **options: object) -> Config:
    return Config.model_validate(
        {
            "data": {"name": "images", "path": str(path), "validation": 0.2},
            "generator": {**PLAYER, "network": {**PLAYER["network"], "output": "tanh"}},
            "discriminator": PLAYER,
            "prior": {"name": "normal", "dim": 4},
            "loss": {"name": "non_saturating"},
            "batch_size": 8,
            "examples": examples,
            "threads": 1,
            "device": "cpu",
            "report_every": 32,
            "checkpoint_every": 32,
            "samples_every": "never",
            "held_out": 4,
            "referee": False,
        }
        | options
    )


def train(settings: Config, run: Path) -> None:
    for _ in training(settings, run):
        pass


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_trained_resumed_and_sampled(tmp_path, channels):
    folder = folder_of(tmp_path / "x", [*numbered(20, "a/"), *numbered(20, "b/")], channels=channels)
    train(config(folder, 64, conditional=True), tmp_path / "whole")
    train(config(folder, 32, conditional=True), tmp_path / "parts")
    train(config(folder, 64, conditional=True), tmp_path / "parts")
    tensors = [
        load_tensors(tmp_path / run / "generator.safetensors", "generator")[0] for run in ("whole", "parts")
    ]
    assert tensors[0].keys() == tensors[1].keys()
    for name, values in tensors[0].items():
        assert torch.equal(values, tensors[1][name])
    sampler = Sampler.load(tmp_path / "parts")
    assert sampler.class_names == ("a", "b")
    assert sampler.sample_shape == (channels, 12, 12)
    assert sampler.premultiplied == (channels == 4)
    assert sampler.facts["data"]["fingerprint"] == opened(folder).fingerprint


def test_not_resumed_on_a_folder_that_has_changed(tmp_path):
    folder = folder_of(tmp_path / "x", numbered(40))
    train(config(folder, 32), tmp_path / "run")
    (folder / "one more.png").write_bytes(encoded(noise(seed=100)))
    with pytest.raises(DataError, match=r"has changed since .*put the data back") as caught:
        train(config(folder, 64), tmp_path / "run")
    assert str(folder) in str(caught.value)
    (folder / "one more.png").unlink()
    for path in folder.iterdir():
        os.utime(path)  # other times, the same images
    train(config(folder, 64), tmp_path / "run")


def test_named_archives_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENODDS_DATA", str(tmp_path / "data"))
    with pytest.raises(DataError, match=r"noto-emoji-72\.zip is not in .*data; put it there"):
        DATASETS["emoji"]()
    names = [f"{split}/{kind}/{k}.png" for split in ("train", "test") for kind in "ab" for k in range(10)]
    folder_of(tmp_path / "data" / "cifar10", names, height=32, width=32)
    data = DATASETS["cifar10"]()
    assert [len(part) for part in data.splits.values()] == [18, 2, 20]
    assert data.sample_shape == (3, 32, 32)
    assert data.class_names == ("a", "b")
    folder_of(tmp_path / "data" / "emoji", numbered(10), height=72, width=72, channels=4)
    assert DATASETS["emoji"]().sample_shape == (4, 64, 64)
    assert DATASETS["emoji"](size=32).sample_shape == (4, 32, 32)
    monkeypatch.delenv("EVENODDS_DATA")
    with pytest.raises(DataError, match=r"put it there"):
        find_archive("emoji", ("noto-emoji-72.zip",))
    assert source_for("emoji") == {"name": "emoji"}


def write_cifar(folder: Path) -> None:
    """CIFAR-10's binary version with 20 images in a file: a label, then red, green and blue."""
    folder.mkdir(parents=True)
    for seed, name in enumerate([*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]):
        x = np.random.default_rng(seed).integers(0, 256, (20, 3073)).astype(np.uint8)
        x[:, 0] = np.arange(20) % 10
        (folder / name).write_bytes(x.tobytes())
    (folder / "batches.meta.txt").write_text("".join(f"kind {k}\n" for k in range(10)))


def test_cifar10_in_its_binary_version(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENODDS_DATA", str(tmp_path))
    write_cifar(tmp_path / "cifar-10-batches-bin")
    data = DATASETS["cifar10"]()
    assert [len(part) for part in data.splits.values()] == [90, 10, 20]
    assert data.sample_shape == (3, 32, 32)
    assert data.name == "cifar10"


REAL = Path(os.environ.get("EVENODDS_DATA", "")) / "noto-emoji-72.zip"


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_file(), reason="EVENODDS_DATA with noto-emoji-72.zip is not set")
def test_the_real_emoji():
    data = DATASETS["emoji"]()
    assert data.sample_shape == (4, 64, 64)
    assert sum(len(part) for part in data.splits.values()) == 3583
    assert data.premultiplied
    assert data.notes == ()
    assert dataclasses.replace(data, digest="").fingerprint == data.digest
    x = np.concatenate([part.x for part in data.splits.values()])
    assert (x[:, :3] <= x[:, 3:]).all()
    corners = x[:, 3, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 0).mean() > 0.9  # emoji are round, mostly
    names = list(itertools.chain(*data.files.names.values()))
    assert len(set(names)) == 3583
