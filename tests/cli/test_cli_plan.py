"""The plan: its rule without any measuring, and `evenodds train PATH --minutes` with rates made up."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from evenodds.config import config_from, load_config
from evenodds.data.advice import Advice
from evenodds.planning import measuring
from evenodds.planning.candidates import (
    CANDIDATES,
    Cadence,
    Variant,
    augmentation,
    candidate_for,
    half_life,
    intervals,
    passes,
    settings,
    stretched,
    times,
    variants,
)
from evenodds.planning.choice import Budget, Costs, chosen, next_to_measure
from evenodds.planning.expectations import SEEN, expected
from evenodds.schedules import SCHEDULES

DCGAN = next(row for row in CANDIDATES if row.name == "dcgan")
ORDER = variants(DCGAN, (64, 64), resizable=True)


def advice(size=(64, 64), *, examples=3_000, augment="strong", mirror=False) -> Advice:
    return Advice(
        examples, size, 3 if size else 0, "crop", False, "why", mirror, "why", augment, "why", "few"
    )


# ---- the rule


def plan_with(rates: dict[Variant, float], budget: Budget) -> tuple[Variant, list[Variant]]:
    """What is chosen, and what was measured for it, where `rates` are what measuring would give."""
    known: dict[Variant, float] = {}
    while (variant := next_to_measure(DCGAN, ORDER, known, budget)) is not None:
        assert variant not in known
        known[variant] = rates[variant]
    return chosen(DCGAN, ORDER, known, budget), list(known)


def speeds(at_64: float) -> dict[Variant, float]:
    """Half the side is four times as fast, double the width a third."""
    widths = {32: 1.0, 64: 1 / 3, 128: 1 / 9}
    return {v: at_64 * (64 / v.side) ** 2 * widths[v.channels] for v in ORDER}


@pytest.mark.parametrize(
    "rate, minutes, expected_choice",
    [
        (130, 20, Variant(64, 64, 32)),  # 148,000 examples: enough for width 32, too few for 64
        (130, 2, Variant(32, 32, 32)),  # 14,800 at 64 pixels, 59,000 at 32
        (130, 0.2, Variant(16, 16, 32)),  # nothing is enough: the smallest
        (130, 600, Variant(64, 64, 64)),
        (3_000, 600, Variant(64, 64, 128)),
        (8, 60, Variant(32, 32, 32)),
    ],
)
def test_the_largest_images_and_then_the_widest_networks_that_time_allows(rate, minutes, expected_choice):
    choice, measured = plan_with(speeds(rate), Budget(minutes=minutes))
    assert choice == expected_choice
    assert measured[0] == Variant(64, 64, 32)
    assert len(measured) <= 5


def test_a_given_number_of_examples_is_measured_once():
    choice, measured = plan_with(speeds(100), Budget(examples=50_000))
    assert measured == [choice] == [Variant(64, 64, 32)]


@pytest.mark.parametrize("minutes", [1, 10, 100])
def test_more_speed_never_chooses_less(minutes):
    ranks = [
        ORDER.index(plan_with(speeds(rate), Budget(minutes=minutes))[0])
        for rate in (1, 5, 20, 100, 500, 2_000, 10_000)
    ]
    assert ranks == sorted(ranks)
    assert ranks[0] < ranks[-1]


def test_the_examples_fill_the_time_but_a_reserve():
    budget, costs = Budget(minutes=10), Costs(report=1.0, picture=2.0, checkpoint=1.0)
    cadence = costs.cadence(600)
    assert cadence == Cadence(30, 9, 10)
    assert costs.of(cadence) == 30 + 18 + 10
    examples = budget.examples_at(100, costs.of(cadence), batch=32)
    assert examples % 32 == 0
    assert 0.94 * 600 < examples / 100 + costs.of(cadence) <= 0.95 * 600


def test_slow_pictures_are_fewer_but_never_none():
    assert Costs(60, 60, 60).cadence(60) == Cadence(10, 4, 2)
    assert Costs().cadence(60) == Cadence(50, 25, 10)


@pytest.mark.parametrize(
    "size, name", [((64, 64), "dcgan"), ((16, 40), "dcgan"), ((8, 8), "mlp"), (None, "points")]
)
def test_every_kind_of_data_has_a_candidate(size, name):
    assert candidate_for(advice(size), "cpu").name == name
    assert name in SEEN


def test_variants_go_down_to_sixteen_pixels():
    assert {(v.height, v.width) for v in ORDER} == {(64, 64), (32, 32), (16, 16)}
    assert [v.channels for v in ORDER[:3]] == [32, 64, 128]
    assert variants(DCGAN, (48, 64), resizable=False)[0] == Variant(48, 64, 32)


# ---- the configuration


@pytest.mark.parametrize("examples", [5_000, 240_000, 10**7])
@pytest.mark.parametrize("size, side", [((64, 64), 64), ((32, 32), 32), ((8, 8), 8), (None, 1)])
def test_what_is_planned_is_a_configuration(size, side, examples):
    known = advice(size)
    row = candidate_for(known, "cpu")
    variant = Variant(side, side, row.widths[0])
    data = {"name": "images", "path": "x"} if size else {"name": "ring"}
    values = settings(
        row, variant, data, known, examples=examples, cadence=Cadence(), floats=not size, resizable=bool(size)
    )
    config = config_from(values)
    assert config.examples == examples
    assert config.report_every % config.batch_size == 0
    for schedule in schedules_in({**values, "ema_half_life": 0}):
        assert schedule.get("until", 0) <= 1.01 * examples + 1


def schedules_in(value):
    if isinstance(value, dict):
        if value.get("name") in SCHEDULES:
            yield value
        for item in value.values():
            yield from schedules_in(item)


def test_durations_are_stretched_and_nothing_else():
    before = {"rate": {"name": "linear", "start": 3.0, "end": 1.0, "begin": 0, "until": 100}, "until": 100}
    after = {"rate": {"name": "linear", "start": 3.0, "end": 1.0, "begin": 0, "until": 250}, "until": 100}
    assert stretched(before, 2.5) == after


def test_penalties_follow_the_pixels():
    schedule = {"name": "cosine", "start": 1.0, "end": 0.2, "until": 9}
    assert times(schedule, 0.25) == {"name": "cosine", "start": 0.25, "end": 0.05, "until": 9}
    assert times(2.0, 0.25) == 0.5


def test_the_average_and_the_reports_follow_the_length():
    assert half_life(240_000) == {"name": "linear", "start": 0.0, "end": 4_000, "until": 80_000}
    assert intervals(320_000, 32, Cadence(50, 25, 10)) == {
        "report_every": 6_400,
        "samples_every": 12_800,
        "checkpoint_every": 32_000,
    }


def test_few_images_seen_often_are_augmented():
    few = advice(examples=1_000)
    assert augmentation(few, 30_000) is None
    assert augmentation(few, 100_000) == {"name": "ada", "ramp": 50_000}
    assert passes(advice(examples=1_000, mirror=True), 100_000) == 50
    assert augmentation(advice(examples=1_000, augment="none"), 10**9) is None


def test_more_examples_promise_no_less():
    for name, rows in SEEN.items():
        counts = [least for least, _ in rows]
        assert counts[0] == 0
        assert counts == sorted(set(counts))
        assert expected(name, 10**9, 64).startswith(rows[-1][1])
    assert expected("dcgan", 40_000, 64) != expected("dcgan", 39_999, 64)
    assert expected("dcgan", 20_000, 32) == expected("dcgan", 40_000, 64)


# ---- the command


@pytest.fixture
def rates(monkeypatch):
    """10,000 examples a second of anything, and a report in no time."""
    asked = []

    def rate(config, dataset, device, *, seconds=3.0):
        asked.append(config)
        return 10_000.0

    monkeypatch.setattr(measuring, "rate", rate)
    monkeypatch.setattr(measuring, "costs", lambda config, dataset, step: Costs())
    return asked


def test_a_dry_run_prints_a_plan_that_can_be_trained(rates, cli, tmp_path):
    result = cli("train", "digits", "--minutes", "0.5", "--dry-run")
    assert result.code == 0
    assert not (tmp_path / "runs").exists()
    for word in ("networks", "length", "time: about", "expect: ", "10,000 a second"):
        assert word in result.out
    (tmp_path / "planned.yaml").write_text(result.out, encoding="utf-8")
    config = load_config(tmp_path / "planned.yaml")
    assert config.recipe == "planned-mlp"
    assert config.examples == pytest.approx(0.95 * 30 * 10_000, abs=config.batch_size)
    assert config.conditional
    again = cli("train", "planned.yaml", "--dry-run")
    assert yaml.safe_load(again.out) == yaml.safe_load(result.out)


def test_what_the_user_says_overrules_the_plan(rates, cli):
    words = ["--set", "conditional=false", "--threads", "2", "--set", "batch_size=16"]
    result = cli("train", "digits", "--minutes", "1", "--dry-run", *words)
    config = config_from(yaml.safe_load(result.out))
    assert (config.conditional, config.threads, config.batch_size) == (False, 2, 16)
    marked = [line for line in result.out.splitlines() if "as you said" in line]
    assert [line.split()[1] for line in marked] == ["batch", "labels", "machine"]
    assert all(asked.batch_size == 16 for asked in rates)  # the speed is that of what is wanted


def test_examples_in_place_of_minutes(rates, cli):
    result = cli("train", "digits", "--examples", "6400", "--dry-run")
    assert config_from(yaml.safe_load(result.out)).examples == 6_400


def test_a_recipe_keeps_its_networks(rates, cli):
    result = cli("train", "gan-digits", "--data", "digits", "--minutes", "1", "--dry-run")
    config = config_from(yaml.safe_load(result.out))
    assert config.recipe == "gan-digits"
    assert config.generator.network["widths"] == [256, 256]
    assert config.examples == pytest.approx(0.95 * 60 * 10_000, abs=config.batch_size)


def test_points_and_images_of_any_kind(rates, cli, tmp_path):
    random = np.random.default_rng(0)
    np.save(tmp_path / "points.npy", random.standard_normal((900, 3), np.float32), allow_pickle=False)
    np.save(
        tmp_path / "pictures.npy", random.integers(0, 256, (900, 3, 16, 20), np.uint8), allow_pickle=False
    )
    points = cli("train", "points.npy", "--minutes", "1", "--dry-run")
    assert config_from(yaml.safe_load(points.out)).recipe == "planned-points"
    pictures = cli("train", "pictures.npy", "--minutes", "1", "--dry-run")
    assert config_from(yaml.safe_load(pictures.out)).recipe == "planned-dcgan"
    assert "16 × 20 pixels: the size of the data" in pictures.out


@pytest.mark.parametrize(
    "words, said",
    [
        (["no-such.zip", "--minutes", "5"], ["no-such.zip"]),
        (["gan-digits", "--minutes", "5"], ["a plan is for one data set"]),
        (["digits", "--data", "mnist", "--minutes", "5"], ["a plan is for one data set"]),
        (["digits", "--minutes", "0"], ["--minutes 0", "above 0"]),
        (["digits", "--minutes", "nan"], ["--minutes nan"]),
        (["digits", "--minutes", "5", "--examples", "100"], ["--minutes and --examples"]),
        (["digits", "--minutes", "5", "--set", "bach_size=5"], ["bach_size", "batch_size"]),
        (["digits", "--resume"], ["no run to resume"]),
    ],
)
def test_what_can_not_be_planned_is_refused(words, said, rates, refused, tmp_path):
    sentence = refused("train", *words)
    assert all(part in sentence for part in said)
    assert not (tmp_path / "runs").exists()


def test_training_ends_with_the_time(rates, cli, no_drawing, tmp_path):
    """Far too many examples were planned: the time decides, and the run can be resumed."""
    result = cli(
        "train", "digits", "--minutes", "0.01", "--set", "examples=10000000", "--set", "referee=false"
    )
    assert result.code == 0, result
    assert "the time is over, at " in result.out
    assert "--resume" in result.out
    [run] = (tmp_path / "runs").iterdir()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert (run / "generator.safetensors").is_file()
    assert all(line["examples"] < 10_000_000 for line in lines)


def test_measuring_leaves_the_random_numbers_alone():
    import torch

    from evenodds.recipes import recipe

    config = config_from(recipe("gan-digits").model_dump(mode="json") | {"threads": 1, "conditional": False})
    before = torch.get_rng_state()
    speed = measuring.rate(config, measuring.noise((1, 8, 8), 0, 64, floats=False), "cpu", seconds=0.05)
    assert torch.equal(before, torch.get_rng_state())
    assert 0 < speed < 10**7
