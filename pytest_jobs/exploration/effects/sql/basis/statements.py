"""What a statement in SQL does, as far as its text shows it: shared by the sources of databases."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

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
#: Texts, names in quotes and comments, in standard SQL.
_LITERALS: Final = re.compile(
    r"""'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|"[^"]+"|`[^`]+`|--[^\n]*|/\*.*?\*/""", re.DOTALL
)
NAME: Final = r"""(?:"[^"]+"|`[^`]+`|\w+)"""
#: A name with what stands in front of it, such as a schema.
PLACE: Final = rf"{NAME}(?:\s*\.\s*{NAME})*"
#: The words of MySQL about the way of a change.
HOW: Final = r"(?:(?:low_priority|high_priority|delayed|quick|ignore)\s+)*"
#: A table that is written. ON CONFLICT DO UPDATE, ON DUPLICATE KEY UPDATE, ON UPDATE and FOR UPDATE name none.
_WRITTEN: Final = re.compile(
    rf"(?:\b(?:insert|replace)\s+(?:or\s+\w+\s+)?{HOW}(?:into\s+)?|\bmerge\s+into\s+|\bdelete\s+{HOW}from\s+"
    rf"|(?<!for )(?<!do )(?<!key )(?<!on )\bupdate\s+{HOW}|\btruncate\s+(?:table\s+)?|\bcopy\s+"
    rf"|\binto\s+table\s+)(?:only\s+)?({PLACE})",
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
_BEGINNING: Final = re.compile(r"\s*(?:begin\b|start\s+transaction\b)", re.IGNORECASE)
#: In milliseconds: how long a connection to PostgreSQL waits for a lock, as `limit_of_waiting` has it.
_LIMITS: Final = 5, 5_000


def text_of(sql: Any) -> str:
    return sql.decode("utf-8", "replace") if isinstance(sql, bytes | bytearray) else str(sql)


class Table(NamedTuple):
    """A table as a statement names it: its schema or database, if it names that, and its name."""

    schema: str | None
    name: str


class Statement:
    """One statement, or several in one text, as far as the text shows what it does."""

    #: What cannot be a part of a statement: texts, and comments.
    literals = _LITERALS
    #: Statements that commit what an open transaction has changed.
    ending = _COMMIT

    def __init__(self, sql: Any) -> None:
        text = text_of(sql)
        #: As the job has it. One commit reads like another, whether a driver or the job has written it.
        self.text = "commit" if _COMMIT.match(text) else text

    @functools.cached_property
    def parts(self) -> list[str]:
        """Its statements, each in one line and without what is in texts and comments."""
        bare = self.literals.sub(lambda found: self.without(found[0]), self.text)
        return [" ".join(part.split()) for part in bare.split(";") if part.strip()]

    @property
    def changes(self) -> bool:
        return any(changes(part) and not _COMMIT.match(part) for part in self.parts)

    @property
    def commits(self) -> bool:
        """Whether it commits by itself, as statements that define tables do in MySQL."""
        return False

    @property
    def commits_what_is_open(self) -> bool:
        return self.has(self.ending)

    @property
    def begins(self) -> bool:
        return self.has(_BEGINNING)

    @property
    def rolls_back(self) -> bool:
        return self.has(_ROLLBACK)

    def written(self) -> list[Table]:
        """Return the tables that it may write."""
        found = [place for part in filter(changes, self.parts) for place in self.places_in(part)]
        return list(dict.fromkeys(map(self._table, found)))

    def named(self) -> set[Table]:
        """Return every name in it, including the tables that it reads."""
        return {self._table(place) for part in self.parts for place in re.findall(PLACE, part)}

    def without(self, literal: str) -> str:
        """Return what stands for a text, a name in quotes or a comment."""
        first = literal[0]
        return "''" if first in "'$" else literal if first in '"`' else " "

    def places_in(self, part: str) -> list[str]:
        """Return the tables that one of its statements writes, as it names them."""
        return _WRITTEN.findall(part)

    def name_of(self, name: str) -> str:
        """Return a name without its quotes, as the database has it."""
        return name[1:-1] if name[0] in '"`' else name.lower()

    def has(self, pattern: re.Pattern[str]) -> bool:
        """Return whether one of its statements begins so."""
        return any(map(pattern.match, self.parts))

    def _table(self, place: str) -> Table:
        names = [self.name_of(name) for name in re.findall(NAME, place)]
        return Table(names[-2] if len(names) > 1 else None, names[-1])


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

    Only what commits on a server can have happened although its answer is lost. Nothing is left of a transaction
    without a commit.
    """
    return Act(
        kind,
        text,
        counts=False,
        refused=lost,
        answer_lost=lost if commits else None,
        busy=is_busy,
        transaction=transaction,
        of_database=True,
    )
