"""Ctrl-C: training goes on from where it was, and gives what it would have given without it."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import sys

import pytest

from evenodds.build import build_gan
from evenodds.checkpoint import load_tensors
from evenodds.cli.main import main
from evenodds.cli.signals import Interruption, uninterrupted

WORDS = ("--examples", "19200", "--threads", "1", "--set", "sample_count=4")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def test_an_interrupted_run_goes_on_bit_for_bit(command, cli, tmp_path, no_drawing):
    process = command("train", *WORDS, "--dir", "cut")
    for line in process.stdout:
        if line.startswith("writing to"):
            break
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)  # an impatient second one must not break the save
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert (tmp_path / "cut/00000-gan-digits/report.html").exists()
    said = err.strip().splitlines()[-1]
    assert said.startswith("evenodds: interrupted, a checkpoint at ")
    resume = shlex.split(said.partition("to go on: ")[2])[1:]
    resumed = cli(*resume)
    assert resumed.code == 0
    seen = int(said.split()[5].replace(",", ""))
    assert 0 < seen < 19_200
    assert f"at {seen:,} examples" in resumed.out
    assert cli("train", *WORDS, "--dir", "whole").code == 0
    generators = [
        load_tensors(tmp_path / base / "00000-gan-digits/generator.safetensors", "generator")[0]
        for base in ("cut", "whole")
    ]
    assert generators[0].keys() == generators[1].keys()
    assert all(generators[0][name].equal(generators[1][name]) for name in generators[0])


def test_before_anything_was_trained(monkeypatch, capfd, tmp_path):
    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return build_gan(*arguments)  # reached where a destructor has swallowed what the signal raised

    monkeypatch.setattr("evenodds.cli.plan.build_gan", interrupted)
    assert main(["train"]) == 130
    assert capfd.readouterr().err == "evenodds: interrupted before anything was trained; nothing was saved\n"
    assert list(tmp_path.iterdir()) == []


def test_a_signal_is_only_noted_once_training_has_begun(capfd):
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as stop:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        stop.requested = False  # as if it had never come
        stop.defer()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
    assert signal.getsignal(signal.SIGINT) is before
    assert capfd.readouterr().err.count("saving a checkpoint") == 1


@pytest.fixture
def monkeypatch_signal():
    """`signal.signal`, undone after the test."""
    before = {}

    def patch(number, handler):
        before.setdefault(number, signal.signal(number, handler))

    yield patch
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_during_an_import_waits_for_its_end(capfd, monkeypatch_signal):
    finished = []
    # a process started in the background of a script inherits a SIGINT that is ignored
    monkeypatch_signal(signal.SIGINT, signal.default_int_handler)

    def imported():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            finished.append(True)

    with pytest.raises(KeyboardInterrupt):
        imported()
    assert finished == [True]
    assert capfd.readouterr().err == "\nevenodds: stopping\n"


def test_the_live_display_is_drawn_over(command, tmp_path, monkeypatch):
    monkeypatch.delenv("CI", raising=False)  # where it is set, lines are plain
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    process = command("train", "--examples", "6400", "--threads", "1", stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # Linux: the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait(60) == 0
    text = shown.decode()
    assert "6,400/6,400 examples" in text
    assert "(even odds −1.386)" in text
    assert "\x1b[2K" in text  # erased lines: it was live


def test_a_program_that_ends_in_the_middle_of_the_loop_has_saved(tmp_path):
    program = (
        "from evenodds.cli.settings import base_config, settled\n"
        "from evenodds.trainer import training\n"
        "config = settled(base_config(None, None), data=None, assignments=(), shorthands={'threads': 1})\n"
        "iterator = training(config, 'run')\n"
        "next(iterator), next(iterator)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "run/checkpoints/0000000128.safetensors").exists()
