"""The SQL of MySQL and MariaDB, as far as the text of a statement shows what it does."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from .statements import Statement, changes, text_of

_NAME: Final = r"(?:`[^`]+`|\w+)"
_PLACE: Final = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
#: Literals in either kind of quotes, names in backticks, comments, and the marks of a comment that is executed.
_LITERALS: Final = re.compile(
    r"'(?:[^'\\]|\\.|'')*'"
    r'|"(?:[^"\\]|\\.|"")*"'
    r"|`[^`]*`|--(?=\s|$)[^\n]*|\#[^\n]*"
    r"|/\*!\d*|/\*.*?\*/|\*/",
    re.DOTALL,
)
#: With the mode ANSI_QUOTES these are names.
_QUOTED_NAME: Final = re.compile(r'\b(into|update|from|join|table|ignore)\s+"(\w+)"', re.IGNORECASE)
_HOW: Final = r"(?:(?:low_priority|high_priority|delayed|quick|ignore)\s+)*"
#: The table of a statement that writes one. ON DUPLICATE KEY UPDATE and ON UPDATE name none.
_TARGET: Final = re.compile(
    rf"(?:\b(?:insert|replace)\s+{_HOW}(?:into\s+)?|\bdelete\s+{_HOW}from\s+"
    rf"|(?<!for )(?<!key )(?<!on )\bupdate\s+{_HOW}|\btruncate\s+(?:table\s+)?"
    rf"|\binto\s+table\s+)({_PLACE})",
    re.IGNORECASE,
)
#: The tables of an UPDATE or a DELETE of several: some of them are written.
_SEVERAL: Final = re.compile(
    rf"\bupdate\s+{_HOW}(.+?)\bset\b|\bdelete\s+{_HOW}(?!from\b).+?\bfrom\b(.+?)(?:\bwhere\b|$)"
    rf"|\bdelete\s+{_HOW}from\b[^(]+?\busing\b(.+?)(?:\bwhere\b|$)",
    re.IGNORECASE,
)
_OF_SEVERAL: Final = re.compile(rf"(?:^|,|\bjoin\b)\s*({_PLACE})", re.IGNORECASE)
_COMMITTING: Final = re.compile(
    r"\s*(?:commit\b|(?:create|drop)\s+(?!temporary\b)|(?:alter|rename|truncate|grant|revoke)\b)",
    re.IGNORECASE,
)
_BEGINNING: Final = re.compile(r"\s*(?:begin\b|start\s+transaction\b)", re.IGNORECASE)
#: A transaction that is open is committed by these as well.
_ENDING: Final = re.compile(
    r"\s*(?:begin\b|start\s+transaction\b|lock\s+tables?\b|set\s+(?:@@)?(?:session\b[\s.]*)?autocommit\s*=\s*(?:1|on)\b)",
    re.IGNORECASE,
)
_ROLLBACK: Final = re.compile(r"\s*rollback\b(?!.*\bto\b)", re.IGNORECASE)
_USE: Final = re.compile(rf"\s*use\s+({_NAME})", re.IGNORECASE)
#: The name of the lock is text, a call of a function, or what the server is to work out.
_GET_LOCK: Final = re.compile(
    r"""\bget_lock\s*\(\s*((?:'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|\([^()]*\)|[^,()'"])+),""",
    re.IGNORECASE,
)
_PLACES: Final = re.compile(_PLACE)


class Table(NamedTuple):
    """A table as a statement names it: its database, which may be the one that is in use, and its name."""

    database: str | None
    name: str


class MysqlStatement(Statement):
    """One statement of MySQL, or several in one text."""

    def __init__(self, sql: Any) -> None:
        self.text = text_of(sql)
        bare = _LITERALS.sub(_without_literal, _QUOTED_NAME.sub(r"\1 `\2`", self.text))
        self._parts = [" ".join(part.split()) for part in bare.split(";") if part.strip()]

    @property
    def changes(self) -> bool:
        return any(map(changes, self._parts))

    @property
    def commits(self) -> bool:
        return self._has(_COMMITTING)

    @property
    def commits_what_is_open(self) -> bool:
        return self._has(_ENDING)

    @property
    def begins(self) -> bool:
        return self._has(_BEGINNING)

    @property
    def rolls_back(self) -> bool:
        return self._has(_ROLLBACK)

    def database(self) -> str | None:
        """Return the database that it puts in use; None for none."""
        found = [used[1] for used in map(_USE.match, self._parts) if used]
        return found[-1].strip("`") if found else None

    def written(self) -> list[Table]:
        """Return the tables that it may write."""
        found = []
        for part in filter(changes, self._parts):
            for several in _SEVERAL.finditer(part):
                named = next(filter(None, several.groups()), "")
                found += _OF_SEVERAL.findall(named.strip())
            found += _TARGET.findall(part)
        return list(dict.fromkeys(map(_table, found)))

    def named(self) -> set[Table]:
        """Return every name in it, including the tables that it reads."""
        return {_table(place) for part in self._parts for place in _PLACES.findall(part)}

    def _has(self, pattern: re.Pattern[str]) -> bool:
        return any(map(pattern.match, self._parts))


def lock_of(sql: Any) -> str | None:
    """Return the expression for the name of the lock that a statement asks for; None if it asks for none."""
    found = _GET_LOCK.search(text_of(sql))
    return None if found is None else found[1].strip()


def _without_literal(found: re.Match[str]) -> str:
    first = found[0][0]
    return found[0] if first == "`" else "''" if first in "'\"" else " "


def _table(place: str) -> Table:
    names = [name.strip("`") for name in re.findall(_NAME, place)]
    return Table(names[-2] if len(names) > 1 else None, names[-1])
