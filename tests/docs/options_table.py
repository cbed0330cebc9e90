"""Writes the table of the page of options from the options themselves: `python tests/docs/options_table.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_jobs.assertions.options import OPTIONS, Option

PAGE = Path(__file__).parents[2] / "docs/reference/options.md"
_HEAD = (
    "| flag | ini file | marker | values | default | what it does |\n|---|---|---|---|---|---|\n"
)
#: What a sentence of the help shows as code.
_CODE = re.compile(r"(?<!`)(--jobs-[\w-]*\w(?:=\w+)?|jobs_\w+|pip install '[^']+')(?!`)")


def with_table(page: str) -> str:
    """Return the page with its table written anew."""
    begin = page.index(_HEAD.splitlines()[0])
    end = page.index("\n\n", begin) + 1
    return "".join((page[:begin], _HEAD, *map(_row, OPTIONS), page[end:]))


def _row(option: Option[Any]) -> str:
    metavar = f"={option.metavar}" if option.metavar else ""
    cells = (
        f"`{option.flag}{metavar}`" if option.flag else "",
        f"`{option.ini}`" if option.ini else "",
        f"`{option.keyword}=`" if option.keyword else "",
        option.values or "text",
        option.otherwise or str(option.default).lower(),
        " ".join(_says(option)),
    )
    return f"| {' | '.join(cells)} |\n".replace("|  |", "| |").replace("|  |", "| |")


def _says(option: Option[Any]) -> Iterator[str]:
    yield _CODE.sub(r"`\1`", option.text)
    if option.more:
        yield f"{option.more.rstrip('.')}."


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
