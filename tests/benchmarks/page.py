"""The page of the documentation that shows the figures: its table, its plot, and where they were measured."""

from __future__ import annotations

import html
import os
import platform
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from rows import Row

_FOLDER: Final = Path(__file__).parents[2] / "docs" / "explanation"
_BEGIN: Final = "<!-- written by `make bench BENCH_ARGS=--write` -->"
_END: Final = "<!-- until here -->"
#: Whose versions the page names, if they are installed.
_LIBRARIES: Final = (
    *(
        "pytest",
        "apscheduler",
        "arq",
        "celery",
        "django",
        "django-q2",
        "dramatiq",
        "fakeredis",
        "huey",
    ),
    *("procrastinate", "redis", "rq", "saq", "sqlalchemy", "taskiq", "time-machine"),
    *("frontrun", "detangle", "interleave-test"),
)
_ROW: Final = 18
_LEFT: Final = 430
_BUDGET: Final = 250
#: The table leaves out rows that use a smaller share of their budget.
_TELLING: Final = 0.5
#: A bar that is longer than this share of the budget is cut.
_MOST: Final = 1.5


def write_page(rows: Sequence[Row], folder: Path = _FOLDER) -> None:
    """Write the figures into the page, between its two marks, and draw the plot beside it.

    Args:
        rows: the figures.
        folder: where `speed.md` is.
    """
    page = folder / "speed.md"
    before, _, rest = page.read_text("utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    figures = "\n".join((_BEGIN, "", *_measured_on(), "", *_table(rows), "", _END))
    page.write_text(f"{before}{figures}{after}", "utf-8")
    (folder / "speed.svg").write_text("\n".join((*_plot(rows), "")), "utf-8")


def _measured_on() -> Iterator[str]:
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    yield f"Measured on Python {platform.python_version()}, {os.cpu_count()} cores of the kind {_processor()}."
    yield f"At the end the load of the machine was {load} over 1, 5 and 15 minutes."
    yield f"Versions: {', '.join(_versions())}."


def _processor() -> str:
    try:
        found = re.search(
            r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
        )
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()


def _versions() -> Iterator[str]:
    for library in _LIBRARIES:
        try:
            yield f"{library} {version(library)}"
        except PackageNotFoundError:
            continue


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield "| what | measured | figure | budget | |"
    yield "|---|---|---|---|---|"
    telling = [row for row in rows if row.ratio >= row.budget * _TELLING]
    for row in telling:
        verdict = "" if row.verdict == "ok" else "over"
        figure, budget = _shown(row.ratio, row.unit), _shown(row.budget, row.unit)
        yield f"| {row.what} | {row.measured} | {figure} | {budget} | {verdict} |"
    yield ""
    yield f"{len(rows) - len(telling)} further rows use less than half of their budget: the picture has them."


def _shown(number: float, unit: str) -> str:
    digits = f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
    return f"{digits} {'times' if unit == 'x' else unit}"


def _plot(rows: Sequence[Row]) -> Iterator[str]:
    """Yield an image of how much of its budget each row uses."""
    height = _ROW * (len(rows) + 2)
    width = int(_LEFT + _BUDGET * _MOST + 60)
    end = _LEFT + _BUDGET
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
    yield f'<rect width="{width}" height="{height}" fill="white"/>'
    yield f'<text x="{end}" y="12" text-anchor="middle">budget</text>'
    for place, row in enumerate(rows, start=1):
        share = row.ratio / row.budget
        top = _ROW * place
        length = _BUDGET * min(share, _MOST)
        colour = "#4c8a5b" if row.verdict == "ok" else "#b5523b"
        yield f'<text x="{_LEFT - 6}" y="{top + 12}" text-anchor="end">{html.escape(row.what)}</text>'
        yield f'<rect x="{_LEFT}" y="{top + 2}" width="{length:.0f}" height="{_ROW - 5}" fill="{colour}"/>'
        yield f'<text x="{_LEFT + length + 5:.0f}" y="{top + 12}">{share:.0%}</text>'
    yield f'<line x1="{end}" y1="16" x2="{end}" y2="{height - 8}" stroke="black" stroke-dasharray="3 3"/>'
    yield "</svg>"
