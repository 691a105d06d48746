"""What a small run directory that looks like a real one is made of."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from evenodds.drawing import draw_samples, save_picture

CONFIG: dict[str, Any] = {
    "recipe": "digits",
    "data": {"name": "digits"},
    "loss": {"name": "non_saturating"},
    "examples": 2_000,
    "batch_size": 10,
    "critic_steps": 1,
    "generator": {"network": {"name": "dcgan", "base_channels": 64}, "betas": [0.5, 0.999]},
}
ENVIRONMENT = {"versions": {"torch": "2.13.0"}, "device": "cpu", "command": "evenodds train digits"}


def records(count: int = 100) -> list[dict[str, Any]]:
    """Curves that start with a D that wins and end at even odds."""
    made: list[dict[str, Any]] = []
    for index in range(count):
        lead = 0.4 * (1 - index / (count - 1))
        real, fake = 0.5 + lead, 0.5 - lead
        value = math.log(real) + math.log(1 - fake)
        made.append({
            "examples": 10 * (index + 1), "iteration": index + 1, "seconds": 0.1 * index, "rate": 100.0,
            "loss/discriminator": -value, "loss/generator": -math.log(fake),
            "d/real": real, "d/held_out": real, "d/fake": fake, "value/train": value, "value/held_out": value,
        })  # fmt: skip
    for index in (0, count // 2):
        made[index] |= {"metric/parzen10k": 100.0 + index, "metric/parzen10k/standard_error": 2.0}
        made[index] |= {"metric/parzen10k/split": "validation"}
    made[min(3, count - 1)]["event"] = {"kind": "verdict", "text": "D is ahead; lower its learning rate"}
    return made


def write_metrics(run: Path, lines: list[dict[str, Any]], tail: str = "") -> None:
    (run / "metrics.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines) + tail, encoding="utf-8"
    )


def add_frame(run: Path, examples: int, grey: float, side: int = 8) -> None:
    x = np.full((16, 1, side, side), grey, dtype=np.float32)
    x[:, :, 2:4, 2:6] = 1 - grey
    picture = draw_samples(x, value_range=(0, 1), title=f"{examples:,} examples")
    save_picture(picture, run / "samples" / f"{examples:010d}.png")
