"""`python -m pytest_jobs explain ANCHOR`: what a message means, from the reference, without a network."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from .lint.linter import RULES
from .lint.pages import page_of, reference

#: How many anchors with a word are named.
_HINTS: Final = 3
_NAMES: Final = ("errors.md", "messages.md")
_HEADING = re.compile(r"(?m)^(#{2,3}) (.+)\n")
#: A row of `errors.md`: the name of an error, its base class, its cause, its remedy.
_ROW = re.compile(r"(?m)^\| `(\w+)`(?: \(an? ([^|]*)\))? \| ([^|]*) \| ([^|]*) \|$")
#: The head of a table.
_TABLE = re.compile(r"(?m)^\|(?! `).*\n")
_COMMENT = re.compile(r"(?m)^<!-- .* -->\n")
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")


def entries(folder: Path | None = None) -> dict[str, str]:
    """Return the text about each error, message and rule of the lint, in the order of the reference.

    The keys are the names of errors, the anchors of messages, and the numbers of rules.

    Args:
        folder: where the pages are; None for those of the package.
    """
    found: dict[str, str] = {}
    for name in _NAMES:
        page = _LINK.sub(r"\1", (folder or reference()).joinpath(name).read_text("utf-8"))
        found |= {error: f"{_underlined(error)}\n\n{text}" for error, text in _rows(page)}
        for title, text in _sections(page):
            # `errors.md` has two sentences on an error, and `messages.md` may have its messages.
            anchor = title if title in found else title.lower().replace(" ", "-")
            found[anchor] = f"{found.get(anchor, _underlined(title))}\n\n{text.strip()}"
    return found | {rule.id: str(page_of(rule.id)).strip() for rule in RULES}


def take_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command, and what it does."""
    command.add_argument(
        "anchor",
        nargs="?",
        help="the last word of a failure, such as other-arguments, the name of an error, such as NoAdapterError, "
        "the verdict of a check, such as DUPLICATE, or the number of a rule, such as JOB301; without it, all of "
        "them are listed",
    )
    command.set_defaults(act=_print)


def _print(asked: argparse.Namespace) -> int:
    texts = entries()
    if asked.anchor is None:
        sys.stdout.write("".join(f"{anchor}\n" for anchor in texts))
        return 0
    known = {anchor.lower(): anchor for anchor in texts}
    # A link to the page, and the name of an error with its module, are understood too.
    wanted = re.split(r"[#.]", asked.anchor)[-1].lower()
    # A check says DUPLICATE of a DuplicateEffect, and HALF_DONE of a HalfDone.
    word = wanted.replace("_", "")
    wanted = next(
        (error for error in known if asked.anchor.isupper() and error.startswith(word)), wanted
    )
    if wanted not in known:
        # A word of an anchor is meant sooner than one that is spelt alike: queue, of other-queue.
        having = [anchor for anchor in known if wanted in anchor.split("-")][:_HINTS]
        nearest = having or get_close_matches(wanted, known, n=1)
        names = ", ".join(known[each] for each in nearest)
        hint = f" The nearest {'is' if len(nearest) == 1 else 'are'} {names}." if nearest else ""
        sys.stderr.write(
            f"No message, error or rule is called {asked.anchor!r}.{hint} "
            "`python -m pytest_jobs explain` lists all of them.\n"
        )
        return 2
    sys.stdout.write(f"{texts[known[wanted]]}\n")
    return 0


def _rows(page: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each error, and the text about it."""
    for row in _ROW.finditer(page):
        name, base, cause, remedy = row.groups()
        yield name, _about(base, cause, remedy)


def _sections(page: str) -> Iterator[tuple[str, str]]:
    """Yield each heading, and what stands below it up to the next one that is no lower."""
    page = _ROW.sub(lambda row: f"{row[1]}:\n{_about(*row.groups()[1:])}\n", _TABLE.sub("", page))
    page = _COMMENT.sub("", page)
    headings = list(_HEADING.finditer(page))
    for index, heading in enumerate(headings):
        ends = (one.start() for one in headings[index + 1 :] if len(one[1]) <= len(heading[1]))
        yield heading[2], page[heading.end() : next(ends, len(page))]


def _underlined(title: str) -> str:
    return f"{title}\n{'=' * len(title)}"


def _about(base: str | None, cause: str, remedy: str) -> str:
    kind = "" if base is None else f"A kind of {base.replace('`', '')}.\n"
    return f"{kind}Cause: {cause}\nRemedy: {remedy}"
