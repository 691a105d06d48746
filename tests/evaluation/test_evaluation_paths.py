"""Path length in features, of generators of which it is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_generators import Values, gaussian_data

from evenodds.data.dataset import Dataset, Split
from evenodds.errors import ConfigError
from evenodds.evaluation import METRICS, Subject
from evenodds.evaluation.paths import STEP, measure_feature_path_length
from evenodds.latents import Normal, Uniform
from evenodds.sampling import Sampler

LATENT, DIM = 4, 8


class Linear(torch.nn.Module):
    """x = A z, or y-th multiple of it."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.matrix = torch.nn.Parameter(scale * torch.randn(DIM, LATENT, generator=random))

    def forward(self, z, y=None):
        x = z @ self.matrix.T
        return x if y is None else x * y[:, None]


def subject(generator, prior, **options):
    made = Subject(Sampler(generator, prior, (DIM,), None, **options), gaussian_data(50, DIM))
    made.__dict__["extractor"] = Values(DIM)
    return made


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_linear_generator_on_straight_paths(scale):
    """E ‖A(b − a)‖² = 2 tr(A Aᵀ) where latents have variance 1; the outermost 2 % are left out."""
    generator = Linear(scale)
    found = measure_feature_path_length(subject(generator, Uniform(dim=LATENT)), 4_000)
    truth = 2 * float(generator.matrix.detach().square().sum())
    assert found.value == pytest.approx(truth, rel=0.04)
    assert found.interval[1] - found.interval[0] == pytest.approx(4 * found.standard_error, rel=0.03)
    assert found.setting["straight"] is True
    assert (found.floor, found.ceiling, found.reference) == (None, None, None)


def test_a_circle_is_longer_than_its_chord():
    """Normal latents turn by the angle between them: ‖dz/dt‖² is about (π/2)² L, and on a chord 2 L."""
    generator = Linear()
    torch.nn.init.zeros_(generator.matrix.data)
    generator.matrix.data[:LATENT] = torch.eye(LATENT)
    on_sphere = measure_feature_path_length(subject(generator, Normal(dim=LATENT)), 3_000)
    assert on_sphere.setting["straight"] is False
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 100_000, LATENT))
    angle = np.arccos((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1))
    near, far = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    t = random.random(100_000)
    speed = (angle * (near + t * (far - near))) ** 2 + (far - near) ** 2
    low, high = np.quantile(speed, [0.01, 0.99])
    truth = speed[(speed >= low) & (speed <= high)].mean()
    # a step is a chord of its arc: shorter by at most 1 − (angle · step)²/12
    assert on_sphere.value == pytest.approx(truth, rel=0.05)


def test_one_image_for_all_latents_has_no_length():
    found = measure_feature_path_length(subject(Linear(0.0), Normal(dim=LATENT)), 100)
    assert found.value == 0
    assert found.interval == (0, 0)


def test_paths_stay_within_a_class():
    """Of class y the generator is y times as long: labels come in turn, 0, 1, 2."""
    many = subject(Linear(), Uniform(dim=LATENT), class_names=("0", "1", "2"), facts={})
    one = measure_feature_path_length(subject(Linear(), Uniform(dim=LATENT)), 3_000).value
    assert measure_feature_path_length(many, 3_000).value == pytest.approx(one * (0 + 1 + 4) / 3, rel=0.1)


def test_pictures_are_seen_in_256_levels():
    class Grey(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, z, y=None):
            return (0.2 * z.sum(1)[:, None, None, None] * self.weight).expand(-1, 1, 4, 4)

    x = np.zeros((20, 1, 4, 4), np.uint8)
    data = Dataset("grey", Split(x), Split(x), Split(x))
    made = Subject(Sampler(Grey(), Uniform(dim=2), (1, 4, 4), (-1.0, 1.0)), data)
    made.__dict__["extractor"] = levels = Values(16)
    levels.name = "levels"
    found = measure_feature_path_length(made, 2_000)
    # per pixel 0.2 · 127.5 · Σ(b − a), of variance 4, and rounding adds 1/6 over the squared step
    truth = 16 * ((0.2 * 127.5) ** 2 * 4 + (1 / 6) / STEP**2)
    assert found.value == pytest.approx(truth, rel=0.08)


def test_a_generator_that_diverged_is_refused():
    with pytest.raises(ConfigError, match="feature_path_length100 can't be measured: lengths of paths"):
        measure_feature_path_length(subject(Linear(float("nan")), Normal(dim=LATENT)), 100)


def test_it_stands_in_the_table():
    assert METRICS["feature_path_length"].higher_is_better is False
