"""Which extractor a data set gets, what values and random features are, and what is refused."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from evenodds.data.dataset import Dataset, Split
from evenodds.errors import ConfigError, DataError
from evenodds.features import EXTRACTORS, identity, open_extractor, suitable
from evenodds.features.pixels import in_batches, opaque, unit
from evenodds.features.random_features import RandomFeatures, pooled, random_weights, size_seen
from evenodds.metrics.frechet import frechet_distance
from evenodds.metrics.moments import Moments


def dataset(*shape: int, name: str = "mine", mode_classifier: str | None = None) -> Dataset:
    """Four random images of that shape in either split; float rows where it has one number."""
    random = np.random.default_rng(0)
    if len(shape) == 3:
        x = random.integers(0, 256, (4, *shape), np.uint8)
    else:
        x = random.standard_normal((4, *shape)).astype(np.float32)
    return Dataset(name, Split(x), Split(x), None, mode_classifier=mode_classifier)


def textures(count: int, size: int = 32, seed: int = 0) -> torch.Tensor:
    """Smooth coloured blobs, (N, 3, size, size) uint8."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 7, 7, generator=random)
    fine = functional.interpolate(coarse, (size, size), mode="bicubic", align_corners=False)
    return (255 * fine).clamp(0, 255).byte()


@pytest.mark.parametrize(
    "data, name",
    [
        (dataset(1, 28, 28, name="mnist"), "mnist"),
        (dataset(1, 32, 32, name="mnist"), "mnist"),
        (dataset(3, 32, 32, name="stacked_mnist", mode_classifier="mnist"), "mnist"),
        (dataset(1, 28, 28, name="fashion_mnist"), "random"),
        (dataset(1, 16, 16, name="mnist"), "random"),
        (dataset(3, 32, 32, name="cifar10"), "cifar10"),
        (dataset(3, 64, 64, name="cifar10"), "random"),
        (dataset(4, 64, 64, name="emoji"), "random"),
        (dataset(2, name="ring"), "values"),
    ],
)
def test_auto_is_what_suits_the_data(data, name):
    assert suitable(data) == name


def test_a_zip_of_cifar10_is_known_by_its_classes():
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    x = dataset(3, 32, 32).train.x
    split = Split(x, np.arange(4))
    assert suitable(Dataset("cifar10-jpeg", split, split, None, class_names=names)) == "cifar10"
    assert suitable(Dataset("pets", split, split, None, class_names=("cat", "dog"))) == "random"


def test_values_are_the_numbers():
    data = dataset(5)
    extractor = open_extractor(dataset=data)
    found = extractor(torch.from_numpy(data.train.x))
    assert torch.equal(found.features, torch.from_numpy(data.train.x))
    assert found.logits is None
    preprocessing = "the numbers as they are"
    assert identity(extractor) == {"name": "values", "sha256": "", "preprocessing": preprocessing, "dim": 5}
    with pytest.raises(ConfigError, match="row of 5 numbers"):
        extractor(torch.zeros(3, 4))


def test_images_have_values_too():
    data = dataset(1, 8, 8)
    found = open_extractor("values", dataset=data)(torch.from_numpy(data.train.x))
    assert found.features.shape == (4, 64)
    assert found.features.dtype == torch.float32


def test_the_random_network_is_the_same_everywhere():
    """The hash of its weights is pinned: another draw would make every earlier number incomparable."""
    extractor = RandomFeatures()
    assert extractor.sha256 == "6a1db5b06a490babf3518674994798104a9f5d3b8911df0a36e80642482b486a"
    assert RandomFeatures(seed=1).sha256 != extractor.sha256
    assert extractor.dim == 512
    torch.manual_seed(5)
    before = torch.get_rng_state()
    RandomFeatures()
    assert torch.equal(before, torch.get_rng_state())


def test_random_weights_have_the_variance_of_he_and_no_mean():
    weights = random_weights(0)
    for number, weight in enumerate(weights):
        differences = weight[16:] / 4 if number == 0 else weight
        assert float(differences.mean((2, 3)).abs().max()) < 1e-6
        # 8/9 of the variance is left once the mean of 9 numbers has been taken off
        wanted = 2 / (9 * weight.shape[1]) * 8 / 9
        assert float(differences.square().mean()) == pytest.approx(wanted, rel=0.06)


