"""Every tool of explore/ on every generator in the table, tiny and untrained; a new family gets it, too."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_networks import TINY

from evenodds.components import build
from evenodds.explore.arithmetic import CENTRE, arithmetic, arithmetic_table, concept
from evenodds.explore.directions import closed_form, components, moved
from evenodds.explore.features import features_of
from evenodds.explore.interpolation import interpolation_table
from evenodds.explore.inversion import candidates, invert
from evenodds.explore.mixing import mixing_table, truncation_table
from evenodds.explore.space import Space
from evenodds.latents import Normal
from evenodds.networks import DISCRIMINATORS, GENERATORS
from evenodds.networks.styled import Styled
from evenodds.sampling import Sampler

SHAPES = {"goodfellow2014": (1, 9, 6), "mlp": (4, 9, 6)}
CLASSES = {"goodfellow2014": 0}


def sampler(name: str) -> Sampler:
    """Non-square images of 3 channels and 2 classes, where the family can."""
    shape, classes = SHAPES.get(name, (3, 12, 9)), CLASSES.get(name, 2)
    torch.manual_seed(0)
    spec = {"name": name, **TINY.get(f"generator {name}", {})}
    generator = build("generator", GENERATORS, spec, latent_dim=6, sample_shape=shape, classes=classes)
    return Sampler(generator, Normal(dim=6), shape, (-1.0, 1.0), ("cat", "dog")[:classes], {"recipe": name})


def spaces(drawn: Sampler) -> list[Space]:
    return [Space(drawn), *([Space(drawn, "w")] if isinstance(drawn.generator, Styled) else [])]


@pytest.mark.parametrize("name", GENERATORS)
def test_ways_and_sums(name):
    drawn = sampler(name)
    seeds = [3, 66, 131]
    for space in spaces(drawn):
        # through w the last bits may differ: the style is computed in another pass
        found = space.samples(space.points(seeds), seeds)
        np.testing.assert_allclose(found, drawn(seeds), atol=1e-5 if space.name == "w" else 0)
        first = space.samples(space.points([66]), [66])
        assert np.array_equal(first[0], found[1])
        table = interpolation_table(space, [(3, 66)], steps=3, label=None)
        assert table.draw().size[0] > 100
        one = concept(space, [2, 4, 6], None)
        result = arithmetic(space, one, one, one)
        np.testing.assert_allclose(result.panel[CENTRE], result.means[0], atol=1e-4)
        assert "cat" in arithmetic_table(space, result, ("cat", "b", "c")).title
    assert truncation_table(Space(drawn), [1], psis=(1, 0)).draw().mode == "RGB"
    if isinstance(drawn.generator, Styled):
        assert mixing_table(Space(drawn), [1, 2], [3], part="fine").draw().mode == "RGB"


@pytest.mark.parametrize("name", GENERATORS)
def test_directions_move_the_samples(name):
    drawn = sampler(name)
    space = spaces(drawn)[-1]
    for method in (closed_form, components):
        found = method(space, 3)
        torch.testing.assert_close(found.vectors.norm(dim=1), torch.ones(3))
        assert (found.strengths.diff() <= 1e-6).all()
        points = moved(space, space.points([4])[0], found.vectors[0], [-3.0, 0.0, 3.0])
        x = space.samples(points, [4, 5, 6], [0, 0, 0])
        assert np.abs(x[0] - x[2]).max() > 1e-6
        assert torch.equal(points[1], space.points([4])[0])


@pytest.mark.parametrize("name", GENERATORS)
def test_descending_gets_nearer(name):
    drawn = sampler(name)
    space = spaces(drawn)[-1]
    begin = candidates(space, count=64)
    target = drawn([1_000])[0]
    found = invert(space, target, begin, steps=40, restarts=2)
    assert float(found.errors[0]) < found.nearest
    assert not drawn.generator.training


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_features_of_each_sample_are_its_own(name):
    shape, classes = SHAPES.get(name, (3, 12, 9)), CLASSES.get(name, 2)
    torch.manual_seed(0)
    spec = {"name": name, **TINY.get(f"discriminator {name}", {})}
    d = build("discriminator", DISCRIMINATORS, spec, sample_shape=shape, classes=classes).eval()
    features = features_of(d, shape)
    x, y = torch.randn(4, *shape), torch.tensor([0, 1, 1, 0]) if classes else None
    f = features(x, y)
    assert f.shape[0] == 4
    assert f.shape[1] < 2_000
    assert float((f[0] - f[3]).detach().abs().max()) > 0
    x.requires_grad_()
    assert float(torch.autograd.grad(features(x, y).square().sum(), x)[0].abs().sum()) > 0
