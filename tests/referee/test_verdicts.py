"""Each verdict on lines that show its pattern, and not on lines that show a little less; then real runs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evenodds.config import Config, config_from, override
from evenodds.losses import LOSSES
from evenodds.referee.faults_of_discriminator import IDLE_LOSS, by_heart
from evenodds.referee.verdicts import LOOKS_BACK, THRESHOLDS, Game, Verdict, judge
from evenodds.trainer import training

GAME = Game(loss="non_saturating")
SOUND: dict[str, float] = {  # of a run that goes well, far from every threshold
    "loss/discriminator": 1.1,
    "gauge/jsd": 0.2,
    "gauge/jsd/low": 0.1,
    "signal/overfit": 0.0,
    "signal/overfit/error": 0.05,
    "signal/gradient": 0.6,
    "signal/gradient_norm": 1.0,
    "signal/diversity": 0.9,
    "signal/diversity_raw": 0.9,
    "signal/support": 500.0,
    "signal/coverage": 0.95,
    "signal/balance": 0.05,
    "signal/balance_raw": 0.05,
    "signal/energy": 0.05,
    "signal/energy_raw": 0.06,
    "signal/energy_floor": 0.01,
    "signal/drift": 0.3,
    "signal/return": 0.3,
    "signal/memorization": 1.0,
}


def lines(count: int = 12, **changed: float | Sequence[float]) -> list[dict[str, Any]]:
    """Reports of a sound run but for `changed`: one number for all, or one for each of the last reports.

    Names without a slash are signals; `loss__discriminator` stands for loss/discriminator.
    """
    made: list[dict[str, Any]] = [
        {"examples": 1000 * number, "iteration": 100 * number, **SOUND} for number in range(1, count + 1)
    ]
    for name, values in changed.items():
        key = name.replace("__", "/") if "__" in name else f"signal/{name}"
        each = [values] * count if isinstance(values, float | int) else values
        for line, value in zip(made[-len(each) :], each, strict=True):
            line[key] = float(value)
    return made


def kinds(found: Sequence[Verdict], *, trouble: bool | None = None) -> list[str]:
    return [verdict.kind for verdict in found if trouble is None or verdict.trouble is trouble]


def troubles(made: list[dict[str, Any]], game: Game = GAME) -> list[str]:
    return kinds(judge(made, game), trouble=True)


def test_a_sound_run_is_learning_and_nothing_else():
    for count in range(1, 25):
        found = judge(lines(count), GAME)
        assert kinds(found) == ["learning"]
        assert not found[0].trouble
    assert "0.20 of 0.69" in found[0].text


def test_nothing_is_said_of_nothing():
    assert judge([], GAME) == []
    assert kinds(judge([{"examples": 5, "iteration": 500}], GAME)) == ["learning"]


@pytest.mark.parametrize("low, kind", [(0.0, "even"), (0.01, "learning")])
def test_even_odds_need_a_gauge_at_zero_and_samples_where_the_data_are(low, kind):
    assert kinds(judge(lines(gauge__jsd__low=low, energy=0.012), GAME)) == [kind]
    assert kinds(judge(lines(gauge__jsd__low=low, energy=0.02), GAME)) == ["learning"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_said_at_once(bad):
    made = lines(1, loss__generator=bad)
    found = judge(made, GAME)
    assert kinds(found) == ["non_finite"]
    assert "loss/generator" in found[0].text
    event = {"examples": 9, "event": [{"kind": "non_finite", "text": "loss/generator became nan"}]}
    assert kinds(judge([*lines(3), event], GAME)) == ["non_finite"]


def test_collapse_is_a_fall():
    fallen = [0.9, 0.2, 0.2, 0.2]
    assert troubles(lines(diversity_raw=fallen)) == ["collapse"]
    assert troubles(lines(diversity_raw=fallen[:-1])) == []  # twice is not often
    above = [0.9, 0.36, 0.36, 0.36]
    assert troubles(lines(diversity_raw=above)) == []
    # 0.3 was never more than 0.5: no fall, and too early to say that it stays
    assert troubles(lines(6, diversity_raw=[0.5, 0.5, 0.5, 0.3, 0.3, 0.3])) == []


def test_a_generator_that_never_spread_has_collapsed_once_it_is_late():
    assert troubles(lines(7, diversity_raw=0.1)) == []
    assert troubles(lines(8, diversity_raw=0.1)) == ["collapse"]
    rising = [0.1, 0.1, 0.11, 0.11, 0.11, 0.12, 0.12, 0.12]
    assert troubles(lines(8, diversity_raw=rising)) == []


def test_partial_collapse_is_a_loss_of_balance():
    lost = {"balance": [0.3, 0.3, 0.3], "balance_raw": [0.3, 0.3, 0.3]}
    assert troubles(lines(**lost)) == ["partial_collapse"]
    less = {"balance": [0.24, 0.24, 0.24], "balance_raw": [0.24, 0.24, 0.24]}
    assert troubles(lines(**less)) == []
    slow = [0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.35, 0.35, 0.35, 0.35]  # 0.05 above the best
    assert troubles(lines(balance=slow, balance_raw=slow)) == []


def test_a_part_that_was_never_reached_is_missed_once_it_is_late():
    assert troubles(lines(15, balance=0.5, balance_raw=0.5)) == []
    assert troubles(lines(16, balance=0.5, balance_raw=0.5)) == ["partial_collapse"]
    assert troubles(lines(16, balance=0.39, balance_raw=0.39)) == []


@pytest.mark.parametrize("loss", LOSSES)
def test_an_idle_discriminator_is_lazy_while_samples_are_far_away(loss):
    game, coin = Game(loss=loss), IDLE_LOSS[loss]
    idle = lines(5, loss__discriminator=coin, energy_raw=0.5)
    assert troubles(idle, game) == ["lazy_discriminator"]
    assert troubles(lines(5, loss__discriminator=coin, energy_raw=0.1), game) == []
    assert troubles(lines(5, loss__discriminator=coin - 0.05 * max(coin, 1), energy_raw=0.5), game) == []
    nearing = [0.9, 0.7, 0.5, 0.4, 0.3]
    assert troubles(lines(5, loss__discriminator=coin, energy_raw=nearing), game) == []


def test_the_loss_of_an_idle_discriminator_is_that_of_the_loss_function():
    """The least loss of a constant score, found by trying them."""
    import torch

    scores = torch.linspace(-3, 3, 601, dtype=torch.float64)
    for name, loss in LOSSES.items():
        assert float(loss.discriminator(scores, scores).min()) == pytest.approx(IDLE_LOSS[name], abs=1e-9)


def test_a_scaled_loss_is_compared_with_a_scaled_coin():
    idle = lines(5, loss__discriminator=math.log(2), energy_raw=0.5)
    assert troubles(idle, Game(loss="non_saturating", scale=0.5)) == ["lazy_discriminator"]
    assert troubles(idle, Game(loss="non_saturating")) == []


def test_a_discriminator_that_leaves_nothing_to_learn_is_too_strong():
    won = {"gauge__jsd": 0.68, "energy_raw": 0.5}
    assert troubles(lines(4, **won)) == ["strong_discriminator"]
    assert troubles(lines(4, **won, loss__discriminator=1.5)) == ["lazy_discriminator"]
    assert troubles(lines(4, gauge__jsd=0.6, energy_raw=0.5)) == []
    assert troubles(lines(4, gauge__jsd=0.68, energy_raw=[0.9, 0.7, 0.5, 0.4])) == []
    assert troubles(lines(2, **won)) == []


def test_a_flat_loss_of_g_is_named_where_the_game_is_minimax():
    flat = lines(4, gauge__jsd=0.6, energy_raw=0.5, gradient=0.01)
    found = judge(flat, Game(loss="minimax"))
    assert kinds(found) == ["strong_discriminator"]
    assert "loss=non_saturating" in found[0].advice
    assert troubles(lines(4, gauge__jsd=0.4, energy_raw=0.5, gradient=0.01)) == []


def test_overfitting_must_stand_out_of_its_error():
    assert troubles(lines(overfit=0.25)) == ["overfitting"]  # ± 0.05 / √6, twice
    assert troubles(lines(overfit=0.25, overfit__error=0.05)) == ["overfitting"]
    noisy = lines()
    for line in noisy:
        line |= {"signal/overfit": 0.25, "signal/overfit/error": 0.2}
    assert troubles(noisy) == []
    assert troubles(lines(overfit=0.18)) == []


def test_overfitting_is_no_trouble_while_samples_lie_where_the_data_do():
    (found,) = (one for one in judge(lines(overfit=0.5, energy=0.009), GAME) if one.kind == "overfitting")
    assert not found.trouble


def test_overfitting_is_pooled_by_the_inverse_of_the_variance():
    made = lines(6)
    for line in made[:3]:
        del line["signal/overfit"]
    assert by_heart(made[1:]) == pytest.approx((math.nan, math.nan), nan_ok=True)
    for line, ratio, error in zip(made[3:], (0.1, 0.4, 0.7), (0.1, 0.2, 0.1), strict=True):
        line |= {"signal/overfit": ratio, "signal/overfit/error": error}
    pooled, error = by_heart(made)
    assert pooled == pytest.approx((0.1 * 100 + 0.4 * 25 + 0.7 * 100) / 225)
    assert error == pytest.approx(225**-0.5)


def test_memorization_is_taken_from_the_report_that_looked_for_it():
    made = lines()
    for line in made[:-3]:
        del line["signal/memorization"]
    made[-3]["signal/memorization"] = 6.0
    for line in made[-2:]:
        del line["signal/memorization"]
    assert troubles(made) == ["memorization"]
    made[-3]["signal/memorization"] = 4.9
    assert troubles(made) == []


def test_oscillation_comes_back_and_gets_no_nearer():
    swinging = {"energy": 0.5, "energy_raw": 0.5, "drift": 0.8, "return": 0.3}
    assert troubles(lines(8, **swinging)) == ["oscillation"]
    assert troubles(lines(7, **swinging)) == []
    assert troubles(lines(8, **swinging | {"drift": 0.2})) == []
    assert troubles(lines(8, **swinging | {"return": 0.05})) == []  # straight on
    nearing = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    assert troubles(lines(8, **swinging | {"energy": nearing, "energy_raw": nearing})) == []
    assert troubles(lines(8, **swinging | {"energy": 0.1})) == []
    assert troubles(lines(8, **swinging | {"energy_raw": 0.1})) == []


def test_a_dead_generator_stands_still_or_says_one_thing():
    assert troubles(lines(4, drift=0.0, energy_raw=0.5)) == ["dead_generator"]
    assert troubles(lines(4, drift=1e-5, energy_raw=0.5)) == []
    assert troubles(lines(4, drift=0.0)) == []  # it has arrived
    assert "dead_generator" in troubles(lines(4, diversity_raw=0.0, energy_raw=0.5))


def test_causes_hide_what_follows_of_them():
    """A G that never moved has never spread, and D tells its samples apart."""
    dead = lines(12, drift=0.0, energy_raw=0.9, diversity_raw=0.1, gauge__jsd=0.69, balance=0.8)
    assert troubles(dead) == ["dead_generator", "strong_discriminator"]


@pytest.mark.parametrize(
    "kind, changed, less",
    [
        ("ema_slow", {"energy": 0.2}, {"energy": 0.1}),
        (
            "ema_fast",
            {"energy": 0.1, "energy_raw": [0.02, 0.3, 0.02, 0.3, 0.02, 0.3, 0.3, 0.02]},
            {"energy": 0.1, "energy_raw": [0.12, 0.18, 0.12, 0.18, 0.12, 0.18, 0.18, 0.12]},
        ),
        ("batch_norm", {"batch_norm": 0.04}, {"batch_norm": 0.02}),
    ],
)
def test_what_is_no_trouble_is_said_beside_how_the_game_stands(kind, changed, less):
    assert kinds(judge(lines(8, **changed), GAME)) == ["learning", kind]
    assert kinds(judge(lines(8, **less), GAME)) == ["learning"]


def test_a_run_of_few_iterations_is_not_judged_yet():
    young = lines(4, drift=0.0, energy_raw=0.5)
    for line in young:
        line["iteration"] = int(THRESHOLDS["young"]) - 1
    assert troubles(young) == []


def test_a_report_is_judged_by_the_recent_ones():
    """Trouble that has passed is no longer named."""
    made = lines(12, drift=[0.0] * 4 + [0.3] * LOOKS_BACK, energy_raw=0.5)
    assert "dead_generator" in troubles(made[:-LOOKS_BACK])
    assert "dead_generator" not in troubles(made)


def test_missing_signals_raise_nothing():
    bare = [{"examples": n, "iteration": 100 * n, "value/train": -1.0, "metrics": "x"} for n in range(1, 20)]
    assert kinds(judge(bare, GAME)) == ["learning"]
    assert kinds(judge(lines(12), Game(loss="mine"))) == ["learning"]


def test_every_trouble_comes_with_words_and_a_setting_to_change():
    """The advice names settings that there are."""
    seen: dict[str, Verdict] = {}
    for made in (
        lines(1, loss__generator=math.nan),
        lines(diversity_raw=[0.9, 0.2, 0.2, 0.2]),
        lines(8, diversity_raw=0.1),
        lines(balance=[0.5] * 3, balance_raw=[0.5] * 3),
        lines(5, loss__discriminator=1.4, energy_raw=0.5),
        lines(4, gauge__jsd=0.69, energy_raw=0.5),
        lines(overfit=0.5),
        lines(memorization=9.0),
        lines(8, energy=0.5, energy_raw=0.5, drift=0.8),
        lines(4, drift=0.0, energy_raw=0.5),
    ):
        seen |= {verdict.kind: verdict for verdict in judge(made, GAME) if verdict.trouble}
    assert set(seen) == {
        "non_finite", "collapse", "partial_collapse", "lazy_discriminator", "strong_discriminator",
        "overfitting", "memorization", "oscillation", "dead_generator",
    }  # fmt: skip
    for verdict in seen.values():
        assert verdict.text.endswith(".")
        assert verdict.advice.endswith(".")
        assert "nan" not in verdict.text.replace("non", "")
        for assignment in re.findall(r"[a-z_][a-z_0-9.]*=[a-z_0-9]+", verdict.advice):
            if assignment.startswith("beta1"):
                assignment = f"generator.optimizer.{assignment}"
            small(assignment)  # raises for a setting that there isn't
        for name in re.findall(r"[a-z_0-9]+(?:\.[a-z_0-9]+)+", verdict.advice):
            assert name.split(".")[0] in Config.model_fields


def small(*assignments: str) -> Any:
    """A ring and a small game that begins to learn it: a hundred iterations."""
    network = {"name": "mlp", "widths": [32, 32]}
    adam = {"name": "adam", "learning_rate": 1e-3, "beta1": 0.0, "beta2": 0.99}
    values = {
        "data": {"name": "ring", "std": 0.05},
        "generator": {"network": network, "optimizer": adam},
        "discriminator": {"network": network, "optimizer": adam},
        "prior": {"name": "normal", "dim": 4},
        "loss": "non_saturating",
        "penalties": {"r1": {"weight": 0.1}},
        "batch_size": 64,
        "examples": 5 * 1_280,
        "report_every": 1_280,
        "held_out": 200,
        "samples_every": "never",
        "checkpoint_every": "never",
        "sample_count": 4,
        "device": "cpu",
        "threads": 1,
        "referee": True,
    }
    return config_from(override(values, assignments))


def said(config: Any, directory: Path) -> list[list[str]]:
    """Kinds of verdicts of every report."""
    reports = [progress.report for progress in training(config, directory) if progress.report is not None]
    return [report["verdicts"] for report in reports]


@pytest.mark.parametrize(
    "setting, kind",
    [
        ("discriminator.optimizer.learning_rate=1e-8", "lazy_discriminator"),
        ("generator.optimizer.learning_rate=0", "dead_generator"),
        ("recipe=sound", None),
    ],
)
def test_runs_that_fail_are_told_from_one_that_does_not(setting, kind, tmp_path):
    found = said(small(setting), tmp_path)
    assert len(found) == 5
    if kind is None:
        assert all(report in (["learning"], ["even"]) for report in found)
    else:
        assert kind in found[-1]
        assert kind not in found[1]


@pytest.mark.parametrize(
    "game, offered, refused",
    [
        (Game(loss="hinge"), {"packing=2", "loss=relativistic"}, set()),
        (Game(loss="hinge", conditional=True), {"loss=relativistic"}, {"packing=2"}),
        (Game(loss="relativistic", conditional=True), set(), {"packing=2", "loss=relativistic"}),
    ],
)
def test_only_what_the_run_does_not_have_is_advised(game, offered, refused):
    (found,) = judge(lines(8, diversity_raw=0.1), game)
    assert all(setting in found.advice for setting in offered | {"penalties.r1.weight"})
    assert not any(setting in found.advice for setting in refused)
