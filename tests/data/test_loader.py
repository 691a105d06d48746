"""The loader: no replacement, exact resuming, disjoint shares, exact ranges."""

import itertools
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evenodds.algorithm import Batch
from evenodds.data.dataset import Split
from evenodds.data.loader import Loader, to_range
from evenodds.errors import ConfigError, DataError, RunError


def numbered(count: int) -> Split:
    """Vectors and labels that are their own index."""
    return Split(np.arange(count, dtype=np.float32)[:, None], np.arange(count))


def make(count=23, batch_size=5, **options) -> Loader:
    return Loader(numbered(count), batch_size, **{"seed": 0, "value_range": None, **options})


def take(loader: Loader, count: int) -> list[list[int]]:
    return [batch.y.tolist() for batch in itertools.islice(loader, count)]


@given(count=st.integers(1, 60), batch=st.integers(1, 60), seed=st.integers(0, 2**40))
@settings(max_examples=100, deadline=None)
def test_no_example_comes_twice_in_a_pass(count, batch, seed):
    batch = min(batch, count)
    loader = make(count, batch, seed=seed)
    for _ in range(3):
        drawn = list(itertools.chain(*take(loader, count // batch)))
        assert len(set(drawn)) == len(drawn) == count - count % batch
        assert set(drawn) <= set(range(count))


@given(position=st.integers(0, 500), count=st.integers(5, 40), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_resuming_is_exact(position, count, seed):
    whole = make(count, seed=seed)
    expected = take(whole, position + 12)[position:]
    assert whole.position == position + 12
    resumed = make(count, seed=seed)
    resumed.position = position
    assert take(resumed, 12) == expected


def test_going_back_and_far_ahead():
    loader = make()
    first = take(loader, 9)
    loader.position = 0
    assert take(loader, 9) == first
    loader.position = 10**12  # no replay, so this takes no time
    started = time.perf_counter()
    next(loader)
    assert time.perf_counter() - started < 1


@given(world_size=st.integers(1, 5), share=st.integers(1, 4), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_ranks_divide_each_batch(world_size, share, seed):
    batch = world_size * share
    whole = take(make(50, batch, seed=seed), 12)
    ranks = [
        take(make(50, batch, seed=seed, rank=rank, world_size=world_size), 12) for rank in range(world_size)
    ]
    for number, expected in enumerate(whole):
        assert list(itertools.chain(*(rank[number] for rank in ranks))) == expected


def test_passes_and_seeds_differ():
    loader = make(1000, 1000)
    passes = take(loader, 3)
    assert len({tuple(order) for order in passes}) == 3
    assert take(make(1000, 1000, seed=1), 1) != passes[:1]
    # Nearby seeds and passes are unrelated: seed 0 of pass 1 is not seed 1 of pass 0.
    assert take(make(1000, 1000, seed=1), 1)[0] != passes[1]


def test_every_order_is_as_likely():
    """3! = 6 orders of 3 examples over 3000 passes: a χ² of 5 degrees of freedom is within [0.2, 25.7]."""
    orders = [tuple(order) for order in take(make(3, 3), 3000)]
    counts = np.array([orders.count(order) for order in itertools.permutations(range(3))])
    statistic = ((counts - 500) ** 2 / 500).sum()
    assert 0.2 < statistic < 25.7


def test_x_and_y_belong_together_and_bytes_are_scaled():
    x = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1).repeat(2, axis=3)
    batch = next(Loader(Split(x, np.arange(256)), 64, seed=3, value_range=[-1, 1]))
    assert isinstance(batch, Batch)
    assert batch.x.shape == (64, 1, 1, 2)
    assert batch.x.dtype == torch.float32
    expected = batch.y.double() / 255 * 2 - 1
    torch.testing.assert_close(batch.x[:, 0, 0, 1].double(), expected, rtol=0, atol=2e-7)


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (-0.5, 0.5), (-2.0, 2.0)])
def test_the_ends_of_the_range_are_exact(value_range):
    found = to_range(torch.tensor([0, 255], dtype=torch.uint8), value_range)
    assert found.tolist() == list(value_range)


def test_none_leaves_values():
    assert to_range(torch.tensor([0, 7, 255], dtype=torch.uint8), None).tolist() == [0, 7, 255]
    x = torch.tensor([0.25, -3.0])
    assert torch.equal(to_range(x, None), x)
    without_labels = Loader(Split(numbered(5).x), 2, seed=0, value_range=None)
    assert next(without_labels).y is None


def test_the_data_are_not_changed():
    x = np.full((10, 1, 2, 2), 200, np.uint8)
    x.flags.writeable = False
    loader = Loader(Split(x), 10, seed=0, value_range=(-1, 1))
    next(loader).x.zero_()
    assert next(loader).x.min() > 0.5


@pytest.mark.parametrize(
    "kind, count, options, words",
    [
        (DataError, 0, {}, "no examples"),
        (
            DataError,
            4,
            {},
            "batch of 5 can't be drawn from a split of 4 examples; set batch_size to at most 4",
        ),
        (ConfigError, 9, {"batch_size": 0}, "batch_size=0"),
        (ConfigError, 9, {"world_size": 2}, "batch of 5 can't be divided among 2 processes"),
        (ConfigError, 9, {"rank": 1}, "rank 1 does not exist"),
        (ConfigError, 9, {"seed": -1}, "seed=-1 is negative"),
        (ConfigError, 9, {"value_range": (1, 0)}, "not a pair"),
    ],
)
def test_refuses(kind, count, options, words):
    with pytest.raises(kind, match=words):
        make(count, **options)


@pytest.mark.parametrize("position", [-1, 1.5, "3", True])
def test_refuses_positions(position):
    loader = make()
    with pytest.raises(RunError, match="position"):
        loader.position = position
