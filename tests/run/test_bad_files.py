"""Files that can't be used are refused in one sentence, and never run anything."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path

import pytest
import safetensors.torch
import torch
from tiny_runs import BATCH, checkpoints, one_sentence, tiny, train, tree

from evenodds.checkpoint import FORMAT, _digest, load_tensors, save_tensors
from evenodds.errors import RunError
from evenodds.sampling import Sampler


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("finished") / "run"
    train(tiny("generator.network.widths=[4]", "discriminator.network.widths=[4]"), directory)
    return directory


@pytest.fixture(scope="module")
def generator(finished) -> Path:
    return finished / "generator.safetensors"


def refused(path: Path, *parts: str, kind: str = "generator") -> str:
    with pytest.raises(RunError) as caught:
        Sampler.load(path) if kind == "generator" else load_tensors(path, kind)
    assert one_sentence(caught.value, str(path), *parts)
    return str(caught.value)


def rewritten(path: Path, source: Path, **facts) -> Path:
    """A copy with other facts and a right digest: what another version, or a forger, could have written."""
    tensors, header = load_tensors(source, "generator")
    merged = {key: value for key, value in (header | facts).items() if value is not ...}
    save_tensors(path, tensors, merged, "generator")
    return path


def test_the_whole_file_is_fine(generator):
    assert Sampler.load(generator)(range(3)).shape == (3, 1, 8, 8)


@pytest.mark.parametrize("share", [0.0, 1e-4, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_cut_short(generator, tmp_path, share):
    data, path = generator.read_bytes(), tmp_path / "cut.safetensors"
    path.write_bytes(data[: int(share * len(data))])
    refused(path, "damaged", "use another copy")


@pytest.mark.parametrize("missing", [1, 2, 8, 100])
def test_the_last_bytes_are_missing(generator, tmp_path, missing):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(generator.read_bytes()[:-missing])
    refused(path, "damaged")


def test_one_flipped_bit_anywhere(generator, tmp_path):
    data, path, moments = generator.read_bytes(), tmp_path / "flipped.safetensors", random.Random(0)
    header = 8 + int.from_bytes(data[:8], "little")
    assert 500 < header < len(data)
    places = [*range(8), *range(8, header, 3), *(moments.randrange(header, len(data)) for _ in range(60))]
    for place in places:
        bit = 1 << moments.randrange(8)
        path.write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
        refused(path)


def test_more_bytes_than_there_should_be(generator, tmp_path):
    path = tmp_path / "longer.safetensors"
    path.write_bytes(generator.read_bytes() + b"x")
    refused(path, "damaged")


def test_every_fact_is_under_the_digest(finished, tmp_path):
    """A changed count of iterations would train on, differently and silently."""
    data = checkpoints(finished)[-1].read_bytes()
    assert data.count(b'\\"iteration\\": 12') == 1
    path = tmp_path / "changed.safetensors"
    path.write_bytes(data.replace(b'\\"iteration\\": 12', b'\\"iteration\\": 13'))
    refused(path, "SHA-256", kind="checkpoint")


def test_files_of_the_first_version_are_read(generator, tmp_path):
    """Their digest was of the tensors alone."""
    tensors, header = load_tensors(generator, "generator")
    old = header | {"sha256": _digest(tensors)}
    path = tmp_path / "old.safetensors"
    safetensors.torch.save_file(tensors, path, {"evenodds": json.dumps(old)})
    assert (Sampler.load(path)(range(5)) == Sampler.load(generator)(range(5))).all()


def test_a_safetensors_file_of_another_program(tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(3)}, path)
    refused(path, "was not written by evenodds")
    safetensors.torch.save_file({"weight": torch.zeros(3)}, path, {"evenodds": "5"})
    refused(path, "was not written by evenodds")
    safetensors.torch.save_file({"weight": torch.zeros(3)}, path, {"evenodds": "[" * 100_000})
    refused(path, "damaged")


def test_one_kind_is_not_taken_for_the_other(finished, generator):
    refused(checkpoints(finished)[-1], "is a checkpoint, not a generator")
    refused(generator, "is a generator, not a checkpoint", kind="checkpoint")


def test_a_newer_format_says_so(generator, tmp_path):
    tensors, header = load_tensors(generator, "generator")
    path = tmp_path / "newer.safetensors"
    newer = {**header, "format": FORMAT + 1, "sha256": "?"}
    safetensors.torch.save_file(tensors, path, {"evenodds": json.dumps(newer)})
    refused(path, f"has format {FORMAT + 1}", "install")


def test_nothing_there(tmp_path):
    refused(tmp_path / "none.safetensors", "does not exist")
    refused(tmp_path, "holds no generator.safetensors")


class Malicious:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [pickle.dump, torch.save], ids=["pickle", "torch.save"])
@pytest.mark.parametrize("kind", ["checkpoint", "generator"])
def test_pickles_are_refused_and_do_not_run(write, kind, tmp_path):
    proof, path = tmp_path / "it ran", tmp_path / "file.safetensors"
    with path.open("wb") as file:
        write(Malicious(proof), file)
    refused(path, "damaged or no safetensors file", kind=kind)
    assert not proof.exists()
    with path.open("rb") as file:  # the proof works
        pickle.load(file) if write is pickle.dump else torch.load(file, weights_only=False)
    assert proof.exists()


@pytest.mark.parametrize(
    "facts",
    [
        {"generator": {"name": "mlp", "widths": [5], "output": "tanh"}},
        {"generator": {"name": "mlp", "widths": "x"}},
        {"generator": {"name": "of someone's plugin"}},
        {"generator": {}},
        {"generator": 5},
        {"generator": ...},
        {"prior": {"name": "normal", "dim": 6}},
        {"prior": {"name": "normal", "dim": 10**15}},
        {"prior": {"name": "normal", "dim": -1}},
        {"prior": []},
        {"sample_shape": [1, 9, 9]},
        {"sample_shape": [-1]},
        {"sample_shape": "x"},
        {"sample_shape": None},
        {"class_names": 3, "conditional": True},
        {"conditional": True},
        {"conditional": ...},
        {"value_range": [1, 0]},
        {"value_range": "ab"},
    ],
    ids=str,
)
def test_a_file_that_does_not_fit_its_own_description(generator, tmp_path, facts):
    path = rewritten(tmp_path / "forged.safetensors", generator, **facts)
    refused(path, "does not fit its own description", "use another copy")


def change_widths(directory: Path) -> None:
    """As someone does who edits config.yaml by hand."""
    path = directory / "config.yaml"
    assert path.read_text().count("- 12") == 2
    path.write_text(path.read_text().replace("- 12", "- 11"))


def test_a_checkpoint_of_other_networks(tmp_path):
    train(tiny(), tmp_path, 3)
    change_widths(tmp_path)
    checkpoint = tree(tmp_path)
    with pytest.raises(RunError) as caught:
        train(tiny("generator.network.widths=[11]", "discriminator.network.widths=[11]"), tmp_path)
    assert one_sentence(
        caught.value, str(checkpoints(tmp_path)[-1]), "belongs to other networks", "own config"
    )
    assert len(str(caught.value)) < 500
    after = tree(tmp_path)
    del checkpoint["environment.json"], after["environment.json"]  # a session began
    assert after == checkpoint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("generator_optimizer/0/exp_avg", torch.zeros(3)),
        ("generator_optimizer/99/exp_avg", torch.zeros(3)),
        ("generator_optimizer/x/exp_avg", torch.zeros(3)),
        ("random/cpu", torch.zeros(3)),
        ("random/cpu", None),
        ("discriminator/layers.0.weight", None),
    ],
)
def test_a_checkpoint_whose_parts_do_not_fit(name, value, tmp_path):
    train(tiny("discriminator.network.dropout=0"), tmp_path, 3)
    path = checkpoints(tmp_path)[-1]
    tensors, header = load_tensors(path, "checkpoint")
    assert name in tensors or value is not None
    changed = {key: tensor for key, tensor in (tensors | {name: value}).items() if tensor is not None}
    save_tensors(path, changed, header, "checkpoint")
    with pytest.raises(RunError) as caught:
        train(tiny("discriminator.network.dropout=0"), tmp_path)
    assert one_sentence(caught.value, str(path), "own config")


def test_a_damaged_checkpoint_names_the_one_before(tmp_path):
    train(tiny(f"checkpoint_every={BATCH}"), tmp_path, 3)
    before, last = checkpoints(tmp_path)
    last.write_bytes(last.read_bytes()[:-5])
    with pytest.raises(RunError) as caught:
        train(tiny(f"checkpoint_every={BATCH}"), tmp_path)
    assert one_sentence(caught.value, str(last), "damaged", f"delete it to go on from {before.name}")
    last.unlink()
    assert train(tiny(f"checkpoint_every={BATCH}"), tmp_path) == 10
