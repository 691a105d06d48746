"""`evenodds branch` and `evenodds doctor --loss`, as they are called."""

from __future__ import annotations

import io
import json
import shutil
import signal

import pytest

from evenodds.cli.main import main
from evenodds.cli.race import Race


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a small run, in the folder to work in."""
    shutil.copytree(trained, tmp_path / "run")
    return "run"


@pytest.fixture
def quick(monkeypatch):
    """Probes that are too short to tell anything, for tests of everything else."""
    monkeypatch.setattr("evenodds.branching.verdicts.SEEDS", 2)
    monkeypatch.setattr("evenodds.branching.verdicts.STEPS", 2)
    monkeypatch.setattr("evenodds.branching.verdicts.ENERGY_EXAMPLES", 50)


@pytest.fixture
def short_tests(monkeypatch):
    """Of a loss, but without what takes long."""
    monkeypatch.setattr("evenodds.loss_doctor.equilibrium.STEPS", 5)
    monkeypatch.setattr("evenodds.loss_doctor.diagnosis.check_games", lambda loss, seed: [])


WORDS = ("--set", "critic_steps=2", "--branch", "loss=hinge penalties.r1.weight=1", "--examples", "640")


def test_branches_side_by_side(cli, run, quick, tmp_path):
    result = cli("branch", run, *WORDS)
    assert result.code == 0, result.err
    assert "3 branches from run at 1,280 examples, 640 more for each" in result.out
    for title in ("unchanged", "critic_steps=2", "loss=hinge penalties.r1.weight=1"):
        rows = [line for line in result.out.splitlines() if line.startswith(f"{title}  ")]
        assert len(rows) == 1
        assert rows[0].split()[-1] in ("control", "helped", "hurt", "difference")
    folder = tmp_path / "run/branches/0000001280"
    found = json.loads((folder / "branches.json").read_text(encoding="utf-8"))
    assert [one["outcome"] == "control" for one in found["branches"]] == [True, False, False]
    assert found["branches"][2]["changes"] == ["loss=hinge", "penalties.r1.weight=1"]
    for one in found["branches"]:
        assert len(one["seeds"]) == found["probes"]["seeds"] == 2
        assert (folder / one["run"] / "generator.safetensors").is_file()
    again = cli("branch", run, *WORDS)
    table = result.out.partition("branch ")[2]
    assert table
    assert again.out.partition("branch ")[2] == table  # nothing left to train; probes are seeded


def test_a_branch_is_an_ordinary_run(cli, run, quick, no_drawing, tmp_path):
    assert cli("branch", run, "--set", "seed=1", "--examples", "64", "--dir", "b").code == 0
    assert cli("train", "--resume", "--dir", "b/seed=1", "--examples", "1408").code == 0
    assert (tmp_path / "b/seed=1/checkpoints/0000001408.safetensors").is_file()


def test_ctrl_c_saves_and_the_same_command_goes_on(cli, run, quick, monkeypatch, tmp_path):
    step = Race.step

    def interrupting(self, examples, line):
        if examples >= 128:
            signal.raise_signal(signal.SIGINT)
        step(self, examples, line)

    with monkeypatch.context() as patch:
        patch.setattr(Race, "step", interrupting)
        result = cli("branch", run, *WORDS)
    assert result.code == 130
    assert "evenodds: interrupted; to go on: " in result.err
    control = tmp_path / "run/branches/0000001280/unchanged/checkpoints/0000001408.safetensors"
    assert control.is_file()
    assert not (tmp_path / "run/branches/0000001280/branches.json").exists()
    result = cli("branch", run, *WORDS)
    assert result.code == 0
    assert (tmp_path / "run/branches/0000001280/branches.json").exists()


def test_a_branch_that_breaks_down_is_said_so(cli, run, quick):
    breaking = "discriminator.optimizer={name: sgd, learning_rate: 1.0e+30}"
    result = cli("branch", run, "--set", breaking, "--examples", "640")
    assert result.code == 0, result.err
    assert f"{breaking} broke down: " in result.out
    assert "\nunchanged " in result.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("branch run", "--set critic_steps=3"),
        ("branch nothing --set seed=1", "nothing is no run"),
        ("branch run --set prior.dim=3", "would not fit"),
        ("branch run --set batch_szie=3", "did you mean 'batch_size'?"),
        ("branch run --set loss=hinges", "did you mean 'hinge'?"),
        ("branch run --set seed=1 --from 17", "there are: "),
        ("branch run --set seed=1 --from best", "no checkpoint 'best'"),
        ("branch run --set seed=1 --from first", "no checkpoint 'first'"),
        ("branch run --set seed=1 --examples 0", "--examples 0"),
        ("branch run --set seed=1 --set seed=1", "twice"),
        ("branch run --branch 'seed=1", "quotes"),
        ("branch run --branch=", "--branch is empty"),
        ("doctor --loss hinges", "did you mean 'hinge'?"),
        ("doctor --loss mine.py", "mine.py does not exist"),
        ("doctor --loss hinge --out x.jpg", ".png"),
        ("doctor --loss hinge --out no/x.png", "no does not exist"),
        ("doctor --out x.png", "--loss"),
    ],
)
def test_refused_in_one_sentence_and_nothing_is_left(words, said, refused, run, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert said in refused(*words.split(" "))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_loss_of_evenodds(cli, short_tests, tmp_path):
    result = cli("doctor", "--loss", "non_saturating", "--out", "paths.png")
    assert result.code == 0
    assert "±0.5i" in result.out
    assert "−0.5 twice" in result.out
    assert "converges with R1 and not without" in " ".join(result.out.split())
    assert (tmp_path / "paths.png").read_bytes().startswith(b"\x89PNG")


LOSS = """from torch.nn.functional import softplus

def discriminator(real, fake):
    return softplus({sign}real) + softplus(fake)

def generator(real, fake):
    return softplus(-fake)
"""


def test_a_loss_of_ones_own(cli, short_tests, tmp_path):
    (tmp_path / "mine.py").write_text(LOSS.format(sign="-"), encoding="utf-8")
    result = cli("doctor", "--loss", "mine.py")
    assert result.code == 0
    assert "mine.py converges with R1" in " ".join(result.out.split())
    (tmp_path / "mine.py").write_text(LOSS.format(sign=""), encoding="utf-8")
    result = cli("doctor", "--loss", "mine.py")
    assert result.code == 0
    assert "mine.py can't be trained with" in " ".join(result.out.split())


def test_a_file_with_an_error_is_one_sentence(refused, tmp_path):
    (tmp_path / "mine.py").write_text("def discriminator(real, fake)\n    return real\n", encoding="utf-8")
    assert "mine.py, line 1: " in refused("doctor", "--loss", "mine.py")


def test_a_narrow_terminal_gets_words_for_signs(monkeypatch, tmp_path):
    (tmp_path / "mine.py").write_text(LOSS.format(sign=""), encoding="utf-8")
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert main(["doctor", "--loss", "mine.py"]) == 0
    out = written.getvalue().decode("ascii")
    assert "ok shape" in out
    assert "NO directions" in out
