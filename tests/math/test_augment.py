"""Augmentation: against formulas written out, its symmetries in expectation, derivatives, controller."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from evenodds.augment import ADA, AUGMENTS, DiffAugment, Pipeline, color, diffaugment, r3gan
from evenodds.augment.frame import Frame, frame_of
from evenodds.augment.pipeline import COLOR, TRANSFORMATIONS, color_matrices, cut_out

RGB = {"sample_shape": (3, 16, 16), "value_range": (-1.0, 1.0)}


def images(count=4, channels=3, height=16, width=16, dtype=torch.float32, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, height, width, generator=random, dtype=dtype) * 2 - 1


def pipeline(name_or_names, shape=(3, 16, 16), value_range=(-1.0, 1.0), premultiplied=False, p=1.0):
    names = [name_or_names] if isinstance(name_or_names, str) else name_or_names
    return Pipeline(dict.fromkeys(names, 1.0), frame_of(shape, value_range, premultiplied), p)


def rgba(count=4, size=16, dtype=torch.float32):
    """In [0, 1], colours at most alpha, the left third transparent."""
    straight = images(count, 4, size, size, dtype).add(1).div(2)
    straight[:, 3, :, : size // 3] = 0
    return torch.cat([straight[:, :3] * straight[:, 3:], straight[:, 3:]], 1)


# what the table holds


@pytest.mark.parametrize("name", AUGMENTS)
@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 10, 14), (4, 12, 12), (6, 9, 8), (3, 4, 4)])
@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0)])
def test_every_augmentation_takes_every_image(name, shape, value_range):
    augment = AUGMENTS[name](sample_shape=shape, value_range=value_range)
    if name != "diffaugment":
        augment.set_probability(1.0)
    low, high = value_range
    x = (images(5, *shape) + 1) / 2 * (high - low) + low
    y = augment(x)
    assert y.shape == x.shape
    assert y.dtype == torch.float32
    assert y.isfinite().all()
    assert not torch.equal(x, y)


@pytest.mark.parametrize("name", AUGMENTS)
def test_every_augmentation_refuses_vectors_and_unknown_ranges(name):
    with pytest.raises(ValueError, match="only images"):
        AUGMENTS[name](sample_shape=(2,), value_range=(-1.0, 1.0))
    with pytest.raises(ValueError, match="range"):
        AUGMENTS[name](sample_shape=(3, 8, 8), value_range=None)


@pytest.mark.parametrize("name", AUGMENTS)
def test_every_augmentation_is_drawn_from_the_global_generator(name):
    augment = AUGMENTS[name](**RGB)
    if name != "diffaugment":
        augment.set_probability(0.5)
    x = images()
    state = torch.get_rng_state()
    first, second = augment(x), augment(x)
    torch.set_rng_state(state)
    assert torch.equal(augment(x), first)
    assert not torch.equal(first, second)
    assert not torch.equal(first[0] - x[0], first[1] - x[1])  # each image in its own way


@pytest.mark.parametrize("name", AUGMENTS)
@pytest.mark.parametrize("premultiplied", [False, True])
def test_every_augmentation_is_differentiable_twice(name, premultiplied):
    """Against finite differences, with the same numbers drawn at every call."""
    shape = (4, 5, 5) if premultiplied else (3, 5, 5)
    augment = AUGMENTS[name](sample_shape=shape, value_range=(0.0, 1.0), premultiplied=premultiplied)
    if name != "diffaugment":
        augment.set_probability(1.0)

    def squared(x):
        torch.manual_seed(1)
        return augment(x).square().mean((1, 2, 3))

    x = images(2, *shape, torch.float64).add(1).div(2).requires_grad_()
    assert torch.autograd.gradcheck(squared, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(squared, x, fast_mode=True)


def test_a_penalty_reaches_through_the_augmentation():
    """D(x) = Σ x², and a mirrored image has the same: ∇ is 2x, R1 is 2 Σ x²."""
    x = images().requires_grad_()
    logits = pipeline("xflip")(x).square().sum((1, 2, 3))
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    torch.testing.assert_close(gradient, 2 * x)
    gradient.square().sum().backward()
    torch.testing.assert_close(x.grad, 8 * x)


# the pipeline


@pytest.mark.parametrize("premultiplied", [False, True])
def test_probability_0_is_the_identity(premultiplied):
    shape = (4, 16, 16) if premultiplied else (3, 16, 16)
    x = rgba() if premultiplied else images()
    augment = pipeline(TRANSFORMATIONS, shape, premultiplied=premultiplied, p=0.0)
    state = torch.get_rng_state()
    assert torch.equal(augment(x), x)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_image_that_nothing_hits_keeps_its_values():
    """However many transformations its neighbours go through."""
    x = images(400)
    y = pipeline(TRANSFORMATIONS, p=0.08)(x)
    same = (y == x).flatten(1).all(1)
    # 13 names; of them xflip and lumaflip do nothing in a half of the hits, a quarter turn in a quarter
    expected = (1 - 0.04) ** 2 * (1 - 0.06) * (1 - 0.08) ** 10
    assert same.float().mean().item() == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 400))


@pytest.mark.parametrize(
    "name, share", [("xflip", 0.5), ("rotate90", 0.75), ("lumaflip", 0.5), ("hue", 1.0), ("cutout", 1.0)]
)
def test_how_often_a_transformation_shows(name, share):
    x = images(2_000, 3, 4, 4)
    changed = (pipeline(name, (3, 4, 4), p=0.5)(x) != x).flatten(1).any(1)
    expected = 0.5 * share
    assert changed.float().mean().item() == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 2_000))


def test_a_multiplier_multiplies():
    x = images(2_000, 3, 8, 8)
    augment = Pipeline({"brightness": 0.5}, frame_of((3, 8, 8), (-1.0, 1.0), False), 0.4)
    changed = (augment(x) != x).flatten(1).any(1)
    assert changed.float().mean().item() == pytest.approx(0.2, abs=4 * math.sqrt(0.16 / 2_000))


def test_mirroring_flips_or_does_nothing():
    x = images(40)
    y = pipeline("xflip")(x)
    flipped = (y == x.flip(3)).flatten(1).all(1)
    assert torch.equal(flipped, ~(y == x).flatten(1).all(1))


def test_quarter_turns_where_an_image_is_no_square_are_half_turns():
    x = images(40, 3, 8, 12)
    y = pipeline("rotate90", (3, 8, 12))(x)
    turned = (y == torch.rot90(x, 2, (2, 3))).flatten(1).all(1)
    assert torch.equal(turned, ~(y == x).flatten(1).all(1))
    assert 5 < turned.sum() < 35


def test_quarter_turns_are_equally_likely():
    x = images(1, 3, 6, 6).expand(4_000, 3, 6, 6)
    y = pipeline("rotate90", (3, 6, 6))(x)
    counts = [(y == torch.rot90(x, k, (2, 3))).flatten(1).all(1).sum().item() for k in range(4)]
    assert sum(counts) == 4_000
    assert max(abs(count - 1_000) for count in counts) < 4 * math.sqrt(4_000 * 3 / 16)


@pytest.mark.parametrize("name", ["xflip", "rotate90", "xint", "rotate", "xfrac", "aniso", "scale"])
def test_no_direction_is_favoured(name):
    """The mean of many images is as symmetric as what is done: a blot in the middle stays in the middle."""
    x = torch.zeros(1, 1, 17, 17)
    x[..., 6:11, 6:11] = 1
    augment = pipeline(name, (1, 17, 17), (0.0, 1.0))
    mean = augment(x.expand(600, 1, 17, 17)).mean(0)[0]
    for other in (mean.flip(0), mean.flip(1), mean.T):
        assert (mean - other).abs().max() < 4 * math.sqrt(2 * 0.25 / 600)


def test_mirroring_at_one_half_makes_the_mean_image_symmetric():
    x = images(1).expand(4_000, 3, 16, 16)
    mean = pipeline("xflip")(x).mean(0)
    torch.testing.assert_close(mean, (x[0] + x[0].flip(2)) / 2, atol=0.065, rtol=0)


def test_shifts_by_whole_pixels_reach_an_eighth():
    """A single white pixel of 32 × 64 comes to lie anywhere within 4 rows and 8 columns."""
    x = torch.zeros(3_000, 1, 32, 64)
    x[:, :, 16, 32] = 1
    y = pipeline("xint", (1, 32, 64), (0.0, 1.0))(x)
    places = y.flatten(1).argmax(1)
    rows, columns = places // 64 - 16, places % 64 - 32
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (-4, 4, -8, 8)
    assert y.flatten(1).sum(1).eq(1).all()


def test_scaling_has_the_published_spread():
    """log₂ of the scale is N(0, 0.2²): an image's total brightness grows by scale²."""
    x = torch.zeros(500, 1, 20, 20)
    x[..., 6:14, 6:14] = 1
    total = pipeline("scale", (1, 20, 20), (0.0, 1.0))(x).sum((1, 2, 3)) / 64
    logs = total.log2() / 2
    assert logs.mean().item() == pytest.approx(0, abs=4 * 0.2 / math.sqrt(500))
    assert logs.std().item() == pytest.approx(0.2, abs=4 * 0.2 / math.sqrt(2 * 500))


