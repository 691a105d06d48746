"""`evenodds explore`: every verb writes what it says, and refuses in one sentence."""

from __future__ import annotations

import os
import stat

import numpy as np
import pytest
from PIL import Image

VERBS = ("sheet", "interpolate", "arithmetic", "directions", "invert", "neighbours", "mix", "truncate")


def test_help_names_every_verb(cli):
    said = cli("explore", "--help").out
    assert [verb for verb in VERBS if verb not in said] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sheet {run} --seeds 0-11", "12 samples"),
        ("interpolate {run} --seeds 0-5 --steps 3", "3 rows of 3"),
        ("interpolate {run} --seeds 0-3 --steps 3 --class 7", "2 rows of 3"),
        ("arithmetic {run} --a 3,13,23 --b 33,43,53 --c 4,14,24", "a - b + c"),
        ("directions {run} --count 2 --seeds 0,1", "2 directions"),
        ("directions {run} --count 2 --method pca", "standard deviation"),
        ("directions {run} --attribute slant --attribute ink", "slant"),
        ("neighbours {run} --count 2 --seeds 1,2", "1,297 training images"),
        ("neighbours {run} --count 2 --seeds 1 --features", "1 rows"),
        ("truncate {run} --seeds 0 --psi -1,0,1", "no styles"),
    ],
)
def test_a_picture_is_written(cli, trained, words, said, tmp_path):
    out = tmp_path / "it.png"
    result = cli("explore", *words.format(run=trained).split(), "--out", out)
    assert (result.code, result.err) == (0, "")
    assert said in result.out
    assert str(out) in result.out
    first = out.read_bytes()
    with Image.open(out) as picture:
        assert picture.mode == "RGB"
        assert picture.width >= 320
    cli("explore", *words.format(run=trained).split(), "--out", out, "--force")
    assert out.read_bytes() == first  # the same command, the same picture


@pytest.mark.parametrize("ending", ["webp", "gif"])
def test_a_film_is_a_loop(cli, trained, tmp_path, ending):
    out = tmp_path / f"it.{ending}"
    words = ("interpolate", trained, "--seeds", "0-3", "--side-by-side", 2, "--seconds", 3)
    assert cli("explore", *words, "--out", out).code == 0
    with Image.open(out) as film:
        assert getattr(film, "n_frames", 1) > 10  # WebP joins frames that are alike
        assert film.info.get("loop") == 0


def test_directions_may_be_a_film(cli, trained, tmp_path):
    out = tmp_path / "it.webp"
    assert cli("explore", "directions", trained, "--count", 2, "--out", out).code == 0
    with Image.open(out) as film:
        assert getattr(film, "n_frames", 1) > 10


def test_mp4_is_written_by_ffmpeg_and_refused_without(cli, refused, trained, tmp_path, monkeypatch):
    out = tmp_path / "it.mp4"
    words = ("explore", "interpolate", trained, "--seeds", "0-1", "--out", out)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "ffmpeg" in refused(*words)
    assert not out.exists()
    program = tmp_path / "ffmpeg"  # keeps what it is told and given
    program.write_text(
        '#!/bin/sh\necho "$@" > told\nfor last; do :; done\n/bin/cat > "$last"\n', encoding="utf-8"
    )
    os.chmod(program, program.stat().st_mode | stat.S_IXUSR)
    assert cli(*words).code == 0
    told = (tmp_path / "told").read_text()
    width, height = map(int, told.split(" -s ")[1].split()[0].split("x"))
    assert width % 2 == height % 2 == 0
    assert out.stat().st_size == 48 * width * height * 3  # 24 frames from each of two seeds to the other
    program.write_text("#!/bin/sh\n/bin/cat > /dev/null\necho no such codec >&2\nexit 1\n", encoding="utf-8")
    assert "no such codec" in refused(*words, "--force")


def test_an_attribute_is_measured(cli, trained, tmp_path):
    words = ("arithmetic", trained, "--attribute", "ink", "--repeats", 3, "--pool", 600)
    said = cli("explore", *words, "--out", tmp_path / "it.png").out
    assert "over 3 sums" in said
    assert said.count("has it in") == 2


