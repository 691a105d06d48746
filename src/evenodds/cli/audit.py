"""`evenodds audit`"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter
from rich.console import Console

from ..errors import ConfigError, RunError
from .display import LINE_S, is_live
from .signals import uninterrupted
from .text import duration, rate, wrapped

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from ..referee.audit import Audit, Trial
    from ..referee.evidence import Evidence
    from ..sampling import Sampler

LEVEL = 0.95
FEW_STEPS = 300  # of training: a network that got no further has not shown what it can
LONGEST = 24 * 60  # minutes
Say = Callable[[str], None]


class Limits(NamedTuple):
    """Of one audit: seconds, how many discriminators, and the seed."""

    seconds: float
    most: int | None
    seed: int


def audit(
    source: Path,
    /,
    *,
    data: str | None = None,
    minutes: float = 1.0,
    seed: int = 0,
    discriminators: int | None = None,
    generator: Literal["last", "best"] = "last",
    out: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> int:
    """Prove how far a generator is from the data at least, and show what gives it away.

    Fresh discriminators of several kinds are trained for that time, and the best of them are measured on data
    that nothing has seen before.

    Args:
        source: a run directory or a generator file.
        data: what to compare it with; for a run, its own data if left out.
        minutes: for all of it; more time finds more.
        seed: of the discriminators.
        discriminators: to try, instead of as many as there is time for; the seed then decides the result.
        generator: of a run: the last one, or the best by its first metric.
        out: folder for the pictures and audit.json; for a run, its folder audit if left out.
        as_json: print JSON.
    """
    limits = _limits(minutes, discriminators, seed)
    folder = source / "audit" if out is None and source.is_dir() else out
    try:
        record, found, pictures = _audited(source, data, limits, generator, folder)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted before the audit was over; nothing was written") from None
    if record["warning"] and not as_json:
        print(wrapped(f"warning: {record['warning']}"), file=sys.stderr)
    print(json.dumps(record, indent=2, ensure_ascii=False) if as_json else _said(record, found, pictures))
    return 0


def _limits(minutes: float, discriminators: int | None, seed: int) -> Limits:
    """What the options say.

    Raises:
        ConfigError: one of them is out of range.
    """
    if not (0 < minutes <= LONGEST and math.isfinite(minutes)):
        raise ConfigError(
            f"--minutes {minutes:g} is no time to train in; give more than 0, at most {LONGEST}"
        )
    if seed < 0:
        raise ConfigError(f"--seed {seed} is negative; give 0 or more")
    if discriminators is not None and discriminators < 1:
        raise ConfigError(f"--discriminators {discriminators} tries none; give at least 1")
    return Limits(60 * minutes if discriminators is None else math.inf, discriminators, seed)


def _audited(
    source: Path, data: str | None, limits: Limits, which: Literal["last", "best"], out: Path | None
) -> tuple[dict[str, Any], Audit, list[Path]]:
    """The record of all that the result depends on, the result, and the files."""
    before = [] if out is None else _earlier(out / "audit.json")  # a refusal comes before the work
    with _progress() as say:
        say("loading the generator and the data")
        with uninterrupted():
            from ..referee.audit import conclude
            from ..report.exhibits import write_exhibits
            from .opening import data_warning, open_data, open_generator
        sampler = open_generator(source, which)
        dataset = open_data(source, sampler, data)
        evidence, tried = _tried(sampler, dataset, limits, say)
        say("measuring the best on data that nothing has seen before")
        found = conclude(evidence, tried, LEVEL)
        warning = data_warning(sampler, dataset)
        record = _record(source, sampler, dataset, which, warning)
        seconds = limits.seconds if math.isfinite(limits.seconds) else None
        record |= {"seconds": seconds, "discriminators": limits.most, "seed": limits.seed}
        record |= {
            "most_steps": max(trial.steps for trial in tried),
            "measured": evidence.split,
            "result": found.record(),
        }
        pictures = []
        if out is not None:
            say("drawing")
            pictures = write_exhibits(out, found, evidence, dataset)
            _write(out / "audit.json", [*before, record])
    return record, found, pictures


def _tried(sampler: Sampler, dataset: Dataset, limits: Limits, say: Say) -> tuple[Evidence, list[Trial]]:
    """Evidence, and what was tried on it in that time, a fifth of which is kept for measuring."""
    from ..metrics.bounds import examples_needed
    from ..referee.audit import CONCLUDING, corrected, trials
    from ..referee.evidence import gather

    began, (seconds, most, seed) = time.perf_counter(), limits
    say("drawing samples")
    needed = examples_needed(level=corrected(LEVEL))
    evidence = gather(sampler, dataset, needed=needed, seconds=seconds, seed=seed)
    left = seconds * (1 - CONCLUDING) - (time.perf_counter() - began)
    tried: list[Trial] = []
    say("training the first discriminator")
    for trial in trials(evidence, seconds=left, level=LEVEL, seed=seed, most=most):
        tried.append(trial)
        best = max(one.promise[0] for one in tried)
        gone = time.perf_counter() - began
        steps = sum(one.steps for one in tried) / max(sum(one.seconds for one in tried), 1e-9)
        parts = [
            f"{len(tried)} discriminator{'s' * (len(tried) > 1)}",
            f"JSD at least {best:.3f} or so",
            *([f"{rate(steps).removesuffix('/s')} steps/s"] if steps else []),
            f"{duration(max(0.0, seconds - gone))} left" if most is None else f"of {most}",
        ]
        say(" · ".join(parts))
    return evidence, tried


@contextlib.contextmanager
def _progress() -> Iterator[Say]:
    """Say where it is: beside a spinner on a terminal, else in lines at least five seconds apart."""
    console, last = Console(stderr=True), [time.perf_counter()]
    if is_live(console):
        with console.status("") as status:
            yield status.update
        return

    def line(text: str) -> None:
        if time.perf_counter() - last[0] >= LINE_S:
            last[0] = time.perf_counter()
            print(text, file=sys.stderr, flush=True)

    yield line


def _said(record: dict[str, Any], found: Audit, pictures: list[Path]) -> str:
    """What is proved, how sure that is, from what, and where to look."""
    from ..referee.gauge import at_least

    first = found.finalists[0]
    real, fake = f"{first.bounds.real:,} {record['measured']}", f"{first.bounds.fake:,} samples"
    if record["conditional"]:
        fake += " (of all classes together, their labels not looked at)"
    share = f"{100 * found.level:g} %"
    lines = [wrapped(f"{at_least(found.jsd, found.total_variation)} ({share}).")]
    if found.jsd == 0:
        lines.append(
            wrapped("That proves no difference, and no equality: more time or data may find one.", "  ")
        )
    chance = "less than 1e-300" if found.p_value == 0 else f"{found.p_value:.2g}"
    names = "; ".join(
        f"{one.name} (JSD {one.jsd:.3f}, TV {one.total_variation:.3f})" for one in found.finalists
    )
    lines += [
        wrapped(f"Estimate: the best discriminator shows JSD {first.bounds.jsd.estimate:.3f}, TV "
                f"{first.bounds.total_variation.estimate:.3f}; a better one might show more.", "  "),
        wrapped(f"p = {chance} for generator and data being the same (exact binomial test).", "  "),
        wrapped(f"Measured once, on {real} and {fake}; discriminators tried: {found.tried}; corrected for "
                f"the {len(found.finalists)} that were measured: {names}.", "  "),
    ]  # fmt: skip
    if record["most_steps"] < FEW_STEPS and record["discriminators"] is None:
        steps = f"{record['most_steps']} steps"
        lines.append(wrapped(f"Mind: no network got further than {steps}; give more --minutes.", "  "))
    lines.append(
        wrapped(f"Pictures: {', '.join(map(str, pictures))}" if pictures else "For pictures add --out.")
    )
    return "\n".join(lines)


def _record(
    source: Path, sampler: Sampler, dataset: Dataset, which: Literal["last", "best"], warning: str
) -> dict[str, Any]:
    """What was audited, against what."""
    from .opening import generator_file

    with generator_file(source, which).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "source": str(source),
        "generator": which,
        "generator_sha256": digest,
        "examples": sampler.facts.get("examples"),
        "conditional": bool(sampler.class_names),
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint},
        "warning": warning,
    }


def _earlier(path: Path) -> list[Any]:
    """The audits recorded so far.

    Raises:
        RunError: the file is no such list.
    """
    if not path.exists():
        return []
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        records = None
    if not isinstance(records, list):
        raise RunError(f"{path} is no list of audits; move it away, or choose another folder with --out")
    return records


def _write(path: Path, records: list[Any]) -> None:
    from ..files import write_text

    write_text(path, json.dumps(records, indent=2, ensure_ascii=False) + "\n")
