"""Fréchet and kernel distances of generators whose quality is known, through the whole path."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_generators import Given, gaussian, gaussian_data, pixels, subject_of

from evenodds.data.dataset import Dataset, Split
from evenodds.data.sources import digits
from evenodds.errors import ConfigError, DataError, RunError
from evenodds.evaluation import METRICS, Subject, evaluate, find_metric, measure, natural_metrics
from evenodds.evaluation.opening import ELSEWHERE
from evenodds.features import Features

COUNT, DIM = 4_000, 8


@pytest.fixture(scope="module")
def data():
    return gaussian_data(COUNT, DIM)


def of(x, data, name, **options):
    return measure(subject_of(x, data, **options), [name])[0]


def test_a_frechet_distance_that_is_known(data):
    """N(m, s² I) against N(0, I): ‖m‖² + d (1 − s)², and both sides' noise on top."""
    found = of(gaussian(7, COUNT, DIM, shift=0.5, scale=1.5), data, "frechet4k")
    truth = DIM * 0.25 + DIM * 0.25
    assert found.value - found.details["bias"] == pytest.approx(truth, abs=0.2)  # 3 errors of both sides
    low, high = found.interval
    assert low < found.value < high
    assert high - low == pytest.approx(3.92 * found.standard_error, rel=0.01)
    # φ = 2 c·m + c·c (1 − 1/s): 4 s² ‖m‖² + 2 d s⁴ (1 − 1/s)²
    variance = 4 * 2.25 * DIM * 0.25 + 2 * DIM * 1.5**4 / 9
    assert found.standard_error == pytest.approx((variance / COUNT) ** 0.5, rel=0.1)
    assert found.setting["n"] == COUNT
    assert (found.n, found.setting["split"], found.setting["real"]) == (COUNT, "test", COUNT)
    assert found.setting["extractor"]["name"] == "values"
    assert found.setting["data"] == data.fingerprint


def test_the_error_says_how_much_distances_vary(data):
    values, errors = [], []
    for seed in range(20):
        found = of(gaussian(100 + seed, 500, DIM, shift=0.5), data, "frechet500", with_reference=False)
        values.append(found.value)
        errors.append(found.standard_error)
    assert np.std(values, ddof=1) == pytest.approx(np.mean(errors), rel=0.45)


def test_a_perfect_generator_scores_like_the_floor(data):
    """2d/N + d(d + 1)/2N per protocols of identical Gaussians, and the kernel's 0."""
    frechet, kernel = measure(subject_of(gaussian(7, COUNT, DIM), data), ["frechet4k", "kernel4k"])
    expected = 2 * DIM / COUNT + DIM * (DIM + 1) / (2 * COUNT)
    for value in (frechet.value, frechet.floor, frechet.details["bias"]):
        assert value == pytest.approx(expected, rel=0.5)
    assert kernel.interval[0] < 0 < kernel.interval[1]
    assert abs(kernel.floor) < 4 * kernel.details["floor_standard_error"]
    assert "4,000 real train examples in the samples' place score" in frechet.reference


def test_a_kernel_distance_that_is_known(data):
    """N(m, I) against N(0, I), a = ‖m‖²: 3a/d + (3a² + 3a)/d² + (a³ + 6a² + 6a)/d³."""
    found = of(gaussian(7, COUNT, DIM, shift=0.5), data, "kernel4k")
    a = DIM * 0.25
    truth = 3 * a / DIM + (3 * a**2 + 3 * a) / DIM**2 + (a**3 + 6 * a**2 + 6 * a) / DIM**3
    assert found.value == pytest.approx(truth, abs=4 * found.standard_error)
    assert found.standard_error < 0.1 * truth
    assert found.protocol.count("all pairs") == 1


def test_train_has_fewer_examples_than_samples_are_measured():
    small = gaussian_data(300, DIM)
    found = of(gaussian(7, COUNT, DIM), small, "frechet4k")
    assert "300 real train examples" in found.reference
    assert "has no 4,000" in found.reference


