"""A seed is a sample: the same one alone, among others, in any order, from a file, in another process."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from tiny_runs import DIGITS, digits, in_child, one_sentence, tiny, train

from evenodds.build import build_gan
from evenodds.data import sources
from evenodds.errors import ConfigError, RunError
from evenodds.sampling import Sampler, as_uint8, sampler_of
from evenodds.trainer import training

KINDS = {
    "plain": [],
    "batch norm": ["generator.network.batch_norm=true"],
    "conditional": ["conditional=true"],
    # odd sizes: a matrix product then rounds differently from row to row
    "odd widths": ["generator.network.widths=[37, 1001]", "prior.dim=7", "conditional=true"],
    "of the sphere": ["prior={name: sphere, dim: 33}", "generator.network.widths=[129]"],
    "points": ["data=ring", "generator.network.output=linear", "generator.network.widths=[37, 1001]"],
}


def sampler(*assignments: str) -> Sampler:
    """Of a generator with random weights and used statistics."""
    torch.manual_seed(0)
    config = tiny(*assignments)
    dataset = sources.ring() if config.data["name"] == "ring" else digits()
    gan, _ = build_gan(config, dataset, torch.device("cpu"))
    y = torch.arange(50) % 10 if config.conditional else None
    for _ in range(3):
        gan.generator(3 * gan.prior(50), y)
    return sampler_of(gan.generator, config, dataset, examples=5, metrics={"parzen10k": {"value": 1.5}})


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def kind(request) -> Sampler:
    return sampler(*request.param)


@pytest.fixture(scope="module")
def alone(kind) -> dict[int, np.ndarray]:
    """Some seeds' samples, each drawn by itself."""
    seeds = [*range(0, 130, 7), 63, 64, 65, 1000, 2**31, 2**32 - 1]
    return {seed: kind([seed])[0] for seed in seeds}


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000])
def test_a_seed_among_the_first_ones(kind, alone, count):
    samples = kind(range(count))
    assert samples.shape == (count, *kind.sample_shape)
    assert samples.dtype == np.float32
    for seed in alone:
        if seed < count:
            np.testing.assert_array_equal(samples[seed], alone[seed])


def test_a_seed_in_any_order(kind, alone):
    order = random.Random(0)
    for size in (2, 40, 300):
        seeds = [*alone, *(order.randrange(2**32) for _ in range(size))]
        order.shuffle(seeds)
        samples = kind(seeds)
        for seed, sample in alone.items():
            np.testing.assert_array_equal(samples[seeds.index(seed)], sample)


def test_seeds_for_the_same_row(kind, alone):
    """0, 64, 128, … never fit into one pass."""
    seeds = [64 * n for n in range(20)] * 2
    samples = kind(seeds)
    np.testing.assert_array_equal(samples[:20], samples[20:])
    np.testing.assert_array_equal(samples[1], alone[64])


def test_the_number_of_threads_does_not_matter_to_a_seeds_neighbours(kind, alone):
    torch.set_num_threads(2)
    try:
        two = {seed: kind([seed])[0] for seed in list(alone)[:3]}
        many = kind(range(130))
        for seed, sample in two.items():
            np.testing.assert_array_equal(many[seed], sample)
    finally:
        torch.set_num_threads(1)


