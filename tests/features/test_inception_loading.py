"""Weights come from the user's file, run no code, and a wrong file is refused with the remedy."""

from __future__ import annotations

import hashlib
import os

import pytest
import safetensors.torch
import torch
from inception_weights import random_network

from evenodds.errors import ConfigError, DataError
from evenodds.features import identity
from evenodds.features.inception import FILE, REMOTE, fast_type, load_inception
from evenodds.features.resizing import preprocess

REMEDY = "or run: evenodds extractors fetch inception$"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / FILE
    torch.save(random_network().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def plain(file):
    return load_inception(file, fast=False)


@pytest.fixture(scope="module")
def images():
    """Soft blobs of 30 × 30."""
    coarse = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(2)) * 255
    return torch.nn.functional.interpolate(coarse, (30, 30), mode="bilinear").to(torch.uint8)


def refused(path, match):
    with pytest.raises(DataError, match=match) as caught:
        load_inception(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def saved(path, state):
    """A file without most of the weights is enough to be refused."""
    torch.save(state, path)
    return path


def test_the_remote_file_is_pinned_as_its_name_says():
    assert REMOTE.url.endswith(FILE)
    assert len(REMOTE.sha256) == 64
    assert FILE.removesuffix(".pth").endswith("-" + REMOTE.sha256[:8])
    assert REMOTE.url.startswith("https://github.com/mseitzer/pytorch-fid/releases/")


def test_features_and_logits_of_the_files_weights(plain, images):
    found = plain(images)
    with torch.inference_mode():
        expected = random_network()(preprocess(images, "tf"))
    assert (found.features - expected).norm() < 1e-5 * expected.norm()
    logits = expected @ random_network().fc.weight.T
    assert (found.logits - logits).norm() < 1e-5 * logits.norm()
    assert (plain.dim, plain.classes) == (found.features.shape[1], found.logits.shape[1]) == (2048, 1008)
    assert not found.features.is_inference()


def test_identity_is_the_files_hash_and_the_mode(file):
    extractor = load_inception(file, preprocessing="clean", fast=False)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert identity(extractor) == {
        "name": "inception", "sha256": digest, "preprocessing": "clean", "dim": 2048,
    }  # fmt: skip
    assert not extractor.published


def test_fast_and_plain_agree(file, plain, images):
    fast = load_inception(file)(images).features
    expected = plain(images).features
    tolerance = 1e-4 if fast_type(torch.device("cpu")) == torch.float32 else 0.05
    assert (fast - expected).norm() < tolerance * expected.norm()


def test_the_mode_matters(file, plain, images):
    expected = plain(images).features
    other = load_inception(file, preprocessing="pytorch", fast=False)(images).features
    assert (other - expected).norm() > 0.02 * expected.norm()


def test_safetensors_without_counters_and_in_half_precision(plain, images, tmp_path):
    path = tmp_path / "inception.safetensors"
    state = random_network().state_dict()
    kept = {name: value.half() for name, value in state.items() if not name.endswith("tracked")}
    safetensors.torch.save_file(kept, path)
    found = load_inception(path, fast=False)(images).features
    expected = plain(images).features
    assert 0 < (found - expected).norm() < 0.01 * expected.norm()


def test_no_file(tmp_path):
    refused(tmp_path / "none.pth", f"can't be read .*; give {FILE}, {REMEDY}")
    refused(tmp_path, REMEDY)


def test_a_truncated_file(file, tmp_path):
    path = tmp_path / FILE
    path.write_bytes(file.read_bytes()[:12_992_512])
    refused(path, f"weights only and has 12992512 of {REMOTE.bytes} bytes; .*{REMEDY}")


def test_a_pickle_with_code_does_not_run(tmp_path):
    class Code:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    refused(saved(tmp_path / "code.pth", {"fc.weight": Code()}), f"weights only.*{REMEDY}")
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_torchscript_program(tmp_path):
    path = tmp_path / "inception-2015-12-05.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    refused(path, f"is a TorchScript program.*{REMEDY}")


def test_other_things_than_weights(tmp_path):
    refused(saved(tmp_path / "list.pth", [1, 2]), f"holds a list, not weights by name; .*{REMEDY}")
    refused(saved(tmp_path / "torchvision.pth", {"AuxLogits.fc.weight": torch.zeros(1)}), "torchvision's")
    text = tmp_path / "text.safetensors"
    text.write_text("nothing", encoding="utf-8")
    refused(text, f"can't be read as a file of weights.*{REMEDY}")


def test_missing_and_surplus_names(file, tmp_path):
    state = random_network().state_dict()
    less = {name: value for name, value in state.items() if not name.startswith("fc")}
    refused(saved(tmp_path / "less.pth", less), f"lacks fc.weight and 1 others; .*{REMEDY}")
    more = {**state, "head.weight": torch.zeros(1)}
    refused(saved(tmp_path / "more.pth", more), f"also holds head.weight; .*{REMEDY}")


@pytest.mark.parametrize(
    "name, value, match",
    [
        ("fc.weight", torch.zeros(1000, 2048), r"shape \(1000, 2048\), not \(1008, 2048\)"),
        ("fc.bias", "text", "fc.bias is no tensor of floats"),
        ("fc.bias", torch.zeros(1008, dtype=torch.long), "fc.bias is no tensor of floats"),
        ("fc.bias", torch.full((1008,), torch.nan), "is damaged: fc.bias"),
        ("Mixed_7a.branch3x3_1.bn.running_var", torch.full((192,), -1.0), "is damaged: Mixed_7a"),
    ],
)
def test_wrong_values(tmp_path, name, value, match):
    path = saved(tmp_path / "wrong.pth", {**random_network().state_dict(), name: value})
    refused(path, f"{match}.*{REMEDY}")


def test_an_unknown_mode_is_refused_before_the_file_is_read(tmp_path):
    with pytest.raises(ConfigError, match="no preprocessing 'bilinear' for Inception; choose one of: clean"):
        load_inception(tmp_path / "none.pth", preprocessing="bilinear")
