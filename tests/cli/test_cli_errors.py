"""What a user can do wrong: one sentence on stderr, exit status 2, and nothing left behind."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pytest
from filelock import FileLock

from evenodds.cli.main import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("trian", 'Did you mean "train"?'),
        ("train --exmaples 3", "Did you mean --examples?"),
        ("train --examples many", '"many"'),
        ("train gan-digit", "did you mean 'gan-digits'?"),
        ("train nothing.yaml", "nothing.yaml"),
        ("train --set batch_szie=3", "did you mean 'batch_size'?"),
        ("train --set batch_size=0", "batch_size = 0"),
        ("train --set batch_size", "--set key=value"),
        ("train --set batch_size=100000", "at most 1297"),
        ("train --set loss=hinges", "did you mean 'hinge'?"),
        ("train --set generator.network.widht=3", "did you mean 'widths'?"),
        ("train --threads 0", "threads = 0"),
        ("train --device abacus", "device=auto"),
        ("train --data fashion", "did you mean 'fashion_mnist'?"),
        ("train --data nothing.npy", "nothing.npy"),
        ("train --data mnist", "evenodds data fetch mnist"),
        ("train --resume", "no run to resume"),
        ("train --set metrics=[modes] --set metrics_every=1000", "mixture of known modes"),
        ("train --set metrics=[parzn] --set metrics_every=1000", "did you mean 'parzen'?"),
        ("sample nothing --out x.npy", "nothing does not exist"),
        ("sample nothing --out x.jpg", "x.jpg"),
        ("sample nothing --out x.png", "--grid"),
        ("sample nothing --out x --grid", ".png"),
        ("sample nothing --out missing/x.npy", "missing does not exist"),
        ("sample nothing --out x.npy --seeds a-b", "0,3,5-9"),
        ("evaluate nothing", "nothing does not exist"),
        ("report nothing", "metrics.jsonl"),
        ("recipes gan-digit", "did you mean 'gan-digits'?"),
        ("data info dgits", "did you mean 'digits'?"),
        ("data fetch mnits", "did you mean 'mnist'?"),
    ],
)
def test_refused_in_one_sentence_and_nothing_is_left(words, said, refused, tmp_path):
    assert said in refused(*words.split())
    assert list(tmp_path.iterdir()) == []


def idx_file(content: bytes, name: str = "images-idx3-ubyte.gz") -> str:
    with open(name, "wb") as file:
        file.write(content)
    return name


IDX_HEADER = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2])  # two images of 2 × 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(IDX_HEADER + bytes(7)), "truncated"),
        (gzip.compress(IDX_HEADER + bytes(8))[:-9], "images-idx3"),
        (gzip.compress(b"P5 not idx at all"), "not an IDX file"),
        (b"", "images-idx3"),
    ],
    ids=["short", "cut gzip", "other format", "empty"],
)
def test_damaged_idx_is_refused(content, said, refused, tmp_path):
    assert said in refused("train", "--data", idx_file(content))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.full((200, 4), np.nan, np.float32), "NaN"),
        (np.zeros((2, 2, 2, 2, 2), np.float32), "shape"),
        (np.array(3.0, np.float32), "shape"),
        (np.zeros((0, 4), np.float32), "is empty"),
        (np.array([{"a": 1}], dtype=object), "objects"),
        (np.zeros((40, 4), np.float32), "at most 32"),
    ],
    ids=["nan", "rank 5", "rank 0", "empty", "objects", "fewer than a batch"],
)
def test_arrays_that_cannot_be_trained_on(array, said, refused, tmp_path):
    np.save("x.npy", array)  # an object array is pickled here; reading it must not unpickle
    assert said in refused("train", "--data", "x.npy", "--set", "conditional=false")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("at", [4, 100, -50])
def test_a_damaged_generator_is_refused(at, trained, refused):
    content = bytearray((trained / "generator.safetensors").read_bytes())
    content[at] ^= 0xFF
    with open("damaged.safetensors", "wb") as file:
        file.write(content)
    assert "damaged" in refused("sample", "damaged.safetensors", "--out", "x.npy")


def test_a_checkpoint_is_no_generator(trained, refused):
    checkpoint = next((trained / "checkpoints").glob("*.safetensors"))
    assert "is a checkpoint" in refused("sample", checkpoint, "--out", "x.npy")


def test_a_class_that_does_not_exist(trained, refused):
    assert "'11'" in refused("sample", trained, "--out", "x.npy", "--class", "11")


def test_the_best_generator_of_a_run_without_metrics(trained, refused):
    assert "leave out --generator" in refused("sample", trained, "--out", "x.npy", "--generator", "best")


def test_a_folder_of_runs_is_no_run_but_one_is_named(trained, refused):
    assert str(trained) in refused("sample", trained.parent, "--out", "x.npy")
    assert str(trained) in refused("report", trained.parent)


def test_a_run_is_no_place_for_runs(trained, refused):
    assert "--resume" in refused("train", "--dir", trained)


def test_resuming_under_another_config_lists_the_differences(trained, refused):
    said = refused("train", "--resume", "--dir", trained, "--set", "batch_size=32", "--seed", "7")
    assert "batch_size: 64 -> 32" in said
    assert "seed: 0 -> 7" in said


def test_resuming_to_less_than_was_trained(trained, refused):
    before = (trained / "config.yaml").read_bytes()
    assert "1,280" in refused("train", "--resume", "--dir", trained, "--examples", "640")
    assert (trained / "config.yaml").read_bytes() == before


def test_a_run_in_use_is_refused(trained, refused):
    with FileLock(trained / ".lock"):
        assert "in use" in refused("train", "--resume", "--dir", trained, "--examples", "2560")


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write anywhere")
def test_an_unwritable_folder(refused, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "another --dir" in refused("train", "--dir", "locked/runs", "--examples", "640")


def test_a_file_where_the_runs_should_go(refused, tmp_path):
    (tmp_path / "runs").write_text("mine")
    assert "another --dir" in refused("train", "--examples", "640")
    assert (tmp_path / "runs").read_text() == "mine"


def test_a_loss_that_explodes(cli):
    rate = "generator.optimizer.learning_rate=1e30"
    result = cli("train", "--set", rate, "--examples", "1280", "--threads", "1")
    assert result.code == 2
    said = result.err.splitlines()[-1]
    assert "iteration" in said
    assert "learning rate" in said


def test_nothing_is_overwritten_without_force(trained, cli, refused, tmp_path):
    (tmp_path / "x.npy").write_text("mine")
    assert "--force" in refused("sample", trained, "--out", "x.npy", "--seeds", "0")
    assert (tmp_path / "x.npy").read_text() == "mine"
    assert cli("sample", trained, "--out", "x.npy", "--seeds", "0", "--force").code == 0
    assert np.load("x.npy", allow_pickle=False).shape == (1, 1, 8, 8)


def test_debugging_shows_the_traceback(cli, monkeypatch):
    monkeypatch.setenv("EVENODDS_DEBUG", "1")
    result = cli("train", "nothing")
    assert result.code == 2
    assert result.err.startswith("Traceback")
    assert result.err.splitlines()[-1].startswith("evenodds: ")


def test_a_fault_keeps_its_traceback_and_asks_for_a_report(cli, monkeypatch):
    def broken(name):
        raise ZeroDivisionError("made for this test")

    monkeypatch.setattr("evenodds.recipes.recipe_text", broken)
    result = cli("recipes", "gan-digits")
    assert result.code == 1
    assert "ZeroDivisionError: made for this test" in result.err
    assert "please report it" in result.err.splitlines()[-1]


def test_a_reader_that_leaves_is_no_error(command):
    read, write = os.pipe()
    os.close(read)
    process = command("recipes", stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_a_terminal_that_lacks_a_sign_shows_a_question_mark(command):
    process = command("recipes", environment={"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "8 ? 8 pixels" in out


def test_interrupted_elsewhere(monkeypatch, capfd):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("evenodds.recipes.recipe_text", interrupted)
    assert main(["recipes", "gan-digits"]) == 130
    assert capfd.readouterr().err == "evenodds: interrupted\n"
