"""The parts of the command line that need no PyTorch: seeds, words for numbers, speed, recipes, imports."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenodds.cli import display, text
from evenodds.cli.seeds import parse_seeds
from evenodds.errors import ConfigError
from evenodds.recipes import describe, recipe, recipe_names, recipe_text


def test_help_imports_neither_pytorch_nor_numpy():
    code = (
        "import sys, evenodds.cli.app as a; a.app(['--help'], exit_on_error=False);"
        "print([m for m in ('torch', 'numpy', 'pydantic', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    assert "train" in done.stdout


@pytest.mark.parametrize(
    ("written", "seeds"),
    [("0", [0]), ("0,3,5-9", [0, 3, 5, 6, 7, 8, 9]), (" 7 - 8 , 1", [7, 8, 1]), ("2,2", [2, 2])],
)
def test_seed_lists(written, seeds):
    assert parse_seeds(written) == seeds


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # the clock of a busy machine
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 50)), min_size=1, max_size=5))
def test_any_list_of_ranges_is_read_back(ranges):
    written = ",".join(f"{first}-{first + more}" for first, more in ranges)
    assert parse_seeds(written) == [seed for first, more in ranges for seed in range(first, first + more + 1)]


@pytest.mark.parametrize(
    "written", ["", "a", "1,", "-1", "1.5", "9-3", "0-1000000", "9223372036854775808", "٣"]
)
def test_what_is_no_seed_list_is_refused(written):
    with pytest.raises(ConfigError, match="--seeds"):
        parse_seeds(written)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.text())
def test_any_text_gives_seeds_or_one_sentence(written):
    problem = ""
    try:
        seeds = parse_seeds(written)
    except ConfigError as error:
        problem, seeds = str(error), []
    assert bool(seeds) != bool(problem)
    assert "; " in problem or all(seed >= 0 for seed in seeds)  # with the remedy


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3.21, "3.2 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (80, "1 min 20 s"),
        (3_599.9, "1 h"),
        (7_505, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations(seconds, words):
    assert text.duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(5_912.0, "5,900/s"), (0.1234, "0.12/s"), (3.0, "3.0/s"), (999.0, "1,000/s"), (0, "…/s")],
)
def test_rates_have_two_digits(value, words):
    assert text.rate(value) == words


@pytest.mark.parametrize(
    ("count", "words"), [(812, "812 bytes"), (48_120, "48 kB"), (1_234_567, "1.2 MB"), (3.4e9, "3.4 GB")]
)
def test_sizes(count, words):
    assert text.size(count) == words


def test_a_command_can_be_pasted_into_a_shell():
    assert text.command("report", "my runs/it's") == """evenodds report 'my runs/it'"'"'s'"""


LINE = {
    "loss/discriminator": 1.25,
    "loss/generator": 0.81,
    "d/real": 0.61,
    "d/fake": 0.42,
    "value/held_out": -1.21,
    "metric/parzen10k": -225.11,
    "metric/parzen10k/standard_error": 2.04,
}


def test_the_words_of_a_report():
    assert (
        display.odds(LINE, probabilities=True)
        == "loss D 1.25 G 0.81 · D(x) 0.61 · D(G(z)) 0.42 · V −1.21 (even odds −1.386)"
    )
    assert display.odds(LINE, probabilities=False) == "loss D 1.25 G 0.81"
    assert display.measured(LINE) == "parzen10k −225.11 ± 2"


def test_pace_is_taken_over_the_last_half_minute(monkeypatch):
    now = 0.0
    monkeypatch.setattr(display.time, "perf_counter", lambda: now)
    pace = display.Pace(1_000, 101_000)
    assert pace.where() == "1,000/101,000 examples"
    for now in range(1, 101):  # 1,000/s, then 500/s
        pace.add(1_000 + (1_000 * now if now <= 50 else 50_000 + 500 * (now - 50)))
    assert pace.per_second == pytest.approx(500)
    assert pace.where() == "76,000/101,000 examples · 500/s · 50 s left"


def test_plain_lines_keep_their_distance_but_the_last_one_comes(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(display.time, "perf_counter", lambda: now)
    lines = display.Lines(display.Console(), 0, 100, probabilities=True)
    for step in range(1, 101):
        now = step * 0.2
        lines.step(step, LINE if step == 50 else {"loss/generator": 1.0})
        lines.step(step, None)
    printed = capsys.readouterr().out.splitlines()
    # 5 s, 10 s with its measurement, 15 s, and the end at 20 s
    assert [line.partition("/")[0] for line in printed] == ["25", "50", "75", "100"]
    assert "parzen10k" in printed[1]


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_complete_and_named_as_its_file(name):
    assert recipe(name).recipe == name
    assert yaml.safe_load(recipe_text(name))["recipe"] == name
    first = describe(name).partition("\n")[0]
    assert 20 < len(first) <= 120
    assert first.endswith(".") or "(" in first


@pytest.mark.parametrize("name", ["gan-digit", "../gan-digits", "", "gan-digits.yaml"])
def test_an_unknown_recipe_is_refused_with_the_nearest(name):
    with pytest.raises(ConfigError, match=r"did you mean 'gan-|choose one of: dcgan-"):
        recipe(name)
