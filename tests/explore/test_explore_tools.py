"""Arithmetic, directions, neighbours and inversion on generators for which the answers are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from toys import Linear, Striped, linear, sampler

from evenodds.data.dataset import Dataset, Split
from evenodds.errors import ConfigError
from evenodds.explore.arithmetic import CENTRE, Concept, arithmetic, arithmetic_table, concept
from evenodds.explore.attributes import ATTRIBUTES, attribute, slant, thickness
from evenodds.explore.choosing import Changed, changed, choose, measured_pool, shares
from evenodds.explore.directions import closed_form, components, deviation_along, for_attribute
from evenodds.explore.features import features_of
from evenodds.explore.inversion import candidates, inversion_table, invert, rate
from evenodds.explore.neighbours import by_neighbours, nearest, neighbours_table
from evenodds.explore.space import Space
from evenodds.latents import Normal, Uniform
from evenodds.networks import DISCRIMINATORS
from evenodds.networks.dcgan import DCGANGenerator
from evenodds.networks.layers import Packed
from evenodds.networks.mlp import MLPGenerator


class Bright(nn.Module):
    """Ink grows with z₀, which of two kinds it is follows from z₁: a bar that stands, or one that lies."""

    latent_dim, sample_shape, classes = 4, (1, 9, 9), 0

    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(torch.ones(1))

    def forward(self, z, y=None):
        x = -torch.ones(len(z), 1, 9, 9)
        amount = self.one * torch.sigmoid(z[:, :1, None]) * 2
        standing = (z[:, 1, None, None] > 0).float()
        x[:, 0, 2:7, 4:5] += amount * standing
        x[:, 0, 4:5, 2:7] += amount * (1 - standing)
        return x


def bars(*widths: int, blur: float = 0.0) -> np.ndarray:
    x = np.zeros((len(widths), 1, 40, 40))
    for image, width in zip(x, widths, strict=True):
        image[0, 2:38, 10 : 10 + width] = 1
    if blur:
        kernel = np.exp(-(np.arange(-6, 7) ** 2) / (2 * blur**2))
        kernel /= kernel.sum()
        for axis in (2, 3):
            x = np.apply_along_axis(lambda line: np.convolve(line, kernel, "same"), axis, x)
    return x


@pytest.mark.parametrize("blur", [0.0, 1.0])
def test_thickness_is_the_width_of_a_stroke_sharp_or_blurred(blur):
    widths = np.array([5, 6, 8])
    exact = 2 * 36 * widths / (2 * (36 + widths))  # 2 · area / perimeter, with the ends
    np.testing.assert_allclose(thickness(bars(*widths, blur=blur)), exact, rtol=0.06 if blur else 0.04)


def test_slant_is_the_angle_of_a_sheared_bar():
    x = np.zeros((3, 1, 41, 61))
    for image, shear in zip(x[:, 0], (0.0, 0.5, -0.3), strict=True):
        for row in range(41):
            middle = 30 + round(shear * (20 - row))
            image[row, middle - 1 : middle + 2] = 1
    np.testing.assert_allclose(slant(x), np.degrees(np.arctan([0, 0.5, -0.3])), atol=0.5)


def test_sizes_are_those_of_a_bar_and_the_background_may_be_bright():
    x = bars(4, 7)
    for images in (x, 1 - x, np.concatenate([x] * 3, 1)):
        np.testing.assert_allclose(ATTRIBUTES["width"](images), [4, 7], rtol=1e-6)
        np.testing.assert_allclose(ATTRIBUTES["height"](images), [36, 36], rtol=1e-6)
        np.testing.assert_allclose(ATTRIBUTES["ink"](images), [4 * 36 / 1600, 7 * 36 / 1600], rtol=1e-6)


def test_colours_are_measured_where_something_is_seen():
    x = np.zeros((1, 4, 6, 6))
    x[:, [0, 3], :3] = 1  # the upper half is opaque red, the lower nothing
    found = {
        name: float(ATTRIBUTES[name](x)[0]) for name in ("red", "green", "blue", "saturation", "brightness")
    }
    wanted = {"red": 1, "green": -0.5, "blue": -0.5, "saturation": 1, "brightness": 0.299}
    assert found == pytest.approx(wanted)
    with pytest.raises(ConfigError, match="1 channels"):
        attribute("red", 1)
    with pytest.raises(ConfigError, match="did you mean 'slant'"):
        attribute("slnat", 3)


def test_for_a_linear_generator_latents_and_images_have_the_same_sum():
    space = Space(linear())
    a, b, c = Concept((1, 2, 3)), Concept((4, 5, 6)), Concept((7, 8, 9))
    result = arithmetic(space, a, b, c, seed=3)
    np.testing.assert_allclose(result.panel[CENTRE], result.image, atol=1e-5)
    np.testing.assert_allclose(result.means, result.image_means, atol=1e-5)
    x = space.sampler(range(10))
    np.testing.assert_allclose(result.image, x[1:4].mean(0) - x[4:7].mean(0) + x[7:10].mean(0), atol=1e-6)
    w = space.sampler.generator.map.weight.detach().double().numpy()
    noise = (result.panel - result.panel[CENTRE]).reshape(9, -1) @ np.linalg.pinv(w).T
    assert np.abs(noise).max() <= 0.2501
    assert np.abs(noise).max() > 0.2
    assert (np.abs(noise).max(1) > 0.05).sum() == 8
    table = arithmetic_table(space, result, ("a", "b", "c"))
    assert len(table.cells) == 5
    assert table.draw().width <= 900


def test_a_class_goes_with_its_concept():
    space = Space(linear(classes=3))
    a, c = concept(space, [0, 3, 6], None), concept(space, [1, 4, 7], None)
    assert (a.label, c.label) == (0, 1)
    result = arithmetic(space, a, a, c)
    wanted = space.sampler([1, 4, 7], [1, 1, 1]).mean(0)
    np.testing.assert_allclose(result.panel[CENTRE], wanted, atol=1e-5)
    with pytest.raises(ConfigError, match="kind0, kind1"):
        concept(space, [0, 1, 2], None)
    assert concept(space, [0, 1, 2], 2).label == 2


@pytest.mark.parametrize("told", [True, False])
def test_exemplars_are_found_by_measuring(told):
    drawn = sampler(Bright())
    space, measure = Space(drawn), attribute("ink", 1)
    z = drawn.latents(range(600))

    def classify(x):
        return (x[:, 0, 3, 4] > x[:, 0, 4, 3]).astype(int)

    pool = measured_pool(space, measure, count=600, classify=classify if told else None)
    for seed in range(5):
        a, b, c = choose(pool, seed)
        assert len({*a.seeds, *b.seeds, *c.seeds}) == 9
        much, little, other = (z[list(one.seeds)] for one in (a, b, c))
        assert float(much[:, 0].min()) > 0.5
        assert float(torch.cat([little, other])[:, 0].max()) < -0.5
        kinds = [torch.unique(part[:, 1] > 0) for part in (much, little, other)]
        assert [len(kind) for kind in kinds] == [1, 1, 1]  # exemplars of a concept are alike
        if told:
            assert (bool(kinds[0]), bool(kinds[2])) == (bool(kinds[1]), not bool(kinds[0]))
        found = changed(space, arithmetic(space, a, b, c), measure, classify)
        assert found.after > found.before + 0.5 * (found.target - found.before)
        assert found.kept is (bool(kinds[0]) == bool(kinds[1])) or found.kept is not None
        assert choose(pool, seed)[0] == a
    unclear = dataclasses.replace(pool, kinds=np.where(z[:, 1] > 0, 1, -1))
    assert {one.kind for seed in range(5) for one in choose(unclear, seed)} == {1}
    with pytest.raises(ConfigError, match="too few"):
        choose(measured_pool(space, measure, count=10), 0)


def test_what_counts_as_having_the_attribute():
    one = Changed(target=3.0, before=1.0, after=2.1, around=2.0, images=1.9)
    assert shares([one, one._replace(after=1.5)]) == (0.5, 0.0)
    assert Changed(target=1.0, before=3.0, after=1.5, around=0, images=0).has(1.5)


@pytest.mark.parametrize("classes", [0, 3])
def test_the_closed_form_is_the_singular_value_decomposition_of_the_first_map(classes):
    torch.manual_seed(2)
    mlp = MLPGenerator(latent_dim=6, sample_shape=(1, 4, 4), classes=classes, widths=(20, 10))
    conv = DCGANGenerator(latent_dim=6, sample_shape=(1, 8, 8), classes=classes, width=4, max_width=8)
    for generator, weight in ((mlp, mlp.hidden[0][0].weight[:, :6]), (conv, conv.start.weight)):
        found = closed_form(Space(sampler(generator)), 4)
        _, singular, vectors = np.linalg.svd(weight.detach().double().numpy(), full_matrices=False)
        np.testing.assert_allclose(found.strengths, singular[:4], rtol=1e-4)
        cosines = np.abs((found.vectors.numpy() * vectors[:4]).sum(1))
        np.testing.assert_allclose(cosines, 1, atol=1e-4)


def test_the_closed_form_of_styles_takes_all_their_maps_and_refuses_a_bent_one():
    space = Space(sampler(Striped()), "w")
    found = closed_form(space, 6)
    size = np.sqrt(sum((index / 10) ** 2 for index in range(1, 7)))  # each map is a multiple of the identity
    np.testing.assert_allclose(found.strengths, np.full(6, size), rtol=1e-4)

    class Normalized(Linear):
        def forward(self, z, y=None):
            return super().forward(nn.functional.normalize(z), y)

    with pytest.raises(ConfigError, match="isn't linear"):
        closed_form(Space(sampler(Normalized(4, (1, 2, 2)))), 2)
    with pytest.raises(ConfigError, match="7 directions"):
        closed_form(space, 7)


def test_components_of_a_linear_layer_are_its_own_directions_carried_back():
    torch.manual_seed(0)
    generator = MLPGenerator(latent_dim=5, sample_shape=(1, 4, 4), widths=(40,), slope=1.0)
    basis = torch.linalg.qr(torch.randn(40, 5)).Q
    turn = torch.linalg.qr(torch.randn(5, 5)).Q
    with torch.no_grad():  # singular values far apart
        generator.hidden[0][0].weight.copy_(basis * torch.tensor([8.0, 4, 2, 1, 0.5]) @ turn.T)
    found = components(Space(sampler(generator)), 3)
    np.testing.assert_allclose(np.abs((found.vectors.numpy() * turn.T[:3].numpy()).sum(1)), 1, atol=0.01)
    np.testing.assert_allclose(found.strengths, [8, 4, 2], rtol=0.06)
    styles = components(Space(sampler(Striped()), "w"), 2)
    np.testing.assert_allclose(styles.strengths, [2, 2], rtol=0.08)  # w = 2 z


def test_an_attributes_direction_is_recovered_with_its_slope():
    space = Space(linear(dim=6))
    vector = nn.functional.normalize(torch.tensor([1.0, -2, 0, 0.5, 0, 1]), dim=0)
    z = space.points(range(2_000))
    noise = np.random.default_rng(0).normal(size=2_000)
    labels = np.arange(2_000) % 4
    found = for_attribute(space, (3 * z @ vector).numpy() + noise + 10 * labels, labels)
    assert float(found.vector @ vector) > 0.998
    assert found.slope == pytest.approx(3, rel=0.05)
    assert found.r_squared == pytest.approx(0.9, abs=0.02)  # 9 / (9 + 1)
    assert deviation_along(space, vector) == 1.0
    nothing = for_attribute(space, noise)
    assert nothing.r_squared == pytest.approx(0, abs=0.03)
    with pytest.raises(ConfigError, match="same in all"):
        for_attribute(space, np.ones(100))


def dataset(x, y=None, names=()) -> Dataset:
    split = Split(x, y)
    return Dataset("made", split, split, None, class_names=names)


def test_neighbours_are_those_that_brute_force_finds():
    random = np.random.default_rng(0)
    data = random.integers(0, 256, (2_500, 1, 3, 4), dtype=np.uint8)  # more than two blocks
    x = (data[[1_023, 1_024, 2_400]] / 127.5 - 1).astype(np.float32)
    x[2] += 0.02
    found = nearest(x, Split(data), (-1.0, 1.0), 4)
    every = np.sqrt((((x[:, None] + 1) / 2 - data[None] / 255.0) ** 2).mean((2, 3, 4)))
    assert np.array_equal(found.indices, np.argsort(every, axis=1)[:, :4])
    np.testing.assert_allclose(found.distances, np.sort(every, 1)[:, :4], atol=1e-6)
    np.testing.assert_allclose(found.distances[:, 0], [0, 0, 0.01], atol=1e-6)
    with pytest.raises(ConfigError, match="2501"):
        nearest(x, Split(data), (-1.0, 1.0), 2_501)


def test_neighbours_by_features_and_by_vote():
    data = np.zeros((6, 1, 2, 2), np.uint8)
    data[:, 0, 0, 0] = [0, 40, 80, 120, 160, 200]
    data[:, 0, 1, 1] = [255, 0, 255, 0, 255, 0]

    def features(x, y):
        return x[:, 0, 0, :1]  # blind to all but one pixel

    x = np.full((1, 1, 2, 2), -1, np.float32)
    x[0, 0, 0, 0] = 75 / 127.5 - 1
    assert nearest(x, Split(data), (-1, 1), 3, features=features).indices.tolist() == [[2, 1, 3]]
    y = np.array([0, 0, 1, 1, 1, 1])
    vote = by_neighbours(dataset(data, y, ("a", "b")), (-1.0, 1.0), k=3)
    assert vote(x).tolist() == [1]
    sure = by_neighbours(dataset(data, y, ("a", "b")), (-1.0, 1.0), k=3, sure=True)
    assert sure(x).tolist() == [-1]  # two of three
    sure = by_neighbours(dataset(data, y, ("a", "b")), (-1.0, 1.0), k=2, sure=True)
    assert sure((data[4:5] / 127.5 - 1).astype(np.float32)).tolist() == [1]


def test_the_table_of_neighbours_shows_a_copy_at_distance_0():
    drawn = linear(shape=(1, 4, 4))
    x = drawn.images(range(30))
    table, found = neighbours_table(Space(drawn), [7, 9], None, dataset(x), k=3)
    assert found.indices[:, 0].tolist() == [7, 9]
    assert found.distances[:, 0].max() < 0.005
    assert np.array_equal(np.asarray(table.cells[0][0]), np.asarray(table.cells[0][2]))
    with pytest.raises(ConfigError, match="trained on"):
        neighbours_table(Space(drawn), [7], None, dataset(x[:, :, :3]), k=1)


@pytest.mark.parametrize("name", ["mlp", "dcgan", "sngan"])
@pytest.mark.parametrize("classes", [0, 3])
def test_features_are_what_enters_the_last_layer(name, classes):
    options = {"mlp": {"widths": (8, 5)}, "dcgan": {"width": 4, "norm": "none"}, "sngan": {"widths": [4]}}[
        name
    ]
    torch.manual_seed(0)
    d = DISCRIMINATORS[name](sample_shape=(1, 8, 8), classes=classes, **options).eval()
    features = features_of(d, (1, 8, 8))
    x, y = torch.randn(5, 1, 8, 8), torch.arange(5) % 3 if classes else None
    f = features(x, y)
    assert (f.shape[0], f.ndim) == (5, 2)
    # logits are affine in them: with more examples than features, a fit leaves nothing
    x = torch.randn(200, 1, 8, 8)
    y = torch.zeros(200, dtype=torch.int64) if classes else None
    with torch.no_grad():
        inputs, logits = features(x, y).double(), d(x, y).double()
    design = torch.cat([inputs, torch.ones(200, 1)], 1)
    left = logits - design @ torch.linalg.lstsq(design, logits, driver="gelsd").solution
    assert inputs.shape[1] < 100
    assert float(left.abs().max()) < 1e-4 * float(logits.std())
    z = x[:3].clone().requires_grad_()
    gradient = torch.autograd.grad(features(z, y if y is None else y[:3]).square().sum(), z)[0]
    assert float(gradient.abs().sum()) > 0


def test_packs_have_no_features_of_one_sample():
    d = Packed(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), 2)
    with pytest.raises(ConfigError, match="packs"):
        features_of(d, (1, 2, 1))


def test_inverting_a_linear_generator_reaches_the_least_squares_residual():
    space = Space(linear(dim=5, shape=(1, 4, 5), scale=0.3))
    target = np.random.default_rng(1).uniform(-0.5, 0.5, (1, 4, 5)).astype(np.float32)
    w = space.sampler.generator.map.weight.detach().numpy()
    best = np.linalg.lstsq(w, target.ravel(), rcond=None)[0]
    residual = np.sqrt(np.mean((w @ best - target.ravel()) ** 2)) / 2  # on a scale from 0 to 1
    begin = candidates(space, count=100)
    found = invert(space, target, begin, steps=300, restarts=4)
    np.testing.assert_allclose(found.errors, residual, rtol=1e-3)
    np.testing.assert_allclose(found.points[0], best, atol=5e-3)
    errors = np.sqrt((((begin.x.numpy() - target) / 2) ** 2).mean((1, 2, 3)))
    assert found.nearest == pytest.approx(float(errors.min()))
    assert found.nearest > residual
    np.testing.assert_allclose(space.samples(found.points[:1], [0])[0], found.x[0], atol=1e-5)


def test_a_sample_is_found_again():
    torch.manual_seed(0)
    generator = MLPGenerator(latent_dim=6, sample_shape=(1, 8, 8), classes=2, widths=(32,), output="tanh")
    space = Space(sampler(generator))
    target = space.sampler([5_001], [1])[0]
    begin = candidates(space, count=200)
    found = invert(space, target, begin, steps=300, restarts=4)
    assert float(found.errors[0]) < 2e-3
    assert found.labels[0] == 1
    assert (found.errors.diff() >= 0).all()
    alone = invert(space, target, begin, steps=300, restarts=4)
    assert torch.equal(alone.points, found.points)
    picture = inversion_table(space, [target], [found], ["it"]).draw()
    assert picture.mode == "RGB"


def test_inversion_stays_in_the_priors_cube_and_looks_at_features():
    space = Space(sampler(Linear(3, (1, 2, 3), scale=1.0), prior=Uniform(dim=3, bound=1.0)))
    far = np.full((1, 2, 3), 9, np.float32)
    begin = candidates(space, count=64)
    assert float(invert(space, far, begin, steps=100, restarts=2).points.abs().max()) == pytest.approx(1)

    def features(x, y):
        return 100 * x[:, 0, :1, 0]

    target = np.zeros((1, 2, 3), np.float32)
    target[0, 0, 0] = 1
    plain = invert(space, target, begin, steps=200, restarts=1).x[0, 0, 0, 0]
    seen = invert(space, target, begin, steps=200, restarts=1, features=features).x[0, 0, 0, 0]
    assert abs(seen - 1) < abs(plain - 1) - 0.01
    with pytest.raises(ConfigError, match="0 steps"):
        invert(space, target, begin, steps=0)


def test_the_rate_rises_stays_and_falls():
    assert rate(0.025) == pytest.approx(0.5)
    assert rate(0.05) == rate(0.5) == rate(0.75) == pytest.approx(1)
    assert rate(0.875) == pytest.approx(0.5)
    assert rate(1) == pytest.approx(0)
    assert 0 < rate(0) <= 0.2


def test_inversion_in_w():
    space = Space(sampler(Striped(), prior=Normal(dim=6)), "w")
    target = space.sampler([77])[0]
    found = invert(space, target, candidates(space, count=64), steps=200, restarts=2)
    assert float(found.errors[0]) < 1e-3
    torch.testing.assert_close(found.points[0], space.points([77])[0], atol=0.02, rtol=0)
