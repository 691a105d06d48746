"""The picture of metrics over training."""

from __future__ import annotations

import pytest
from evaluation_lines import line, make_run, result
from PIL import Image

from evenodds.comparison.plot import FEW, Line, look, merged, panel, write_plot
from evenodds.comparison.reading import read_runs

TRAINING = {"split": "validation"}


def curve(folder, values, **config):
    lines = [
        line(result(value, 0.01, changed=TRAINING), examples=100 * at, generator="training")
        for at, value in enumerate(values, 1)
    ]
    return make_run(folder, [*lines, line(result(values[-1]))], **config)


def groups(runs):
    return [(run.label, (at,)) for at, run in enumerate(runs)]


def test_a_panel_has_the_setting_with_most_points(tmp_path):
    runs = read_runs([curve(tmp_path / "a", [0.5, 0.3, 0.2]), curve(tmp_path / "b", [0.4, 0.2])])
    one = panel(runs, groups(runs), "kernel10k", against_seconds=False)
    assert [line.x for line in one.lines] == [[100, 200, 300], [100, 200]]
    assert one.lines[0].y == [0.5, 0.3, 0.2]
    assert one.lines[0].low == pytest.approx([0.49, 0.29, 0.19])
    assert (one.real.value, one.real.kind, one.real.split) == (0.0002, "floor", "")


def test_the_floor_of_another_split_is_said_to_be_that(tmp_path):
    def made(folder, **changed):
        training = line(result(0.5, floor=None, changed=TRAINING), generator="training", examples=500)
        later = line(result(0.4, floor=None, changed=TRAINING), generator="training")
        return make_run(folder, [training, later, line(result(0.3, floor=0.01, changed=changed))])

    runs = read_runs([made(tmp_path / "a"), made(tmp_path / "b")])
    one = panel(runs, groups(runs), "kernel10k", against_seconds=False)
    assert str(one.real) == "floor: real examples score 0.01 on the test split"
    other = read_runs([made(tmp_path / name, extractor={"name": "random"}) for name in ("c", "d")])
    assert panel(other, groups(other), "kernel10k", against_seconds=False).real is None


def test_against_seconds(tmp_path):
    runs = read_runs([curve(tmp_path / "a", [0.5, 0.3]), curve(tmp_path / "b", [0.4, 0.2], seconds=600)])
    one = panel(runs, groups(runs), "kernel10k", against_seconds=True)
    assert [line.x for line in one.lines] == [pytest.approx([6, 12]), pytest.approx([60, 120])]


def test_runs_of_a_recipe_are_merged():
    a = Line("a", [100, 200, 300], [1.0, 2.0, 3.0], [0, 0, 0], [9, 9, 9])
    b = Line("b", [100, 200], [3.0, 4.0], [0, 0], [9, 9])
    c = Line("c", [100], [8.0], [0], [9])
    # 300 examples: one of three has it, which is less than half
    assert merged("m", [a, b, c]) == Line("m", [100, 200], [4.0, 3.0], [1.0, 2.0], [8.0, 4.0])
    assert merged("m", [a]) == a._replace(label="m")


def test_thirty_lines_look_different():
    assert len({look(at) for at in range(30)}) == 30


@pytest.mark.parametrize("count", [2, FEW + 1])
def test_a_picture(tmp_path, count):
    runs = read_runs([curve(tmp_path / f"run-{at}", [0.5, 0.3 - 0.01 * at]) for at in range(count)])
    assert write_plot(tmp_path / "x.png", runs, ["kernel10k"]) == []
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.width > 1_000
        assert len(picture.convert("RGB").resize((300, 150)).getcolors(100_000)) > 20


def test_the_same_runs_give_the_same_bytes(tmp_path):
    runs = read_runs([make_run(tmp_path / name, [line(result(0.5))]) for name in "ab"])
    for name in "xy":
        write_plot(tmp_path / f"{name}.png", runs, ["kernel10k"])
    assert (tmp_path / "x.png").read_bytes() == (tmp_path / "y.png").read_bytes()


def test_a_picture_without_points_says_so(tmp_path):
    folders = [make_run(tmp_path / name, [line(result(0.5), examples=None)]) for name in "ab"]
    (said,) = write_plot(tmp_path / "x.png", read_runs(folders), ["kernel10k"])
    assert "kernel10k has no point" in said
