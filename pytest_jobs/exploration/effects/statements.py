"""What a statement in SQL does, as far as its text tells."""

from __future__ import annotations

import re
from typing import Final

from ..engine.acts import may_wait_for_locks

_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_WORD: Final = re.compile(r"[\s(;]*([a-z]+)", re.IGNORECASE)
_CHANGING: Final = re.compile(r"\b(insert|update|delete|merge)\b", re.IGNORECASE)
_READING: Final = frozenset(
    (
        *(
            "select",
            "values",
            "table",
            "show",
            "explain",
            "pragma",
            "declare",
            "fetch",
            "move",
            "close",
        ),
        *("begin", "start", "savepoint", "release", "rollback", "abort", "set", "reset", "lock"),
        *("listen", "unlisten", "discard", "prepare", "deallocate"),
    )
)
_SHOWN: Final = 80
#: In milliseconds: for a lock of a delivery that is suspended, and for one that a killed process leaves behind.
_NO_PATIENCE: Final = 5
_SOME_PATIENCE: Final = 5_000


def impatience() -> str:
    """Return the statement that keeps a connection to PostgreSQL from waiting long for a lock."""
    return f"SET lock_timeout = {_SOME_PATIENCE if may_wait_for_locks() else _NO_PATIENCE}"


def changes(sql: str) -> bool:
    """Say whether a statement changes something that another connection may see, now or after a commit."""
    bare = _COMMENT.sub(" ", sql)
    found = _WORD.match(bare)
    if found is None:
        return False
    word = found[1].lower()
    if word == "with":
        return _CHANGING.search(bare) is not None
    if word == "copy":
        return re.search(r"\bto\s+stdout\b", bare, re.IGNORECASE) is None
    return word not in _READING


def shown(sql: str) -> str:
    """Return the text of a statement as an act has it: on one line, and not too long."""
    return " ".join(sql.split())[:_SHOWN]


def is_busy(error: BaseException) -> bool:
    """Say whether a database says that another transaction is in the way, by its SQLSTATE."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return state in _BUSY


#: Lock not available, deadlock, serialization failure, and cancelled by a timeout.
_BUSY: Final = frozenset(("55P03", "40P01", "40001", "57014"))