def images_like(x: np.ndarray, count: int) -> np.ndarray:
    return pixels(np.repeat(x, -(-count // len(x)), 0)[:count])


@pytest.fixture(scope="module")
def written():
    return digits()


@pytest.fixture(scope="module")
def wide(written):
    """Digits with enough of them in the test split for the covariance of the random extractor's features."""
    x = written.train.x
    return Dataset("digits", Split(x), Split(x[:300]), Split(x), value_range=(-1.0, 1.0))


@pytest.mark.parametrize("kind", ["constant", "one image repeated", "collapsed"])
def test_generators_that_collapsed(kind, wide):
    """A finite right number: far above the floor, real, and the same whatever is repeated."""
    x = wide.train.x
    some = {"collapsed": x[:3], "one image repeated": x[:1]}.get(
        kind, x[:1] * 0 + (90 if kind == "constant" else 0)
    )
    subject = Subject(Given(images_like(some, 1_200)), wide, extractor="random")
    frechet, kernel = measure(subject, ["frechet1200", "kernel1200"])
    for found in (frechet, kernel):
        assert np.isfinite(found.value)
        assert found.value > 20 * abs(found.floor)
        assert isinstance(found.value, float)
    if kind != "collapsed":  # the distance is that of means plus the data's own variance
        real = subject.real().features.double()
        one = subject.fake(1).features[0].double()
        truth = (real.mean(0) - one).square().sum() + real.var(0).sum()
        assert frechet.value == pytest.approx(float(truth), rel=1e-6)


def test_fewer_samples_than_features_are_warned_of(wide):
    subject = Subject(Given(images_like(wide.train.x, 40)), wide, extractor="random")
    frechet, kernel = measure(subject, ["frechet40", "kernel40"])
    assert np.isfinite(frechet.value)
    assert frechet.interval is None
    assert "too few for the covariance" in frechet.warning
    assert "use kernel" in frechet.warning
    assert abs(kernel.value) < 5 * kernel.standard_error


def test_one_sample_has_no_distance(data):
    for name in ("frechet1", "kernel1"):
        with pytest.raises(ConfigError, match=name):
            of(gaussian(7, 10, DIM), data, name)


def test_samples_that_are_no_numbers_are_refused(wide):
    broken = images_like(wide.train.x, 300)
    broken[77, 0, 3, 3] = np.nan
    with pytest.raises(RunError, match=r"seed 77 .* no finite numbers"):
        measure(Subject(Given(broken), wide, extractor="random"), ["kernel300"])
    with pytest.raises(RunError, match="seed 77"):
        Subject(Given(broken), wide).samples(300)


def test_seeds_run_out(wide):
    with pytest.raises(ConfigError, match="seeds beyond"):
        list(Subject(Given(wide.train.x), wide, first_seed=2**32 - 5).blocks(0, 6))


def test_more_samples_are_drawn_on(data):
    """Features of 100, then of 300: the first are not made again, and all are as if made at once."""
    told = []
    x = gaussian(7, 300, DIM)
    subject = subject_of(x, data, progress=lambda *step: told.append(step))
    first = subject.fake(100).features
    torch.testing.assert_close(subject.fake(300).features, torch.from_numpy(x))
    torch.testing.assert_close(first, torch.from_numpy(x[:100]))
    assert told == [("features of samples", *step) for step in ((0, 100), (100, 100), (100, 300), (300, 300))]


def test_classes_are_as_frequent_as_in_the_data(written):
    y = np.where(np.arange(len(written.train)) % 4 == 0, 1, 0)
    uneven = Dataset(
        "uneven", Split(written.train.x, y), written.validation, None, class_names=("often", "seldom")
    )
    subject = Subject(Given(written.train.x, classes=2), uneven, split="validation")
    labels = subject.fake_labels(4_000)
    assert float(labels.double().mean()) == pytest.approx(0.25, abs=0.03)
    assert torch.equal(subject.fake_labels(50), labels[:50])
    assert not torch.equal(
        Subject(Given(written.train.x, classes=2), uneven, first_seed=9).fake_labels(50), labels[:50]
    )
    other = Subject(Given(written.train.x, classes=3), uneven).fake_labels(7)
    assert other.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_inception_is_refused_without_its_weights(wide, tmp_path, monkeypatch):
    monkeypatch.setenv("EVENODDS_CACHE", str(tmp_path))
    monkeypatch.delenv("EVENODDS_DATA", raising=False)
    with pytest.raises(ConfigError) as caught:
        evaluate(Given(images_like(wide.train.x, 10)), wide, ["kernel10", "fid10k"])
    for part in ("fid10k", "--inception PATH", "evenodds extractors fetch inception", "frechet10k"):
        assert part in str(caught.value)
    with pytest.raises((ConfigError, DataError), match=r"nowhere\.pth"):
        evaluate(Given(images_like(wide.train.x, 10)), wide, ["kid10"], inception=tmp_path / "nowhere.pth")
    with pytest.raises(ConfigError, match="none of them is measured"):
        evaluate(Given(images_like(wide.train.x, 10)), wide, ["kernel10"], inception=tmp_path / "nowhere.pth")


def test_every_name_of_inceptions_has_one_for_other_features():
    inception = {name for name, metric in METRICS.items() if metric.inception}
    assert inception <= set(ELSEWHERE)
    for name in inception:
        assert not METRICS[ELSEWHERE[name]].inception


def test_scores_need_classes(data):
    with pytest.raises(ConfigError, match="gives no classes"):
        of(gaussian(7, 100, DIM), data, "classifier_score100")


def test_a_split_that_is_not_there(wide):
    without = Dataset("digits", wide.train, wide.validation, None, value_range=(-1.0, 1.0))
    with pytest.raises(DataError, match="no split 'test'"):
        measure(Subject(Given(images_like(wide.train.x, 10)), without), ["kernel10"])


def test_what_suits_the_data(written, data):
    for dataset in (written, data):
        for name in natural_metrics(dataset, "test"):
            find_metric(name)[0].check(dataset)


def test_without_end_to_the_samples(data):
    """Of a perfect generator what remains is the real side's half of the bias, within its interval."""
    found = of(gaussian(7, COUNT, DIM), data, "frechet_infinity4k")
    half = DIM / COUNT + DIM * (DIM + 1) / (4 * COUNT)
    low, high = found.interval
    assert low < half < high
    assert high - low < 0.05
    with pytest.raises(ConfigError, match="write frechet_infinity1k"):
        of(gaussian(7, COUNT, DIM), data, "frechet_infinity30")


def test_class_by_class(data):
    """Classes that are exchanged: all is well but within each class."""
    y = np.arange(COUNT) % 2
    apart = [Split(split.x + 3 * y[:, None].astype(np.float32), y) for split in data.splits.values()]
    labelled = Dataset("two", *apart, class_names=("low", "high"), value_range=None)
    picked = Subject(Given(apart[0].x, None, classes=2), labelled).fake_labels(COUNT).numpy()
    right = gaussian(7, COUNT, DIM) + 3 * picked[:, None].astype(np.float32)
    for x, truth in ((right, 0.0), (right + 3 - 6 * picked[:, None].astype(np.float32), 9.0 * DIM)):
        subject = Subject(Given(x, None, classes=2), labelled)
        whole, within = measure(subject, ["frechet4k", "intra_frechet4k"])
        assert whole.value < 0.2
        assert within.value == pytest.approx(truth, abs=2)
        assert within.floor < 0.1
    with pytest.raises(ConfigError, match="not trained on those"):
        measure(Subject(Given(right, None), labelled), ["intra_frechet4k"])


class Classifying:
    """Two features, and as many logits."""

    name, sha256, preprocessing, dim, classes = "values", "ab", "none", 2, 2
    precision = "float32"

    def __call__(self, images):
        x = images.flatten(1)[:, :2].float()
        return Features(x, 5 * x)


def test_logits_are_kept_only_where_a_metric_looks_at_them(data):
    subject = subject_of(gaussian(7, 400, DIM), data)
    subject.__dict__["extractor"] = Classifying()
    measure(subject, ["kernel400"])
    assert subject.fake(400).logits is None
    (score,) = measure(subject, ["classifier_score400"])
    torch.testing.assert_close(subject.fake(400).logits, 5 * subject.fake(400).features)
    assert 1 < score.value < 2
    assert score.interval[0] < score.value < score.interval[1]
    assert score.ceiling == pytest.approx(score.value, abs=4 * score.standard_error)
