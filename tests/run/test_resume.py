"""n + m iterations equal n, a stop, and m: every weight, moment, random state, line and pixel, bit by bit."""

from __future__ import annotations

import contextlib

import pytest
import torch
from tiny_runs import (
    BATCH,
    DIGITS,
    RING,
    assert_same_run,
    checkpoints,
    last_state,
    metrics,
    tiny,
    train,
)

from evenodds.trainer import training

SGD = "{name: sgd, learning_rate: {name: exponential, start: 0.1, factor: 0.9, per: 8, minimum: 0.01}, \
momentum: {name: linear, start: 0.5, end: 0.7, begin: 8, until: 80, per: 16}}"
VARIANTS = {
    "alternating": [],
    "simultaneous": ["simultaneous=true"],
    "batch norm": ["generator.network.batch_norm=true"],
    "two critic steps": ["critic_steps=2", f"examples={24 * BATCH}"],
    "penalties": ["penalties={r1: {weight: 0.1, every: 4}, r2: {}}"],
    "a penalty that fades": [
        "penalties.r1.weight={name: linear, start: 1, end: 0, until: 80}",
        "discriminator.network.dropout=0",
    ],
    "gradient penalty": ["loss=wasserstein", "penalties.wgan_gp={}", "discriminator.network.dropout=0"],
    "weight clip": ["loss=wasserstein", "penalties.weight_clip={}", "generator.optimizer=rmsprop"],
    "ema": ["ema_half_life=50"],
    "ema of batch norm": ["ema_half_life=50", "generator.network.batch_norm=true"],
    "micro-batches": ["micro_batch=4"],
    "sgd with schedules": [
        f"generator.optimizer={SGD}",
        f"discriminator.optimizer={SGD}",
        "simultaneous=true",
    ],
    "paired loss": ["loss=relativistic"],
    "packing": ["packing=2"],
    "points of a ring": ["data=ring", "generator.network.output=linear", f"samples_every={3 * BATCH}"],
    "conditional": ["conditional=true"],
    "bfloat16": ["precision=bfloat16"],
    "bfloat16, simultaneous": ["precision=bfloat16", "simultaneous=true"],
}


@pytest.mark.parametrize("assignments", VARIANTS.values(), ids=VARIANTS)
def test_resuming_changes_nothing(assignments, tmp_path):
    config = tiny(*assignments)
    assert train(config, tmp_path / "whole") == 12
    assert train(config, tmp_path / "parts", 7) == 7
    torch.manual_seed(999)  # another program's random numbers must not matter
    assert train(config, tmp_path / "parts") == 5
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_what_is_compared_is_all_there_is(tmp_path):
    train(tiny("ema_half_life=50"), tmp_path)
    tensors, facts = last_state(tmp_path)
    kinds = {name.partition("/")[0] for name in tensors}
    players = {"generator", "discriminator", "ema"}
    assert kinds == {*players, "generator_optimizer", "discriminator_optimizer", "random", "referee"}
    moments = {name.rpartition("/")[2] for name in tensors if name.startswith("generator_optimizer/")}
    assert moments == {"step", "exp_avg", "exp_avg_sq"}
    assert facts["iteration"] == facts["position"] == 12
    assert not torch.equal(tensors["generator/last.weight"], tensors["ema/last.weight"])


@pytest.mark.parametrize("stops", [(1,), (4,), (6,), (11,), (1, 1, 1, 1), (3, 4, 2)])
def test_wherever_the_loop_is_left(stops, tmp_path):
    """Before a report, at one, at a checkpoint, before the end, and often."""
    config = tiny()
    train(config, tmp_path / "whole")
    for iterations in stops:
        assert train(config, tmp_path / "parts", iterations) == iterations
    assert train(config, tmp_path / "parts") == 12 - sum(stops)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_leaving_saves_what_was_trained(tmp_path):
    train(tiny("checkpoint_every=never", "report_every=8"), tmp_path, 5)
    assert [path.stem for path in checkpoints(tmp_path)] == [f"{5 * BATCH:010d}"]
    assert [line["examples"] for line in metrics(tmp_path)] == [8, 16, 24, 32, 40]


def test_an_exception_in_the_callers_loop_saves_too(tmp_path):
    def caller() -> None:
        with contextlib.closing(training(tiny(), tmp_path)) as steps:
            for progress in steps:
                if progress.examples == 3 * BATCH:
                    raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        caller()
    assert int(checkpoints(tmp_path)[-1].stem) == 3 * BATCH


def test_a_longer_run_goes_on_where_the_shorter_one_ended(tmp_path):
    every = f"samples_every={6 * BATCH}"
    train(tiny(every, f"examples={6 * BATCH}"), tmp_path / "parts")
    train(tiny(every), tmp_path / "parts")
    train(tiny(every), tmp_path / "whole")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_finished_run_is_left_as_it_is(tmp_path):
    train(tiny(), tmp_path)
    before = (tmp_path / "generator.safetensors").read_bytes(), metrics(tmp_path), last_state(tmp_path)[1]
    assert train(tiny(), tmp_path) == 0
    assert (
        (tmp_path / "generator.safetensors").read_bytes(),
        metrics(tmp_path),
        last_state(tmp_path)[1],
    ) == before


def test_measured_metrics_and_the_best_survive(tmp_path):
    assignments = ["metrics=[modes100]", f"metrics_every={2 * BATCH}"]
    config = tiny(*assignments, base=RING)
    train(config, tmp_path / "whole")
    train(config, tmp_path / "parts", 5)
    train(config, tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    for name in ("generator-best.safetensors", "checkpoints/best.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    assert last_state(tmp_path / "parts")[1]["best"]["metric"] == "modes100"


def test_old_checkpoints_are_pruned_but_those_to_keep(tmp_path):
    train(tiny(f"checkpoint_every={BATCH}", f"keep_every={4 * BATCH}", base=DIGITS), tmp_path)
    assert [int(path.stem) // BATCH for path in checkpoints(tmp_path)] == [4, 8, 11, 12]


def test_where_checkpoints_miss_the_multiples_the_first_after_each_is_kept(tmp_path):
    train(tiny(f"checkpoint_every={2 * BATCH}", f"keep_every={3 * BATCH}", base=DIGITS), tmp_path)
    assert [int(path.stem) // BATCH for path in checkpoints(tmp_path)] == [4, 6, 10, 12]
