"""Proposals: mirroring is judged by the images themselves, the rest follows from numbers."""

import numpy as np
import pytest
from idx_files import needs_mnist
from PIL import Image, ImageDraw, ImageFont

from evenodds.data.advice import CAPACITY, Facts, advise, proposed_fit
from evenodds.data.dataset import Dataset, Split
from evenodds.data.mirroring import FEWEST, mirror_test
from evenodds.data.sources import DATASETS
from evenodds.data.thumbnails import CHUNK_BYTES, chunks, shrunk


def blobs(count: int, seed: int = 0, channels: int = 1) -> np.ndarray:
    """Smooth images without any side: their left and right are drawn alike."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, channels, 6, 6))
    return np.kron(coarse, np.ones((3, 3), int)).astype(np.uint8)


def corners(count: int, seed: int = 0) -> np.ndarray:
    """The same with a bright upper left corner, as of images with a side."""
    x = blobs(count, seed)
    x[:, :, :6, :6] = 255
    return x


@pytest.mark.parametrize("channels", [1, 3, 4, 6])
def test_images_without_a_side_may_be_mirrored(channels):
    found = mirror_test(blobs(400, channels=channels))
    assert found.allowed
    assert abs(found.share - 0.5) < 4 * found.chance
    assert 0.01 < found.chance < 0.06


def test_images_with_a_side_may_not():
    found = mirror_test(corners(300))
    assert not found.allowed
    assert found.sided
    assert found.share > 0.9
    assert "digits or text" in found.reason


def test_mirroring_half_of_them_takes_the_side_away():
    x = corners(400)
    x[::2] = x[::2, ..., ::-1]
    assert mirror_test(x).allowed


def test_the_test_seldom_refuses_what_has_no_side():
    """Two and a half standard deviations and a share of 0.55: 60 data sets of 120 images without a side."""
    refused = sum(mirror_test(blobs(120, seed)).sided for seed in range(60))
    assert refused <= 3


def test_symmetric_or_few_images_are_not_judged():
    x = blobs(200)
    both = np.maximum(x, x[..., ::-1])
    found = mirror_test(both)
    assert (found.compared, found.symmetric, found.allowed) == (0, 200, False)
    assert "symmetric already" in found.reason
    few = mirror_test(blobs(FEWEST - 1))
    assert not few.allowed
    assert "too few" in few.reason


def test_the_digits_are_refused():
    advice = advise(DATASETS["digits"]())
    assert not advice.mirror
    assert (advice.size, advice.channels, advice.conditional) == ((8, 8), 1, True)


def words(count: int) -> np.ndarray:
    """A word of five letters somewhere in each image."""
    random = np.random.default_rng(0)
    font = ImageFont.load_default(14)
    images = []
    for _ in range(count):
        image = Image.new("L", (64, 64), 255)
        word = "".join(random.choice(list("abcdefghijklmnopqrstuvwxyz"), 5))
        ImageDraw.Draw(image).text(tuple(random.integers(0, (20, 50))), word, font=font, fill=0)
        images.append(np.asarray(image)[None])
    return np.stack(images)


def test_text_is_refused_wherever_it_stands():
    assert mirror_test(words(400)).sided


@needs_mnist
def test_mnist_is_refused():
    found = mirror_test(DATASETS["mnist"]().train.x)
    assert found.share == pytest.approx(0.95, abs=0.02)
    assert found.sided


def test_thumbnails_are_means_of_boxes():
    x = np.random.default_rng(0).integers(0, 256, (5, 2, 9, 14), dtype=np.uint8)
    small = shrunk(x, 4)
    rows, columns = (0, 2, 4, 7, 9), (0, 4, 7, 10, 14)  # halves are rounded to even
    for i in range(4):
        for j in range(4):
            box = x[:, :, rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
            np.testing.assert_allclose(small[:, :, i, j], box.mean((2, 3)), rtol=1e-5)
    np.testing.assert_array_equal(shrunk(x, 20), x)


def test_chunks_cover_everything_once():
    x = np.broadcast_to(np.uint8(0), (1000, 3, 256, 256))
    parts = list(chunks(x))
    assert [index for part in parts for index in range(part.start, part.stop)] == list(range(1000))
    assert max(part.stop - part.start for part in parts) * 3 * 256 * 256 * 4 <= CHUNK_BYTES


def dataset(count: int, labels: np.ndarray | None = None, classes: int = 0) -> Dataset:
    x = np.zeros((count, 3, 4, 6), np.uint8)
    return Dataset(
        "zeros", Split(x, labels), Split(x[:1], None if labels is None else labels[:1]), None,
        tuple(map(str, range(classes))),
    )  # fmt: skip


@pytest.mark.parametrize(
    "count, augment",
    [(99, "strong"), (999, "strong"), (9_999, "strong"), (10_000, "light"), (100_000, "none")],
)
def test_augmentation_follows_the_number_of_images(count, augment):
    advice = advise(dataset(count))
    assert advice.augment == augment
    assert advice.capacity
    assert advice.size == (4, 6)


def test_the_table_ends_with_any_number():
    limits = [row[0] for row in CAPACITY]
    assert limits == sorted(limits)
    assert limits[-1] == float("inf")


def test_labels_need_examples_of_each_class():
    assert advise(dataset(100, np.arange(100) % 4, 4)).conditional
    rare = np.zeros(100, np.int64)
    rare[:19] = 1
    advice = advise(dataset(100, rare, 2))
    assert not advice.conditional
    assert "1 of 2 classes" in advice.conditional_reason


def test_size_and_fit_follow_the_originals():
    advice = advise(dataset(100), Facts(sizes=[(300, 200), (400, 310), (64, 80)] * 10))
    assert (advice.size, advice.fit) == ((64, 64), "crop")
    assert proposed_fit([(100, 160)] * 3 + [(100, 100)], (64, 64)) == "pad"
    assert proposed_fit([(100, 160)] * 3 + [(100, 100)], (80, 128)) == "crop"
    assert proposed_fit([(100, 160)] + [(100, 100)] * 2, (64, 64)) == "crop"


def test_vectors_get_no_image_advice():
    advice = advise(DATASETS["ring"]())
    assert (advice.size, advice.channels, advice.mirror, advice.augment) == (None, 0, False, "none")
