"""The leak test: its statistics against scipy, and planted leaks and sound samples of a made-up data set."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import fisher_exact

from evenodds.augment.frame import Frame
from evenodds.augment.pipeline import Pipeline
from evenodds.metrics.leaks import best_threshold, fisher, holm, leaks, named, transformations_for

GRAY, RGB = Frame("gray", -1.0, 1.0), Frame("rgb", -1.0, 1.0)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def scenes(count: int, seed: int, *, blur: float = 0.0) -> torch.Tensor:
    """A bright blue sky above a darker green ground, a red blot low on the left, and noise."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 3, 16, 16, generator=random) * 0.15
    horizon = torch.randint(6, 11, (count, 1, 1), generator=random)
    sky = (torch.arange(16)[:, None].expand(16, 16) < horizon)[:, None]
    light = 0.3 * torch.rand(count, 1, 1, 1, generator=random)
    above, below = torch.tensor([-0.2, 0.2, 0.8]), torch.tensor([-0.4, 0.2, -0.5])
    x += torch.where(sky, above[:, None, None], below[:, None, None]) + light
    left = torch.randint(1, 5, (count, 1, 1), generator=random)
    columns, rows = torch.arange(16), torch.arange(16)[:, None]
    blot = (columns >= left) & (columns < left + 4) & (rows >= 10) & (rows < 14)
    x = torch.where(blot[:, None], x + torch.tensor([1.0, -0.3, -0.3])[:, None, None], x)
    smooth = torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return x + blur * (smooth - x)


TRAIN, HELD_OUT = scenes(600, 0), scenes(300, 1)
PLANTED = {
    "rotate90": "turned",
    "xflip": "mirrored",
    "lumaflip": "inverted",
    "cutout": "cut out",
    "hue": "hue",
}


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, float]]:
    """Suspects -> test -> the share of what it says has leaked.  At p = 0.4, one network for all."""
    torch.set_num_threads(1)
    torch.manual_seed(5)
    suspects = {"data": scenes(300, 2), "blurred": scenes(300, 2, blur=1.0)}
    suspects |= {name: Pipeline({name: 1.0}, RGB, 0.4)(suspects["data"]) for name in PLANTED}
    results = leaks(TRAIN, HELD_OUT, list(suspects.values()), RGB, steps=80)
    shares = [{leak.name: leak.share for leak in result if leak.leaked} for result in results]
    return dict(zip(suspects, shares, strict=True))


@pytest.mark.parametrize("sound", ["data", "blurred"])
def test_other_data_and_blurred_data_are_no_leak(found, sound):
    assert found[sound] == {}


@pytest.mark.parametrize("planted, name", PLANTED.items())
def test_a_planted_leak_is_named(found, planted, name):
    assert name in found[planted]


@pytest.mark.parametrize("planted, share", [("rotate90", 0.3), ("xflip", 0.2), ("lumaflip", 0.2)])
def test_how_many_samples_are_transformed(found, planted, share):
    """Three in four quarter turns, and one in two flips, change the image."""
    assert found[planted][PLANTED[planted]] == pytest.approx(share, abs=0.1)


def test_the_result_does_not_depend_on_the_global_generator():
    state = torch.get_rng_state()
    first = leaks(TRAIN[:200], HELD_OUT[:50], [scenes(50, 3)], RGB, steps=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert leaks(TRAIN[:200], HELD_OUT[:50], [scenes(50, 3)], RGB, steps=3) == first


def test_what_is_tested_depends_on_the_image():
    always = {"mirrored", "turned", "shifted", "cut out", "brightness", "contrast"}
    assert set(transformations_for(GRAY, 8, 8)) == always | {"inverted"}
    assert set(transformations_for(RGB, 8, 8)) == always | {"inverted", "hue", "saturation"}
    assert set(transformations_for(Frame("channels", -1.0, 1.0), 8, 8)) == always
    x = torch.rand(2, 3, 6, 9)
    assert [
        torch.equal(copy, x.flip(2, 3)) for copy in transformations_for(RGB, 6, 9)["turned"].variants(x)
    ] == [True]


@pytest.mark.parametrize("real, fake", [((3, 50), (9, 40)), ((0, 20), (0, 30)), ((40, 60), (10, 60))])
def test_fishers_test_is_scipys(real, fake):
    table = [[fake[0], fake[1] - fake[0]], [real[0], real[1] - real[0]]]
    expected = fisher_exact(table, alternative="greater").pvalue
    assert fisher(real, fake) == pytest.approx(expected, rel=1e-9)


def test_holms_correction():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5]) == [0.5]
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_the_threshold_parts_what_can_be_parted():
    plain, transformed = torch.linspace(1, 2, 100), torch.linspace(-2, -1, 100)
    assert -1 <= best_threshold(plain, transformed) <= 1
    assert 1 <= best_threshold(plain + 2, transformed + 2) <= 3
    assert best_threshold(plain + 2, transformed + 2, most=0.0) == 0


def test_leaks_come_first_and_shares_are_of_what_would_show():
    """200 images each; what is mirrored shows in 6 of 10 cases, what is turned in 5."""
    real, fake = torch.zeros(3, 200, dtype=torch.bool), torch.zeros(3, 200, dtype=torch.bool)
    fake[0, :15] = fake[2, :60] = True
    found = named(["turned", "shifted", "mirrored"], [0.5, 0.9, 0.6], real, fake)
    assert [leak.name for leak in found if leak.leaked] == ["mirrored", "turned"]
    assert found[0].share == pytest.approx(0.3 / 0.6)
    assert found[1].share == pytest.approx(0.075 / 0.5)
    assert found[1].p_value == pytest.approx(2 * fisher((0, 200), (15, 200)))


def test_a_certain_but_small_share_is_no_leak():
    real, fake = torch.zeros(1, 5_000, dtype=torch.bool), torch.zeros(1, 5_000, dtype=torch.bool)
    fake[0, :200] = True
    (leak,) = named(["mirrored"], [1.0], real, fake)
    assert leak.p_value < 1e-9
    assert leak.share == pytest.approx(0.04)
    assert not leak.leaked
