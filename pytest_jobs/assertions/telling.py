"""From the text of a failure to what its reader is shown: short enough, and in characters that can be shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..harness.records.texts import WHOLE, Folding, Reader, folded
from .messages import SHORTENED

#: More lines than these are read by nobody. One is kept for saying that something was left out.
_LINES: Final = 24
#: The first that is short enough is taken.
_FOLDINGS: Final = (
    Folding(),
    Folding(items=3, rows=17, lines=6, hints=2),
    Folding(items=2, rows=15, lines=3, hints=1, criteria=4),
)
_TIGHTEST: Final = Folding(items=0, rows=10, lines=1, hints=1, criteria=1)


def told(tell: Callable[[], str], reader: Reader | None) -> str:
    """Return the text of a failure as it is shown.

    Args:
        tell: returns it, the folding in force being looked at.
        reader: who reads it; None when nobody can ask for more.
    """
    if reader is None:
        return _printable(_brief(tell), ascii_only=False)
    text = _folded(tell, WHOLE)
    if not reader.verbose:
        brief = _brief(tell)
        text = brief if brief == text else _with_note(brief)
    return _printable(text, ascii_only=reader.ascii)


def _brief(tell: Callable[[], str]) -> str:
    for how in _FOLDINGS:
        text = _folded(tell, how)
        if text.count("\n") < _LINES:
            return text
    return _folded(tell, _TIGHTEST)


def _folded(tell: Callable[[], str], how: Folding) -> str:
    with folded(how):
        return tell()


def _with_note(text: str) -> str:
    """Put the note before the last line, which says where to read on."""
    above, _, last = text.rpartition("\n")
    return f"{above}\n{SHORTENED}\n{last}"


def _printable(text: str, *, ascii_only: bool) -> str:
    """Return the text without control characters, such as the colours in the message of an error."""
    shown = (
        char
        if char == "\n" or (char.isprintable() and (char.isascii() or not ascii_only))
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
    return "".join(shown)
