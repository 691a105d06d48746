"""Which numbers may stand side by side, and in words why others may not."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import ConfigError, RunError, suggest
from .reading import Judged
from .results import Result

SPLITS = ("test", "validation", "train")  # where several settings agree, that of the first split is shown
NAMES = {
    "split": "split",
    "n": "samples",
    "real": "real examples",
    "data": "data fingerprint",
    "extractor": "extractor",
    "extractor.name": "extractor",
    "extractor.sha256": "hash of the extractor's weights",
    "extractor.preprocessing": "preprocessing",
    "extractor.dim": "dimensions of the features",
    "version": "version of the metric",
}


def names_of(runs: Sequence[Judged], asked: Sequence[str] | None = None) -> list[str]:
    """The metrics to compare: those asked for, else all that two runs or more have.

    Raises:
        RunError: nothing was measured yet, or nothing twice.
        ConfigError: a metric is asked for that fewer than two runs have.
    """
    held = {run.label: list(dict.fromkeys(result.metric for result in run.results)) for run in runs}
    every = list(dict.fromkeys(name for names in held.values() for name in names))
    count = {name: sum(name in names for names in held.values()) for name in every}
    twice = [name for name in every if count[name] > 1]
    if not every:
        first = command(runs[0], asked[0] if asked else "")
        raise RunError(f"nothing was measured of these runs yet; begin with: {first}")
    wanted = list(asked) if asked is not None else twice or every[:1]
    for name in wanted:
        if name not in count:
            near = suggest(name, every)
            raise ConfigError(
                f"{name} was measured of none of these runs{near}; or: {command(runs[0], name)}"
            )
        if count[name] < 2:
            having = next(run for run in runs if name in held[run.label])
            lacking = next(run for run in runs if name not in held[run.label])
            raise RunError(
                f"{name} was measured of {having.label} only; measure another, too: {command(lacking, name)}"
            )
    return wanted


def agreed(runs: Sequence[Judged], metric: str) -> list[list[Result]]:
    """For each run its results of a metric under one setting, that all who have the metric share.

    Raises:
        RunError: there is no such setting; says what differs, and the command that makes them comparable.
    """
    shared = shared_settings(runs, metric)
    if not shared:
        raise RunError(_refusal(runs, metric))
    chosen = max(shared, key=lambda key: (_rank(shared[key][-1]), max(one.time for one in shared[key])))
    return [[result for result in run.of(metric) if result.key == chosen] for run in runs]


def shared_settings(runs: Sequence[Judged], metric: str) -> dict[str, list[Result]]:
    """All results under each setting that every run with that metric was measured in."""
    holders = [run.of(metric) for run in runs if run.of(metric)]
    keys = set.intersection(*({one.key for one in results} for results in holders)) if holders else set()
    return {
        key: [one for results in holders for one in results if one.key == key]
        for key in sorted(keys)
    }  # fmt: skip


def comparable(runs: Sequence[Judged], metrics: Sequence[str]) -> list[str]:
    """Those of the metrics that `agreed` would not refuse."""
    return [metric for metric in metrics if shared_settings(runs, metric)]


def _rank(result: Result) -> int:
    split = result.setting.get("split")
    return -SPLITS.index(split) if split in SPLITS else -len(SPLITS)


def _refusal(runs: Sequence[Judged], metric: str) -> str:
    """One sentence: which metric, what differs, which command mends it."""
    latest = {run.label: _latest(run.of(metric)) for run in runs if run.of(metric)}
    # what the present evenodds measured last can be measured again; old weights or versions can't
    target = max(latest, key=lambda label: (latest[label].generator != "training", latest[label].time))
    wanted = next(run for run in runs if run.label == target)
    others = [
        run for run in runs if run.of(metric) and all(one.key != latest[target].key for one in run.of(metric))
    ]
    differing = differences(latest[target].setting, latest[others[0].label].setting)
    more = f" (nor of {len(others) - 1} more)" if len(others) > 1 else ""
    commands = [_remedy(run, metric, wanted, latest) for run in others]
    then = f" and {len(commands) - 2} more runs alike" if len(commands) > 2 else ""
    return (
        f"{metric} was not measured alike of {target} and of {others[0].label}{more}: "
        f"{', '.join(differing)}; make it comparable with: {' && '.join(commands[:2])}{then}"
    )


def _latest(results: Sequence[Result]) -> Result:
    """The last one that `evaluate` measured, else the last one of training."""
    measured = [one for one in results if one.generator != "training"]
    return (measured or list(results))[-1]


def _remedy(run: Judged, metric: str, wanted: Judged, latest: Mapping[str, Result]) -> str:
    """The command that measures `run` as `wanted` was measured."""
    target, own = latest[wanted.label], latest[run.label]
    changed = {name for name, *_ in _differing(target.setting, own.setting)}
    options: list[str] = ["--generator", "best"] if own.generator == "best" else []
    split = target.setting.get("split")
    if "split" in changed and isinstance(split, str):
        options += ["--split", split]
    if "data" in changed:
        options += ["--data", wanted.data or "DATA"]
    extractor = target.setting.get("extractor")
    if isinstance(extractor, Mapping) and any(name.startswith("extractor") for name in changed):
        options += _of_extractor(extractor, changed)
    return command(run, metric, *options)


def _of_extractor(extractor: Mapping[str, Any], changed: set[str]) -> list[str]:
    """The options that open this extractor."""
    name = str(extractor.get("name", ""))
    options = [] if name == "inception" else ["--extractor", name]
    if name == "inception" and "extractor.preprocessing" in changed:
        options = ["--preprocessing", str(extractor.get("preprocessing", ""))]
    return options


def command(run: Judged, metric: str, *options: str) -> str:
    """The `evenodds evaluate` that measures it."""
    words = ["evenodds", "evaluate", str(run.path), *(["--metrics", metric] if metric else []), *options]
    return shlex.join(words)


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What differs between two settings, in words: `split (test / validation)`."""
    return [f"{NAMES.get(name, name)} ({_said(a)} / {_said(b)})" for name, a, b in _differing(one, other)]


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, object, object]]:
    """(dotted name, value, value) of each leaf that differs; of another network only its name."""
    left, right = dict(_leaves(one)), dict(_leaves(other))
    names = [name for name in {**left, **right} if left.get(name) != right.get(name)]
    if "extractor.name" in names or "extractor" in names:
        # another network has other weights and dimensions: once is enough
        names = [name for name in names if not name.startswith("extractor.") or name == "extractor.name"]
    return [(name, left.get(name), right.get(name)) for name in names]


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _said(value: object) -> str:
    """10,000; a hash by its first 12 digits; none."""
    if value is None:
        return "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = str(value)
    hexadecimal = len(text) >= 32 and all(letter in "0123456789abcdef" for letter in text)
    return text[:12] if hexadecimal else text[:80]
