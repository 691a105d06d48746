"""When more training is not expected to help: on curves whose answer is known."""

from __future__ import annotations

import random

from evenodds.referee.stopping import enough


def lines(count, gauge, quality=None, *, noise=0.005, seed=0, **others):
    """Reports whose gauge and energy distance are functions of the share of training done, plus noise."""
    rng = random.Random(seed)
    quality = quality or gauge
    return [
        {
            "examples": 100 * n,
            "gauge/jsd": gauge(n / count) + rng.gauss(0, noise),
            "signal/energy": quality(n / count) + rng.gauss(0, noise),
        }
        | {name: of(n / count) for name, of in others.items()}
        for n in range(1, count + 1)
    ]


def settled(share):
    return 0.1 + 0.5 * max(0.0, 1 - 4 * share)  # falls for a quarter, then stands still


def falling(share):
    return 0.6 - 0.5 * share


def test_a_game_that_has_settled_is_enough():
    assert sum(enough(lines(80, settled, seed=seed)) is not None for seed in range(100)) >= 75


def test_a_falling_gauge_or_metric_is_not():
    for seed in range(100):
        assert enough(lines(80, falling, seed=seed)) is None
        assert enough(lines(80, settled, falling, seed=seed)) is None
        assert enough(lines(80, falling, settled, seed=seed)) is None


def test_noise_that_hides_everything_is_not_enough():
    assert all(enough(lines(80, falling, noise=0.5, seed=seed)) is None for seed in range(100))


def test_too_few_reports():
    assert enough(lines(39, settled)) is None
    assert enough([]) is None
    assert enough([{"examples": 100 * n} for n in range(100)]) is None


def test_a_learning_rate_that_still_falls_is_a_reason_to_go_on():
    flat = lines(80, settled, **{"learning_rate/generator": lambda share: 1e-3})
    cosine = lines(80, settled, **{"learning_rate/generator": lambda share: 1e-3 * (1.01 - share)})
    over = lines(80, settled, **{"learning_rate/generator": lambda share: 1e-3 if share < 0.4 else 1e-5})
    assert enough(flat)
    assert enough(cosine) is None
    assert enough(over)


def test_the_metric_of_the_run_decides_where_it_was_measured_often_enough():
    rising = lines(80, settled, **{"metric/parzen10k": lambda share: 100 * share})
    assert enough(rising) is not None
    assert enough(rising, ["parzen10k"]) is None
    for line in rising[::2]:  # too few left in each quarter
        del line["metric/parzen10k"]
    few = [
        line if n % 3 else {k: v for k, v in line.items() if "parzen" not in k}
        for n, line in enumerate(rising)
    ]
    assert enough(few, ["parzen10k"]) is not None


def test_the_reason_names_both_and_how_they_moved():
    said = enough(lines(80, settled))
    assert said is not None
    assert "JSD is at least" in said
    assert "energy distance" in said
    assert "2,000 examples" in said
    assert "0.1" in said