def test_no_translation_outside_the_image_is_empty():
    """Pixels that come in are the image's own, mirrored."""
    x = torch.full((30, 3, 16, 16), 0.5)
    y = pipeline(("xint", "xfrac", "scale", "rotate"), p=1.0)(x)
    assert (y - 0.5).abs().max() < 0.02


def test_what_comes_into_a_transparent_image_is_transparent():
    x = torch.full((30, 4, 16, 16), 1.0)
    y = pipeline("rotate", (4, 16, 16), premultiplied=True)(x)
    corner = y[:, :, 0, 0]
    assert (corner.mean(1) < 0).float().mean() > 0.5
    assert corner.std(1, correction=0).max() < 1e-5  # colours and alpha alike


# colours


def hsv_free_hue(x, angle):
    """Rodrigues' rotation about (1, 1, 1), pixel by pixel in numpy."""
    axis = np.ones(3) / math.sqrt(3)
    c = np.moveaxis(x, 0, -1)
    return np.moveaxis(
        c * math.cos(angle)
        + np.cross(axis, c) * math.sin(angle)
        + np.einsum("hwc,c,d->hwd", c, axis, axis) * (1 - math.cos(angle)),
        -1,
        0,
    )


FORMULAS = {
    "brightness": lambda x, v: x + v,
    "contrast": lambda x, v: x * v,
    "luma_flip": lambda x, v: x - 2 * v * x.mean(0),
    "saturation": lambda x, v: x.mean(0) + v * (x - x.mean(0)),
    "hue": hsv_free_hue,
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("value", [0.0, 1.0, 0.4])
def test_a_color_matrix_is_its_formula(name, value):
    x = images(1, dtype=torch.float64)
    found = color.colored(x, getattr(color, name)(torch.tensor([value], dtype=torch.float64)), "rgb")
    np.testing.assert_allclose(found[0].numpy(), FORMULAS[name](x[0].numpy(), value), atol=1e-12)


def test_a_third_of_a_turn_of_hue_exchanges_the_colors():
    x = images(1)
    third = color.hue(torch.tensor([2 * math.pi / 3]))
    assert torch.allclose(color.colored(x, third, "rgb"), x.roll(1, 1), atol=1e-6)


def test_a_gray_image_is_treated_as_a_gray_color():
    x, matrices = images(50, 1), color_matrices(images(50), dict.fromkeys(COLOR, 1.0))
    expected = color.colored(x.expand(50, 3, 16, 16), matrices, "rgb").mean(1, keepdim=True)
    torch.testing.assert_close(color.colored(x, matrices, "gray"), expected)


def test_premultiplied_colors_change_as_straight_ones_do():
    """Through division by alpha and multiplication with it, where there is any."""
    x, matrices = rgba(dtype=torch.float64), color_matrices(images(4, dtype=torch.float64), {"hue": 1.0})
    matrices = color.brightness(torch.full((4,), 0.1).double()) @ matrices
    found = (color.colored(x * 2 - 1, matrices, "premultiplied") + 1) / 2
    alpha = x[:, 3:]
    straight = x[:, :3] / alpha.clamp(min=1e-12)
    expected = (color.colored(straight * 2 - 1, matrices, "rgb") + 1) / 2 * alpha
    torch.testing.assert_close(found[:, :3], expected)
    assert torch.equal(found[:, 3:], alpha)
    assert found[:, :3][(alpha == 0).expand(4, 3, 16, 16)].abs().max() < 1e-12
    # colours that stay between black and white stay at most alpha
    proper = ((expected >= 0) & (expected <= alpha)).all(1)
    assert 0.1 < proper.double().mean() < 1
    assert (found[:, :3] <= alpha + 1e-12).all(1)[proper].all()


@pytest.mark.parametrize("name", ["noise", "brightness", "hue", "cutout"])
def test_what_is_transparent_gets_no_color(name):
    x = rgba()
    y = pipeline(name, (4, 16, 16), (0.0, 1.0), premultiplied=True)(x)
    assert y[:, :3][(y[:, 3:] == 0).expand(4, 3, 16, 16)].abs().max() < 1e-6
    assert not torch.equal(x, y)


@pytest.mark.parametrize("channels, applied", [(1, 3), (2, 2), (3, 5), (5, 2)])
def test_colors_are_changed_where_there_are_colors(channels, applied):
    augment = pipeline(COLOR, (channels, 8, 8))
    assert len(augment.multipliers) == applied


def test_colors_do_not_depend_on_how_values_are_stored():
    x = images()
    torch.manual_seed(3)
    wide = pipeline(TRANSFORMATIONS)(x)
    torch.manual_seed(3)
    narrow = pipeline(TRANSFORMATIONS, value_range=(0.0, 1.0))((x + 1) / 2)
    torch.testing.assert_close(narrow, (wide + 1) / 2, atol=1e-5, rtol=0)


# holes


def test_a_hole_has_half_the_size_and_lies_anywhere():
    x = torch.ones(3_000, 1, 16, 24)
    hole = cut_out(x, 1.0, 0.0) == 0
    rows, columns = hole.any(3).sum((1, 2)), hole.any(2).sum((1, 2))
    assert rows.max() == 8
    assert columns.max() == 12
    assert rows.min() == 4  # around a point at the edge, half of it
    covered = hole.float().mean(0)[0]
    assert covered.min() == pytest.approx(1 / 16, abs=0.02)
    assert covered.max() == pytest.approx(1 / 4, abs=0.04)
    assert (covered - covered.flip(0)).abs().max() < 0.06
    assert (covered - covered.flip(1)).abs().max() < 0.06


# DiffAugment


def test_diffaugment_does_what_its_policy_says():
    x = images(200)
    shifted = DiffAugment(**RGB, policy=["translation"])(x)
    for before, after in zip(x, shifted, strict=True):
        found = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if torch.equal(after, _shifted_by_hand(before, dy, dx))
        ]
        assert len(found) == 1
    holes = DiffAugment(**RGB, policy=["cutout"])(x) == 0
    assert torch.equal(holes.any(1), holes.all(1))
    assert holes[:, 0].sum((1, 2)).max() == 64


