"""Points and ways between them, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toys import Linear, Striped, linear, sampler

from evenodds.errors import ConfigError
from evenodds.explore.interpolation import film, interpolation_table, pairs_of, sheet_table
from evenodds.explore.mixing import layers_of, mixing_table, pulled, truncation_table
from evenodds.explore.paths import loop, path, slerp
from evenodds.explore.space import Space
from evenodds.explore.strips import strips_film, strips_table
from evenodds.latents import Normal, Sphere, Uniform
from evenodds.networks.mlp import MLPGenerator
from evenodds.networks.styled import Styled


def mlp(classes: int = 0, shape=(1, 8, 8), prior=None):
    torch.manual_seed(0)
    dim = prior.dim if prior else 7
    generator = MLPGenerator(latent_dim=dim, sample_shape=shape, classes=classes, widths=(16,), output="tanh")
    return sampler(generator, prior=prior)


def test_a_seed_gives_its_own_sample_to_the_last_bit_whatever_else_is_drawn():
    drawn = mlp(classes=3)
    space, seeds = Space(drawn), [5, 70, 69, 133, 6]  # three of them for the same row
    x = space.samples(space.points(seeds), seeds)
    assert np.array_equal(x, drawn(seeds))
    assert np.array_equal(space.samples(space.points([69]), [69])[0], x[2])
    labels = [2, 0, 1, 1, 2]
    assert np.array_equal(space.samples(space.points(seeds), seeds, labels), drawn(seeds, labels))


def test_slerp_keeps_to_the_great_circle_at_even_speed():
    a, b = torch.tensor([3.0, 0, 0]), torch.tensor([0, 3.0, 0])
    t = torch.linspace(0, 1, 7, dtype=torch.float64)
    points = slerp(a, b, t)
    angles = torch.atan2(points[:, 1], points[:, 0])
    torch.testing.assert_close(points.norm(dim=1), torch.full((7,), 3.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(angles, (t * torch.pi / 2).float(), atol=1e-6, rtol=0)
    assert torch.equal(points[0], a)
    assert torch.equal(points[-1], b)


def test_slerp_of_opposite_or_equal_points_is_a_line():
    a = torch.tensor([1.0, 2.0])
    for b in (-a, 2 * a):
        half = slerp(a, b, torch.tensor([0.5], dtype=torch.float64))[0]
        torch.testing.assert_close(half, (a + b) / 2)


@pytest.mark.parametrize(
    ("prior", "half"),
    [
        (Uniform(dim=7), lambda a, b: (a + b) / 2),
        (Sphere(dim=7), lambda a, b: torch.nn.functional.normalize(a + b, dim=0)),
        (Normal(dim=7), lambda a, b: (a + b) / 2 / np.cos(np.arccos(float(a @ b / a.norm() / b.norm())) / 2)),
    ],
)
def test_the_way_follows_the_prior(prior, half):
    space = Space(mlp(prior=prior))
    a, b = space.points([1, 2])
    points = path(space, a, b, 3)
    assert torch.equal(points[0], a)
    assert torch.equal(points[2], b)
    torch.testing.assert_close(points[1], half(a, b), atol=1e-5, rtol=1e-5)


def test_a_loop_passes_every_key_once_and_comes_back():
    space = Space(mlp())
    keys = space.points([4, 5, 6])
    way = loop(space, keys, 5)
    assert len(way) == 15
    assert torch.equal(way[::5], keys)
    gap = (way.roll(-1, 0) - way).norm(dim=1)
    assert float(gap.max()) < 3 * float(gap.min())  # also from the end back to the beginning


@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (3, 6, 9), (4, 9, 6), (2, 8, 8), (5, 4, 7)], ids=lambda shape: f"{shape}"
)
def test_any_shape_of_image_is_drawn(shape):
    space = Space(mlp(shape=shape))
    table = interpolation_table(space, pairs_of([0, 1, 2, 3]), steps=5, label=None)
    assert [len(row) for row in table.cells] == [5, 5]
    ends = space.sampler([0])
    first = np.asarray(table.cells[0][0])
    assert first.shape == (*shape[1:], 3)
    if shape[0] == 1:
        assert np.abs(first[..., 0] / 127.5 - 1 - ends[0, 0]).max() < 1 / 127
    assert table.draw().width <= 900
    assert ("channel" in table.title) == (shape[0] in (2, 5))
    assert sheet_table(space, range(7), columns=5).draw().mode == "RGB"


def test_labels_stay_fixed_along_a_row():
    space = Space(mlp(classes=3))
    table = interpolation_table(space, [(4, 9)], steps=3, label=None)  # 4 mod 3 is 1
    assert table.rows == ["4 to 9 · kind1"]
    last = space.sampler.images([9], [1])[0, 0]
    assert np.array_equal(np.asarray(table.cells[0][2])[..., 0], last)


def test_a_film_is_a_loop_of_frames_of_one_size():
    space = Space(mlp(classes=2))
    frames = list(film(space, range(6), walkers=3, steps=4, label=None))
    assert len(frames) == 8
    assert len({frame.size for frame in frames}) == 1
    assert frames[0].tobytes() != frames[4].tobytes()
    again = list(film(space, range(6), walkers=3, steps=4, label=None))
    assert [f.tobytes() for f in frames] == [f.tobytes() for f in again]


def test_toys_are_styled():
    assert isinstance(Striped(), Styled)
    assert not isinstance(Linear(2, (1, 2, 2)), Styled)


def test_layers_by_name_and_number():
    assert [layers_of(part, 6) for part in ("coarse", "middle", "fine")] == [
        range(2),
        range(2, 4),
        range(4, 6),
    ]
    parts = [layers_of(part, 7) for part in ("coarse", "middle", "fine")]
    assert [layer for part in parts for layer in part] == list(range(7))
    assert layers_of("1-3", 6) == range(1, 4)
    assert layers_of("5", 6) == range(5, 6)
    for wrong in ("6", "2-1", "huge", "-1", "1-x"):
        with pytest.raises(ConfigError, match=wrong):
            layers_of(wrong, 6)


def test_mixing_takes_some_rows_from_the_one_and_the_rest_from_the_other():
    drawn = sampler(Striped())
    table = mixing_table(Space(drawn), [1, 2], [3, 4, 5], part="middle")
    images = drawn.images([1, 2, 3, 4, 5])[:, 0]
    assert [len(row) for row in table.cells] == [3] * 4
    assert table.cells[0][0] is None
    assert np.array_equal(np.asarray(table.cells[0][2])[..., 0], images[1])
    assert np.array_equal(np.asarray(table.cells[2][0])[..., 0], images[3])
    mixture = np.asarray(table.cells[2][2])[..., 0]  # columns' seed 2, rows' seed 4
    wanted = images[3].copy()
    wanted[2:4] = images[1][2:4]
    assert np.array_equal(mixture, wanted)


def test_truncation_pulls_towards_the_mean_style():
    space = Space(sampler(Striped()))
    w, mean = Space(space.sampler, "w").points([3])[0], torch.full((6,), 0.5)
    torch.testing.assert_close(w, 2 * space.points([3])[0])
    for psi in (1.0, 0.3, 0.0, -1.0):
        torch.testing.assert_close(pulled(space, 3, None, psi), mean + psi * (w - mean))
    table = truncation_table(space, [3, 4], psis=(1.0, 0.0, -0.5))
    assert np.array_equal(np.asarray(table.cells[0][1]), np.asarray(table.cells[1][1]))
    assert np.array_equal(np.asarray(table.cells[1][0])[..., 0], space.sampler.images([4])[0, 0])


def test_without_styles_latents_are_scaled_and_said_to_be():
    space = Space(linear())
    table = truncation_table(space, [3], psis=(1.0, -1.0))
    assert "latents" in table.title
    first, last = (np.asarray(cell)[..., 0].astype(int) for cell in table.cells[0])
    assert np.abs(first + last - 255).max() <= 1  # a linear generator: −z is the negative
    with pytest.raises(ConfigError, match="sphere"):
        truncation_table(Space(mlp(prior=Sphere(dim=7))), [0])


def test_a_strip_has_the_sample_in_the_middle():
    space = Space(linear())
    table = strips_table(space, torch.eye(8)[:2], ["one", "two"], [5, 6], steps=3, reach=2)
    assert len(table.cells) == 4
    assert np.array_equal(np.asarray(table.cells[1][1])[..., 0], space.sampler.images([6])[0, 0])
    w = space.sampler.generator.map.weight.detach()[:, 0].view(6, 5).numpy()
    wanted = np.clip(np.rint((space.sampler([6])[0, 0] + 2 * w + 1) * 127.5), 0, 255)
    assert np.abs(np.asarray(table.cells[1][2])[..., 0] - wanted).max() <= 1
    frames = list(strips_film(space, torch.eye(8)[:2], ["one", "two"], [5], frames=6))
    assert len({frame.size for frame in frames}) == 1
    with pytest.raises(ConfigError, match="4 steps"):
        strips_table(space, torch.eye(8)[:1], ["one"], [5], steps=4)


def test_refusals_name_what_is_missing():
    vectors = Space(mlp(shape=(2,)))
    with pytest.raises(ConfigError, match="vectors of 2 numbers"):
        interpolation_table(vectors, [(0, 1)], steps=3, label=None)
    with pytest.raises(ConfigError, match=r"'Linear' has no styles.*mix"):
        mixing_table(Space(linear()), [0], [1], part="fine")
    with pytest.raises(ConfigError, match="no space w"):
        Space(linear(), "w")
    with pytest.raises(ConfigError, match="3 seeds"):
        pairs_of([1, 2, 3])
    with pytest.raises(ConfigError, match="5 seeds for 2"):
        next(film(Space(linear()), range(5), walkers=2, steps=3, label=None))
