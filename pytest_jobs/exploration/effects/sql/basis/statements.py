"""What a statement in SQL does, as far as its text shows it: shared by the sources of databases."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from ....engine.acts import Act, Transaction, limit_of_waiting

_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_FIRST_WORD: Final = re.compile(r"[\s(;]*([a-z]+)", re.IGNORECASE)
_CHANGING: Final = re.compile(r"\b(insert|update|delete|merge)\b", re.IGNORECASE)
#: Statements with these first words change nothing by themselves. All others count as changes.
_READING_WORDS: Final = """
select values table show explain pragma declare fetch move close
begin start savepoint release rollback abort set reset lock
listen unlisten discard prepare deallocate
use desc describe unlock
"""
_READING: Final = frozenset(_READING_WORDS.split())
_TEXT: Final = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$", re.DOTALL)
_NAME: Final = r"""(?:"[^"]+"|`[^`]+`|\w+)"""
_NAMES: Final = re.compile(_NAME)
#: A table that is written. ON CONFLICT DO UPDATE, ON DUPLICATE KEY UPDATE and FOR UPDATE name none.
_WRITTEN: Final = re.compile(
    r"(?:\b(?:insert|replace)\s+(?:or\s+\w+\s+|ignore\s+)?into|\bmerge\s+into|\bdelete\s+from"
    r"|(?<!for )(?<!do )(?<!key )\bupdate|\btruncate(?:\s+table)?|\bcopy)"
    rf"\s+(?:only\s+|ignore\s+)?({_NAME}(?:\s*\.\s*{_NAME})*)",
    re.IGNORECASE,
)
_LONGEST: Final = 80
#: SQLSTATEs: lock not available, deadlock, serialization failure, and cancelled by a timeout.
_BUSY: Final = frozenset(("55P03", "40P01", "40001", "57014"))
#: Numbers of MySQL: lock not available, deadlock, a row that has changed since it was read, and NOWAIT.
_BUSY_IN_MYSQL: Final = frozenset((1205, 1213, 1020, 3572))
#: Codes of sqlite, whose lowest byte is the kind: another connection holds a lock, or one with the same cache.
_BUSY_IN_SQLITE: Final = frozenset((5, 6))
_PRIMARY: Final = 0xFF
_COMMIT: Final = re.compile(r"\s*(?:commit|end)\b", re.IGNORECASE)
_ROLLBACK: Final = re.compile(r"\s*(?:rollback|abort)\b(?!.*\bto\b)", re.IGNORECASE)
#: In milliseconds: how long a connection to PostgreSQL waits for a lock, as `limit_of_waiting` has it.
_LIMITS: Final = 5, 5_000


def text_of(sql: Any) -> str:
    return sql.decode("utf-8", "replace") if isinstance(sql, bytes | bytearray) else str(sql)


class Statement:
    """One statement, as far as the text of standard SQL shows what it does."""

    def __init__(self, sql: Any) -> None:
        text = text_of(sql)
        self._ends = _COMMIT.match(text) is not None
        #: As the job has it. One commit reads like another, whether a driver or the job has written it.
        self.text = "commit" if self._ends else text

    @property
    def changes(self) -> bool:
        """Whether it changes something that another connection may see, now or after a commit."""
        return not self._ends and changes(self.text)

    @property
    def commits(self) -> bool:
        """Whether it commits: by itself, as statements that define tables do in MySQL."""
        return False

    @property
    def commits_what_is_open(self) -> bool:
        """Whether it commits what an open transaction has changed."""
        return self._ends

    @property
    def begins(self) -> bool:
        """Whether it begins a transaction, where the driver itself does not say so."""
        return False

    @property
    def rolls_back(self) -> bool:
        """Whether it rolls a transaction back."""
        return _ROLLBACK.match(self.text) is not None


def lock_timeout() -> int | None:
    """Return how many milliseconds a PostgreSQL connection may wait for a lock; None outside of checks."""
    return limit_of_waiting(*_LIMITS)


def set_lock_timeout() -> str:
    """Return the statement that limits how long a PostgreSQL connection waits for a lock; "" outside of checks."""
    limit = lock_timeout()
    return "" if limit is None else f"SET lock_timeout = {limit}"


def changes(sql: str) -> bool:
    """Say whether a statement changes something that another connection may see, now or after a commit."""
    bare = _COMMENT.sub(" ", sql)
    found = _FIRST_WORD.match(bare)
    if found is None:
        return False
    word = found[1].lower()
    if word == "with":
        return _CHANGING.search(bare) is not None
    if word == "copy":
        return re.search(r"\bto\s+stdout\b", bare, re.IGNORECASE) is None
    return word not in _READING


def written_tables(sql: str) -> list[str]:
    """Return the tables that a statement writes, as it names them."""
    bare = " ".join(_TEXT.sub("''", _COMMENT.sub(" ", sql)).split())
    return _WRITTEN.findall(bare) if changes(bare) else []


def all_names(sql: str) -> set[str]:
    """Return every name in a statement, so also those of the tables that it reads."""
    bare = _TEXT.sub("''", _COMMENT.sub(" ", sql))
    return set(map(table_name, _NAMES.findall(bare)))


def table_name(name: str) -> str:
    """Return the name of a table without its schema and its quotes."""
    last: str = _NAMES.findall(name)[-1]
    return last[1:-1] if last[0] in '"`' else last.lower()


def transaction_of(connection: object) -> Transaction | None:
    """Return the transaction of the next statement of a connection, if nothing is left of it without a commit.

    That is so for `sqlite3`. A server does not take back the numbers that its sequences have given.
    """
    own_transaction: Callable[[], Transaction | None] | None = getattr(
        connection, "own_transaction", None
    )
    return None if own_transaction is None else own_transaction()


def shown(sql: str) -> str:
    """Return the text of a statement for a report: one line of at most 80 characters."""
    # No more words than characters are needed, and a value in the text may have megabytes.
    return " ".join(sql.split(maxsplit=_LONGEST)[:_LONGEST])[:_LONGEST]


def is_busy(error: BaseException) -> bool:
    """Return whether a database reports, by its code, that another transaction is in the way."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state in _BUSY or getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _BUSY_IN_SQLITE:
        return True
    if not any(kind.__name__ == "DatabaseError" for kind in type(error).__mro__):
        return False
    # MySQL numbers its errors. An OSError has a number too, so the class was asked first.
    number = getattr(error, "errno", next(iter(error.args), None))
    if isinstance(number, int) and number in _BUSY_IN_MYSQL:
        return True
    # Django reports each error of a driver by one of its own.
    return error.__cause__ is not None and is_busy(error.__cause__)


def act_of(
    kind: str,
    text: str,
    lost: Callable[[], Exception],
    *,
    commits: bool,
    transaction: Transaction | None = None,
) -> Act:
    """Return the effect of a statement or a commit.

    Args:
        kind: the library.
        text: the statement.
        lost: makes the error of a database that fails.
        commits: whether it commits on a server: only then it can have happened although its answer is lost.
        transaction: the transaction, if nothing is left of it without a commit.
    """
    return Act(
        kind,
        text,
        counts=False,
        refused=lost,
        answer_lost=lost if commits else None,
        busy=is_busy,
        transaction=transaction,
        # The commit of sqlite has no answer either, since there is no server that could lose it.
        awaits_commit=not commits and text.lower() != "commit",
        of_database=True,
    )