def _shifted_by_hand(image, down, right):
    padded = torch.nn.functional.pad(image, (2, 2, 2, 2))
    return padded[:, 2 - down : 18 - down, 2 - right : 18 - right]


def test_diffaugments_colors_by_their_formulas():
    x = images(1)
    torch.manual_seed(5)
    found = DiffAugment(**RGB, policy=["color"])(x)[0].double()
    torch.manual_seed(5)
    b, s, c = torch.rand(3, 1, 1, 1, 1).double().flatten()
    y = x[0].double() + b - 0.5
    y = (y - y.mean(0)) * 2 * s + y.mean(0)
    y = (y - y.mean()) * (c + 0.5) + y.mean()
    torch.testing.assert_close(found, y, atol=1e-6, rtol=0)


def test_diffaugment_leaves_opaque_and_straight_colors_alike():
    x = images()
    opaque = torch.cat([x, torch.ones_like(x[:, :1])], 1)
    shape = {"sample_shape": (4, 16, 16), "value_range": (-1.0, 1.0), "premultiplied": True}
    torch.manual_seed(7)
    found = DiffAugment(**shape, policy=["color"])(opaque)
    torch.manual_seed(7)
    expected = DiffAugment(**RGB, policy=["color"])(x)
    torch.testing.assert_close(found[:, :3], expected, atol=1e-5, rtol=0)
    clear = diffaugment.recolored(torch.full((3, 4, 8, 8), -1.0), Frame("premultiplied", -1.0, 1.0))
    torch.testing.assert_close(clear, torch.full((3, 4, 8, 8), -1.0))


