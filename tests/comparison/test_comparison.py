"""What may stand side by side, what differs in words, and what a difference means."""

from __future__ import annotations

import json
import math
import shlex

import pytest
import torch
from evaluation_lines import EXTRACTOR, line, make_run, result, setting
from safetensors.torch import save
from scipy import stats

from evenodds.checkpoint import save_tensors
from evenodds.comparison.reading import read_run, read_runs
from evenodds.comparison.settings import agreed, comparable, differences, names_of
from evenodds.comparison.table import Score, compare, ranked, recipes, score, student, told_apart
from evenodds.comparison.verdicts import verdict
from evenodds.errors import ConfigError, RunError


def pair(tmp_path, first, second):
    """Two runs with one result each."""
    return read_runs(
        [make_run(tmp_path / "a", [line(first)]), make_run(tmp_path / "b", [line(second, day=2)])]
    )


def refusal(kind, function, *arguments) -> str:
    with pytest.raises(kind) as caught:
        function(*arguments)
    text = str(caught.value)
    assert "\n" not in text
    assert text[-1] not in ".!"
    return text


def test_a_line_becomes_a_result(tmp_path):
    run = read_run(make_run(tmp_path / "a", [line(result(0.5, 0.1), examples=600)]))
    (one,) = run.results
    assert (one.metric, one.value, one.n, one.examples, one.floor) == ("kernel10k", 0.5, 10_000, 600, 0.0002)
    assert one.interval == pytest.approx((0.4, 0.6))
    assert one.seconds == pytest.approx(36.0)  # between the records of 500 and 750 examples
    assert (run.label, run.recipe, run.data, run.remarks) == ("a", "gan-mnist", "mnist", ())


@pytest.mark.parametrize(
    ("examples", "seconds"), [(0, 0.0), (100, 6.0), (250, 15.0), (1_000, 60.0), (1_001, None)]
)
def test_training_time_between_records(tmp_path, examples, seconds):
    run = read_run(make_run(tmp_path / "a", [line(result(0.5), examples=examples)]))
    assert run.results[0].seconds == (None if seconds is None else pytest.approx(seconds))


def test_an_interrupted_run_has_the_time_of_its_checkpoint(tmp_path):
    folder = make_run(tmp_path / "a", [line(result(0.5), examples=1_100)])
    path = folder / "checkpoints" / "0000001100.safetensors"
    path.parent.mkdir()
    save_tensors(path, {"x": torch.zeros(1)}, {"examples": 1_100, "seconds": 63.5}, "checkpoint")
    assert read_run(folder).results[0].seconds == 63.5
    for damaged in (path.read_bytes()[:40], b"", b"{}" * 4, save({"x": torch.zeros(1)}, {"evenodds": "[1]"})):
        path.write_bytes(damaged)
        assert read_run(folder).results[0].seconds is None


def test_without_a_record_of_the_training_there_is_no_time(tmp_path):
    folder = make_run(tmp_path / "a", [line(result(0.5), examples=0)])
    (folder / "metrics.jsonl").unlink()
    assert read_run(folder).results[0].seconds is None


def test_an_interval_from_the_standard_error(tmp_path):
    run = read_run(make_run(tmp_path / "a", [line(result(1.0, None, standard_error=0.5))]))
    assert run.results[0].interval == pytest.approx((1 - 0.979982, 1 + 0.979982), abs=1e-6)


def test_damaged_lines_are_named_and_the_others_read(tmp_path):
    whole = json.dumps(line(result(0.5)))
    older = result(0.4)
    del older["setting"]
    lines = [
        whole,
        whole[:200],
        "[1, 2]",
        '{"results": 3}',
        "[" * 100_000,
        "",
        older and json.dumps(line(older)),
    ]
    lines += [json.dumps(line(result(None))), json.dumps(line(result(math.nan, metric="fid10k"))), "\x00\xff"]
    run = read_run(make_run(tmp_path / "a", lines))
    assert [one.value for one in run.results] == [0.5]
    damaged, without, empty = run.remarks
    assert "lines 2, 3, 4, 5 and 10 are cut or damaged" in damaged
    assert "line 7 is without setting" in without
    assert shlex.join(["evenodds", "evaluate", str(tmp_path / "a")]) in without
    assert "kernel10k of line 8, fid10k of line 9 are no number" in empty


