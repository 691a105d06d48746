"""What the lab measures, against closed forms; and what it leaves behind."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from evenodds.config import config_from, override
from evenodds.data.densities import DENSITIES
from evenodds.errors import ConfigError, NonFiniteError, RunError
from evenodds.lab import LABS, Lab, lab_config
from evenodds.lab.look import distance, look
from evenodds.lab.stills import Candidate, fit, stills
from evenodds.lab.target import target
from evenodds.latents import Normal, Uniform
from evenodds.losses import minimax_discriminator

TINY = ["examples=2048", "batch_size=64"]


class Shifted(nn.Module):
    """x = z + mean."""

    def __init__(self, *mean: float) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.tensor(mean))

    def forward(self, z, y=None):
        return z + self.mean


class LogOdds(nn.Module):
    """scale · (1/2 − x) + offset: for scale 1, offset 0 log p/q of p = N(0, 1), q = N(1, 1)."""

    def __init__(self, scale: float = 1.0, offset: float = 0.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.offset = offset

    def forward(self, x, y=None):
        return self.scale * (0.5 - x[:, 0]) + self.offset


@pytest.fixture(scope="module")
def gaussian():
    return target(DENSITIES["gaussian"]())


@pytest.fixture(scope="module")
def best_look(gaussian):
    return look(Shifted(1.0), LogOdds(), Normal(dim=1), gaussian, examples=0, seed=0, probability=True)


def test_the_drawn_best_d_is_p_over_p_plus_q(best_look):
    line = best_look.scene
    drawn = np.isfinite(line.optimal)
    assert drawn.sum() > 200
    ratio = line.data / (line.data + line.generator)
    assert line.optimal[drawn] == pytest.approx(ratio[drawn], abs=1e-12)
    # 2^14 cells of a normal z end 4 standard deviations out, and beyond them there are no samples
    drawn &= np.abs(line.x - 1) < 3.3
    assert line.optimal[drawn] == pytest.approx(1 / (1 + np.exp(line.x[drawn] - 0.5)), abs=5e-3)
    assert line.d == pytest.approx(1 / (1 + np.exp(line.x - 0.5)), abs=1e-6)


def test_the_drawn_densities_are_the_densities(best_look):
    line = best_look.scene
    for curve, mean in ((line.data, 0), (line.generator, 1)):
        assert curve == pytest.approx(np.exp(-((line.x - mean) ** 2) / 2) / math.sqrt(2 * math.pi), abs=2e-3)
    assert line.mapped == pytest.approx(line.z + 1, abs=1e-6)


def test_the_truth_is_the_published_one_and_the_best_d_reaches_it(best_look):
    """C(G) = −1.163451 for N(0, 1) against N(1, 1), from an independent quadrature."""
    score = best_look.score
    assert score.truth == pytest.approx(-1.163451, abs=5e-4)
    assert score.truth_error < 1e-3
    assert score.value == pytest.approx(score.truth, abs=4 * score.value_error)
    assert 0.002 < score.value_error < 0.02


@pytest.mark.parametrize("scale", [-1.0, 0.0, 0.3, 3.0])
def test_every_other_d_scores_below_the_truth(gaussian, scale):
    score = look(
        Shifted(1.0), LogOdds(scale), Normal(dim=1), gaussian, examples=0, seed=0, probability=True
    ).score
    assert score.value < score.truth - 4 * score.value_error
    assert score.gap == pytest.approx(score.truth - score.value)


def test_log_odds_are_read_out_of_a_score_of_another_scale(gaussian, best_look):
    players = Shifted(1.0), LogOdds(scale=7.0, offset=-40.0)
    seen = look(*players, Normal(dim=1), gaussian, examples=0, seed=0, probability=False)
    assert seen.score.value == pytest.approx(seen.score.truth, abs=4 * seen.score.value_error)
    assert seen.scene.d == pytest.approx(best_look.scene.d, abs=0.03)


def test_a_player_that_returns_no_number_is_said(gaussian):
    with pytest.raises(NonFiniteError, match="no longer a number"):
        look(Shifted(math.nan), LogOdds(), Normal(dim=1), gaussian, examples=0, seed=0, probability=True)


@pytest.mark.parametrize("mean, jsd", [(1.0, 0.111421), (2.0, 0.336831)])
def test_jsd_in_the_plane_lies_within_its_error(mean, jsd):
    """Two unit Gaussians in the plane, shifted along one axis, are as far apart as on the line."""
    plane = target(DENSITIES["gaussian_mixture"](means=[[0.0, 0.0]], std=1.0))
    found = distance(Shifted(0.0, mean), Normal(dim=2), plane)
    assert abs(found.jsd - jsd) < found.error
    assert found.error < 0.03


def test_a_map_has_the_first_coordinate_to_the_right():
    plane = target(DENSITIES["gaussian_mixture"](means=[[0.0, 0.0], [4.0, 0.0]], std=0.3))
    scene = look(
        Shifted(4.0, 0.0), LogOdds(), Normal(dim=2), plane, examples=0, seed=0, probability=True
    ).scene
    row, column = np.unravel_index(scene.generator.argmax(), scene.generator.shape)
    size = len(scene.generator)
    assert abs(row - size / 2) < size / 6
    assert column > 0.6 * size
    assert scene.data[80, 80] < 1e-3 * scene.data.max()  # between the two
    right = scene.optimal[:, size // 2 :]
    assert np.nanmin(right) < 0.5 < np.nanmax(scene.optimal)


@pytest.mark.parametrize("name", LABS)
def test_every_game_can_be_built(name):
    config = lab_config(name)
    assert config.data == {"name": name}
    assert config.recipe == f"lab-{name}"


@pytest.mark.parametrize("name", ["gaussian_mixture", "ring", "grid", "checkerboard", "two_moons"])
def test_the_bins_hold_the_data(name):
    found = target(DENSITIES[name]())
    assert float(found.masses.sum()) == pytest.approx(1, abs=0.01)
    points = found.density.sample(20_000, torch.Generator().manual_seed(1)).double()
    assert ((points > found.low) & (points < found.high)).all()


def test_a_density_too_narrow_for_the_bins_is_refused():
    with pytest.raises(ConfigError, match=r"too narrow.*larger std"):
        target(DENSITIES["ring"](std=1e-4))


def small_lab(folder, name="gaussian", *more, **options):
    values = override(lab_config(name).model_dump(mode="json"), [*TINY, *more])
    return Lab(config_from(values), folder, **options)


@pytest.fixture
def quick(monkeypatch):
    """Few frames and short side plays."""
    monkeypatch.setattr("evenodds.lab.lab.FRAMES", 3)
    monkeypatch.setattr("evenodds.lab.stills.FIT_STEPS", 20)
    monkeypatch.setattr("evenodds.lab.stills.MOVE_STEPS", 5)
    monkeypatch.setattr("evenodds.lab.look.FRESH", 2_000)


def test_a_small_lab_writes_everything(quick, tmp_path):
    game = small_lab(tmp_path / "run")
    for progress, _ in game.play():
        if progress.examples == 1024:
            page = game.page.read_text("utf-8")
            assert "setInterval" in page
            assert 'src="figure1.png"' in page
            assert Image.open(game.picture).format == "PNG"
    written = game.finish()
    assert set(written) == {
        "movie", "last picture", "still (a)", "still (b)", "still (c)", "still (d)", "four stills", "page",
    }  # fmt: skip
    assert all(path.stat().st_size > 500 for path in written.values())
    lines = [json.loads(line) for line in (tmp_path / "run/figure1.jsonl").read_text("utf-8").splitlines()]
    assert [line["examples"] for line in lines] == [score.examples for score in game.scores]
    assert lines[-1]["examples"] == 2048
    for line in lines:
        assert line["value"] <= line["truth"] + line["truth_error"] + 4 * line["value_error"]
        assert line["gap"] == pytest.approx(line["truth"] - line["value"])
    movie = Image.open(written["movie"])
    assert movie.n_frames >= len(lines) - 1  # the encoder joins frames that look alike
    assert movie.size == Image.open(game.picture).size
    page = game.page.read_text("utf-8")
    assert "setInterval" not in page
    assert written["movie"].name in page
    assert "http" not in page
    assert not list((tmp_path / "run").glob(".*.tmp"))


def test_the_plane_is_drawn_too_and_the_movie_can_be_left_out(quick, tmp_path):
    game = small_lab(tmp_path / "run", "ring", "examples=512")
    for _ in game.play():
        pass
    written = game.finish(movie=False)
    assert "movie" not in written
    assert Image.open(written["four stills"]).size[0] == 2 * Image.open(game.picture).size[0]
    score = game.scores[-1]
    assert score.value <= score.truth + score.truth_error + 4 * score.value_error


def test_a_game_left_early_can_be_finished(quick, tmp_path):
    game = small_lab(tmp_path / "run")
    playing = game.play()
    for progress, _ in playing:
        if progress.examples >= 640:
            break
    playing.close()
    assert game.finish()["movie"].is_file()
    assert game.scores[-1].examples == 640
    assert list((tmp_path / "run/checkpoints").glob("*0640.safetensors"))


def test_the_same_seed_gives_the_same_game(quick, tmp_path):
    games = [small_lab(tmp_path / name, "gaussian", "examples=512") for name in ("one", "two")]
    for game in games:
        for _ in game.play():
            pass
    assert games[0].scores == games[1].scores
    assert len(games[0].scores) >= 3


def test_minutes_end_the_game(quick, tmp_path):
    game = small_lab(tmp_path / "run", "gaussian", "examples=1000000000", minutes=0.5 / 60)
    for _ in game.play():
        pass
    assert 0 < game.scores[-1].examples < 10**9


def test_nothing_to_finish_and_a_directory_with_a_run_are_refused(quick, tmp_path):
    game = small_lab(tmp_path / "run", "gaussian", "examples=64")
    with pytest.raises(RunError, match="no example"):
        game.finish()
    for _ in game.play():
        pass
    with pytest.raises(RunError, match="holds a run already; give a new --out"):
        small_lab(tmp_path / "run")


@pytest.mark.parametrize(
    "assignment, sentence",
    [
        ("data.name=digits", "known density, and digits has none"),
        ("data.means=[[0,0,0],[1,1,1]]", "one or two dimensions, and these data have 3"),
        ("packing=2", "packing=2 .* set packing=1"),
        ("prior.dim=2", "a z that is one number"),
        ("prior.name=sphere", "a z that is one number"),
    ],
)
def test_games_that_cannot_be_drawn_are_refused(tmp_path, assignment, sentence):
    with pytest.raises(ConfigError, match=sentence):
        small_lab(tmp_path / "run", "gaussian_mixture", assignment)
    assert not (tmp_path / "run").exists()


def test_d_trained_on_v_alone_comes_to_the_truth(gaussian, monkeypatch):
    """Still (b): from nothing to the best D, G held still."""
    monkeypatch.setattr("evenodds.lab.stills.FIT_STEPS", 500)
    monkeypatch.setattr("evenodds.lab.stills.FIT_RATE", 1e-2)
    torch.manual_seed(0)
    generator, discriminator = Shifted(1.0), LogOdds(scale=0.0)
    fit(discriminator, generator, Game(Normal(dim=1)), gaussian)
    assert float(discriminator.scale.detach()) == pytest.approx(1, abs=0.1)
    assert float(generator.mean.detach()) == 1.0


def test_the_stills_follow_the_caption_of_figure_1(gaussian, monkeypatch):
    monkeypatch.setattr("evenodds.lab.stills.FIT_STEPS", 500)
    monkeypatch.setattr("evenodds.lab.stills.FIT_RATE", 1e-2)
    monkeypatch.setattr("evenodds.lab.stills.MOVE_STEPS", 150)
    torch.manual_seed(0)
    generator, discriminator, prior = Shifted(1.0), LogOdds(scale=0.2), Normal(dim=1)
    start = look(generator, discriminator, prior, gaussian, examples=10, seed=0, probability=True)
    candidate = Candidate()
    candidate.offer(Game(prior, generator, discriminator), start)
    four = stills(Game(prior), candidate.pair, start, gaussian, seed=0)
    a, b, c, _ = (still.scene for still in four)
    off = [np.nanmax(np.abs(s.d - s.optimal)) for s in (a, b)]
    assert off[1] < 0.05 < off[0]  # (b): D is the best D of the same G
    assert b.generator == pytest.approx(a.generator)
    assert c.d == pytest.approx(b.d)  # (c): that D, and a G that has moved to the data
    means = [float((s.x * s.generator).sum() / s.generator.sum()) for s in (b, c)]
    assert means[1] < means[0] - 0.02
    assert generator.mean.item() == 1.0  # the run's own players stay as they were
    assert [still.name for still in four] == ["a", "b", "c", "d"]


class Game:
    """What `fit` and `stills` look at of a GAN."""

    def __init__(self, prior, generator=None, discriminator=None) -> None:
        self.prior, self.generator, self.discriminator = prior, generator, discriminator


def test_the_loss_of_the_stills_is_minus_v():
    real, fake = torch.randn(5), torch.randn(5)
    value = torch.log(real.sigmoid()) + torch.log(1 - fake.sigmoid())
    assert torch.allclose(minimax_discriminator(real, fake), -value, atol=1e-6)


def test_a_uniform_prior_has_its_ends_on_the_picture(gaussian):
    line = look(
        Shifted(0.0), LogOdds(), Uniform(dim=1, bound=2.0), gaussian, examples=0, seed=0, probability=True
    ).scene
    assert (line.z[0], line.z[-1]) == (-2.0, 2.0)
    assert len(line.z) == len(line.mapped) == 17
