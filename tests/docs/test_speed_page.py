"""The page of figures, which `make bench` writes."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "explanation" / "speed.md"


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Return a function that writes rows into a copy of the page, and returns the page and the plot."""
    monkeypatch.syspath_prepend(_ROOT / "tests" / "benchmarks")
    page, rows = importlib.import_module("page"), importlib.import_module("rows")
    for name in ("page", "rows"):
        monkeypatch.delitem(importlib.sys.modules, name)
    shutil.copy(_PAGE, tmp_path)

    def write(*figures):
        page.write_page([rows.Row(*figure) for figure in figures], tmp_path)
        return (tmp_path / "speed.md").read_text("utf-8"), (tmp_path / "speed.svg").read_text(
            "utf-8"
        )

    return write


def test_a_row_stands_beside_its_budget(written):
    text, plot = written(
        ("one <check>", "9.0 ms", 9.0, 6.0, "ms"), ("growth", "2 s / 1 s", 2.0, 2.0)
    )

    assert (
        "| one <check> | 9.0 ms | 9 ms | 6 ms | over |\n| growth | 2 s / 1 s | 2 times | 2 times |  |"
        in text
    )
    assert ">one &lt;check&gt;</text>" in plot
    assert ">150%</text>" in plot


def test_a_row_that_is_far_from_its_budget_is_only_in_the_plot(written):
    text, plot = written(("quick", "1 s", 1.0, 3.0), ("slow", "2 s", 2.0, 3.0))

    assert "| quick |" not in text
    assert "1 further rows use less than half of their budget" in text
    assert ">quick</text>" in plot


def test_the_prose_around_the_figures_stays(written):
    begin = _PAGE.read_text("utf-8").partition("<!--")[0]
    end = _PAGE.read_text("utf-8").rpartition("-->")[2]

    written(("one", "1 s", 1.0, 1.0))
    text, _ = written(("two", "1 s", 1.0, 1.0))

    assert text.startswith(begin)
    assert text.endswith(end)
    assert "| one |" not in text
    assert text.count("| two |") == 1
