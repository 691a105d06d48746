"""The shipped classifiers: what their files are, what they make of digits, and how they are built."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from evenodds.data.dataset import Dataset, Split
from evenodds.data.digits import load_digits
from evenodds.data.named import load_named
from evenodds.errors import ConfigError, DataError
from evenodds.features import open_extractor, weights
from evenodds.features.building import Built, build_classifier, confused
from evenodds.features.classifier_training import RECIPES, Cycle, Recipe, Training, folded, scheduled, shifted
from evenodds.features.classifiers import SHAPES, Classifier
from evenodds.features.classifying import classifier_of, facts_of, joint, load_classifier, save_classifier
from evenodds.features.weights import SHIPPED, WEIGHTS, weights_path

NEEDED = {"mnist": 0.992, "cifar10": 0.90}  # of the test images
ROOT = Path(__file__).resolve().parents[2]


def small_digits() -> Dataset:
    """The shipped 8 × 8 digits, tripled to 24 × 24 with a border: in the shape of MNIST."""
    digits = load_digits(value_range=(-1.0, 1.0))

    def grown(split: Split) -> Split:
        x = np.repeat(np.repeat(split.x, 3, axis=2), 3, axis=3)
        return Split(np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2))), split.y)

    assert digits.test is not None
    parts = [grown(split) for split in (digits.train, digits.validation, digits.test)]
    return Dataset("small", *parts, class_names=digits.class_names)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return small_digits()


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_shipped_is_good_enough(name):
    assert facts_of(weights_path(name))["accuracy"] >= NEEDED[name]


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_shipped_is_small_and_pinned(name):
    path = weights_path(name)
    assert path.stat().st_size < 2_000_000
    facts = facts_of(path)
    assert facts["test_examples"] == 10_000
    confusion = torch.tensor(facts["confusion"])
    assert int(confusion.sum()) == 10_000
    assert int(confusion.diagonal().sum()) / 10_000 == facts["accuracy"]
    assert facts["recipe"] == json.loads(json.dumps(asdict(RECIPES[name]))), (
        "the file was built by another recipe"
    )
    assert load_classifier(name).sha256 == WEIGHTS[name].sha256


def test_the_shipped_classifier_knows_mnists_test_images():
    try:
        data = load_named("mnist", folder=None, value_range=(-1.0, 1.0))
    except DataError as error:
        pytest.skip(str(error))
    assert data.test is not None
    assert data.test.y is not None
    extractor = open_extractor(dataset=data)
    x, y = torch.from_numpy(np.array(data.test.x[:2000])), torch.from_numpy(np.array(data.test.y[:2000]))
    found = extractor(x)
    assert float((found.logits.argmax(1) == y).float().mean()) > 0.993
    padded = torch.nn.functional.pad(x[:300], (2, 2, 2, 2))
    assert torch.equal(extractor(padded).features, extractor(x[:300]).features)
    stacked = torch.cat([x[:200], x[200:400], x[400:600]], 1)  # (200, 3, 28, 28)
    of_stacks = load_classifier("mnist", stacked=3)(stacked)
    assert of_stacks.features.shape == (200, 3 * 128)
    assert torch.allclose(of_stacks.features[:, 128:256], found.features[200:400], atol=1e-5)
    modes = 100 * y[:200] + 10 * y[200:400] + y[400:600]
    assert float((of_stacks.logits.argmax(1) == modes).float().mean()) > 0.98


def test_joint_logits_are_products_of_probabilities():
    logits = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0))
    each = logits.softmax(2)
    wanted = torch.einsum("na,nb,nc->nabc", each[:, 0], each[:, 1], each[:, 2]).flatten(1)
    assert torch.allclose(joint(logits).exp(), wanted, atol=1e-6)


def test_features_do_not_depend_on_the_batch_nor_on_the_dtype_of_the_file():
    x = torch.randint(0, 256, (260, 1, 28, 28), generator=torch.Generator().manual_seed(0)).byte()
    extractor = load_classifier("mnist")
    together = extractor(x)
    assert float((together.features[250:] - extractor(x[250:]).features).abs().max()) < 1e-5
    assert together.features.shape == (260, 128)
    assert float(together.features.min()) > -0.2  # after GELU


def test_digits_of_another_size_are_refused():
    with pytest.raises(ConfigError, match=r"28 × 28 or 32 × 32 pixels, not 64 × 64; use --extractor random"):
        load_classifier("mnist")(torch.zeros(1, 1, 64, 64, dtype=torch.uint8))
    with pytest.raises(ConfigError, match="opened for images of 3 channels"):
        load_classifier("mnist", stacked=3)(torch.zeros(1, 1, 28, 28, dtype=torch.uint8))


# training


def test_folding_changes_nothing_but_rounding(digits):
    training = Training("mnist", *_tensors(digits, 512), Recipe((Cycle(1, 0.25),), batch=64))
    training.run_epoch(lambda progress: None)
    x = torch.from_numpy(digits.test.x[:100]).float() / 255
    training.network.eval()
    with torch.no_grad():
        assert torch.allclose(
            folded(training.network, SHAPES["mnist"])(x), training.network(x) / 9, atol=1e-4
        )


def test_whitened_patches_are_uncorrelated(digits):
    x, y = _tensors(digits, 512)
    network = Training("mnist", x, y).network
    with torch.no_grad():
        whitened = network.whiten(x.float() / 255)[:, :4].transpose(0, 1).flatten(1).double()
    patches = torch.nn.functional.unfold(x.double() / 255, 2).transpose(0, 1).flatten(1)
    variances = torch.linalg.eigvalsh(torch.cov(patches))
    assert float(whitened.mean(1).abs().max()) < 1e-3
    assert torch.allclose(torch.cov(whitened), torch.diag(variances / (variances + 5e-4)), atol=1e-4)


def test_the_rate_rises_and_falls_in_straight_lines():
    recipe = Recipe((Cycle(1, 0.25, rate=1.0), Cycle(2, 0.5, rate=0.5)))
    rates = [scheduled(done, recipe) for done in (0, 0.125, 0.25, 0.625, 0.999999, 1, 1.5, 2, 2.5, 3)]
    assert rates == pytest.approx([0.2, 0.6, 1.0, 0.5, 0.0, 0.1, 0.3, 0.5, 0.25, 0.0], abs=1e-5)


def test_shifts_reflect_what_enters():
    x = torch.arange(2 * 25, dtype=torch.uint8).view(2, 1, 5, 5)
    moved = shifted(x.repeat(40, 1, 1, 1), 1, torch.Generator().manual_seed(0))
    assert moved.shape == (80, 1, 5, 5)
    kept = [bool(torch.equal(one, x[i % 2].float())) for i, one in enumerate(moved)]
    assert 1 < sum(kept) < 25  # about one in nine stays where it was
    assert {float(one.min()) for one in moved[::2]} <= {0.0, 1.0, 5.0, 6.0}
    assert torch.equal(shifted(x, 0, torch.Generator()), x.float())


def test_interrupted_training_goes_on_as_if_it_had_not_been(digits, tmp_path):
    """The same numbers, to the last bit: state, order and rates depend on nothing but the epoch."""
    recipe = Recipe((Cycle(2, 0.25),), batch=256, mirror=True)
    whole = build_classifier(
        "mnist", data=digits, path=tmp_path / "a.safetensors", report=_quiet, recipe=recipe
    )
    path = tmp_path / "b.safetensors"

    def interrupt(progress):
        if progress.step > progress.steps // 2 + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_classifier("mnist", data=digits, path=path, report=interrupt, recipe=recipe)
    assert [p.name for p in tmp_path.glob("b*")] == ["b.training"]
    steps = []
    rest = build_classifier(
        "mnist", data=digits, path=path, report=lambda progress: steps.append(progress.step), recipe=recipe
    )
    assert steps[0] == steps[-1] // 2 + 1, "only the second epoch is made again"
    first, second = (safetensors.torch.load_file(built.path) for built in (whole, rest))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]
    _check_built(rest, digits)


def _check_built(built: Built, digits: Dataset) -> None:
    """Its facts are those of what it makes of the test images."""
    extractor = classifier_of(built.path)
    assert extractor.name == "b"
    assert extractor.sha256 == built.sha256
    found = extractor(torch.from_numpy(digits.test.x)).logits.argmax(1).numpy()
    assert float((found == digits.test.y).mean()) == built.facts["accuracy"]
    assert built.facts["accuracy"] > 0.5
    assert built.facts["data"]["fingerprint"] == digits.fingerprint
    assert built.facts["train_examples"] == len(digits.train) + len(digits.validation)


def test_a_damaged_state_is_said_to_be_one(digits, tmp_path):
    (tmp_path / "a.training").write_bytes(b"nonsense")
    with pytest.raises(DataError, match=r"a.training can't be read .*; delete it"):
        build_classifier(
            "mnist",
            data=digits,
            path=tmp_path / "a.safetensors",
            report=_quiet,
            recipe=Recipe((Cycle(1, 0.25),)),
        )


def test_other_data_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"uint8 images of 3 × 32 × 32 in 10 classes .* use --data cifar10"):
        build_classifier("cifar10", data=small_digits(), path=tmp_path / "a.safetensors", report=_quiet)
    with pytest.raises(ConfigError, match="did you mean 'cifar10'"):
        build_classifier("cifar100", report=_quiet)


def test_confusion_has_the_true_class_as_its_row():
    assert confused(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2).tolist() == [[1, 1], [0, 1]]


# files


def test_files_that_are_no_classifiers(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(DataError, match="can't be read"):
        classifier_of(path)
    path.write_bytes((SHIPPED / "mnist.safetensors").read_bytes()[:5000])
    with pytest.raises(DataError, match="can't be read as weights"):
        classifier_of(path)
    path.write_bytes(safetensors.torch.save({"a": torch.zeros(2)}))
    with pytest.raises(DataError, match="is not a classifier that evenodds built"):
        classifier_of(path)
    network = Classifier(SHAPES["mnist"])
    save_classifier(path, network, {"classifier": "cifar10"})
    with pytest.raises(DataError, match="other weights than a classifier's"):
        classifier_of(path)
    network.last.weight.data[0, 0] = torch.nan
    save_classifier(path, network, {"classifier": "mnist"})
    with pytest.raises(DataError, match="not finite"):
        classifier_of(path)


def test_a_shipped_file_that_was_changed_is_refused(monkeypatch, tmp_path):
    content = bytearray((SHIPPED / "mnist.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "mnist.safetensors").write_bytes(content)
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    with pytest.raises(DataError, match=r"has SHA-256 .* is pinned; install evenodds again"):
        load_classifier("mnist")


def _tensors(data: Dataset, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(data.train.x[:count]), torch.from_numpy(data.train.y[:count])


def _quiet(progress: object) -> None:
    pass