@pytest.mark.parametrize("policy", [[], ["colour"]])
def test_diffaugment_refuses_another_policy(policy):
    with pytest.raises(ValueError, match="policy holds"):
        DiffAugment(**RGB, policy=policy)


# the controller


def logits(mean, count=64):
    """Of exactly that mean."""
    return torch.linspace(-1, 1, count) + mean


def test_p_goes_from_0_to_1_within_the_ramp_and_stays_there():
    ada = ADA(**RGB, every=1_000, ramp=20_000)
    for step in range(1, 26):
        ada.follow(logits(2.0), logits(0.5), logits(0.0), examples=1_000)  # r_v = 0.75
        assert ada.probability == pytest.approx(min(step / 20, 1.0))
    assert ada.overfitting.item() == pytest.approx(0.75)
    for step in range(1, 30):
        ada.follow(logits(2.0), logits(1.0), logits(0.0), examples=1_000)  # r_v = 0.5
        assert ada.probability == pytest.approx(max(1 - step / 20, 0.0), abs=1e-12)


def test_a_discriminator_that_knows_nothing_does_not_overfit():
    ada = ADA(**RGB, probability=0.5, every=1_000, ramp=10_000)
    ada.follow(logits(0.0), logits(-3.0), logits(1.0), examples=1_000)
    assert ada.overfitting == 0
    assert ada.probability == pytest.approx(0.4)
    ada.follow(logits(math.nan), logits(0.0), logits(0.0), examples=1_000)
    assert ada.probability == pytest.approx(0.3)


