"""`mirror`: of every two passes an image is turned in one, the same one whenever the run is resumed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from evenodds.data.dataset import Split
from evenodds.data.loader import Loader
from evenodds.errors import ConfigError

COUNT, BATCH = 24, 6


def split() -> Split:
    """Example n is dark on the left: n on the left half, n + 100 on the right."""
    x = np.empty((COUNT, 1, 2, 4), np.uint8)
    x[..., :2] = np.arange(COUNT)[:, None, None, None]
    x[..., 2:] = np.arange(COUNT)[:, None, None, None] + 100
    return Split(x, np.arange(COUNT))


def loader(*, mirror: bool = True, seed: int = 0) -> Loader:
    return Loader(split(), BATCH, seed=seed, value_range=None, mirror=mirror)


def turned_by_pass(batches: Loader, passes: int) -> list[dict[int, bool]]:
    found = []
    for _ in range(passes):
        seen = [next(batches) for _ in range(COUNT // BATCH)]
        x, y = torch.cat([batch.x for batch in seen]), torch.cat([batch.y for batch in seen])
        turned = x[:, 0, 0, 0] >= 100
        straight = torch.from_numpy(split().x).float()[y]
        expected = torch.where(turned[:, None, None, None], straight.flip(3), straight)
        assert torch.equal(x, expected)
        found.append(dict(zip(y.tolist(), turned.tolist(), strict=True)))
    return found


def test_each_image_and_its_mirror_image_come_once_in_two_passes():
    passes = turned_by_pass(loader(), 8)
    for first, second in zip(passes[::2], passes[1::2], strict=True):
        assert all(first[image] != second[image] for image in range(COUNT))
        assert 3 < sum(first.values()) < COUNT - 3
    assert passes[0] != passes[2]


def test_the_order_is_that_of_an_unmirrored_run():
    plain, mirrored = loader(mirror=False), loader()
    for one, other in itertools.islice(zip(plain, mirrored, strict=False), 9):
        assert torch.equal(one.y, other.y)
    assert not any(any(turned.values()) for turned in turned_by_pass(loader(mirror=False), 2))


@pytest.mark.parametrize("position", [1, 4, 7, 13])
def test_resumed_at_any_batch(position):
    straight = [next(batches) for batches in [loader()] for _ in range(20)]
    resumed = loader()
    resumed.position = position
    for batch in straight[position:]:
        other = next(resumed)
        assert torch.equal(batch.x, other.x)
        assert torch.equal(batch.y, other.y)


def test_another_seed_turns_others():
    assert turned_by_pass(loader(seed=1), 1) != turned_by_pass(loader(seed=2), 1)


def test_only_images_have_mirror_images():
    vectors = Split(np.zeros((8, 2), np.float32))
    with pytest.raises(ConfigError, match="set mirror=false"):
        Loader(vectors, 4, seed=0, value_range=None, mirror=True)