@pytest.mark.parametrize("interval", [[1], "x", [None, 1], [2, 1], [True, 2], {"low": 1}])
def test_an_interval_that_is_none(tmp_path, interval):
    run = read_run(make_run(tmp_path / "a", [line(result(1.5, interval=interval))]))
    assert run.results[0].interval is None


def test_a_damaged_config_costs_the_names_only(tmp_path):
    folder = make_run(tmp_path / "a", [line(result(0.5))])
    (folder / "config.yaml").write_text("recipe: [", encoding="utf-8")
    run = read_run(folder)
    assert (run.recipe, run.data, len(run.results)) == ("", "", 1)


def test_labels_that_tell_runs_apart(tmp_path):
    folders = [make_run(tmp_path / name / "00000-gan") for name in ("x", "y")]
    assert [run.label for run in read_runs(folders)] == ["x/00000-gan", "y/00000-gan"]
    assert [run.label for run in read_runs([folders[0], make_run(tmp_path / "b")])] == ["00000-gan", "b"]


def test_what_is_no_run(tmp_path):
    run = make_run(tmp_path / "runs" / "a")
    file = run / "config.yaml"
    assert "there is no" in refusal(RunError, read_runs, [run, tmp_path / "nowhere"])
    assert "is a file; give the folder" in refusal(RunError, read_runs, [run, file])
    assert f"evenodds compare {run}" in refusal(RunError, read_runs, [tmp_path / "runs"])
    (tmp_path / "empty").mkdir()
    assert "holds no run; give other" in refusal(RunError, read_runs, [tmp_path / "empty", run])
    assert "one run only; give two" in refusal(RunError, read_runs, [run])
    assert "one run only; give two" in refusal(RunError, read_runs, [run, run / ".." / "a"])
    assert "no run is given" in refusal(RunError, read_runs, [])


def test_nothing_measured_yet(tmp_path):
    runs = read_runs([make_run(tmp_path / "a"), make_run(tmp_path / "b")])
    remedy = shlex.join(["evenodds", "evaluate", str(tmp_path / "a")])
    assert refusal(RunError, names_of, runs).endswith(remedy)
    assert refusal(RunError, names_of, runs, ["kid10k"]).endswith(f"{remedy} --metrics kid10k")


def test_measured_of_one_run_only(tmp_path):
    runs = read_runs([make_run(tmp_path / "a", [line(result(0.5))]), make_run(tmp_path / "b")])
    remedy = shlex.join(["evenodds", "evaluate", str(tmp_path / "b"), "--metrics", "kernel10k"])
    for asked in (None, ["kernel10k"]):
        text = refusal(RunError, names_of, runs, asked)
        assert "of a only" in text
        assert text.endswith(remedy)
    assert "did you mean 'kernel10k'" in refusal(ConfigError, names_of, runs, ["kernel1k"])


def test_metrics_that_two_runs_share(tmp_path):
    both, one = [result(0.5), result(2.0, metric="precision10k")], result(3.0, metric="modes2500")
    runs = read_runs([make_run(tmp_path / "a", [line(*both, one)]), make_run(tmp_path / "b", [line(*both)])])
    assert names_of(runs) == ["kernel10k", "precision10k"]
    assert names_of(runs, ["precision10k"]) == ["precision10k"]


CHANGES = [
    ({"split": "validation"}, "split (test / validation)", "--split validation"),
    ({"n": 5_000}, "samples (10,000 / 5,000)", ""),
    ({"real": 8_000}, "real examples (10,000 / 8,000)", ""),
    ({"data": "ffff"}, "data fingerprint (1f07076a561c1fd4 / ffff)", "--data mnist"),
    ({"version": 2}, "version of the metric (1 / 2)", ""),
    ({"k": 5}, "k (none / 5)", ""),
    (
        {"extractor": EXTRACTOR | {"sha256": "cd" * 32}},
        "hash of the extractor's weights (abababababab / cdcdcdcdcdcd)",
        "--extractor mnist",
    ),
    (
        {"extractor": EXTRACTOR | {"name": "random", "sha256": "cd" * 32, "dim": 512}},
        "extractor (mnist / random)",
        "--extractor random",
    ),
]


@pytest.mark.parametrize(("changed", "words", "options"), CHANGES)
def test_what_differs_is_said_with_the_remedy(tmp_path, changed, words, options):
    """The later one, b, is as the present program measures: a is to be measured like it."""
    runs = pair(tmp_path, result(0.5), result(0.4, changed=changed))
    text = refusal(RunError, agreed, runs, "kernel10k")
    assert "kernel10k was not measured alike of b and of a: " in text
    assert differences(setting(), setting(**changed)) == [words]
    name, _, rest = words.partition(" (")
    one, other = rest[:-1].split(" / ")
    assert f"{name} ({other} / {one})" in text
    command = f"evenodds evaluate {tmp_path / 'a'} --metrics kernel10k {options}".strip()
    assert text.endswith(command)


