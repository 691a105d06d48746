"""A run opened for reading is the game that was trained, and reading leaves no trace."""

from __future__ import annotations

import pytest
import torch
from tiny_runs import one_sentence, tiny, train, tree

from evenodds.errors import RunError
from evenodds.opening import open_run
from evenodds.sampling import Sampler
from evenodds.trainer import training

CONFIG = tiny("ema_half_life=50", "penalties.r1.weight=0.1")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("opened") / "run"
    train(CONFIG, directory)
    return directory


def test_the_players_are_those_that_were_trained(tmp_path):
    for progress in training(CONFIG, tmp_path / "run"):
        gan = progress.session.gan
    opened = open_run(tmp_path / "run")
    for one, other in (
        (gan.generator, opened.gan.generator),
        (gan.discriminator, opened.gan.discriminator),
    ):
        state = other.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in one.state_dict().items())
    assert opened.gan.iteration == gan.iteration
    assert opened.examples == CONFIG.examples
    assert not opened.gan.discriminator.training


def test_the_sampler_is_that_of_the_generator_file(run):
    seeds = range(70)
    assert (open_run(run).sampler(seeds) == Sampler.load(run)(seeds)).all()


def test_reading_leaves_no_trace(run):
    before, state = tree(run), torch.get_rng_state()
    open_run(run)
    assert tree(run) == before
    assert torch.equal(torch.get_rng_state(), state)


def test_other_checkpoints(run):
    first = min(int(path.stem) for path in (run / "checkpoints").glob("0*.safetensors"))
    assert open_run(run, checkpoint=first).examples == first
    with pytest.raises(RunError) as refused:
        open_run(run, checkpoint=first + 1)
    assert one_sentence(refused.value, str(first + 1), str(first))
    with pytest.raises(RunError) as refused:
        open_run(run, checkpoint="best")
    assert one_sentence(refused.value, "best")


def test_no_run(tmp_path, run):
    for path, hint in ((tmp_path, "evenodds train"), (run.parent, str(run)), (tmp_path / "none", "no run")):
        with pytest.raises(RunError) as refused:
            open_run(path)
        assert one_sentence(refused.value, hint)
