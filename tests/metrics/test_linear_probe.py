"""The linear SVM against LIBLINEAR (by way of scikit-learn), its own optimality, and equal problems."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.svm import LinearSVC

from evenodds.metrics import linear_probe
from evenodds.metrics.linear_probe import accuracy, choose_c, fit_svm, scores

DIGITS = load_digits()
X, Y = torch.tensor(DIGITS.data / 16), torch.tensor(DIGITS.target)


def objective(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, c: float) -> torch.Tensor:
    """For each class, written out."""
    values = []
    for k in range(10):
        sign = torch.where(Y[: len(x)] == k, 1.0, -1.0).double()
        loss = (1 - sign * (x @ weight[:, k] + bias[k])).clamp_min(0).square().sum()
        values.append(weight[:, k].square().sum() / 2 + bias[k] ** 2 / 2 + c * loss)
    return torch.stack(values)


@pytest.mark.parametrize("c", [1e-3, 1.0])
@pytest.mark.parametrize(
    "dtype, tolerance, close", [(torch.float64, 1e-6, 1e-6), (torch.float32, 1e-3, 1e-3)]
)
def test_it_finds_what_liblinear_finds(c, dtype, tolerance, close, monkeypatch):
    monkeypatch.setattr(linear_probe, "BLOCK", 64 * 500)  # several blocks
    ours = fit_svm(X.to(dtype), Y, 10, c=c, tolerance=tolerance)
    theirs = LinearSVC(loss="squared_hinge", dual=False, C=c, tol=1e-9, max_iter=10_000).fit(
        X.numpy(), Y.numpy()
    )
    least = objective(X, torch.tensor(theirs.coef_).T, torch.tensor(theirs.intercept_), c)
    assert objective(X, ours.weight, ours.bias, c).tolist() == pytest.approx(least.tolist(), rel=close)
    assert ours.objective.tolist() == pytest.approx(least.tolist(), rel=close)
    assert float(ours.gap.max()) <= tolerance
    assert accuracy(ours, X, Y) == pytest.approx(theirs.score(X.numpy(), Y.numpy()), abs=0.002)
    if dtype == torch.float64:
        assert torch.allclose(ours.weight, torch.tensor(theirs.coef_).T, atol=2e-3)


def test_standardizing_is_what_it_says():
    """Features with other means and scales, one of them constant, against features standardized by hand."""
    x = X[:600] * torch.linspace(0.1, 30, 64, dtype=torch.float64) + 5
    assert float(x[:, 0].std()) == 0
    deviation, mean = torch.std_mean(x, 0, correction=0)
    by_hand = (x - mean) / torch.where(deviation > 0, deviation, torch.inf)
    plain, inside = (
        fit_svm(by_hand, Y[:600], 10, c=0.1, tolerance=1e-8),
        fit_svm(x, Y[:600], 10, c=0.1, tolerance=1e-8, standardize=True),
    )
    assert inside.objective.tolist() == pytest.approx(plain.objective.tolist(), rel=1e-7)
    assert torch.allclose(scores(inside, x), scores(plain, by_hand), atol=1e-3)


def test_at_the_minimum_nothing_pulls():
    """Autograd's gradient of the objective, at a solution of small tolerance."""
    found = fit_svm(X, Y, 10, c=0.1, tolerance=1e-12, steps=100)
    weight, bias = found.weight.requires_grad_(), found.bias.requires_grad_()
    objective(X, weight, bias, 0.1).sum().backward()
    assert float(weight.grad.norm()) < 1e-3 * float(weight.detach().norm())
    assert float(bias.grad.norm()) < 1e-3


def test_c_is_chosen_on_validation_data():
    """A third of the training labels is wrong: much C believes them, very little believes nothing."""
    random = torch.Generator().manual_seed(0)
    x, y = X.float(), Y.clone()
    y[:100] = torch.randint(0, 10, (100,), generator=random)
    train, validation = (x[:300], y[:300]), (x[300:900], y[300:900])
    grid = [3.0, 1e-2, 1e-6]
    choice = choose_c(train, validation, 10, grid)
    alone = [accuracy(fit_svm(*train, 10, c=c), *validation) for c in sorted(grid)]
    assert choice.accuracies == pytest.approx(alone, abs=0.011)
    assert choice.c == 1e-2
    assert accuracy(choice.svm, *validation) == max(choice.accuracies)
    assert choice.accuracies[1] > choice.accuracies[2] + 0.05


def test_uint8_features_and_more_features_than_examples():
    random = torch.Generator().manual_seed(1)
    x = torch.randint(0, 256, (40, 300), generator=random, dtype=torch.uint8)
    y = torch.arange(40) % 3
    svm = fit_svm(x, y, 3, c=1.0, standardize=True)
    assert accuracy(svm, x, y) == 1  # 40 points in 300 dimensions are separable whatever their labels
    assert bool((svm.objective > 0).all())


def test_what_is_no_problem_is_refused():
    with pytest.raises(ValueError, match="do not fit 2 classes"):
        fit_svm(X[:4], torch.tensor([0, 1, 2, 0]), 2)
    with pytest.raises(ValueError, match="not finite"):
        fit_svm(torch.full((4, 2), torch.nan), torch.tensor([0, 1, 1, 0]), 2)
    with pytest.raises(ValueError, match="above 0"):
        fit_svm(X[:4], torch.tensor([0, 1, 1, 0]), 2, c=0)
    with pytest.raises(ValueError, match="positive values"):
        choose_c((X, Y), (X, Y), 10, [])
    with pytest.raises(ValueError, match="don't fit"):
        fit_svm(X, Y[:5], 10)