def test_preprocessing_of_inception(tmp_path):
    base = {"name": "inception", "sha256": "ee" * 32, "dim": 2048}
    networks = [base | {"preprocessing": mode} for mode in ("tf", "clean")]
    runs = pair(tmp_path, *(result(5.0, changed={"extractor": network}) for network in networks))
    text = refusal(RunError, agreed, runs, "kernel10k")
    assert "preprocessing (clean / tf)" in text
    assert text.endswith("--preprocessing clean")


def test_many_runs_that_differ(tmp_path):
    odd = {"real": 8_000}
    folders = [make_run(tmp_path / f"r{at}", [line(result(0.5, changed=odd))]) for at in range(5)]
    folders.append(make_run(tmp_path / "z", [line(result(0.5), day=3)]))
    text = refusal(RunError, agreed, read_runs(folders), "kernel10k")
    assert "of z and of r0 (nor of 4 more)" in text
    assert text.count("evenodds evaluate") == 2
    assert text.endswith("and 3 more runs alike")


def test_evaluate_wins_over_training_for_the_remedy(tmp_path):
    """The curve of one run and the test number of another: measure the first on test."""
    training = line(result(0.5, changed={"split": "validation"}), generator="training", day=9)
    runs = read_runs([make_run(tmp_path / "a", [training]), make_run(tmp_path / "b", [line(result(0.4))])])
    text = refusal(RunError, agreed, runs, "kernel10k")
    assert text.endswith(f"evenodds evaluate {tmp_path / 'a'} --metrics kernel10k --split test")


def test_the_best_generator_is_measured_again_as_the_best(tmp_path):
    best = line(result(0.5, changed={"version": 0}), generator="best")
    runs = read_runs([make_run(tmp_path / "a", [best]), make_run(tmp_path / "b", [line(result(0.4), day=2)])])
    assert "--generator best" in refusal(RunError, agreed, runs, "kernel10k")


def test_of_several_settings_the_shared_one_is_taken_and_of_those_test(tmp_path):
    def lines(value):
        return [
            line(result(value + 0.1, changed={"split": "validation"}), generator="training"),
            line(result(9.0, changed={"real": int(10 * value)})),
            line(result(value)),
        ]

    runs = read_runs([make_run(tmp_path / "a", lines(0.5)), make_run(tmp_path / "b", lines(0.3))])
    assert [[one.value for one in found] for found in agreed(runs, "kernel10k")] == [[0.5], [0.3]]


def test_only_what_is_comparable_can_be_asked_for(tmp_path):
    fine = result(0.9, metric="precision10k")
    runs = read_runs([
        make_run(tmp_path / "a", [line(result(0.5), fine)]),
        make_run(tmp_path / "b", [line(result(0.5, changed={"real": 3}), fine)]),
    ])  # fmt: skip
    refusal(RunError, compare, runs)
    assert comparable(runs, names_of(runs)) == ["precision10k"]
    assert [column.metric for column in compare(runs, ["precision10k"]).columns] == ["precision10k"]


def test_the_latest_result_of_a_run_counts(tmp_path):
    folder = make_run(tmp_path / "a", [line(result(0.5), examples=500), line(result(0.2), examples=1_000)])
    table = compare(read_runs([folder, make_run(tmp_path / "b", [line(result(0.3))])]))
    assert table.rows[0].scores["kernel10k"].value == 0.2
    assert table.rows[0].examples == (1_000, 1_000)
    assert table.columns[0].best == (0,)


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("kernel10k", (0.5, 0.2), 1),
        ("precision10k", (0.5, 0.2), 0),
        ("modes2500", (8, 5), 0),
        ("parzen10k", (-3.0, -1.0), 1),
    ],
)
def test_the_best_by_the_metrics_own_direction(tmp_path, metric, values, best):
    more = {"floor": 0.0, "ceiling": None} if metric == "kernel10k" else {"floor": None, "ceiling": 1.0}
    table = compare(pair(tmp_path, *(result(value, 0.001, metric=metric, **more) for value in values)))
    assert table.columns[0].best == (best,)
    assert table.columns[0].floor == more["floor"]


