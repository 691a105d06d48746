"""One process at a time, nobody else's files, no number twice, no config but its own."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
import yaml
from tiny_runs import BATCH, checkpoints, in_child, metrics, one_sentence, tiny, train, tree

from evenodds import run as run_module
from evenodds.config import load_config
from evenodds.errors import ConfigError, DataError, RunError
from evenodds.run import Run, new_run_directory, resolve_device
from evenodds.trainer import training


def test_in_use_by_another_process(tmp_path):
    held = Run(tmp_path, tiny())
    code, said = in_child(train, tiny(), tmp_path)
    assert code == 0
    assert said.startswith("RunError")
    assert one_sentence(RunError(said), str(tmp_path), "in use by another process")
    held.close()
    assert in_child(train, tiny(), tmp_path) == (0, 12)


def test_in_use_by_the_same_process(tmp_path):
    steps = training(tiny(), tmp_path)
    next(steps)
    before = (tmp_path / "config.yaml").stat().st_mtime_ns, metrics(tmp_path)
    with pytest.raises(RunError, match="in use"):
        train(tiny(), tmp_path)
    assert ((tmp_path / "config.yaml").stat().st_mtime_ns, metrics(tmp_path)) == before
    steps.close()
    assert train(tiny(), tmp_path) == 11


@pytest.mark.parametrize("error", [ConfigError, RunError])
def test_a_refused_run_lets_go_of_the_directory(error, tmp_path):
    train(tiny(), tmp_path, 1)
    if error is RunError:
        (tmp_path / "environment.json").write_text("[]")
    with pytest.raises(error):
        train(tiny("seed=5" if error is ConfigError else "seed=0"), tmp_path)
    (tmp_path / "environment.json").unlink()
    assert train(tiny(), tmp_path) == 11


@pytest.mark.parametrize("name", ["thesis.tex", ".hidden", "checkpoints/0000000008.safetensors"])
def test_other_files_in_it(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(RunError) as caught:
        train(tiny(), tmp_path)
    assert one_sentence(caught.value, str(tmp_path), "holds other files", "--dir")
    assert tree(tmp_path) == before  # not even a lock


def test_a_file_where_the_directory_should_be(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(RunError) as caught:
        train(tiny(), path)
    assert one_sentence(caught.value, str(path))
    assert path.read_text() == "mine"


def test_killed_before_it_had_a_config(tmp_path):
    """What is there then does not make it someone else's folder."""
    (tmp_path / ".lock").touch()
    (tmp_path / ".config.yaml.0badcafe.tmp").write_text("recipe: ti")
    assert train(tiny(), tmp_path) == 12
    assert ".config.yaml.0badcafe.tmp" not in tree(tmp_path)


@pytest.mark.parametrize(
    ("assignments", "listed"),
    [
        (["seed=1"], ["seed: 0 -> 1"]),
        (["batch_size=4"], ["batch_size: 8 -> 4"]),
        (
            ["generator.network.widths=[13]", "loss=hinge"],
            ["generator.network.widths: [12] -> [13]", "loss.name: non_saturating -> hinge"],
        ),
        (["penalties.r1={}"], ["penalties.r1: absent -> {}"]),
        (["discriminator.optimizer.beta1=0"], ["discriminator.optimizer.beta1: absent -> 0"]),
        (["threads=1", "seed=3"], ["(seed: 0 -> 3)"]),
    ],
)
def test_another_config_is_refused_and_nothing_changes(assignments, listed, tmp_path):
    train(tiny(), tmp_path, 2)
    before = tree(tmp_path)
    with pytest.raises(ConfigError) as caught:
        train(tiny(*assignments), tmp_path)
    assert one_sentence(caught.value, str(tmp_path), "resume it with its own", *listed)
    assert str(caught.value).count("->") == len(listed)
    assert tree(tmp_path) == before


def test_examples_and_threads_may_change(tmp_path):
    train(tiny(), tmp_path)
    train(tiny(f"examples={20 * BATCH}", "threads=1"), tmp_path)
    assert int(checkpoints(tmp_path)[-1].stem) == 20 * BATCH
    assert load_config(tmp_path / "config.yaml").examples == 20 * BATCH


