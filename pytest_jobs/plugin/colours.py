"""Colours of a failure on a terminal: of an assertion about jobs, and of the story that `check_idempotent` prints.

A message itself has no colours. Its lines are painted when they are about to be shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import pytest

from .exploring import IS_STORY

Markup: TypeAlias = Callable[..., str]
Style: TypeAlias = Mapping[str, bool]

#: As pytest shows a failure.
_FAILURE: Final[Style] = {"red": True, "bold": True}
_EXPECTED: Final[Style] = {"green": True}
_GOT: Final[Style] = {"red": True}
_CLOSEST: Final[Style] = {"yellow": True}
_HINT: Final[Style] = {"cyan": True}
_NEXT: Final[Style] = {"bold": True}
_ASIDE: Final[Style] = {"light": True}


def paint(reports: Iterable[pytest.TestReport], markup: Markup) -> None:
    """Paint the failures of reports that are about to be shown."""
    for report in reports:
        shown = getattr(report.longrepr, "reprtraceback", None)
        entries = getattr(shown, "reprentries", ())
        if entries:
            lines = entries[-1].lines
            lines[:] = painted(lines, markup, is_story=hasattr(report, IS_STORY))


def painted(lines: Sequence[str], markup: Markup, *, is_story: bool) -> list[str]:
    """Return the lines of a failure, with what is ours in colours.

    Args:
        lines: as pytest shows them; lines of the message begin with an `E`.
        markup: colours a text, in the colours that its keywords name.
        is_story: whether it is the story of a history.
    """
    head = _STORY if is_story else _ASSERTION
    begin = next((at for at, line in enumerate(lines) if head.match(line)), None)
    if begin is None:
        # A failure without a traceback, as of strict mode, has no margin.
        is_ours = bool(lines) and lines[-1].startswith(_COMMAND)
        return list(_of_assertion(lines, markup)) if is_ours else list(lines)
    width = lines[begin].index(_ERROR if is_story else _FAILED)
    message = [line[width:] for line in lines[begin:]]
    if not is_story and not any(line.startswith("Next: ") for line in message):
        return list(lines)
    first, *others = _of_story(message, markup) if is_story else _of_assertion(message, markup)
    # By its margin, as it is, pytest knows where the source ends, which has colours of its own.
    shown = [*lines[:begin], lines[begin][:width] + first]
    for line, text in zip(lines[begin + 1 :], others, strict=True):
        is_message = line.startswith("E") and line[width:].strip()
        # pytest shows the whole line in red, which ends where the first colour does.
        shown.append(markup(line[:width], **_FAILURE) + text if is_message else line)
    return shown


# Assertions

#: How the last line of a message begins.
_COMMAND: Final = "See: python -m pytest_jobs explain "

_FAILED: Final = "AssertionError: "
_ASSERTION: Final = re.compile(rf"E +{_FAILED}")
#: How a part of the message begins, which goes on in the lines that are indented.
_PARTS: Final = (
    (re.compile(r"Expected\b"), _EXPECTED),
    (re.compile(r"(but|Enqueued:)(?= |$)"), _GOT),
    (re.compile(r"Closest: "), _CLOSEST),
    (re.compile(r"Hint: "), _HINT),
    (re.compile(r"Next: "), _NEXT),
    (re.compile(r"(See|Shortened): "), _ASIDE),
)
_COMPARED: Final = re.compile(
    r"(?P<before>.*\b)(?P<expected>expected .*)(?P<comma>, )(?P<got>got .*)"
)
#: A line of a text that differs.
_DIFF: Final = ((re.compile(r" +- "), _EXPECTED), (re.compile(r" +\+ "), _GOT))


def _of_assertion(message: Sequence[str], markup: Markup) -> Iterator[str]:
    style: Style = {}
    for line in message:
        name = _FAILED if line.startswith(_FAILED) else ""
        text = line.removeprefix(name)
        if name:
            # What is wrong. A test may have a message of its own before it.
            yield name + markup(text, **_GOT)
            continue
        # A mark before an item of a list takes the place of its indentation.
        if text[:1] not in (" ", ">"):
            style = next((style for begin, style in _PARTS if begin.match(text)), {})
        compares = style is _CLOSEST and text.startswith(" ")
        yield name + (_compared(text, markup) if compares else markup(text, **style))


def _compared(text: str, markup: Markup) -> str:
    """Return a line about one criterion of the closest job."""
    found = _COMPARED.fullmatch(text)
    if found:
        expected, got = markup(found["expected"], **_EXPECTED), markup(found["got"], **_GOT)
        return found["before"] + expected + found["comma"] + got
    style = next((style for begin, style in _DIFF if begin.match(text)), {})
    return markup(text, **style)


# Stories

_ERROR: Final = "pytest_jobs.errors."
_STORY: Final = re.compile(rf".*{re.escape(_ERROR)}")
_LINES: Final = (
    (re.compile(r" +(x|!|\|\|)  "), _FAILURE),
    (re.compile(r"(another job|deliver(y|ies)) "), {"bold": True}),
    (re.compile(r"  once: "), _EXPECTED),
    (re.compile(r"  now:  "), _GOT),
    (re.compile(r"hint: "), _HINT),
    (re.compile(r"replay: "), _NEXT),
)
_NOTES: Final = (
    (re.compile(r"(?P<source>.*?)(?P<note>  <- .*)"), {"yellow": True}),
    (re.compile(r"(?P<source>.*?)(?P<note>  never (ran|done: .*))"), {"light": True}),
)


def _of_story(message: Sequence[str], markup: Markup) -> Iterator[str]:
    yield message[0]
    for line in message[1:]:
        yield _of_history(line, markup)


def _of_history(text: str, markup: Markup) -> str:
    for pattern, style in _LINES:
        if pattern.match(text):
            return markup(text, **style)
    for pattern, style in _NOTES:
        found = pattern.fullmatch(text)
        if found:
            return found["source"] + markup(found["note"], **style)
    return text
