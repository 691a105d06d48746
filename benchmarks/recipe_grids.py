"""What a recipe's samples look like: `python benchmarks/recipe_grids.py RUN[:CPU_MINUTES] …`

For each run of `evenodds train` its averaged generator's samples of fixed seeds, as
results/samples_RECIPE.png, and in results/recipe_grids.md how far it was trained and how far its samples
are from held-out data.  CPU_MINUTES is what the run had cost (`ps -o cputime`), where that was looked at.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from evenodds.drawing import draw_samples, save_picture
from evenodds.sampling import Sampler
from outcome import RESULTS, provenance, table, write_result

SEEDS = range(100)


def described(run: Path, minutes: str) -> dict[str, Any]:
    """The picture is written; what is known of the run is returned."""
    sampler = Sampler.load(run)
    names = sampler.class_names
    per_class = len(SEEDS) // len(names) if names else 0
    labels = [seed // per_class % len(names) for seed in SEEDS] if per_class else None
    recipe, examples = sampler.facts["recipe"], sampler.facts["examples"]
    picture = draw_samples(
        sampler(SEEDS, labels),
        value_range=sampler.value_range,
        title=f"{recipe} · {examples:,} examples seen · seeds 0 to {SEEDS[-1]}",
        columns=per_class or None,
        labels=names if per_class else None,
        premultiplied=sampler.premultiplied,
    )
    save_picture(picture, RESULTS / f"samples_{recipe}.png")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    reports = [line for line in lines if "signal/energy" in line]
    last = reports[-1] if reports else {}
    return {
        "recipe": recipe,
        "examples": examples,
        "cpu_minutes": float(minutes) if minutes else None,
        "energy_distance": last.get("signal/energy"),
        "energy_floor": last.get("signal/energy_floor"),
        "coverage": last.get("signal/coverage"),
        "verdicts": last.get("verdicts"),
        # without the folders of this machine
        "config": re.sub(r"path: .*/", "path: ", (run / "config.yaml").read_text(encoding="utf-8")),
    }


def cells(row: dict[str, Any]) -> list[str]:
    minutes = "–" if row["cpu_minutes"] is None else f"{row['cpu_minutes']:.0f}"
    numbers = [row["energy_distance"], row["energy_floor"], row["coverage"]]
    shown = ["–" if value is None else f"{value:.3f}" for value in numbers]
    picture = f"[picture](samples_{row['recipe']}.png)"
    said = ", ".join(row["verdicts"] or [])
    return [f"`{row['recipe']}`", f"{row['examples']:,}", minutes, *shown, said, picture]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="+")
    rows = []
    for argument in parser.parse_args().runs:
        run, _, minutes = argument.partition(":")
        rows.append(described(Path(run), minutes))
        print(cells(rows[-1]), flush=True)
    text, machine = provenance("python benchmarks/recipe_grids.py RUN …")
    head = [
        "recipe",
        "examples seen",
        "CPU minutes",
        "energy distance",
        "of real data",
        "coverage",
        "verdicts",
    ]
    note = (
        "Energy distance: of samples and held-out examples, in mean distances of two examples; "
        '"of real data" is what two sets of real examples stay below 95 times in 100. Coverage: share of '
        "the data's clusters that samples reach, against real examples' (see docs/referee.md)."
    )
    body = table([*head, "samples"], [cells(row) for row in rows])
    page = f"# Samples of the recipes\n\n{text}\n\n{body}\n\n{note}"
    write_result("recipe_grids", page, {"machine": machine, "rows": rows})


if __name__ == "__main__":
    main()
