"""Memory: measured without a trace, fitted, and run out of in the middle of a step."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import resource
import sys

import pytest
import torch
from tiny_runs import (
    DIGITS,
    assert_same_run,
    digits,
    in_child,
    last_state,
    metrics,
    one_sentence,
    tiny,
    train,
)

from evenodds import memory
from evenodds.algorithm import train_step
from evenodds.build import build_gan
from evenodds.checkpoint import game_tensors
from evenodds.data.loader import Loader
from evenodds.ema import EMA
from evenodds.errors import RunError
from evenodds.memory import Memory, Need, largest_fitting, measure, micro_batches
from evenodds.system_memory import Meter, free_bytes

CPU = torch.device("cpu")
GB = 10**9
WIDE = ["generator.network.widths=[1500,1500]", "discriminator.network.widths=[1500,1500]", "batch_size=1024"]


def game(*assignments: str):
    config, dataset = tiny(*assignments), digits()
    torch.manual_seed(config.seed)
    gan, _ = build_gan(config, dataset, CPU)
    loader = Loader(dataset.train, config.batch_size, seed=0, value_range=dataset.value_range)
    return gan, loader, config


# ---- arithmetic


@pytest.mark.parametrize(
    "free, expected",
    [(100 * GB, 64), (10 * GB, 64), (7 * GB, 32), (3 * GB, 16), (0, 1)],
)
def test_the_largest_that_fits(free, expected):
    need = Need(fixed=1 * GB, per_example=0.1 * GB)  # 7.4, 4.2, 2.6 … GB, of 90 % of what is free
    assert largest_fitting(need, free, [1, 2, 4, 8, 16, 32, 64]) == expected


@pytest.mark.parametrize(
    "assignments, batch_norm, expected",
    [
        (["batch_size=12"], False, [1, 2, 3, 4, 6, 12]),
        (["batch_size=12"], True, [2, 3, 4, 6, 12]),
        (["batch_size=12", "packing=2"], False, [2, 4, 6, 12]),
        (["batch_size=7"], False, [1, 7]),
        (["batch_size=1"], True, [1]),
    ],
)
def test_micro_batches_are_divisors_made_of_whole_packs(assignments, batch_norm, expected):
    assert micro_batches(tiny(*assignments), batch_norm=batch_norm) == expected


# ---- measuring


@pytest.mark.parametrize("megabytes", [40, 200])
def test_the_meter_sees_an_allocation_and_forgets_it(megabytes):
    """Pages of its own each time: a tensor may be given memory that was freed but never left the process."""

    def touched(size: float) -> None:
        with mmap.mmap(-1, int(size * 1e6)) as pages:
            for page in range(0, len(pages), mmap.PAGESIZE):
                pages[page] = 1

    meter = Meter(CPU)
    for size in (megabytes, megabytes / 4):
        peak = meter.peak(lambda size=size: touched(size))
        assert peak == pytest.approx(size * 1e6, rel=0.1, abs=4e6)


def test_what_is_free_is_no_more_than_the_machine_has():
    free = free_bytes(CPU)
    assert free is not None
    with open("/proc/meminfo", encoding="ascii") as file:
        assert 0 < free <= int(file.readline().split()[1]) * 1024
    assert free_bytes(torch.device("meta")) is None


M_MMAP_THRESHOLD = -3  # of glibc's mallopt


def _said_and_taken():
    """In a process of its own, where nothing that was freed earlier is at hand.

    glibc keeps up to 64 MB of what was freed, more after every large tensor: how much depends on the order of
    earlier work, and is as large as what is measured here.  Pages of its own for each tensor go back at once.
    """
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 16)
    train_step(*game()[:2])  # what is loaded once only
    gan, loader, config = game(*WIDE)
    meter = Meter(CPU)
    need = measure(gan, loader, config, contextlib.nullcontext)
    taken = max(meter.peak(lambda: train_step(gan, loader)) for _ in range(2))
    return need.of(1024), taken, 1024 * need.per_example


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_a_step_takes_about_what_two_small_ones_said():
    code, (said, taken, activations) = in_child(_said_and_taken)
    assert code == 0
    assert said == pytest.approx(taken, rel=0.25)
    assert activations > 0.15 * taken  # or this tests nothing


@pytest.mark.parametrize(
    "assignments",
    [
        ["generator.network.batch_norm=true"],
        ["loss=wasserstein", "penalties={wgan_gp: {}, weight_clip: {}}", "critic_steps=2"],
        ["loss=relativistic", "packing=2", "precision=bfloat16"],
    ],
)
def test_measuring_changes_nothing_of_the_game(assignments):
    gan, loader, config = game(*assignments)
    next(loader)
    ema = EMA(gan.generator, 100)
    before = {name: tensor.clone() for name, tensor in game_tensors(gan, ema).items()}
    assert measure(gan, loader, config, contextlib.nullcontext) is not None
    after = game_tensors(gan, ema)
    assert before.keys() == after.keys()
    assert [name for name in before if not torch.equal(before[name], after[name])] == []
    assert (gan.iteration, gan.micro_batch, loader.position) == (0, None, 1)
    players = (gan.generator, gan.discriminator)
    assert all(weight.grad is None for player in players for weight in player.parameters())


def test_a_run_is_the_same_as_without_measuring(tmp_path, monkeypatch):
    train(tiny(), tmp_path / "measured")
    monkeypatch.setattr(Memory, "fit", lambda self, context: None)
    train(tiny(), tmp_path / "not")
    assert_same_run(tmp_path / "measured", tmp_path / "not")


# ---- choosing


def events(directory):
    return [
        event for line in metrics(directory) for event in line.get("event", []) if event["kind"] == "memory"
    ]


@pytest.fixture
def little_memory(monkeypatch):
    """As if a step needed 1 GB an example, and 5 GB were free."""
    monkeypatch.setattr(memory, "measure", lambda *_: Need(0.0, 1e9))
    monkeypatch.setattr(memory, "free_bytes", lambda _: 5 * GB)


def test_the_chosen_micro_batch_trains_as_one_that_is_asked_for(little_memory, tmp_path):
    train(tiny(), tmp_path / "chosen", 5)
    train(tiny(), tmp_path / "chosen")
    (tensors, facts), said = last_state(tmp_path / "chosen"), events(tmp_path / "chosen")
    assert facts["micro_batch"] == 4
    assert [event["trouble"] for event in said] == [False]
    assert "8 GB" in said[0]["text"]
    assert "micro-batches of 4" in said[0]["text"]
    assert "batch norm" not in said[0]["text"]
    train(tiny("micro_batch=4"), tmp_path / "asked")
    asked, _ = last_state(tmp_path / "asked")
    assert [name for name in asked if not torch.equal(asked[name], tensors[name])] == []
    assert events(tmp_path / "asked") == []


def test_it_says_where_that_changes_the_mathematics(little_memory):
    gan, loader, config = game("generator.network.batch_norm=true")
    said = Memory(gan, loader, config).fit(contextlib.nullcontext)
    assert "batch norm normalizes over 4 of them at a time instead of 8" in said


# ---- running out


def fails_above(gan, size, error, *, player="discriminator", after=0):
    """Forward passes of more than `size` examples raise, from the `after`-th on."""
    calls = iter(range(10**6))

    def hook(module, inputs):
        if len(inputs[0]) > size and next(calls) >= after:
            raise error

    getattr(gan, player).register_forward_pre_hook(hook)


ERRORS = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "critic_steps, after, simultaneous", [(1, 0, False), (1, 2, False), (3, 5, False), (2, 3, True)]
)
def test_a_step_that_ran_out_is_done_again_in_halves(error, critic_steps, after, simultaneous):
    """Also where D had moved already (after=2: both its passes went well): no update twice, none left out."""
    gan, loader, config = game(f"critic_steps={critic_steps}", f"simultaneous={simultaneous}")
    fails_above(gan, 4, error, after=after)
    said: list[str] = []
    guard = Memory(gan, loader, config)
    for _ in range(3):
        guard.careful(lambda: train_step(gan, loader), said.append)
    assert gan.micro_batch == 4
    assert len(said) == 1
    assert "micro-batches of 4" in said[0]
    assert (gan.iteration, loader.position) == (3, 3 * critic_steps)
    for optimizer, updates in ((gan.generator_optimizer, 3), (gan.discriminator_optimizer, 3 * critic_steps)):
        assert {float(state["step"]) for state in optimizer.state.values()} == {updates}


def test_the_update_is_that_of_the_whole_batch():
    """With weights that no chance touches, halves give the same update up to rounding."""
    plain = [
        "discriminator.network.dropout=0",
        "prior.dim=1",
        "generator.optimizer=sgd",
        "discriminator.optimizer=sgd",
    ]
    after = []
    for cut in (False, True):
        gan, loader, config = game(*plain)
        gan.prior = lambda count, device=None: torch.ones(count, 1)
        if cut:
            fails_above(gan, 2, MemoryError(), after=2)
        Memory(gan, loader, config).careful(lambda g=gan, b=loader: train_step(g, b), lambda text: None)
        after.append(
            torch.cat([w.flatten() for p in (gan.generator, gan.discriminator) for w in p.parameters()])
        )
    torch.testing.assert_close(*after, rtol=1e-5, atol=1e-7)


def test_other_errors_are_not_taken_for_it():
    gan, loader, config = game()
    fails_above(gan, 4, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        Memory(gan, loader, config).careful(lambda: train_step(gan, loader), lambda text: None)
    assert gan.micro_batch is None


def test_it_ends_with_one_sentence_where_nothing_helps():
    gan, loader, config = game()
    fails_above(gan, 0, MemoryError())
    optimizers = gan.generator_optimizer, gan.discriminator_optimizer
    with pytest.raises(RunError) as refusal:
        Memory(gan, loader, config).careful(lambda: train_step(gan, loader), lambda text: None)
    assert one_sentence(refusal.value, "1 example at a time", "end other programs")
    assert (gan.generator_optimizer, gan.discriminator_optimizer) == optimizers


def test_a_resumed_run_keeps_the_smaller_micro_batch(tmp_path, monkeypatch):
    def scarce(config, dataset, device):
        gan, rules = build_gan(config, dataset, device)
        fails_above(gan, 2, MemoryError(), after=20)
        return gan, rules

    monkeypatch.setattr("evenodds.trainer.build_gan", scarce)
    monkeypatch.setattr(Memory, "fit", lambda self, context: None)
    train(tiny("held_out=2", "referee=false"), tmp_path, 7)
    monkeypatch.undo()
    assert last_state(tmp_path)[1]["micro_batch"] == 2
    texts = [event["text"] for event in events(tmp_path)]
    assert ["micro-batches of 4" in texts[0], "micro-batches of 2" in texts[1]] == [True, True]
    train(tiny("held_out=2", "referee=false"), tmp_path)
    assert last_state(tmp_path)[1]["micro_batch"] == 2
    assert len(events(tmp_path)) == 2


def _train_with_little_address_space(directory):
    train(tiny(), directory / "first")  # what is loaded once
    with open("/proc/self/status", encoding="ascii") as file:
        used = next(int(line.split()[1]) for line in file if line.startswith("VmSize")) * 1024
    # a layer of 1,297 × 20,000 values takes 104 MB, a step on all of them more than 1,000: far more than the
    # limit and what earlier tests have freed together
    resource.setrlimit(resource.RLIMIT_AS, (used + 250_000_000, used + 250_000_000))
    wide = ["batch_size=1296", "examples=1296", "discriminator.network.widths=[20000]", "referee=false"]
    memory.Memory.fit = lambda self, context: None
    train(tiny(*wide, base=DIGITS), directory / "run")


def test_running_out_in_earnest(tmp_path):
    code, said = in_child(_train_with_little_address_space, tmp_path)
    assert (code, said) == (0, None)
    assert last_state(tmp_path / "run")[1]["micro_batch"] < 1296
    assert events(tmp_path / "run")[0]["text"].startswith("memory ran out, so every step")
