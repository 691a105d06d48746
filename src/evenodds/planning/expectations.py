"""What was seen after how many training examples: the plan promises nothing that no run has shown."""

from __future__ import annotations

from bisect import bisect_right

# Examples -> what a sheet of samples showed, by candidate; of dcgan at 64 × 64, by recipe emoji-64, of mlp by
# gan-digits, of points by gan-ring (benchmarks/results/mixtures.md).
SEEN: dict[str, tuple[tuple[int, str], ...]] = {
    "dcgan": (
        (0, "blots in the colours of the data"),
        (10_000, "outlines and main colours; motifs can be guessed"),
        (40_000, "motifs can be told by their shape, such as faces of emoji; details are missing"),
        (150_000, "common motifs are clear, faces and people of emoji; rare and busy ones stay smudges"),
    ),
    "mlp": (
        (0, "shapes begin to show"),
        (256_000, "most samples can be read, on digits of 8 × 8 pixels"),
    ),
    "points": (
        (0, "the samples gather around the data"),
        (1_000_000, "every mode is reached, 86 % of samples lie within 3 σ of one, on a ring of 8 Gaussians"),
    ),
}


def expected(candidate: str, examples: int, side: int) -> str:
    """What to expect of a run, and how that is known.

    Args:
        candidate: name of a row of the table, or of a recipe.
        examples: that it sees.
        side: pixels of the shorter side of an image; more pixels need more examples, in proportion.
    """
    if candidate not in SEEN:
        return f"what {candidate} shows after {examples:,} examples is not on record here"
    rows = SEEN[candidate]
    seen = examples / max(side / 64, 0.5) if candidate == "dcgan" else examples
    _, text = rows[bisect_right([least for least, _ in rows], seen) - 1]
    where = "seen on emoji of 64 × 64 pixels; other motifs may need more" if candidate == "dcgan" else ""
    return f"{text} ({where})" if where else text