def test_latents_of_images_are_kept_beside_the_picture(cli, trained, tmp_path):
    given = tmp_path / "two words.png"
    Image.fromarray(np.arange(300, dtype=np.uint8).reshape(20, 15)).save(given)
    out = tmp_path / "it.png"
    words = ("invert", trained, given, "--held-out", "0,2", "--steps", 20, "--restarts", 3)
    result = cli("explore", *words, "--out", out)
    assert (result.code, result.err) == (0, "")
    assert "two words.png" in result.out
    assert "held-out images get" in result.out
    with np.load(tmp_path / "it.npz", allow_pickle=False) as kept:
        assert kept["z"].shape == (3, 3, 64)
        assert kept["labels"].shape == kept["errors"].shape == (3, 3)
        assert (np.diff(kept["errors"], axis=1) >= 0).all()
    assert out.is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("interpolate {run} --out x.jpg", ".png or .webp or .gif or .mp4"),
        ("sheet {run} --out x.webp", ".png"),
        ("sheet {run} --out missing/x.png", "missing does not exist"),
        ("sheet nothing --out x.png", "nothing"),
        ("sheet {run} --out x.png --seeds a", "0,3,5-9"),
        ("sheet {run} --out x.png --class eleven", "'eleven'"),
        ("interpolate {run} --out x.png --seeds 0-2", "3 seeds"),
        ("interpolate {run} --out x.png --steps 1", "1 steps"),
        ("interpolate {run} --out x.png --space w", "no space w"),
        ("interpolate {run} --out x.gif --seeds 0-3 --side-by-side 3", "4 seeds for 3"),
        ("interpolate {run} --out x.gif --seconds -1", "--seconds -1"),
        ("arithmetic {run} --out x.png", "--attribute"),
        ("arithmetic {run} --out x.png --a 1 --b 11", "--attribute"),
        ("arithmetic {run} --out x.png --a 1,2,3 --b 1 --c 1", "several classes"),
        ("arithmetic {run} --out x.png --attribute thicknes", "did you mean 'thickness'?"),
        ("arithmetic {run} --out x.png --attribute red", "1 channels"),
        ("arithmetic {run} --out x.png --attribute ink --pool 30", "too few"),
        ("arithmetic {run} --out x.png --attribute ink --repeats 0", "--repeats 0"),
        ("directions {run} --out x.png --count 65", "64 dimensions"),
        ("directions {run} --out x.png --steps 4", "4 steps"),
        ("directions {run} --out x.png --reach 0", "--reach 0"),
        ("invert {run} --out x.png", "--held-out"),
        ("invert {run} nothing.png --out x.png", "nothing.png"),
        ("invert {run} words.txt --out x.png", "words.txt"),
        ("invert {run} --held-out 300 --out x.png", "up to 249"),
        ("invert {run} --held-out 0 --steps 0 --out x.png", "0 steps"),
        ("neighbours {run} --out x.png --count 0", "0 neighbours"),
        ("neighbours {run}/generator.safetensors --out x.png", "--data"),
        ("neighbours {run}/generator.safetensors --out x.png --data digits --features", "needs its discr"),
        ("mix {run} --out x.png", "'mlp' has no styles"),
        ("truncate {run} --out x.png --psi many", "--psi 'many'"),
    ],
)
def test_refused_in_one_sentence_and_nothing_written(refused, trained, tmp_path, words, said):
    (tmp_path / "words.txt").write_text("no image", encoding="utf-8")
    before = set(tmp_path.iterdir())
    assert said in refused("explore", *words.format(run=trained).split())
    assert set(tmp_path.iterdir()) == before


def test_what_is_there_is_not_overwritten(cli, refused, trained, tmp_path):
    out = tmp_path / "it.png"
    out.write_text("mine", encoding="utf-8")
    assert "--force" in refused("explore", "sheet", trained, "--out", out)
    assert out.read_text() == "mine"
    assert cli("explore", "sheet", trained, "--seeds", "0-3", "--out", out, "--force").code == 0
