from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evenodds.drawing.canvas import CAPTION_HEIGHT, DATA, SAMPLES, fitted, ticks
from evenodds.drawing.samples import GAP, draw_samples, save_picture, to_rgb
from evenodds.errors import DataError

RNG = np.random.default_rng(0)


SIDE = 20  # pixels; more than are smoothed


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(np.int64)


def test_each_image_stands_where_its_row_and_column_say():
    x = np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1) * 20 + np.zeros((12, 3, SIDE, SIDE), np.uint8)
    x[:, :, 0, 0] = 255  # the top left pixel of every image
    picture = draw_samples(x, value_range=None, title="t", columns=4)
    factor = (700 - 5 * 2) // (4 * SIDE)
    assert picture.size == (4 * (SIDE * factor + GAP) + GAP, CAPTION_HEIGHT + 3 * (SIDE * factor + GAP) + GAP)
    seen = pixels(picture)
    for index in range(12):
        left = GAP + (index % 4) * (SIDE * factor + GAP)
        top = CAPTION_HEIGHT + GAP + (index // 4) * (SIDE * factor + GAP)
        assert (seen[top, left] == 255).all()
        assert (seen[top + factor - 1, left + factor - 1] == 255).all()
        assert (seen[top + factor, left + factor] == index * 20).all()
        assert (seen[top + SIDE * factor - 1, left + SIDE * factor - 1] == index * 20).all()
        assert (seen[top - 1, left + 5] == 222).any()  # the gap


def test_images_of_few_pixels_are_smoothed_and_larger_ones_keep_their_squares():
    for side, smooth in ((16, True), (17, False)):
        x = np.zeros((1, 1, side, side), np.uint8)
        x[..., side // 2 :] = 255  # a step from black to white
        seen = pixels(draw_samples(x, value_range=None, title="t"))[CAPTION_HEIGHT + 20, GAP:-GAP, 0]
        between = set(seen.tolist()) - {0, 255}
        assert bool(between) == smooth
        assert seen[: len(seen) // 4].max() == 0
        assert seen[-len(seen) // 4 :].min() == 255


def test_eight_by_eight_digits_are_five_to_seven_hundred_pixels_wide():
    for side, channels in ((8, 1), (28, 1), (32, 3), (64, 3)):
        picture = draw_samples(np.zeros((64, channels, side, side), np.uint8), value_range=None, title="t")
        assert 500 <= picture.width <= 700


def test_the_value_range_is_black_and_white():
    x = np.array([-1.0, 0.0, 1.0, 7.0], dtype=np.float32).reshape(4, 1, 1, 1)
    rgb, notes = to_rgb(x, (-1, 1))
    assert rgb[:, 0, 0].tolist() == [[0] * 3, [128] * 3, [255] * 3, [255] * 3]
    assert notes == []
    assert to_rgb(x, None)[1] == ["scaled from -1..7"]


def test_transparent_pixels_show_a_checkerboard_and_opaque_ones_their_colour():
    x = np.zeros((1, 4, 32, 32), np.uint8)
    x[:, 0] = 200
    x[:, 3, :, :16] = 255
    rgb, _ = to_rgb(x, None)
    assert (rgb[0, :, :16] == [200, 0, 0]).all()
    assert {tuple(colour) for colour in rgb[0, :, 16:].reshape(-1, 3).tolist()} == {(255,) * 3, (204,) * 3}
    half = np.array([100, 0, 0, 128], np.uint8).reshape(1, 4, 1, 1)
    # 100 * a + 255 * (1 - a) with a = 128/255
    assert to_rgb(half, None)[0][0, 0, 0].tolist() == [177, 127, 127]


@pytest.mark.parametrize(("channels", "said"), [(2, "channel 1 of 2"), (6, "channels 1 to 3 of 6")])
def test_other_channel_counts_are_said(channels: int, said: str):
    x = RNG.integers(0, 255, (3, channels, 4, 4)).astype(np.uint8)
    rgb, notes = to_rgb(x, None)
    assert notes == [said]
    assert (rgb[..., 0] == x[:, 0]).all()
    assert (rgb[..., 2] == x[:, 0 if channels == 2 else 2]).all()


def test_values_that_are_no_numbers_are_pink_and_counted():
    x = np.zeros((4, 1, 2, 2), np.float32)
    x[1, 0, 0, 1] = np.nan
    x[3, 0, 1, 0] = np.inf
    rgb, notes = to_rgb(x, (-1, 1))
    assert notes == ["2 with values that are no numbers, in pink"]
    assert (rgb != 128).any(axis=-1).sum() == 2
    assert rgb[1, 0, 1].tolist() == [240, 62, 162]


def test_labels_widen_rows_or_stand_under_images():
    x = np.zeros((6, 1, 8, 8), np.uint8)
    plain = draw_samples(x, value_range=None, title="t", columns=3)
    rows = draw_samples(x, value_range=None, title="t", columns=3, labels=["cat", "dog"])
    each = draw_samples(x, value_range=None, title="t", columns=3, labels=list("abcdef"))
    assert rows.height == plain.height
    assert plain.width < rows.width < plain.width + 160
    assert each.width == plain.width
    assert each.height - plain.height == 2 * 16
    with pytest.raises(DataError, match="4 labels fit neither the 6 images nor the 2 rows"):
        draw_samples(x, value_range=None, title="t", columns=3, labels=list("abcd"))


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 2), (0, 1, 8, 8)])
def test_other_shapes_are_refused(shape: tuple[int, ...]):
    with pytest.raises(DataError, match="can't be drawn; give numbers of shape"):
        draw_samples(np.zeros(shape, np.float32), value_range=(0, 1), title="t")


def test_a_point_of_the_plane_lands_where_the_data_put_it():
    """Blobs of the reference at known corners give the scale; the samples must lie on it."""
    reference = np.array([[-1.0, -1.0], [1.0, 1.0]])
    at = np.array([[0.5, -0.25]])
    picture = pixels(draw_samples(at, value_range=None, title="t", reference=reference))
    plot = picture[CAPTION_HEIGHT : CAPTION_HEIGHT + 568, 61:619]  # without the legend, which is orange too
    orange = plot[..., 0] - plot[..., 2] > 120
    rows, columns = np.nonzero(orange)
    assert 9 <= len(rows) <= 40
    # the frame is x = -1.1 .. 1.1 over the 560 pixels from column 60 and from row CAPTION_HEIGHT + 8
    assert columns.mean() + 61 == pytest.approx(60 + (0.5 + 1.1) / 2.2 * 559, abs=0.8)
    assert rows.mean() == pytest.approx(8 + (1.1 + 0.25) / 2.2 * 559, abs=0.8)
    corner = plot[int(8 + 0.1 / 2.2 * 559) - 3 :, int(2.1 / 2.2 * 559) - 4 :][:8, :8]  # the blob at (1, 1)
    assert corner.min() < 220


def test_the_axes_follow_the_reference_and_stray_samples_are_counted():
    reference = RNG.normal(0, 1, (500, 2))
    near = draw_samples(np.zeros((3, 2)), value_range=None, title="t", reference=reference)
    far = draw_samples(
        np.array([[0, 0], [99, 0], [np.nan, 0]]), value_range=None, title="t", reference=reference
    )
    ticks_of = slice(CAPTION_HEIGHT + 570, CAPTION_HEIGHT + 592)
    assert (pixels(near)[ticks_of] == pixels(far)[ticks_of]).all()
    legend = slice(CAPTION_HEIGHT + 595, None)
    assert (pixels(near)[legend] != pixels(far)[legend]).any()


def test_overlapping_discs_grow_darker_but_never_beyond_the_colour():
    reference = np.array([[-1.0, -1.0], [1.0, 1.0]])
    one = pixels(draw_samples(np.zeros((1, 2)), value_range=None, title="t", reference=reference))
    many = pixels(draw_samples(np.zeros((50, 2)), value_range=None, title="t", reference=reference))
    centre = (CAPTION_HEIGHT + 8 + 280, 60 + 280)
    assert np.abs(many[centre] - SAMPLES).max() <= 1
    assert (one[centre] > many[centre]).sum() >= 2


def test_a_histogram_has_the_height_of_its_density():
    """All data in one of 60 bins, twice as wide as the other: bars of 2:1."""
    reference = np.array([0.0] * 20 + [1.0] * 10)[:, None]
    picture = pixels(draw_samples(np.full((4, 1), 9.0), value_range=None, title="t", reference=reference))
    plot = picture[CAPTION_HEIGHT + 8 : CAPTION_HEIGHT + 568, 60:620]
    grey = (plot == [206, 212, 218]).all(axis=-1).sum(axis=0)
    left, right = grey[:280].max(), grey[280:].max()
    assert left == pytest.approx(560 / 1.5, abs=5)
    assert right == pytest.approx(left / 2, abs=5)


def test_a_heat_map_has_a_row_for_each_sample_and_a_column_for_each_dimension():
    x = np.zeros((4, 10))
    x[1, 7] = 1.0
    plot = pixels(draw_samples(x, value_range=(0, 1), title="t"))[
        CAPTION_HEIGHT : CAPTION_HEIGHT + 512, 32:592
    ]
    bright = plot[..., 0] > 200
    rows, columns = np.nonzero(bright)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (128, 255, 7 * 56, 8 * 56 - 1)
    assert bright.sum() == 128 * 56


def test_a_reference_of_other_dimensions_is_refused():
    with pytest.raises(DataError, match=r"give reference data of shape \(M, 2\)"):
        draw_samples(np.zeros((3, 2)), value_range=None, title="t", reference=np.zeros((3, 3)))


def test_a_title_never_changes_the_size_and_is_cut_where_it_must():
    x = np.zeros((4, 1, 8, 8), np.uint8)
    sizes = {
        draw_samples(x, value_range=None, title=title).size for title in ("", "t", "long " * 80, "two\nlines")
    }
    assert len(sizes) == 1
    text, font = fitted("long " * 80, 200)
    assert text.endswith("…")
    assert 170 < font.getlength(text) <= 200


def test_ticks_are_round_numbers_inside():
    assert ticks((-2.3, 2.3)) == [-2, -1, 0, 1, 2]
    assert ticks((0.0, 0.61)) == pytest.approx([0.0, 0.2, 0.4, 0.6])


def test_the_same_picture_gives_the_same_bytes_and_only_pixels_are_stored(tmp_path: Path):
    x = RNG.integers(0, 255, (4, 3, 8, 8)).astype(np.uint8)
    first, second = (draw_samples(x, value_range=None, title="t") for _ in range(2))
    second.info["dpi"] = (1, 1)
    save_picture(first, tmp_path / "a.png")
    save_picture(second, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.info == {}
        assert (np.asarray(image) == np.asarray(first)).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_grey_is_the_data_and_orange_the_samples():
    assert max(DATA) - min(DATA) < 20
    assert SAMPLES[0] - SAMPLES[2] > 150
