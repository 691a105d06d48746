"""Path length in features, of generators of which it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from known_generators import Values, gaussian_data

from evenodds.data.dataset import Dataset, Split
from evenodds.errors import ConfigError
from evenodds.evaluation import METRICS, Subject, check_metrics, measure
from evenodds.evaluation.paths import STEP, _looked_at, measure_feature_path_length
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


def test_they_stand_in_the_table():
    assert METRICS["feature_path_length"].higher_is_better is False
    assert METRICS["ppl"].higher_is_better is False


class Sheet(torch.nn.Module):
    """An image whose every pixel is half the sum of the latent, of any size and number of channels."""

    def __init__(self, channels=1, size=4):
        super().__init__()
        self.weight, self.shape = torch.nn.Parameter(torch.tensor(0.1)), (channels, size, size)

    def forward(self, z, y=None):
        return (self.weight * z.sum(1)[:, None, None, None]).expand(-1, *self.shape)


# a distance in the manner of LPIPS: colour images in [−1, 1] go in, and (N, 1, 1, 1) comes out
SQUARES = """
import torch

class Squares(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(3.0))  # float32, and has to become float64

    def forward(self, a, b):
        assert a.shape[1] == 3 and a.shape[2] <= 256 and a.dtype == torch.float64
        return self.scale * (a - b).square().mean((1, 2, 3), keepdim=True)

distance = Squares
"""


def sheets(folder, text=SQUARES, channels=1, size=4, value_range=(-1.0, 1.0)):
    file = folder / "squares.py"
    file.write_text(text, encoding="utf-8")
    x = np.zeros((4, channels, size, size), np.uint8)
    data = Dataset("sheets", Split(x), Split(x), Split(x), value_range=value_range)
    sampler = Sampler(Sheet(channels, size), Uniform(dim=2), (channels, size, size), value_range)
    return Subject(sampler, data, distance=file)


@pytest.mark.parametrize(
    ("channels", "size", "value_range", "per_pixel"),
    [(1, 4, (-1.0, 1.0), 1.0), (3, 512, (-1.0, 1.0), 1.0), (3, 4, (0.0, 1.0), 4.0)],
)
def test_perceptual_path_length_of_a_plane(tmp_path, channels, size, value_range, per_pixel):
    """A pixel moves by 0.1 Σ(b − a) a unit of t, and the distance triples the square; trimmed as it is.

    Uniform latents have variance 1 in every direction.
    """
    count = 40 if size > 4 else 3_000
    found = measure(sheets(tmp_path, channels=channels, size=size, value_range=value_range), [f"ppl{count}"])
    random = np.random.default_rng(0).uniform(-math.sqrt(3), math.sqrt(3), (400_000, 4))
    lengths = 3 * (0.1 * (random[:, :2] - random[:, 2:]).sum(1)) ** 2 * per_pixel
    low, high = np.quantile(lengths, [0.01, 0.99])
    truth = lengths[(lengths >= low) & (lengths <= high)].mean()
    assert found[0].value == pytest.approx(truth, abs=4 * found[0].standard_error)
    assert found[0].standard_error < (0.3 if size > 4 else 0.03) * truth
    assert found[0].setting["distance"]["name"] == "squares"
    assert found[0].setting["extractor"] is None
    assert found[0].setting["step"] == 1e-4


def test_transparent_pixels_are_white_to_a_distance():
    x = torch.tensor([0.0, 0.0, 0.0, 0.0]).view(1, 4, 1, 1)
    assert _looked_at(x, (0.0, 1.0)).flatten().tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "squares.py: it defines no distance; write distance = an nn.Module"),
        ("distance = 3", "squares.py: distance is a int"),
        (
            SQUARES.replace("(1, 2, 3), keepdim=True", ""),
            "gives .* for 4 pairs of images; return a number of each",
        ),
        (SQUARES.replace("self.scale *", "undefined *"), "squares.py, line 11: NameError"),
        ("distance = (", "squares.py, line 1"),
    ],
)
def test_a_distance_that_is_none(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        measure(sheets(tmp_path, text), ["ppl4"])


def test_ppl_without_a_distance_or_a_distance_without_ppl(tmp_path):
    subject = sheets(tmp_path)
    with pytest.raises(ConfigError, match=r"--distance .*squares\.py is for ppl"):
        measure(subject, ["sliced4"])
    subject.distance_file = None
    with pytest.raises(
        ConfigError, match=r"a \.py file that defines one with --distance, or measure feature_p"
    ):
        measure(subject, ["ppl4"])
    subject.distance_file = tmp_path / "weights.pt"
    with pytest.raises(ConfigError, match=r"weights.pt is no .py file"):
        measure(subject, ["ppl4"])
    with pytest.raises(ConfigError, match="only evenodds evaluate --distance takes"):
        check_metrics(["ppl4"], subject.dataset)
    with pytest.raises(ConfigError, match="ppl is of images, and gaussian has none"):
        check_metrics(["ppl4"], gaussian_data(20, 3))