@pytest.mark.parametrize("metric", ["warmth7", "memorization10k"])
def test_an_unknown_metric_without_floor_has_no_best_and_neither_has_a_p_value(tmp_path, metric):
    made = [result(value, metric=metric, floor=None) for value in (0.1, 0.9)]
    table = compare(pair(tmp_path, *made))
    assert (table.columns[0].higher, table.columns[0].best) == (None, ())
    assert "isn't known" in verdict(table, table.columns[0])


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ((0.5, 0.1), (0.3, 0.05), "b is best, by 0.2 from a: more than the intervals explain"),
        ((0.5, 0.1), (0.3, 0.11), "no difference can be told between b and a: their intervals overlap"),
        ((0.5, None), (0.3, 0.1), "without an interval of each, a difference may be chance"),
        ((0.5, 0.1), (0.5, 0.1), "all of them score best, and alike"),
    ],
)
def test_differences_of_two_runs(tmp_path, first, second, words):
    table = compare(pair(tmp_path, result(*first), result(*second)))
    assert words in verdict(table, table.columns[0])


def test_a_run_without_the_metric_is_noted(tmp_path):
    folders = [make_run(tmp_path / name, [line(result(0.5))]) for name in "ab"]
    folders.append(make_run(tmp_path / "c", [line(result(0.9, metric="precision10k"))]))
    table = compare(read_runs(folders))
    assert table.rows[2].scores["kernel10k"] is None
    assert table.notes == ("kernel10k was not measured of c",)


def test_ranks_of_three():
    a, b, c = (Score(value, (value - half, value + half)) for value, half in ((1, 0.3), (1.4, 0.2), (3, 0.1)))
    assert ranked([a, b, c], False) == ((0,), (1,))
    assert ranked([a, None, c], True) == ((2,), ())
    assert ranked([a, None], True) == ((), ())


@pytest.mark.parametrize("freedom", [1, 2, 2.2, 3.5, 5, 10.4, 30, 40, 100])
def test_quantiles_of_student(freedom):
    assert student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=0.013)


def test_mean_and_spread_over_seeds(tmp_path):
    values = [0.2, 0.3, 0.25, 0.31]
    results = [read_run(make_run(tmp_path / str(v), [line(result(v))])).results[0] for v in values]
    one = score(results, True)
    assert (one.value, one.spread, one.runs) == pytest.approx((0.265, 0.0506623, 4), rel=1e-5)
    interval = stats.t.interval(0.95, 3, loc=0.265, scale=stats.sem(values))
    assert one.interval == pytest.approx(interval, rel=1e-3)
    assert score(results[:1], True) == Score(0.2, None, None, 1)


@pytest.mark.parametrize("shift", [0.05, 0.1, 0.2, 0.4])
def test_groups_are_told_apart_as_by_welch(tmp_path, shift):
    one, other = [0.2, 0.3, 0.25, 0.31, 0.28], [shift + v for v in (0.21, 0.4, 0.1)]
    made = [
        [read_run(make_run(tmp_path / f"{at}{v}", [line(result(v))])).results[0] for v in values]
        for at, values in enumerate((one, other))
    ]
    found = told_apart(*(score(results, True) for results in made))
    assert found == (stats.ttest_ind(one, other, equal_var=False).pvalue < 0.05)


def test_groups_are_runs_that_differ_in_their_seed(tmp_path):
    configs = [{"seed": 0}, {"seed": 1}, {"seed": 2, "batch_size": 64}, {"recipe": "other"}]
    folders = [make_run(tmp_path / str(at), [line(result(0.1 * at))], **c) for at, c in enumerate(configs)]
    runs = read_runs(folders)
    labels = [("gan-mnist (batch_size=100)", (0, 1)), ("gan-mnist (batch_size=64)", (2,)), ("other", (3,))]
    assert recipes(runs) == labels
    table = compare(runs, by_recipe=True)
    assert [row.label for row in table.rows] == [label for label, _ in labels]
    assert table.rows[0].scores["kernel10k"].value == pytest.approx(0.05)
    assert table.rows[0].scores["kernel10k"].spread == pytest.approx(0.0707107, rel=1e-5)


def test_groups_need_configs(tmp_path):
    runs = pair(tmp_path, result(0.5), result(0.4))
    (tmp_path / "a" / "config.yaml").unlink()
    runs = read_runs([run.path for run in runs])
    assert "leave out --by recipe" in refusal(ConfigError, recipes, runs)
