"""`evenodds sample --select` and `evenodds outliers`, on a small run of digits and one of numbers."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evenodds import recipe, training
from evenodds.config import config_from, override
from evenodds.odds import ceiling, judge_of, rejection
from evenodds.opening import open_run
from evenodds.sampling import Sampler

FAST = ("--discriminator-steps", "20", "--measure", "0")


def test_select_writes_the_samples_of_the_seeds_that_it_names(trained, cli):
    result = cli("sample", trained, "--select", "odds", "--seeds", "0-7", "--out", "chosen.npz", *FAST)
    assert result.code == 0, result.err
    assert "8 of " in result.out
    assert "candidates accepted" in result.out
    with np.load("chosen.npz", allow_pickle=False) as file:
        seeds, x, y = file["seeds"], file["x"], file["y"]
    assert y.tolist() == [0, 1, 2, 3, 4, 5, 6, 7], "not the classes in turn"
    assert np.array_equal(x, Sampler.load(trained).images(seeds.tolist(), y.tolist()))
    assert len(set(seeds.tolist()) | set(range(8))) > 8, "nothing was refused"


def test_a_seed_selects_the_same_sample_alone(trained, cli):
    for name, seeds in (("all.npz", "0-4"), ("one.npz", "3")):
        assert cli("sample", trained, "--select", "odds", "--seeds", seeds, "--out", name, *FAST).code == 0
    with np.load("all.npz", allow_pickle=False) as several, np.load("one.npz", allow_pickle=False) as one:
        assert several["seeds"][3] == one["seeds"][0]


def test_a_chain(trained, cli):
    words = ("--select", "mh", "--seeds", "0-3", "--out", "chosen", *FAST)
    result = cli("sample", trained, *words)
    assert result.code == 0, result.err
    assert "chains of 100 steps: " in result.out
    # of 400, and as many again for each chain that never left its real example
    assert re.search(r"\d+ of (4|5|6|7|8)00 proposals accepted", result.out)
    assert sorted(path.name for path in Path("chosen").iterdir()) == [f"seed000{n}.png" for n in range(4)]


def test_the_gauge_before_and_after(numbers, cli):
    words = ("--select", "odds", "--seeds", "0", "--out", "one.npy", "--discriminator-steps", "200")
    result = cli("sample", numbers, *words, "--measure", "400")
    assert result.code == 0, result.err
    assert "on 200 held-out examples" in result.out
    pairs = re.findall(r"JSD at least (0\.\d+) -> (0\.\d+) nats", result.out)
    assert len(pairs) == 2  # the discriminator that selects, and a fresh one
    assert all(float(after) < float(before) for before, after in pairs)


def test_the_picture_says_that_it_was_selected(trained, cli):
    words = ("--select", "odds", "--seeds", "0-8", "--grid", "--out", "chosen.png", *FAST)
    assert cli("sample", trained, *words).code == 0
    with Image.open("chosen.png") as image:
        assert image.width > 300


def test_selection_needs_a_run(trained, refused, tmp_path):
    file = trained / "generator.safetensors"
    sentence = refused("sample", file, "--select", "odds", "--out", "x.npz")
    assert "give the run's folder" in sentence
    assert not (tmp_path / "x.npz").exists()
    assert "at least 100" in refused("sample", trained, "--select", "mh", "--measure", "99", "--out", "x.npz")
    assert "no class 'x'" in refused(
        "sample", trained, "--select", "odds", "--class", "x", "--out", "x.npz", *FAST
    )


def test_outliers_are_ranked_by_the_odds_that_the_library_gives(trained, cli):
    result = cli("outliers", trained, "--count", "9", "--discriminator-steps", "20")
    assert result.code == 0, result.err
    with open("outliers.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    opened = open_run(trained)
    odds = judge_of(opened, steps=20).odds(opened.dataset.validation)
    assert [int(row["rank"]) for row in rows] == list(range(1, len(odds) + 1))
    assert sorted(int(row["index"]) for row in rows) == list(range(len(odds)))
    ranked = [float(row["log_odds"]) for row in rows]
    assert ranked == sorted(ranked, reverse=True)
    assert ranked == pytest.approx(sorted(odds.tolist(), reverse=True), rel=1e-4, abs=1e-4)
    first = int(rows[0]["index"])
    assert rows[0]["class"] == str(opened.dataset.validation.y[first])
    with Image.open("outliers.png") as image:
        assert image.width > 300


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """Numbers from N(0, 1), ten of them replaced by 6, for a generator that can't know those."""
    folder = tmp_path_factory.mktemp("numbers")
    x = np.random.default_rng(0).normal(size=(4_000, 1)).astype(np.float32)
    x[::400] = 6
    np.save(folder / "numbers.npy", x, allow_pickle=False)
    sizes = [f"--set={player}.network.widths=[32]" for player in ("generator", "discriminator")]
    values = recipe("gan-ring").model_dump(mode="json")
    sizes = [f"{player}.network.widths=[32]" for player in ("generator", "discriminator")]
    quiet = ["metrics=[]", "metrics_every=never", "samples_every=never", "referee=false", "examples=12800"]
    data = f"data={{name: array, path: {folder / 'numbers.npy'}}}"
    config = config_from(override(values, [*sizes, *quiet, data, "prior={name: normal, dim: 1}"]))
    for _ in training(config, folder / "run"):
        pass
    return folder / "run"


def test_what_the_generator_never_makes_comes_first_and_last(numbers, cli):
    for by in ("missed", "doubted"):
        words = ("--by", by, "--split", "train", "--discriminator-steps", "300", "--out", f"{by}.png")
        assert cli("outliers", numbers, *words).code == 0
    values = open_run(numbers).dataset.train.x[:, 0]
    orders = {}
    for by in ("missed", "doubted"):
        with open(f"{by}.csv", encoding="utf-8") as file:
            orders[by] = [int(row["index"]) for row in csv.DictReader(file)]
    planted = set(np.flatnonzero(values == 6).tolist())
    assert len(planted) > 4
    assert planted <= set(orders["missed"][: 3 * len(planted)])
    assert not planted & set(orders["doubted"][:1_000])


def test_outliers_refuses_in_one_sentence(trained, numbers, refused):
    assert "ending in .png" in refused("outliers", trained, "--out", "x.jpg")
    assert "at least 1" in refused("outliers", trained, "--count", "0")
    assert "does not exist" in refused("outliers", trained, "--out", "nowhere/x.png")
    assert "give the run's folder" in refused("outliers", trained / "generator.safetensors")
    sentence = refused("outliers", trained, "--data", numbers.parent / "numbers.npy")
    assert "give data like those" in sentence


def test_select_is_what_the_library_does(trained, cli):
    result = cli("sample", trained, "--select", "odds", "--seeds", "10-12", "--out", "chosen.npz", *FAST)
    assert result.code == 0
    judge = judge_of(open_run(trained), steps=20)
    first = 2**32 - 2**26  # of the burn-in
    limit = ceiling(judge.score(range(first, first + 4_000), None))
    with np.load("chosen.npz", allow_pickle=False) as file:
        assert file["seeds"].tolist() == rejection(judge.score, range(10, 13), [0, 1, 2], limit=limit).seeds