def test_it_is_what_the_generator_says(kind):
    """Up to rounding, and without the sampler's arrangement in rows."""
    seeds = [5, 3, 3, 2**20 + 1, 64]
    z = torch.cat([kind.prior(1, torch.Generator().manual_seed(seed)) for seed in seeds])
    y = torch.tensor([seed % 10 for seed in seeds]) if kind.class_names else None
    with torch.no_grad():
        expected = kind.generator.eval()(z, y)
    np.testing.assert_allclose(kind(seeds), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_different_seeds_differ(kind):
    samples = kind([*range(200), 2**31, 2**32 - 1, 2**32 - 2])
    assert len({sample.tobytes() for sample in samples}) == 203


def test_drawing_leaves_training_and_random_numbers_alone(kind, tmp_path):
    before = torch.get_rng_state()
    kind(range(5))
    kind.save(tmp_path / "g.safetensors")
    Sampler.load(tmp_path / "g.safetensors")
    assert torch.equal(torch.get_rng_state(), before)


def test_saved_and_loaded(kind, tmp_path):
    path = tmp_path / "g.safetensors"
    kind.save(path)
    loaded = Sampler.load(path)
    np.testing.assert_array_equal(loaded(range(70)), kind(range(70)))
    assert (loaded.sample_shape, loaded.value_range, loaded.class_names) == (
        kind.sample_shape,
        kind.value_range,
        kind.class_names,
    )
    assert loaded.facts["examples"] == 5
    assert loaded.facts["metrics"] == {"parzen10k": {"value": 1.5}}
    assert not loaded.generator.training
    loaded.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def samples_without_data(path, seeds):
    """In a process that can't build any data set."""
    sources.DATASETS.clear()  # type: ignore[attr-defined]
    return Sampler.load(path)(seeds)


def test_no_data_is_needed_and_any_process_will_do(kind, tmp_path):
    kind.save(tmp_path / "g.safetensors")
    code, samples = in_child(samples_without_data, tmp_path / "g.safetensors", [3, 1, 64])
    assert code == 0
    np.testing.assert_array_equal(samples, kind([3, 1, 64]))


def test_loaded_from_a_run_directory(tmp_path):
    train(tiny("ema_half_life=30"), tmp_path)
    loaded, file = Sampler.load(tmp_path), Sampler.load(tmp_path / "generator.safetensors")
    np.testing.assert_array_equal(loaded(range(5)), file(range(5)))
    assert loaded.facts["examples"] == DIGITS["examples"]
    assert loaded.facts["data"]["fingerprint"] == digits().fingerprint


def test_it_is_the_average_that_is_saved(tmp_path):
    for progress in training(tiny("ema_half_life=30"), tmp_path):
        session = progress.session
    saved = Sampler.load(tmp_path).generator.state_dict()
    for name, weight in session.ema.generator.state_dict().items():
        assert torch.equal(saved[name], weight)
    assert not torch.equal(saved["last.weight"], session.gan.generator.last.weight)


def test_labels_by_default_are_the_classes_in_turn():
    conditional = sampler("conditional=true")
    seeds = [0, 1, 9, 10, 23]
    np.testing.assert_array_equal(conditional(seeds), conditional(seeds, [0, 1, 9, 0, 3]))
    same = conditional([7] * 10, range(10))
    assert len({sample.tobytes() for sample in same}) == 10
    np.testing.assert_array_equal(conditional([7])[0], same[7])


def test_no_seeds_no_samples(kind):
    assert kind([]).shape == (0, *kind.sample_shape)


def test_bytes():
    x = np.array([-1.0, -0.999, 0.0, 1 / 255, 0.999, 1.0, 1.5, -7.0], np.float32)
    assert as_uint8(x, (-1.0, 1.0)).tolist() == [0, 0, 128, 128, 255, 255, 255, 0]
    levels = np.arange(256)
    for low, high in ((-1.0, 1.0), (0.0, 1.0), (-0.5, 3.0)):
        x = (low + levels * (high - low) / 255).astype(np.float32)
        assert as_uint8(x, (low, high)).tolist() == levels.tolist()


def test_images():
    plain = sampler()
    images = plain.images(range(3))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, as_uint8(plain(range(3)), (-1.0, 1.0)))
    points = sampler(*KINDS["points"])
    np.testing.assert_array_equal(points.images([1]), points([1]))


@pytest.mark.parametrize("seeds", [[-1], [2**32], [1.0], ["a"], [None], [0, 1, 2**40]])
def test_seeds_that_are_none(seeds):
    with pytest.raises(ConfigError) as caught:
        sampler()(seeds)
    assert one_sentence(caught.value, "2^32 − 1")


def test_numpys_numbers_are_seeds():
    plain = sampler()
    np.testing.assert_array_equal(plain(np.array([3, 2**32 - 1])), plain([3, 2**32 - 1]))


@pytest.mark.parametrize(
    ("seeds", "labels", "part"),
    [
        ([1, 2], [1], "1 labels for 2 seeds"),
        ([1], [10], "0 to 9"),
        ([1], [-1], "0 to 9"),
        ([1], [1.0], "0 to 9"),
    ],
)
def test_labels_that_are_none(seeds, labels, part):
    with pytest.raises(ConfigError) as caught:
        sampler("conditional=true")(seeds, labels)
    assert one_sentence(caught.value, part)


def test_labels_for_a_generator_without():
    with pytest.raises(ConfigError) as caught:
        sampler()([1], [1])
    assert one_sentence(caught.value, "knows no classes")


def test_a_device_that_is_not_there(tmp_path):
    sampler().save(tmp_path / "g.safetensors")
    with pytest.raises(ConfigError) as caught:
        Sampler.load(tmp_path / "g.safetensors", device="cuda:99")
    assert one_sentence(caught.value, "cuda:99")


def test_a_disk_that_cannot_be_written(tmp_path):
    with pytest.raises(RunError):
        sampler().save(tmp_path / "none" / "g.safetensors")
