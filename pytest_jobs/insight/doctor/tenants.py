"""Whether a project has tenants: whether it sets or carries a current one, which a job does not get.

A model of that name is none. What owns the rows of two models is a tenant where it is current: an organization, an
account, a workspace. What belongs to a user has a user.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from .facts import Place

#: A context variable by its name and its label, a thread local, and what a middleware puts into a request.
_VARIABLE: Final = re.compile(
    r"^[ \t]*(\w+)[ \t]*(?::[^=\n]+)?=\s*(?:\w+\.)?ContextVar\b[^(\n]*\(\s*[\"']?([\w.]*)",
    re.MULTILINE,
)
_LOCAL: Final = re.compile(
    r"^[ \t]*(\w+)[ \t]*(?::[^=\n]+)?=\s*(?:\w+\.)?[lL]ocal\(\)", re.MULTILINE
)
_REQUEST: Final = re.compile(r"\b(?:request(?:\.state)?|g)\.(\w+)[ \t]*=(?!=)")
#: A column that leads to another table, and the table.
_COLUMN: Final = re.compile(
    r"^[ \t]+(\w+)[ \t]*(?::[^=\n]+)?=\s*(?:[\w.]+\(\s*(?:[\w.()]+,\s*)?)?[\w.]*ForeignKey\("
    r"\s*(?:to=)?[\"']?([\w.]+)",
    re.MULTILINE,
)


def tenants_in(texts: Mapping[str, str]) -> Iterator[tuple[str, Place]]:
    """Yield what sets or carries a current tenant, and the place."""
    carried = [(*one, shown) for shown, text in texts.items() for one in _carried(text)]
    columns = Counter(
        _plain(name)
        for text in (texts.values() if carried else ())
        if "ForeignKey" in text
        for name, table in _COLUMN.findall(text)
        if "user" not in table.lower()
    )
    for names, how, at, shown in carried:
        if any("tenant" in name.lower() or columns[_plain(name)] > 1 for name in names):
            yield f"{names[0]}, {how}", Place(shown, texts[shown].count("\n", 0, at) + 1)


def _carried(text: str) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """Yield the names of each value that a file carries along, how it does, and where."""
    for found in _VARIABLE.finditer(text) if "ContextVar" in text else ():
        yield found.groups(), "a context variable", found.start(1)
    names = "|".join({found[1] for found in _LOCAL.finditer(text)} if "ocal()" in text else ())
    of = re.compile(rf"\b(?:{names})\.(\w+)[ \t]*=(?!=)")
    for found in of.finditer(text) if names else ():
        yield found.groups(), "of a thread local", found.start()
    for found in _REQUEST.finditer(text) if "iddleware" in text or "before_request" in text else ():
        yield found.groups(), "set by a middleware", found.start()


def _plain(name: str) -> str:
    """Return the name of a value without what says that it is current, or an id."""
    return re.sub(r"^_*(?:current_)?|_(?:id|ctx|context|var)$", "", name.rpartition(".")[2].lower())
