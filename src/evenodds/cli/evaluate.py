"""`evenodds evaluate`"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from .display import status
from .signals import uninterrupted
from .text import listed, signed, wrapped

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from ..evaluation import Evaluation, Subject
    from ..sampling import Sampler
    from .counting import Counting

Split = Literal["train", "validation", "test"]
HELP = "help"  # --metrics help


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class How:
    """How to measure."""

    split: Split = "test"
    "of the data; test is for the number that is reported."
    generator: Literal["last", "best"] = "last"
    "of a run: the last one, or the best by its first metric."
    extractor: str = "auto"
    "network that features come from: auto, a name or a file; evenodds extractors lists them."
    inception: Path | None = None
    "file of the weights of Inception, for fid, kid, is and mifid; not needed once fetched."
    preprocessing: Literal["tf", "pytorch", "clean"] | None = None
    "how images are resized for Inception; tf if left out."
    distance: Path | None = None
    "a .py file that defines a distance between images, for ppl."
    first_seed: int = 0
    "samples are those of this seed and the following."
    device: str = "cpu"
    "to compute on."
    reference: bool = True
    "also measure real examples in the samples' place; takes as long again."


DEFAULT = How()


def evaluate(
    source: Path | None = None,
    /,
    *,
    metrics: str | None = None,
    data: str | None = None,
    how: How = DEFAULT,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> int:
    """Measure a generator, and say how each number was measured and what real examples score.

    The results of a run are added to its evaluations.jsonl, from which compare reads them.

    Args:
        source: a run directory or a generator file.
        metrics: names with a sample count, separated by commas, as in kernel10k,modes26k; help lists them.
            If left out, a few that suit the data.
        data: what to measure on; for a run, its own data if left out.
        as_json: print JSON.
    """
    if metrics == HELP or source is None:
        return _list_metrics(asked=metrics == HELP)
    record, results = _measured(source, metrics, data, how)
    if as_json:
        print(json.dumps(record, indent=2, ensure_ascii=False))
        return 0
    if record["warning"]:
        print(wrapped(f"warning: {record['warning']}"), file=sys.stderr)
    for result in results:
        print("\n".join(sentences(result)))
    return 0


def _list_metrics(*, asked: bool) -> int:
    """Every metric with its own sample count and what it is.

    Raises:
        ConfigError: nobody asked for that, so it is the run that is missing.
    """
    from ..errors import ConfigError
    from ..evaluation import METRICS, count_name

    if not asked:
        raise ConfigError("nothing to evaluate; give a run or a generator file, or --metrics help for a list")
    print(listed([(f"{name}{count_name(one.samples)}", one.says) for name, one in METRICS.items()]))
    print(wrapped("Another count may follow the name, as in kernel5k or modes26000."))
    return 0


def _measured(
    source: Path, metrics: str | None, data: str | None, how: How
) -> tuple[dict[str, Any], list[Evaluation]]:
    """The results, and the record of all that they depend on; it is added to the run's before it is told."""
    with status("loading the generator and the data"):
        with uninterrupted():
            from ..evaluation import check_metric, measure, natural_metrics
            from ..evaluation.log import append_line, line_of
            from .opening import data_warning, generator_file, open_data, open_generator
        sampler = open_generator(source, how.generator, how.device)
        dataset = open_data(source, sampler, data)
        names = natural_metrics(dataset, how.split) if metrics is None else metrics.split(",")
        names = [name.strip() for name in names]
        for name in names:  # all of them, before the first one takes its time
            check_metric(name, dataset)
    began = time.perf_counter()
    with status(f"measuring {', '.join(names)}") as counting:
        subject = _subject(sampler, dataset, how, counting)
        results = measure(subject, names)
    line = line_of(
        subject,
        results,
        source=str(source),
        generator=how.generator,
        sha256=_sha256(generator_file(source, how.generator)),
        seconds=time.perf_counter() - began,
        warning=data_warning(sampler, dataset),
    )
    if source.is_dir():
        append_line(source / "evaluations.jsonl", line)
    for note in subject.notes:
        print(wrapped(f"warning: {note}"), file=sys.stderr)
    return line, results


def _subject(sampler: Sampler, dataset: Dataset, how: How, counting: Counting) -> Subject:
    from ..evaluation import Subject

    return Subject(
        sampler,
        dataset,
        split=how.split,
        with_reference=how.reference,
        first_seed=how.first_seed,
        extractor=how.extractor,
        inception=how.inception,
        preprocessing=how.preprocessing,
        distance=how.distance,
        device=how.device,
        progress=counting,
    )


def sentences(result: Evaluation) -> list[str]:
    """The number, its interval, how it was measured, what perfect samples score, and what it can't say."""
    digits = digits_of(result)
    spread = "" if result.standard_error is None else f" ± {signed(result.standard_error, digits)}"
    lines = [f"{result.name}  {signed(result.value, digits)}{spread} {result.unit}".rstrip()]
    beside = []
    if result.interval is not None:
        low, high = (_rounded(end, digits) for end in result.interval)
        beside.append(f"95 % interval {low} to {high}")
    for word, value in (("floor", result.floor), ("ceiling", result.ceiling)):
        if value is not None:
            beside.append(f"{word} {_rounded(value, digits)}{_told_apart(result, value)}")
    if beside:
        lines.append(wrapped("; ".join(beside), "  "))
    lines.append(wrapped(result.protocol, "  "))
    if result.also:
        lines.append(wrapped(f"Also: {result.also}", "  "))
    if result.reference:
        lines.append(wrapped(f"For comparison: {result.reference}", "  "))
    if result.warning:
        lines.append(wrapped(f"Mind: {result.warning}", "  "))
    return lines


def _rounded(value: float, digits: int) -> str:
    """To as many digits; what that would make 0, to its first one."""
    if value != 0 and round(value, digits) == 0:
        return f"{value:.0e}".replace("-", "−", 1) if value < 0 else f"{value:.0e}"
    return signed(value, digits)


def _told_apart(result: Evaluation, real: float) -> str:
    """Whether samples and real examples score alike as far as this many can say."""
    if result.interval is None:
        return ""
    low, high = result.interval
    return " (inside: not told apart by this number)" if low <= real <= high else ""


def digits_of(result: Evaluation) -> int:
    """After the point: two that the standard error leaves in doubt, else four that count; none of a count."""
    error = result.standard_error
    if error is None and result.value == round(result.value):
        return 0
    scale = error or abs(result.value) / 100
    return min(max(1 - math.floor(math.log10(scale)), 0), 8) if scale > 0 and math.isfinite(scale) else 2


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
