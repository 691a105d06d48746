"""Starting from trained players: what is taken over, starts anew, or is refused; and the record of it."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest
import torch
from tiny_runs import (
    BATCH,
    assert_same_run,
    checkpoints,
    digits,
    last_state,
    metrics,
    one_sentence,
    tiny,
    train,
)
from torch import nn

from evenodds.checkpoint import load_tensors
from evenodds.data.dataset import Dataset, Split
from evenodds.errors import ConfigError, RunError
from evenodds.fine_tuning import adopt
from evenodds.sampling import Sampler

LABELLED = ["conditional=true", "ema_half_life=50"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A finished run whose average differs from its generator."""
    run = tmp_path_factory.mktemp("source") / "run"
    train(tiny("ema_half_life=50"), run)
    return run


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """The same with the ten classes of the digits."""
    run = tmp_path_factory.mktemp("labelled") / "run"
    train(tiny(*LABELLED), run)
    return run


def other(*, classes: int = 10, shape: tuple[int, ...] = (1, 8, 8)) -> Dataset:
    """Images of noise."""
    random = np.random.default_rng(0)

    def split(count: int) -> Split:
        x = random.integers(0, 256, (count, *shape), np.uint8)
        return Split(x, np.arange(count) % max(classes, 1) if classes else None)

    return Dataset("noise", split(64), split(32), None, tuple(f"c{i}" for i in range(classes)))


def first(run):
    """Tensors and facts of the checkpoint that a run begins with."""
    tensors, facts = load_tensors(run / "checkpoints" / f"{0:010d}.safetensors", "checkpoint")
    return tensors, facts


def same(left, right, *, but=()):
    return [name for name in left if name not in but and not torch.equal(left[name], right[name])]


PLAYERS = ("generator/", "discriminator/", "ema/")


def players(tensors):
    return {name: value for name, value in tensors.items() if name.startswith(PLAYERS)}


def test_both_players_and_the_average_are_taken_over(source, tmp_path):
    train(tiny("ema_half_life=50", f"start.file={source}"), tmp_path / "run", 1, dataset=other())
    tensors, facts = first(tmp_path / "run")
    trained, _ = last_state(source)
    assert same(players(trained), tensors) == []
    assert not torch.equal(tensors["ema/last.weight"], tensors["generator/last.weight"])
    assert not any("optimizer" in name for name in tensors)
    path = checkpoints(source)[-1]
    assert facts["start"] == {
        "file": f"{source.name}/{path.name}",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "recipe": "tiny",
        "data": {"name": "digits", "fingerprint": digits().fingerprint},
        "examples": 12 * BATCH,
        "players": ["generator", "discriminator"],
        "optimizers": False,
        "fresh": [],
    }
    assert Sampler.load(tmp_path / "run").facts["start"] == facts["start"]
    event = metrics(tmp_path / "run")[0]["event"][0]
    assert (event["kind"], event["trouble"]) == ("start", False)


