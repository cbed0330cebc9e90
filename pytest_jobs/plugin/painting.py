"""The colours of a report that pytest shows as the message of a failure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

_ERROR: Final = "pytest_jobs.errors."
_STYLES: Final = (
    (re.compile(r" +(x|!|\|\|)  "), {"red": True, "bold": True}),
    (re.compile(r"(another job|deliver(y|ies)) "), {"bold": True}),
    (re.compile(r"  once: "), {"green": True}),
    (re.compile(r"  now:  "), {"red": True}),
    (re.compile(r"hint: "), {"cyan": True}),
    (re.compile(r"replay: "), {"bold": True}),
)
_DONE: Final = re.compile(r"(?P<source>.*?)(?P<note>  <- .*)")
_NEVER: Final = re.compile(r"(?P<source>.*?)(?P<note>  never (ran|done: .*))")


def painted(lines: Sequence[str], markup: Callable[..., str]) -> list[str]:
    """Return the lines of a failure, those of the story in colours.

    Args:
        lines: as pytest shows them, each of the message behind an `E`.
        markup: puts a text in the colours that its keywords name.
    """
    begin = next((at for at, line in enumerate(lines) if _ERROR in line), None)
    if begin is None:
        return list(lines)
    width = lines[begin].index(_ERROR)
    return [
        *lines[: begin + 1],
        *(_painted(line, width, markup) for line in lines[begin + 1 :]),
    ]


def _painted(line: str, width: int, markup: Callable[..., str]) -> str:
    margin, text = line[:width], line[width:]
    if not text.strip() or not margin.startswith("E"):
        return line
    # pytest shows the whole line in red, which ends where the first colour does.
    return markup(margin, red=True, bold=True) + _coloured(text, markup)


def _coloured(text: str, markup: Callable[..., str]) -> str:
    for pattern, style in _STYLES:
        if pattern.match(text):
            return markup(text, **style)
    for pattern, style in ((_DONE, {"yellow": True}), (_NEVER, {"light": True})):
        found = pattern.fullmatch(text)
        if found:
            return found["source"] + markup(found["note"], **style)
    return text
