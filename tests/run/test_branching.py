"""Branches: they start where their parent was, to the last bit, and are judged by what is known of them."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil

import pytest
import torch
from tiny_runs import BATCH, assert_same_weights, digits, last_state, metrics, one_sentence, tiny, train, tree
from torch import nn

from evenodds.branching import CONTROL, examples_seen, judge, plan_branches, start
from evenodds.branching.plans import changed, check_buildable, folder_name
from evenodds.branching.starts import continued, kept
from evenodds.branching.verdicts import compared, drawing
from evenodds.config import config_from, override
from evenodds.data.dataset import Dataset, Split
from evenodds.errors import ConfigError, RunError
from evenodds.latents import Normal
from evenodds.metrics.bounds import LOG_4, bounds
from evenodds.referee.probe import Probed
from evenodds.run import MAY_CHANGE
from evenodds.sampling import Sampler

SEEN, MORE = 12 * BATCH, 8 * BATCH
# a report is under way when the parent ends, and R1 is due only now and then
CONFIG = tiny("penalties.r1={weight: 0.1, every: 4}", "report_every=40", "discriminator.network.dropout=0")
DIGITS = digits()


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    directory = tmp_path_factory.mktemp("branching") / "run"
    train(config_from(CONFIG.model_dump() | {"examples": 2 * SEEN}), directory, iterations=12, dataset=DIGITS)
    return directory


@pytest.fixture(scope="module")
def unchanged(parent, tmp_path_factory):
    """Tensors of the control when it is trained."""
    folder = tmp_path_factory.mktemp("unchanged")
    (control,) = plan_branches(parent, [], seen=SEEN, examples=MORE, directory=folder)
    start(control, len(DIGITS.train))
    train(control.config, control.directory, dataset=DIGITS)
    return last_state(control.directory)[0]


@pytest.fixture
def grown(parent, tmp_path):
    """Plan, start and train branches in a folder of their own; the branches."""

    def grow(*changes: str, iterations: int | None = None):
        planned = plan_branches(
            parent, [(one,) for one in changes], seen=SEEN, examples=MORE, directory=tmp_path / "branches"
        )
        for branch in planned:
            start(branch, len(DIGITS.train))
            train(branch.config, branch.directory, iterations, dataset=DIGITS)
        return planned

    return grow


def test_the_control_is_the_parent_trained_longer(parent, grown, tmp_path):
    before = tree(parent)
    (control,) = grown()
    longer = config_from(CONFIG.model_dump() | {"examples": SEEN + MORE})
    train(longer, tmp_path / "whole", dataset=DIGITS)
    assert_same_weights(control.directory, tmp_path / "whole")
    assert metrics(control.directory) == metrics(tmp_path / "whole")
    assert tree(parent) == before


def test_a_branch_that_is_interrupted_goes_on_bit_for_bit(grown, tmp_path):
    _, whole = grown("critic_steps=2")
    for path in (tmp_path / "branches").iterdir():
        path.rename(tmp_path / f"whole {path.name}")
    _, cut = grown("critic_steps=2", iterations=1)
    assert examples_seen(cut.directory) < cut.config.examples
    start(cut, len(DIGITS.train))  # as the same command does again
    train(cut.config, cut.directory, dataset=DIGITS)
    assert_same_weights(cut.directory, tmp_path / f"whole {whole.name}")


@pytest.mark.parametrize(
    "change",
    [
        "critic_steps=3",
        "loss=hinge",
        "penalties.r1.weight=2",
        "penalties={}",
        "batch_size=16",
        "generator.optimizer.learning_rate=1e-4",
        "discriminator.optimizer={name: sgd}",
        "ema_half_life=100",
        "simultaneous=true",
        "seed=1",
    ],
)
def test_a_branch_starts_with_its_parents_players_and_goes_its_own_way(parent, unchanged, tmp_path, change):
    _, branch = plan_branches(parent, [(change,)], seen=SEEN, examples=MORE, directory=tmp_path / "branches")
    start(branch, len(DIGITS.train))
    shutil.copytree(branch.directory, tmp_path / "begun")  # its first checkpoint is pruned later
    check_buildable(branch, DIGITS)
    train(branch.config, branch.directory, dataset=DIGITS)
    began, theirs = last_state(tmp_path / "begun")[0], last_state(parent)[0]
    players = [
        name for name in theirs if name.startswith(("generator/", "discriminator/", "ema/", "random/"))
    ]
    assert players
    assert all(torch.equal(began[name], theirs[name]) for name in players)
    ends = unchanged, last_state(branch.directory)[0]
    weights = [name for name in players if name.startswith("ema/" if "ema" in change else "discriminator/")]
    assert any(not torch.equal(ends[0][name], ends[1][name]) for name in weights)
    size = branch.config.batch_size * branch.config.critic_steps
    assert 0 <= examples_seen(branch.directory) - (SEEN + MORE) < size
    origin = json.loads((branch.directory / "branch.json").read_text(encoding="utf-8"))
    assert origin["changes"] == [change]
    assert origin["checkpoint"] == branch.checkpoint.name
    # the parent's curves come before the branch's own
    before = metrics(parent)
    assert before
    assert metrics(branch.directory)[: len(before)] == before


@pytest.mark.parametrize(
    ("sizes", "examples", "position", "expected"),
    [
        # (batch size, critic steps) before and after; examples, place in a split of 100; those to go on with
        (((10, 1), (10, 1)), 240, 24, (24, 240, 24)),
        (((10, 1), (10, 3)), 240, 24, (8, 240, 24)),
        (((10, 1), (10, 7)), 240, 24, (4, 280, 24)),
        (((10, 1), (5, 1)), 240, 24, (48, 240, 48)),
        (((10, 1), (20, 1)), 230, 23, (12, 240, 12)),
        # 4 batches of 30 of a pass of 3: the second pass has begun, and goes on where 30 examples were drawn
        (((30, 1), (12, 1)), 120, 4, (10, 120, 8 + 3)),
    ],
)
def test_counts_go_on_with_the_next_whole_iteration_and_batch(sizes, examples, position, expected):
    old, new = (
        config_from(CONFIG.model_dump() | {"batch_size": size, "critic_steps": steps})
        for size, steps in sizes
    )
    facts = {"examples": examples, "iteration": 7, "position": position, "seconds": 1.5}
    if sizes[0] == sizes[1]:
        facts["iteration"] = examples // sizes[0][0]
    found = continued(facts, old, new, 100)
    assert (found["iteration"], found["examples"], found["position"]) == expected
    assert found["seconds"] == 1.5


def test_only_an_optimizer_of_another_kind_starts_afresh():
    names = (
        "generator/w",
        "generator_optimizer/0/step",
        "discriminator_optimizer/0/step",
        "pending/loss",
        "x",
    )
    tensors = {name: torch.zeros(1) for name in names}
    assert kept(tensors, CONFIG, CONFIG).keys() == set(names)
    rate = changed(CONFIG, ("generator.optimizer.learning_rate=0.1",))
    assert set(names) - kept(tensors, CONFIG, rate).keys() == {"pending/loss"}
    kind = changed(CONFIG, ("generator.optimizer.name=sgd",))
    assert set(names) - kept(tensors, CONFIG, kind).keys() == {"pending/loss", "generator_optimizer/0/step"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("generator.network.widths=[8]", "would not fit"),
        ("discriminator.network.dropout=0.1", "would not fit"),
        ("prior.dim=3", "would not fit"),
        ("packing=2", "would not fit"),
        ("data=mnist", "the data"),
        ("conditional=true", "would not fit"),
        ("examples=3", "--examples"),
        ("batch_size=8", "changes nothing"),
        ("batch_szie=4", "did you mean 'batch_size'?"),
        ("critic_steps", "--set key=value"),
    ],
)
def test_what_a_branch_cant_change_is_refused_in_one_sentence(parent, change, said):
    with pytest.raises(ConfigError) as refused:
        plan_branches(parent, [(change,)], seen=SEEN, examples=MORE)
    assert one_sentence(refused.value, said)


def test_the_same_branch_twice_is_refused(parent):
    with pytest.raises(ConfigError, match="twice"):
        plan_branches(parent, [("seed=1",), ("seed=1",)], seen=SEEN, examples=MORE)


def test_a_value_that_cant_be_built_is_refused_before_anything_is_written(parent):
    planned = plan_branches(parent, [("loss=hinges",)], seen=SEEN, examples=MORE)
    with pytest.raises(ConfigError, match="'hinge'"):
        check_buildable(planned[1], DIGITS)
    assert not (parent / "branches").exists()


def test_a_start_that_fails_leaves_nothing(parent, tmp_path, monkeypatch):
    (branch,) = plan_branches(parent, [], seen=SEEN, examples=MORE, directory=tmp_path / "b")

    def full(*arguments):
        raise RunError("the disk is full; free some space")

    monkeypatch.setattr("evenodds.branching.starts.save_tensors", full)
    with pytest.raises(RunError):
        start(branch, len(DIGITS.train))
    assert list((tmp_path / "b").iterdir()) == []


def test_folders_of_something_else_are_refused(parent, tmp_path):
    (branch,) = plan_branches(parent, [], seen=SEEN, examples=MORE, directory=tmp_path)
    start(branch, len(DIGITS.train))
    other = dataclasses.replace(branch, checkpoint=branch.directory / "config.yaml")
    with pytest.raises(RunError) as refused:
        start(other, len(DIGITS.train))
    assert one_sentence(refused.value, "another checkpoint", "--dir")
    (branch.directory / "branch.json").unlink()
    with pytest.raises(RunError) as refused:
        start(branch, len(DIGITS.train))
    assert one_sentence(refused.value, "no branch", "--dir")


def test_names_of_folders():
    assert folder_name(("critic_steps=3",)) == "critic_steps=3"
    names = [folder_name((f"data.path={text}",)) for text in ("a/b", "a b", "a_b", "x" * 200, "x" * 201)]
    assert len(set(names)) == len(names)
    assert all("/" not in name and " " not in name and len(name) < 100 for name in names)
    assert folder_name(("unchanged",)) != CONTROL


def test_what_may_change_in_a_run_may_change_in_a_branch():
    assert MAY_CHANGE  # settings that `Run` itself lets pass, so that a longer branch goes on
    longer = config_from(override(CONFIG.model_dump(), ["examples=1000"]))
    assert kept({"pending/x": torch.zeros(1)}, CONFIG, longer)


def probes_of(jsds: list[float], *, spread: float = 0.02, count: int = 1000) -> list[Probed]:
    """Probes that found these, each with standard error `spread` of its JSD for the finite sample."""
    found = bounds(torch.zeros(count), torch.zeros(count))
    halves = 1.959964 * 2 * spread  # of V, which is 2 JSD − log 4
    values = [2 * jsd - LOG_4 for jsd in jsds]
    return [
        Probed(found._replace(value=found.value._replace(estimate=v, low=v - halves)), 0.5, 1) for v in values
    ]


def test_a_difference_has_the_error_of_both_its_parts():
    one, other = [0.10, 0.12, 0.11], [0.20, 0.24, 0.19]
    found = compared(probes_of(one), probes_of(other), branches=1, energy=0.0, metric=None)
    assert found.jsd == pytest.approx(0.11)
    assert found.difference == pytest.approx(-0.1)
    # differences −.10, −.12, −.08: variance .0004; and .02² for the examples of either
    assert found.margin == pytest.approx(1.959964 * math.sqrt(0.0004 / 3 + 2 * 0.02**2), rel=1e-5)
    assert found.error == pytest.approx(math.sqrt(0.0001 / 3 + 0.02**2), rel=1e-5)
    assert found.outcome == "helped"
    three = compared(probes_of(one), probes_of(other), branches=3, energy=0.0, metric=None)
    assert three.margin / found.margin == pytest.approx(2.393980 / 1.959964, rel=1e-5)  # 1 − .05/6


@pytest.mark.parametrize(
    ("shift", "outcome"),
    [
        (0.0, "no difference"),
        (0.05, "no difference"),
        (-0.05, "no difference"),
        (0.07, "hurt"),
        (-0.07, "helped"),
    ],
)
def test_outcomes_at_the_edge_of_the_error(shift, outcome):
    """Equal spread everywhere: the margin is 1.96 · √2 · .02 = .0554."""
    control = [0.2, 0.2, 0.2]
    found = compared(
        probes_of([value + shift for value in control]), probes_of(control), branches=1, energy=0, metric=None
    )
    assert found.outcome == outcome


class Affine(nn.Module):
    """G(z) = mean + std z, a generator whose density is known."""

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.mean, self.std = nn.Parameter(torch.tensor(mean)), std

    def forward(self, z, y=None):
        return self.mean + self.std * z


def affine(mean: float, std: float = 1.0) -> Sampler:
    return Sampler(Affine(mean, std), Normal(dim=1), (1,))


def test_generators_whose_densities_are_known_are_told_apart(monkeypatch):
    """Data N(0, 1); samples N(1, 1) have JSD 0.1114, N(0, 1) none, N(2, 1) 0.3368 nats."""
    monkeypatch.setattr("evenodds.branching.verdicts.SEEDS", 2)
    monkeypatch.setattr("evenodds.branching.verdicts.STEPS", 60)
    random = torch.Generator().manual_seed(0)
    train_x, held_out = (torch.randn(4_000, 1, generator=random).numpy() for _ in range(2))
    data = Dataset("normal", Split(train_x), Split(held_out), None, value_range=None)
    samplers = {CONTROL: affine(1.0), "better": affine(0.0), "worse": affine(2.0), "same": affine(1.0)}
    found = judge(samplers, data, CONFIG)
    assert {name: one.outcome for name, one in found.items()} == {
        CONTROL: "control",
        "better": "helped",
        "worse": "hurt",
        "same": "no difference",
    }
    for name, jsd in ((CONTROL, 0.111421), ("better", 0.0), ("worse", 0.336831)):
        assert found[name].jsd == pytest.approx(jsd, abs=0.015)
    assert found["same"].difference == 0  # the same generator before the same probe
    # 2 E|X − Y| − E|X − X′| − E|Y − Y′| of two normals one apart: E|N(μ, 2)| is 1.3992 at μ = 1, 2/√π at 0
    assert found[CONTROL].energy == pytest.approx(2 * 1.3992 - 4 / math.sqrt(math.pi), abs=0.15)


def test_judging_can_be_called_off():
    data = Dataset("normal", Split(torch.randn(100, 1).numpy()), Split(torch.randn(100, 1).numpy()), None)
    assert judge({CONTROL: affine(0.0)}, data, CONFIG, go_on=lambda: False) is None


def test_labels_are_drawn_as_the_data_has_them():
    class Labelled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, z, y):
            return y.float()[:, None]

    sampler = Sampler(Labelled(), Normal(dim=1), (1,), class_names=("a", "b"))
    labels = torch.tensor([0] * 30 + [1] * 10)
    drawn = drawing(sampler, labels)(4_000, torch.Generator().manual_seed(0))
    assert float(drawn.mean()) == pytest.approx(0.25, abs=0.03)
