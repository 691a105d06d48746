"""`evenodds lab`, as a user sees it."""

from __future__ import annotations

import signal

import pytest

SMALL = ["--examples", "2048", "--set", "batch_size=64"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("evenodds.lab.lab.FRAMES", 3)
    monkeypatch.setattr("evenodds.lab.stills.FIT_STEPS", 10)
    monkeypatch.setattr("evenodds.lab.stills.MOVE_STEPS", 5)
    monkeypatch.setattr("evenodds.lab.look.FRESH", 2_000)


def test_the_default_is_the_papers_picture(cli, tmp_path):
    result = cli("lab", *SMALL)
    assert result.code == 0, result.err
    run = tmp_path / "runs/00000-lab-gaussian"
    assert f"watch it in a browser: {run / 'figure1.html'}" in result.out
    for name in ("figure1.png", "figure1.html", "figure1.jsonl", "figure1-stills.png", "config.yaml"):
        assert (run / name).stat().st_size > 0
    assert "2,048/2,048 examples" in result.out
    assert "V −1." in result.out
    assert "gap" in result.out


def test_options_reach_the_game(cli, tmp_path):
    out = tmp_path / "mine"
    words = ["--loss", "hinge", "--seed", "3", "--critic-steps", "1", "--out", out, "--no-movie"]
    result = cli("lab", "gaussian_mixture", *SMALL, *words)
    assert result.code == 0, result.err
    config = (out / "config.yaml").read_text("utf-8")
    for setting in ("name: hinge", "seed: 3", "critic_steps: 1", "examples: 2048", "batch_size: 64"):
        assert setting in config
    assert not list(out.glob("figure1.webp"))
    assert not (tmp_path / "runs").exists()


def test_ctrl_c_leaves_finished_files(cli, tmp_path, monkeypatch):
    from evenodds.cli.lab import Shown

    step, calls = Shown.step, []

    def interrupting(self, examples, score):
        step(self, examples, score)
        calls.append(examples)
        if len(calls) == 5:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Shown, "step", interrupting)
    result = cli("lab", "--examples", "1000000", "--set", "batch_size=64", "--out", tmp_path / "run")
    assert result.code == 130
    assert len(calls) == 5
    assert "interrupted" in result.err
    made = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"figure1.png", "figure1-a.png", "figure1-d.png", "figure1-stills.png", "figure1.html"} <= made
    assert made & {"figure1.webp", "figure1.gif"}
    assert not [name for name in made if name.endswith(".tmp")]


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["gausian"], "no density 'gausian'; did you mean 'gaussian'?"),
        (["points"], "single points have none; choose one of: checkerboard,"),
        (["--minutes", "0"], "--minutes 0 is no time to play for; give more than 0"),
        (["--set", "data.name=digits"], "known density, and digits has none"),
        (["--loss", "minmax"], "unknown loss 'minmax'; did you mean 'minimax'?"),
        (["--set", "data.std=0"], "std=0 does not describe a density"),
    ],
)
def test_what_cannot_be_played_is_one_sentence(refused, tmp_path, words, sentence):
    assert sentence in refused("lab", *words)
    assert not (tmp_path / "runs").exists()
