"""Image files for tests."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evenodds.data.dataset import Dataset
from evenodds.data.images.constructors import images


def noise(height: int = 12, width: int = 12, channels: int = 3, seed: int = 0) -> np.ndarray:
    """(H, W, C), or (H, W) of one channel; uint8."""
    x = np.random.default_rng(seed).integers(0, 256, (height, width, channels)).astype(np.uint8)
    return x[..., 0] if channels == 1 else x


def encoded(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """An image file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def folder_of(path: Path, names: list[str], **options: int) -> Path:
    """A folder with a different PNG under each name."""
    for seed, name in enumerate(names):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(noise(seed=seed, **options)))
    return path


def numbered(count: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{number}.png" for number in range(count)]


def opened(path: Path, **options: object) -> Dataset:
    """`images` of small pictures as they are."""
    return images(**{"path": str(path), "validation": 0.2, **options})


def by_name(data: Dataset) -> dict[str, tuple[str, int | None, np.ndarray]]:
    """File name -> (split, label, pixels)."""
    return {
        name: (split, None if part.y is None else int(part.y[row]), np.asarray(part.x[row]))
        for split, part in data.splits.items()
        for row, name in enumerate(data.files.names[split])
    }


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("EVENODDS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"
