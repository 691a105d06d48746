"""The verb as a user meets it."""

from __future__ import annotations

import json

import pytest
from evaluation_lines import line, make_run, result

from evenodds.cli.compare_text import cell, number
from evenodds.cli.main import main
from evenodds.comparison.table import Score


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")  # wide enough for one table
    precise = {"metric": "precision10k", "floor": None, "ceiling": 0.9}
    return [
        str(
            make_run(
                tmp_path / name, [line(result(value, 0.002), result(1 - value, 0.002, **precise))], seed=at
            )
        )
        for at, (name, value) in enumerate([("one", 0.5), ("two", 0.3)])
    ]


def test_the_table(runs, capsys):
    assert main(["compare", *runs]) == 0
    out = capsys.readouterr().out
    rows = [" ".join(row.split()) for row in out.splitlines()]
    assert rows[0] == "run recipe images seen trained for kernel10k precision10k"
    assert rows[1] == "one gan-mnist 1,000 1 min 0.5000 ± 0.0020 0.5000 ± 0.0020"
    assert rows[2] == "two gan-mnist 1,000 1 min 0.3000 ± 0.0020 * 0.7000 ± 0.0020 *"
    assert rows[3] == "real data 0.0002 floor 0.9000 ceiling"
    assert rows[4] == "samples 10,000 10,000"
    assert "two is best, by 0.2 from one" in " ".join(out.split())
    assert "10,000 samples against 10,000 test examples" in out


def test_json(runs, capsys):
    assert main(["compare", *runs, "--json", "--metrics", "kernel10k"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [row["scores"]["kernel10k"]["value"] for row in record["rows"]] == [0.5, 0.3]
    (metric,) = record["metrics"]
    assert (metric["best"], metric["floor"], metric["setting"]["split"]) == (["two"], 0.0002, "test")


def test_by_recipe(runs, capsys):
    assert main(["compare", *runs, "--by", "recipe"]) == 0
    out = capsys.readouterr().out
    assert "0.40 ± 0.14 (2)" in out
    assert "one row only" in out


def test_a_picture(runs, tmp_path, capsys):
    out = tmp_path / "compare.png"
    assert main(["compare", *runs, "--out", str(out), "--metrics", "kernel10k", "--against", "seconds"]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert main(["compare", *runs, "--out", str(out)]) == 2
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give two or more"),
        (["--metrics", ","], "--metrics names none"),
        (["--metrics", "fid10k"], "fid10k was measured of none"),
        (["--out", "x.jpg"], "use .png"),
    ],
)
def test_refusals(runs, arguments, words, capsys):
    given = runs if arguments else runs[:1]
    assert main(["compare", *given, *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_what_was_not_measured_alike_is_refused_with_the_lines_left_out(tmp_path, capsys):
    a = make_run(tmp_path / "a", ['{"cut', line(result(0.5))])
    b = make_run(tmp_path / "b", [line(result(0.5, changed={"real": 5}))])
    assert main(["compare", str(a), str(b)]) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert "line 1 is cut or damaged" in err
    assert "real examples (5 / 10,000)" in err or "real examples (10,000 / 5)" in err


def test_a_wide_table_is_broken_between_metrics(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    many = [result(0.5, metric=f"kernel{at}k") for at in range(1, 9)]
    folders = [str(make_run(tmp_path / name, [line(*many)])) for name in "ab"]
    assert main(["compare", *folders]) == 0
    table = capsys.readouterr().out.split("\n\nkernel1k")[0]
    assert max(map(len, table.splitlines())) <= 70
    assert table.count("real data") == 4


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (Score(0.01234, (0.01194, 0.01274)), "0.01234 ± 0.00040"),
        (Score(0.01234, (0.012, 0.019)), "0.0123 [0.0120, 0.0190]"),
        (Score(8.0, None), "8"),
        (Score(0.012345, None), "0.01235"),
        (Score(-224.7, (-228.7, -220.7)), "−224.7 ± 4.0"),
        (Score(12345.6, (12000.0, 12691.2)), "12,346 ± 346"),
        (Score(0.5, (0.4, 0.6), 0.05, 3), "0.500 ± 0.050 (3)"),
        (None, "–"),
    ],
)
def test_cells(score, text):
    assert cell(score) == text


def test_numbers():
    assert number(-1234567.0, 0) == "−1,234,567"
