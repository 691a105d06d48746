"""`evenodds extractors`, its fetch and its build."""

import json
import signal
import time

import numpy as np
import pytest

from evenodds.cli.main import main


@pytest.fixture
def images(tmp_path):
    """An .npz of 600 random 28 × 28 images in ten classes; the brighter, the higher the class."""
    random = np.random.default_rng(0)
    y = np.arange(600) % 10
    x = (random.integers(0, 60, (600, 1, 28, 28)) + 20 * y[:, None, None, None]).astype(np.uint8)
    np.savez(tmp_path / "levels.npz", x=x, y=y)
    return tmp_path / "levels.npz"


def test_the_list_says_what_each_is_for_and_what_is_missing(cli):
    result = cli("extractors")
    assert result.code == 0
    text = " ".join(result.out.split())
    assert "run: evenodds extractors fetch inception" in text
    assert "comes with evenodds" in text
    assert "512 features" in text
    facts = {entry["name"]: entry for entry in json.loads(cli("extractors", "--json").out)}
    assert list(facts) == ["inception", "mnist", "cifar10", "random", "values"]
    assert facts["inception"]["problem"]
    assert facts["inception"]["dim"] == 2048
    for name, dim, least in (("mnist", 128, 0.992), ("cifar10", 224, 0.9)):
        assert facts[name]["accuracy"] >= least
        assert facts[name]["dim"] == dim
        assert len(facts[name]["sha256"]) == 64
        assert not facts[name]["problem"]


def test_refusals(refused):
    assert "did you mean 'inception'" in refused("extractors", "fetch", "inceptio")
    assert "there is nothing to fetch" in refused("extractors", "fetch", "cifar10")
    assert "did you mean 'cifar10'" in refused("extractors", "build", "cifar")
    assert "use --data mnist" in refused("extractors", "build", "mnist", "--data", "digits")
    assert "CIFAR" in refused("extractors", "build", "cifar10", "--data", "no/CIFAR")


def test_build_ctrl_c_and_build_again(cli, command, images, tmp_path):
    """Interrupted in a process of its own, then made to the end in this one."""
    words = ["extractors", "build", "mnist", "--data", images, "--to", tmp_path / "b.safetensors"]
    process = command(*words, environment={"EVENODDS_CACHE": str(tmp_path / "cache")})
    waited = time.monotonic() + 120
    while not (tmp_path / "b.training").exists() and time.monotonic() < waited and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if process.returncode != 0:  # it may have been quicker than the signal
        assert process.returncode == 130, err
        assert "to go on: evenodds extractors build mnist --data" in err
        assert "Traceback" not in err
        assert not (tmp_path / "b.safetensors").exists()
    result = cli(*words, "--threads", 1)
    assert result.code == 0, result.err
    assert "test images right" in result.out
    assert f"--extractor {tmp_path / 'b.safetensors'}" in " ".join(result.out.split())
    assert sorted(path.name for path in tmp_path.glob("b.*")) == ["b.safetensors"]
    assert main(["extractors", "build", "mnist", "--data", str(tmp_path / "none.npz")]) == 2
