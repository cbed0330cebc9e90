"""Renders the page that compares the systems."""

from __future__ import annotations

from collections.abc import Sequence

from survey import MARKS, SYSTEMS, Row


def comparison_table(rows: Sequence[Row]) -> str:
    """Return the table in Markdown: a line for each ability, a column for each system."""
    lines = [
        f"| | pytest-jobs | {' | '.join(SYSTEMS)} |",
        f"|---|{'---|' * (len(SYSTEMS) + 1)}",
    ]
    for row in rows:
        marks = " | ".join(MARKS[mark] for mark in row.marks)
        lines.append(f"| {row.ability} | **{_ours(row)}** | {marks} |")
    return "\n".join(lines)


def _ours(row: Row) -> str:
    if row.ours:
        return row.ours
    if not row.tests:
        raise LookupError(f"{row.ability!r} has no test, so it is no yes: say what is missing.")
    return "yes"