@pytest.mark.parametrize(
    ("assignments", "error"),
    [
        (
            ["metrics=[parzen]", "metrics_every=8", "data=ring", "generator.network.output=linear"],
            ConfigError,
        ),
        (["metrics=[modes]", "metrics_every=8"], ConfigError),
        (["metrics=[modes, nonsense]", "metrics_every=8"], ConfigError),
        (["generator.network.widhts=[3]"], ConfigError),
        (["generator.optimizer.learning_rate=-1"], ConfigError),
        (["batch_size=100000"], DataError),
        (["device=cuda:99"], ConfigError),
        (["data={name: array, path: nowhere.npy}"], DataError),
    ],
    ids=str,
)
def test_what_cannot_be_trained_makes_no_directory(assignments, error, tmp_path):
    with pytest.raises(error) as caught:
        train(tiny(*assignments), tmp_path / "run")
    assert one_sentence(caught.value)
    assert tree(tmp_path) == {}
    assert not (tmp_path / "run").exists()


def test_the_config_saved_is_complete_and_plain(tmp_path):
    config = tiny()
    train(config, tmp_path, 1)
    assert load_config(tmp_path / "config.yaml") == config
    assert set(yaml.safe_load((tmp_path / "config.yaml").read_text())) == set(type(config).model_fields)


def test_every_session_is_noted(tmp_path):
    train(tiny(), tmp_path, 1)
    train(tiny(), tmp_path, 1)
    sessions = json.loads((tmp_path / "environment.json").read_text())["sessions"]
    assert len(sessions) == 2
    assert {"started", "command", "evenodds", "git_commit", "torch", "device", "threads"} <= set(sessions[0])


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"sessions": 5}', "\xff"])
def test_a_damaged_environment_is_a_sentence(content, tmp_path):
    train(tiny(), tmp_path, 1)
    (tmp_path / "environment.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(RunError) as caught:
        train(tiny(), tmp_path)
    assert one_sentence(caught.value, "environment.json", "delete it")


def test_lines_cut_short_are_passed_over(tmp_path):
    train(tiny(), tmp_path, 8)
    path = tmp_path / "metrics.jsonl"
    whole = metrics(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"examples": 1\xff\n[1]\n{"examples": 64, "ite')
    with Run(tmp_path, tiny()) as run:
        assert [line["examples"] for line in run.lines()] == [line["examples"] for line in whole]
        run.forget_after(10**9)
    assert metrics(tmp_path) == whole


def test_numbers_go_up_and_nothing_is_overwritten(tmp_path):
    base = tmp_path / "runs"
    assert [new_run_directory(base, "a b/c").name for _ in range(2)] == ["00000-a-b-c", "00001-a-b-c"]
    (base / "00007-x").mkdir()
    (base / "notes-99999").mkdir()
    (base / "99999").touch()
    assert new_run_directory(base, "x").name == "00008-x"
    (base / "99999-x").mkdir()
    assert [new_run_directory(base, "x").name for _ in range(2)] == ["100000-x", "100001-x"]


def test_threads_and_processes_never_share_a_number(tmp_path):
    names: list[str] = []
    make = lambda: names.extend(make_directories(tmp_path, 25))  # noqa: E731
    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    code, others = in_child(make_directories, tmp_path, 50)
    for thread in threads:
        thread.join()
    assert code == 0
    assert sorted(names + others) == [f"{n:05d}-x" for n in range(150)]


def make_directories(base: Path, count: int) -> list[str]:
    return [new_run_directory(base, "x").name for _ in range(count)]


def test_a_base_that_cannot_hold_runs(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError) as caught:
        new_run_directory(tmp_path / "file", "x")
    assert one_sentence(caught.value, "file", "--dir")


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "", "meta", "cpu:x", "mps:7"])
def test_a_device_that_is_not_there(device):
    with pytest.raises(ConfigError) as caught:
        resolve_device(device)
    assert one_sentence(caught.value, repr(device), "device=auto")


def test_devices_that_are_there():
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") in ("cpu", "cuda", "mps", "xpu")


def test_no_commit_where_there_is_no_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert run_module.git_commit() is None
