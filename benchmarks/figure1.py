"""Figure 1 of Goodfellow et al. (2014), played: its movie and its four stills, and the lab in the plane.

    python benchmarks/figure1.py              # all of it, on one core
    python benchmarks/figure1.py --only gaussian

Writes docs/figure1.webp (smaller than the run's own movie), docs/figure1.png (the four stills),
docs/figure1_ring.png and docs/figure1_spiral.png, and adds what was measured to
benchmarks/results/figure1.json, with the whole configuration.  The games are those of `evenodds lab`, seed 0.
Networks and learning rates of the game on the line were chosen by trials on this same density and seed, so
the result shows what the picture looks like, not how well an unseen density would do.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

from PIL import Image, ImageSequence

from evenodds.lab import Lab, lab_config
from evenodds.run import environment

ROOT = Path(__file__).resolve().parents[1]
DOCS, RESULTS = ROOT / "docs", ROOT / "benchmarks" / "results" / "figure1.json"
WIDEST, QUALITY = 640, 60
COPIES = {
    "gaussian": {"movie": "figure1.webp", "four stills": "figure1.png"},
    "ring": {"last picture": "figure1_ring.png"},
    "spiral": {"last picture": "figure1_spiral.png"},
}


def play(density: str, folder: Path) -> dict[str, Any]:
    """One game, its pictures copied to docs/; what was measured."""
    config = lab_config(density)
    game = Lab(config, folder / density)
    began, cpu = time.perf_counter(), time.process_time()
    for _ in game.play():
        pass
    trained = time.perf_counter() - began
    written = game.finish(movie="movie" in COPIES[density])
    for name, copy in COPIES[density].items():
        if name == "movie":
            shrink(written[name], DOCS / copy)
        else:
            (DOCS / copy).write_bytes(written[name].read_bytes())
    best = min(game.scores, key=lambda score: score.truth)
    return {
        "seconds": {"playing and drawing": round(trained, 1), "all": round(time.perf_counter() - began, 1)},
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "frames": len(game.scores),
        "first": game.scores[0]._asdict(),
        "last": game.scores[-1]._asdict(),
        "nearest": best._asdict(),
        "above_truth": sum(s.value - s.truth > s.truth_error + 4 * s.value_error for s in game.scores),
        "config": config.model_dump(mode="json"),
    }


def shrink(movie: Path, smaller: Path) -> None:
    """The same movie at WIDEST pixels, compressed as hard as it goes."""
    with Image.open(movie) as film:
        frames, times = [], []
        for frame in ImageSequence.Iterator(film):
            picture = frame.convert("RGB")
            times.append(frame.info["duration"])  # known once the frame is loaded
            size = WIDEST, round(picture.height * WIDEST / picture.width)
            frames.append(picture.resize(size, Image.Resampling.LANCZOS))
    first, *rest = frames
    first.save(
        smaller, format="WEBP", save_all=True, append_images=rest, duration=times, loop=0, method=4,
        quality=QUALITY, kmin=3, kmax=9,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(COPIES))
    parser.add_argument("--dir", type=Path, help="keep the runs here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for density in [arguments.only] if arguments.only else COPIES:
            found = play(density, arguments.dir or Path(temporary))
            about = environment("cpu")
            kept = ("started", "evenodds", "python", "torch", "processor", "cores", "threads")
            results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
            results[density] = found | {"environment": {key: about[key] for key in kept}}
            RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            print(density, json.dumps({key: found[key] for key in ("seconds", "last", "nearest")}))


if __name__ == "__main__":
    main()
