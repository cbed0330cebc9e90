"""Reads a page of the documentation as a script: what its comments say is done with its blocks.

A comment on the line before a block says what the block is:

- `<!-- file NAME -->`: the block is written to a file of this name.
- `<!-- python -->`: the block is run as a script.
- `<!-- output -->`: the block is what the last run printed; a line `...` stands for any lines.
- `<!-- not run: REASON -->`: the block is only read.

`<!-- pytest ARGUMENTS: OUTCOMES -->` stands alone and runs pytest on the files so far, as in
`<!-- pytest test_pay.py: 1 passed, 1 failed -->`. `<!-- needs MODULES -->` says without which modules
the page cannot be run. Blocks of `console` are only read. Any other block without a comment is an
error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_STEP = re.compile(
    r"^<!-- (?P<kind>file|python|output|not run|pytest|needs)(?P<rest>[^\n]*?) -->\n|"
    r"^(?P<fence>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_ALONE = ("console",)


@dataclass(frozen=True)
class Step:
    """One thing to do, in the order of the page."""

    kind: str
    argument: str
    text: str
    line: int


def steps(page: str) -> Iterator[Step]:
    """Go through what a page says is to be done."""
    announced: tuple[str, str] | None = None
    for found in _STEP.finditer(page):
        line = page.count("\n", 0, found.start()) + 1
        if found["kind"] in ("pytest", "needs"):
            yield Step(found["kind"], found["rest"].strip(), "", line)
        elif found["kind"]:
            announced = found["kind"], found["rest"].strip(" :")
        elif announced is not None:
            yield Step(*announced, found["text"], line)
            announced = None
        elif found["language"].strip() not in _ALONE and not found["language"].startswith("{"):
            raise ValueError(f"line {line}: this block says nothing of what it is")
    if announced is not None:
        raise ValueError(f"the last comment ({announced[0]}) has no block")


def outcomes(text: str) -> dict[str, int]:
    """Return outcomes written as `1 passed, 2 failed`."""
    return {name: int(count) for count, name in re.findall(r"(\d+) (\w+)", text)}


def contains(printed: str, shown: str) -> bool:
    """Say whether lines stand in an output one after the other, `...` standing for any lines."""
    pieces = [piece.strip("\n") for piece in re.split(r"^\.\.\.$", shown, flags=re.MULTILINE)]
    position = 0
    for piece in pieces:
        if piece:
            position = printed.find(piece, position)
            if position < 0:
                return False
            position += len(piece)
    return True
