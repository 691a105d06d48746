"""In words: which row is best, and from which others it can't be told."""

from __future__ import annotations

from .table import Column, Row, Score, Table


def verdict(table: Table, column: Column) -> str:
    """One sentence on the differences in a column."""
    rows = [row for row in table.rows if row.scores[column.metric] is not None]
    if len(rows) < 2:
        return "measured of one row only: nothing to compare."
    if column.higher is None:
        return "no row is better than another by it, or that isn't known here."
    best = [table.rows[at] for at in column.best]
    if len(best) > 1:
        every = "all of them" if len(best) == len(rows) else _names(best)
        return f"{every} score best, and alike."
    (first,) = best
    seeds = any(_score(row, column).spread is not None for row in rows)
    chance = "the seeds explain" if seeds else "the intervals explain"
    why = "seeds differ as much (Welch's t test at 5 %)" if seeds else "their intervals overlap"
    others = [row for row in rows if row is not first]
    if column.unsure:
        return f"{first.label} is best; without an interval of each, a difference may be chance."
    if not column.near:
        return f"{first.label} is best{_lead(first, others, column)}: more than {chance}."
    if len(column.near) == len(others):
        whom = f"{first.label} and {others[0].label}" if len(others) == 1 else "any of them and the best one"
        return f"no difference can be told between {whom}: {why}."
    near = [table.rows[at] for at in column.near]
    return f"{first.label} is best, but no difference can be told to {_names(near)}: {why}."


def _lead(first: Row, others: list[Row], column: Column) -> str:
    """How far the best one is from the next."""
    values = [_score(row, column).value for row in others]
    lead = min(abs(value - _score(first, column).value) for value in values)
    said = f"{lead:,.0f}" if lead >= 1_000 else f"{lead:.3g}"
    return f", by {said} from {others[0].label if len(others) == 1 else 'the next'}"


def _score(row: Row, column: Column) -> Score:
    score = row.scores[column.metric]
    assert score is not None  # by `verdict`, which asks only of those that have one
    return score


def _names(rows: list[Row]) -> str:
    labels = [row.label for row in rows]
    if len(labels) == 1:
        return labels[0]
    shown = labels if len(labels) <= 4 else [*labels[:3], f"{len(labels) - 3} more"]
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
