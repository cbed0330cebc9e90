"""The README of the example project names files, code and tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from tables import each_row

SHOP = Path(__file__).parents[2] / "docs" / "examples" / "shop"
README = SHOP.joinpath("README.md").read_text("utf-8")
PATTERNS = README.partition("## The patterns")[2].partition("\n\n## ")[0]
#: A file, and what is named of it; of `Order.place` the last part.
NAMED = re.findall(r"`((?:shop|tests|config)/\w+\.\w+)`(?:: `(?:\w+\.)*(\w+)`)?", PATTERNS)


def test_it_names_a_pattern_in_each_line():
    lines = [line for line in PATTERNS.splitlines() if line.startswith("| ")][1:]

    assert len(lines) > 20
    assert all("shop/" in line or "config/" in line for line in lines)
    assert all("tests/" in line for line in lines)


@each_row(("file", "name"), sorted(set(NAMED)))
def test_what_it_names_is_there(file, name):
    text = SHOP.joinpath(file).read_text("utf-8")

    assert re.search(rf"\b(def|class) {name}\b", text) if name else text