def test_pooled_features_of_a_constant_image_are_those_of_its_colour():
    weights = random_weights(0)
    x = torch.tensor([0.5, -0.25, 1.0]).view(1, 3, 1, 1).expand(1, 3, 20, 24)
    found = pooled(x, weights)[0]
    wanted = (weights[0].sum((2, 3)) @ torch.tensor([0.5, -0.25, 1.0])).clamp(min=0)
    assert torch.allclose(found[:64], wanted, atol=1e-5)
    assert float(found[64:].abs().max()) < 1e-5  # no differences between places, nothing further on


def test_the_random_distance_orders_noise_and_blur():
    extractor, x = RandomFeatures(), textures(200)
    real = Moments.of(extractor(x).features)
    random = torch.Generator().manual_seed(3)
    noise = torch.randn(x.shape, generator=random)
    noisy = [(x + level * noise).round().clamp(0, 255).byte() for level in (5, 10, 20)]
    kernel = torch.ones(3, 1, 3, 3) / 9
    blurred, smooth = [], x.float()
    for _ in range(3):
        smooth = functional.conv2d(functional.pad(smooth, (1,) * 4, mode="reflect"), kernel, groups=3)
        blurred.append(smooth.round().byte())
    for worse in (noisy, blurred):
        distances = [0.0, *(frechet_distance(real, Moments.of(extractor(y).features)) for y in worse)]
        assert all(1.5 * low < high for low, high in itertools.pairwise(distances)), distances
        assert distances[1] > 1e-5


def test_features_do_not_depend_on_the_batch():
    extractor, x = RandomFeatures(), textures(130)  # more than a batch
    together = extractor(x).features
    assert float((together[100:] - extractor(x[100:]).features).abs().max()) < 1e-5
    assert together.dtype == torch.float32
    assert not together.requires_grad


@pytest.mark.parametrize(
    "shape, seen",
    [
        ((32, 32), (32, 32)),
        ((128, 128), (64, 64)),
        ((256, 128), (64, 32)),
        ((8, 8), (16, 16)),
        ((512, 8), (64, 16)),
    ],
)
def test_sizes_that_the_random_network_sees(shape, seen):
    assert size_seen(*shape) == seen
    assert RandomFeatures()(torch.zeros(2, 1, *shape, dtype=torch.uint8)).features.shape == (2, 512)


def test_transparency_lies_over_white_and_gray_is_repeated():
    clear = torch.zeros(1, 4, 2, 2, dtype=torch.uint8)
    assert torch.equal(opaque(clear), torch.full((1, 3, 2, 2), 255, dtype=torch.uint8))
    red = clear.clone()
    red[:, 0], red[:, 3] = 100, 128  # half transparent: 100 + (255 − 128)
    assert opaque(red)[0, :, 0, 0].tolist() == [227, 127, 127]
    impossible = clear.clone()
    impossible[:, 0] = 200  # a colour above its alpha must not wrap around
    assert opaque(impossible)[0, 0, 0, 0] == 255
    gray = torch.full((1, 1, 2, 2), 51, dtype=torch.uint8)
    assert unit(gray, 3).shape == (1, 3, 2, 2)
    assert float(unit(gray, 3)[0, 2, 0, 0]) == pytest.approx(0.2)
    colour = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    assert float(unit(colour, 1)) == pytest.approx(0.299)


def test_what_is_no_image_is_refused():
    with pytest.raises(ConfigError, match="uint8 of shape"):
        RandomFeatures()(torch.zeros(2, 3, 8, 8))
    with pytest.raises(ConfigError, match="at least 1"):
        RandomFeatures()(torch.zeros(0, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ConfigError, match="features of image 1 are not finite"):
        in_batches(
            torch.tensor([[1.0], [0.0]]), 1, lambda x: type(RandomFeatures()(textures(1)))(1 / x, None)
        )


def test_names_that_are_none_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'cifar10'"):
        open_extractor("cifar", dataset=dataset(3, 32, 32))
    for name in ("random", "mnist", "inception", "mine.py"):
        with pytest.raises(ConfigError, match="use --extractor values"):
            open_extractor(name, dataset=dataset(2))


def test_nothing_is_downloaded_silently(monkeypatch, tmp_path):
    monkeypatch.setenv("EVENODDS_CACHE", str(tmp_path))
    monkeypatch.delenv("EVENODDS_DATA", raising=False)
    with pytest.raises(DataError, match="run: evenodds extractors fetch inception"):
        open_extractor("inception", dataset=dataset(3, 32, 32))
    assert list(tmp_path.iterdir()) == []


def test_every_extractor_has_a_purpose():
    assert {"inception", "mnist", "cifar10", "random", "values"} == set(EXTRACTORS)
