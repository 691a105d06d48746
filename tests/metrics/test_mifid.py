"""The memorization distance and its penalty against torchmetrics, a loop, and copies."""

from __future__ import annotations

import pytest
import torch
from torchmetrics.image.mifid import _compute_cosine_distance, _mifid_compute

from evenodds.metrics import mifid
from evenodds.metrics.mifid import memorization_distance, memorization_informed, memorization_penalty


def features(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)).abs()


def test_it_is_the_mean_over_fakes(monkeypatch):
    monkeypatch.setattr(mifid, "BLOCK", 17)
    training, fake = features(50, 6, 1) - 0.7, features(40, 6, 2) - 0.7
    expected = 0.0
    for sample in fake.double():
        cosines = [float(sample @ x / (sample.norm() * x.norm())) for x in training.double()]
        expected += min(1 - abs(c) for c in cosines) / 40
    assert memorization_distance(training, fake) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("threshold", [0.0001, 0.1, 0.5])
def test_agrees_with_torchmetrics_with_the_sides_exchanged(threshold):
    training, fake = features(90, 16, 3).double(), features(70, 16, 4).double()
    theirs = float(_compute_cosine_distance(training, fake, threshold))
    ours = memorization_penalty(fake, training, threshold)
    assert (ours.distance if ours.distance < threshold else 1) == pytest.approx(theirs, rel=1e-6)
    # the paper's mean is over fakes, so this is what the function is called with in earnest
    assert memorization_distance(training, fake) != pytest.approx(ours.distance, rel=1e-3)
    moments = [(x.mean(0), torch.cov(x.T)) for x in (training, fake)]
    whole = _mifid_compute(*moments[0], training, *moments[1], fake, threshold)
    score = float(_mifid_compute(*moments[0], training, *moments[1], fake, -1.0))  # no penalty: the FID
    assert memorization_informed(score, ours) == pytest.approx(float(whole), rel=1e-6)


def test_copies_are_punished_and_held_out_data_is_not():
    training, held_out = features(200, 8, 5) - 0.8, features(200, 8, 6) - 0.8
    copied = memorization_penalty(training, 3 * training[:50])  # brightness is no disguise
    assert copied.distance < 1e-14
    assert copied.factor > 4e13
    fresh = memorization_penalty(training, held_out, threshold=0.01)
    assert fresh.factor == 1
    assert fresh.distance > 0.01
    assert memorization_informed(2.5, fresh) == 2.5
    assert memorization_informed(0.0, copied) == 0


def test_large_small_and_zero_rows_have_finite_cosines():
    x = torch.tensor([[1e-30, 0.0], [3e30, 3e30], [0.0, 0.0]])
    assert memorization_distance(x, torch.tensor([[2.0, 0.0], [0.0, 0.0]])) == pytest.approx(0, abs=1e-15)
    # the only fake is at 45° between them
    assert memorization_distance(torch.eye(2), torch.ones(1, 2)) == pytest.approx(1 - 0.5**0.5, rel=1e-12)
    # a row whose features sum to 0 has a direction all the same
    assert memorization_distance(torch.tensor([[1.0, -1.0]]), torch.tensor([[1.0, 0.0]])) > 0.29
    with pytest.raises(ValueError, match="no fake example"):
        memorization_distance(x, torch.zeros(3, 2))
    with pytest.raises(ValueError, match="not finite"):
        memorization_distance(x, torch.full((3, 2), torch.nan))
    with pytest.raises(ValueError, match="one extractor"):
        memorization_distance(x, torch.ones(3, 3))
