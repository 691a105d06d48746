"""Planted copies are found, and different images are not taken for copies."""

import io

import numpy as np
import pytest
from PIL import Image

from evenodds.data.near_duplicates import (
    DIFFERENT,
    HALF_OF_THE_SHIFTS,
    SAME,
    SHIFTS,
    Pair,
    descriptors,
    groups,
    largest_difference,
    near_duplicates,
    similarity,
)


def scenes(count: int, side: int = 32, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Smooth images with a few edges, all different: blurred noise, weaker in colour, and a rectangle."""
    random = np.random.default_rng(seed)
    coarse = random.normal(size=(count, 1, side // 4, side // 4))
    coarse = coarse + 0.3 * random.normal(size=(count, channels, side // 4, side // 4))
    fine = np.kron(coarse, np.ones((4, 4)))
    for axis in (2, 3):
        fine = sum(np.roll(fine, shift, axis) for shift in range(-3, 4)) / 7
    x = 128 + 60 * fine / fine.std((1, 2, 3), keepdims=True)
    for image in x:
        top, left = random.integers(0, side - 10, 2)
        image[:, top : top + 8, left : left + 9] += random.integers(-80, 80)
    return x.clip(0, 255).round().astype(np.uint8)


def jpeg(x: np.ndarray, quality: int) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray(x.transpose(1, 2, 0)).save(out, "JPEG", quality=quality)
    return np.asarray(Image.open(out)).transpose(2, 0, 1)


def moved(x: np.ndarray, down: int, right: int) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
    return padded[:, 1 - down : 1 - down + x.shape[1], 1 - right : 1 - right + x.shape[2]]


COPIES = {
    "jpeg": lambda x: jpeg(x, 75),
    "right": lambda x: moved(x, 0, 1),
    "left and up": lambda x: moved(x, -1, -1),
    "down and left": lambda x: moved(x, 1, -1),
    "brighter": lambda x: (x * 1.1).clip(0, 255).round().astype(np.uint8),
    "darker": lambda x: (x * 0.8).round().astype(np.uint8),
    "less contrast": lambda x: (x * 0.7 + 40).round().astype(np.uint8),
}


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("side", [28, 64])
def test_planted_copies_are_found(kind, side):
    x = scenes(300, side)
    chosen = np.arange(0, 300, 10)
    copies = np.stack([COPIES[kind](image) for image in x[chosen]])
    found = {(pair.first, pair.second) for pair in near_duplicates([x, copies])}
    planted = {(int(image), 300 + number) for number, image in enumerate(chosen)}
    assert len(found & planted) >= 0.95 * len(planted)
    assert not found - planted


@pytest.mark.parametrize("channels", [1, 3, 7])
def test_different_images_are_not(channels):
    assert near_duplicates([scenes(500, channels=channels)]) == []


def test_many_cells_find_what_one_does():
    x = scenes(2600, side=16, channels=1)
    copies = np.stack([(x[number] * 0.9).round() for number in range(0, 2600, 13)]).astype(np.uint8)
    found = near_duplicates([x, copies])
    assert (
        len([pair for pair in found if pair.second >= 2600 and pair.first == 13 * (pair.second - 2600)])
        == 200
    )


def test_numbers_go_through_the_parts_and_some_are_left_out():
    x = scenes(50)
    parts = [x, x[:2] // 2 + 50, x[10:12]]
    assert {(p.first, p.second) for p in near_duplicates(parts)} >= {(0, 50), (1, 51), (10, 52), (11, 53)}
    left = near_duplicates(parts, skip=np.array([51, 52]))
    assert {(p.first, p.second) for p in left} == {(0, 50), (11, 53)}


def test_images_of_one_value_are_no_copies_of_anything():
    x = scenes(20)
    x[3], x[4], x[5] = 0, 0, 200
    assert near_duplicates([x]) == []
    assert near_duplicates([x[3:6]]) == []
    assert not descriptors(x)[:, 3:6].any()


def test_similarity_is_the_correlation_at_the_best_shift():
    a, b = scenes(2, 24)[:, None].astype(np.float32)
    expected = max(
        np.corrcoef(a[0, :, 1 + dy : 23 + dy, 1 + dx : 23 + dx].ravel(), b[0, :, 1:-1, 1:-1].ravel())[0, 1]
        for dy, dx in SHIFTS
    )
    assert similarity(a, b)[0] == pytest.approx(expected, abs=1e-4)
    assert similarity(a, a)[0] == pytest.approx(1, abs=1e-5)
    assert len(set(SHIFTS)) == 9
    assert len(HALF_OF_THE_SHIFTS) == 5


def test_images_that_differ_in_one_place_are_not():
    """As two keys with different digits: nearly all of the picture is the same."""
    x = scenes(60, 64)
    other = x.astype(int)
    place = other[:, :, 24:32, 8:16]
    place += np.where(place.mean((1, 2, 3), keepdims=True) < 128, 60, -60)
    other = other.clip(0, 255).astype(np.uint8)
    a, b = x.astype(np.float32), other.astype(np.float32)
    assert (similarity(a, b) >= SAME).mean() > 0.8
    assert largest_difference(a, a).max() == 0
    assert (largest_difference(a, b) > DIFFERENT).all()
    assert near_duplicates([x, other]) == []


def test_groups_are_connected_and_sorted():
    pairs = [Pair(1, 2, 1.0), Pair(7, 8, 1.0), Pair(2, 9, 0.99), Pair(3, 4, SAME)]
    assert groups(pairs) == [[1, 2, 9], [3, 4], [7, 8]]
    assert groups([]) == []


def test_too_few_images():
    assert near_duplicates([scenes(1)]) == []