def test_resuming_never_needs_the_file_again(source, tmp_path):
    shutil.copytree(source, tmp_path / "source")
    config = tiny("ema_half_life=50", f"start.file={tmp_path / 'source'}", f"samples_every={6 * BATCH}")
    train(config, tmp_path / "whole")
    train(config, tmp_path / "parts", 5)
    shutil.rmtree(tmp_path / "source")
    train(config, tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert last_state(tmp_path / "parts")[1]["start"]["recipe"] == "tiny"


def test_a_generator_file_has_no_discriminator_and_it_is_said(source, tmp_path):
    train(tiny(f"start.file={source / 'generator.safetensors'}"), tmp_path / "run", 1)
    tensors, facts = first(tmp_path / "run")
    trained, _ = last_state(source)
    for player in ("generator/", "ema/"):
        for name, value in trained.items():
            if name.startswith("ema/"):
                assert torch.equal(tensors[player + name.removeprefix("ema/")], value)
    assert same({n: v for n, v in trained.items() if n.startswith("discriminator/")}, tensors)
    assert facts["start"]["players"] == ["generator"]
    assert "D starts fresh" in metrics(tmp_path / "run")[0]["event"][0]["text"]


def test_other_classes_start_anew_and_the_rest_is_kept(labelled, tmp_path):
    config = tiny(*LABELLED, f"start.file={labelled}")
    train(config, tmp_path / "run", 1, dataset=other(classes=3))
    tensors, facts = first(tmp_path / "run")
    trained, _ = last_state(labelled)
    with_labels = {
        "generator/hidden.0.0.weight": 5,
        "ema/hidden.0.0.weight": 5,
        "discriminator/layers.0.weight": 64,
    }
    assert same(players(trained), tensors, but=with_labels) == []
    for name, unlabelled in with_labels.items():
        assert torch.equal(tensors[name][:, :unlabelled], trained[name][:, :unlabelled])
        assert tensors[name].shape[1] == unlabelled + 3
        assert not torch.equal(tensors[name][:, unlabelled:], trained[name][:, unlabelled : unlabelled + 3])
    assert torch.equal(tensors["ema/hidden.0.0.weight"][:, 5:], tensors["generator/hidden.0.0.weight"][:, 5:])
    assert facts["start"]["fresh"] == ["G's hidden.0.0.weight", "D's layers.0.weight"]
    assert "starts anew" in metrics(tmp_path / "run")[0]["event"][0]["text"]


def test_labels_may_come_and_go(source, labelled, tmp_path):
    train(tiny(*LABELLED, f"start.file={source}"), tmp_path / "come", 1)
    train(tiny(f"start.file={labelled}"), tmp_path / "go", 1)
    came, went = first(tmp_path / "come")[0], first(tmp_path / "go")[0]
    name = "generator/hidden.0.0.weight"
    assert torch.equal(came[name][:, :5], last_state(source)[0][name])
    assert torch.equal(went[name], last_state(labelled)[0][name][:, :5])


def test_an_embedding_of_labels_starts_anew_as_a_whole():
    network, learnt = nn.Embedding(4, 6), nn.Embedding(7, 6).state_dict()
    before = network.weight.clone()
    assert adopt(network, learnt, 7, 4) == ["weight"]
    assert torch.equal(network.weight, before)
    with pytest.raises(ConfigError):
        adopt(network, learnt, 7, 5)  # three fewer rows are not two fewer classes


def test_the_optimizers_if_asked_for(source, tmp_path):
    config = tiny("ema_half_life=50", f"start={{file: '{source}', optimizers: true}}")
    train(config, tmp_path / "run", 1)
    tensors, trained = first(tmp_path / "run")[0], last_state(source)[0]
    moments = {name: value for name, value in trained.items() if "optimizer/" in name}
    assert moments
    assert same(moments, tensors) == []


@pytest.mark.parametrize(
    "assignments, dataset, words",
    [
        ([], {"shape": (1, 16, 16)}, ["1 × 8 × 8", "1 × 16 × 16", "data.size=[8,8]"]),
        ([], {"shape": (3, 8, 8)}, ["1 × 8 × 8", "3 × 8 × 8"]),
        (["prior.dim=6"], {}, ['"dim": 5', '"dim": 6', "set prior alike"]),
        (["generator.network.widths=[13]"], {}, ["the generator", "[12]", "[13]", "generator.network"]),
        (["discriminator.network.dropout=0.2"], {}, ["the discriminator", "0.3", "0.2"]),
        (["packing=2"], {}, ["packing", "1", "2"]),
        (
            ["start.optimizers=true", "generator.optimizer=sgd"],
            {},
            ["optimizers", "sgd", "start.optimizers=false"],
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_both_named(assignments, dataset, words, source, tmp_path):
    with pytest.raises(ConfigError) as refusal:
        train(tiny(f"start.file={source}", *assignments), tmp_path / "run", dataset=other(**dataset))
    assert one_sentence(refusal.value, *words)
    assert not (tmp_path / "run").exists()


def test_defaults_written_out_are_no_difference(source, tmp_path):
    network = "generator.network={name: mlp, widths: [12], output: tanh, slope: 0.2, batch_norm: false}"
    train(tiny(f"start.file={source}", network), tmp_path / "run", 1)
    assert (tmp_path / "run").exists()


@pytest.mark.parametrize("what", ["nothing", "text", "stray"])
def test_files_that_are_no_start(what, source, tmp_path):
    path = tmp_path / "file.safetensors"
    if what == "text":
        path.write_text("hello")
    if what == "stray":
        shutil.copy(checkpoints(source)[-1], path)
    with pytest.raises(RunError) as refusal:
        train(tiny(f"start.file={path}"), tmp_path / "run")
    assert one_sentence(refusal.value, "file.safetensors")
    assert not (tmp_path / "run").exists()
