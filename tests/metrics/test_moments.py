"""Streamed moments against numpy's, in exact fractions where numpy rounds, and over two processes."""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
import pytest
import torch
from safetensors.torch import load, load_file, save, save_file
from torch import multiprocessing

from evenodds.metrics.moments import COLUMNS, ROWS, Moments


def normal(rows: int, dim: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def assert_equal_moments(found: Moments, x: torch.Tensor, rel: float = 1e-13) -> None:
    truth = np.cov(x.double().numpy(), rowvar=False)
    scale = np.abs(truth).max()
    assert found.count == len(x)
    assert np.abs(found.mean.numpy() - x.double().numpy().mean(0)).max() < 1e-14 * x.abs().max() * 10
    assert np.abs(found.covariance.numpy() - truth).max() < rel * scale
    assert torch.equal(found.scatter, found.scatter.T)


@pytest.mark.parametrize("dim", [2, COLUMNS - 1, COLUMNS + 3])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_mean_and_covariance_are_numpys(dim, dtype):
    x = normal(300, dim, dtype=dtype) @ normal(dim, dim, 1, dtype) + 3
    assert_equal_moments(Moments.of(x), x)


@pytest.mark.parametrize("cuts", [[1], [1, 2, 3], [150, 151], [0, 299], list(range(1, 300))])
def test_blocks_of_any_size_give_the_same(cuts):
    x = normal(300, 5) * torch.tensor([1, 10, 1e3, 1e-3, 1e-6]) + torch.linspace(-5, 5, 5)
    moments = Moments.empty(5)
    for part in x.tensor_split(cuts):
        moments.add(part)
    assert_equal_moments(moments, x)


def test_more_rows_than_a_block():
    x = normal(2 * ROWS + 17, 3) + torch.arange(2 * ROWS + 17)[:, None] / 500  # a mean that drifts
    assert_equal_moments(Moments.of(x), x)


def test_a_small_spread_about_a_large_mean_is_kept():
    """Sums of squares would have an error of 1e8 · 1e-16 in a variance of 1e-4: 1e-4 of it."""
    x = 1e4 + 1e-2 * normal(3 * ROWS, 2)
    exact = [[Fraction(value) for value in column] for column in x.T.tolist()]
    means = [sum(column) / len(x) for column in exact]
    truth = [
        [
            float(sum((a - mean_a) * (b - mean_b) for a, b in zip(first, second, strict=True)) / (len(x) - 1))
            for second, mean_b in zip(exact, means, strict=True)
        ]
        for first, mean_a in zip(exact, means, strict=True)
    ]
    assert Moments.of(x).covariance.tolist() == [pytest.approx(row, rel=1e-10, abs=1e-14) for row in truth]


def test_merging_is_the_same_as_one_after_the_other():
    x = normal(500, 4) + torch.arange(500)[:, None] / 100
    first, second, third = (Moments.of(part) for part in x.tensor_split([100, 103]))
    before = first.scatter.clone()
    assert_equal_moments(first.merged([Moments.empty(4), second, third]), x)
    assert_equal_moments(Moments.empty(4).merged([first, second, third]), x)
    assert first.count == 100
    assert torch.equal(first.scatter, before)


def test_what_was_saved_comes_back_to_the_bit():
    moments = Moments.of(normal(50, 6))
    again = Moments.from_tensors(load(save(moments.tensors())))
    assert again.count == 50
    assert torch.equal(again.mean, moments.mean)
    assert torch.equal(again.scatter, moments.scatter)


def test_without_ranks_gathering_changes_nothing():
    moments = Moments.of(normal(5, 2))
    assert moments.gathered() is moments


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_the_feature_that_is_not_finite_is_named(value):
    x = normal(ROWS + 9, 4)
    x[ROWS + 7, 2] = value
    with pytest.raises(ValueError, match=f"feature 2 of example {ROWS + 7} is {value}, which is not finite"):
        Moments.of(x)


def test_values_whose_squares_overflow_are_refused():
    with pytest.raises(ValueError, match="too large for float64"):
        Moments.of(torch.tensor([[1e200, 0.0]], dtype=torch.float64))


@pytest.mark.parametrize("shape", [(3,), (3, 5), (3, 4, 1)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="must have the shape"):
        Moments.empty(4).add(torch.zeros(shape))


def test_one_example_has_no_covariance():
    with pytest.raises(ValueError, match="at least 2 examples, not 1"):
        _ = Moments.of(torch.zeros(1, 3)).covariance


def test_what_is_no_moments_is_refused():
    tensors = Moments.of(normal(5, 3)).tensors()
    with pytest.raises(ValueError, match="lack mean"):
        Moments.from_tensors({name: value for name, value in tensors.items() if name != "mean"})
    with pytest.raises(ValueError, match="a mean"):
        Moments.from_tensors(tensors | {"mean": torch.zeros(4, dtype=torch.float64)})
    with pytest.raises(ValueError, match="float64"):
        Moments.from_tensors(tensors | {"mean": torch.zeros(3)})
    with pytest.raises(ValueError, match="not finite"):
        Moments.from_tensors(tensors | {"mean": torch.full((3,), float("nan"), dtype=torch.float64)})
    with pytest.raises(ValueError, match="can't be merged"):
        Moments.empty(3).merged([Moments.of(torch.zeros(2, 2))])


def gather_on(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
    )
    part = normal(500, 4).tensor_split([137])[rank]
    moments = Moments.of(part)
    found = moments.gathered()
    assert moments.count == len(part)
    save_file(found.tensors(), f"{folder}/{rank}.safetensors")
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(os.name == "nt", reason="there is no fork")
def test_two_processes_have_what_one_has(tmp_path):
    # forked, because importing torch twice takes longer than all the other tests here
    multiprocessing.start_processes(gather_on, (str(tmp_path),), nprocs=2, start_method="fork")
    found = [Moments.from_tensors(load_file(tmp_path / f"{rank}.safetensors")) for rank in range(2)]
    assert_equal_moments(found[0], normal(500, 4))
    assert torch.equal(found[0].scatter, found[1].scatter)
    assert torch.equal(found[0].mean, found[1].mean)