def test_the_sign_of_training_logits():
    """Nine of ten above 0: r_t = 0.8."""
    ada = ADA(**RGB, signal="sign", every=1_000, ramp=10_000)
    train = torch.tensor([0.1] * 9 + [-50.0])
    ada.follow(train, logits(-9.0), logits(9.0), examples=1_000)
    assert ada.overfitting.item() == pytest.approx(0.8)
    assert ada.probability == pytest.approx(0.1)
    ada.follow(torch.tensor([1.0, -1.0]), logits(-9.0), logits(9.0), examples=500)
    assert ada.probability == pytest.approx(0.05)


def test_without_a_target_p_stays():
    ada = ADA(**RGB, probability=0.2, target=None)
    ada.follow(logits(2.0), logits(0.5), logits(0.0), examples=1_000)
    assert ada.probability == pytest.approx(0.2)


def test_the_state_is_in_the_state_dict():
    ada = ADA(**RGB, every=1_000, ramp=10_000)
    ada.follow(logits(2.0), logits(0.5), logits(0.0), examples=1_000)
    other = ADA(**RGB, every=1_000, ramp=10_000)
    other.load_state_dict(ada.state_dict())
    assert other.probability == ada.probability == pytest.approx(0.1)
    assert other.overfitting == ada.overfitting


@pytest.mark.parametrize(
    "options", [{"every": 0}, {"ramp": 10}, {"target": 1.5}, {"probability": 1.5}, {"transformations": ["x"]}]
)
def test_ada_refuses_what_can_not_be(options):
    with pytest.raises(ValueError, match=r"give|use"):
        ADA(**RGB, **options)


def test_transformations_by_category_and_by_name():
    chosen = ADA(**RGB, transformations=["blit", "hue"]).pipeline.multipliers
    assert chosen == {"xflip": 1, "rotate90": 1, "xint": 1, "hue": 1}
    chosen = ADA(**RGB, transformations={"color": 0.5, "scale": 1.0}).pipeline.multipliers
    assert chosen == {**dict.fromkeys(COLOR, 0.5), "scale": 1.0}


def test_r3gans_set_is_the_published_one():
    halves = dict.fromkeys(COLOR, 0.5)
    assert r3gan(**RGB).multipliers == {
        **dict.fromkeys(["xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac", "cutout"], 1.0),
        **halves,
    }
