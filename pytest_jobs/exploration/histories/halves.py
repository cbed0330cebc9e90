"""What a job leaves half done: what is as neither of two ends, by row and by column."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

from ..engine.sameness.differences import MISSING, differences
from ..engine.sameness.renaming import Fields, Keyed, whole
from ..engine.sameness.times import Time, Timed
from ..stores.account import UNSHOWN

#: A part of the state, and the place of a value in it: `.id=7.status`.
Place: TypeAlias = tuple[str, str]

#: The rows of a table, by their columns.
Table: TypeAlias = Sequence[Mapping[Any, Any]]

#: Random values, and times, have names with numbers in their order, which is another one if something is left out.
_NAMES: Final = re.compile(r"<[^<>]*\d[^<>]*>")
_NUMBERS: Final = (int, float, Decimal, timedelta)


class Spot(NamedTuple):
    """Where a value is in a part of the state."""

    path: str = ""
    #: The column of a table; empty for a whole row, and where columns have no names; None outside of a table.
    column: str | None = None

    def within(self, parts: _Parts, key: Any) -> Spot:
        """Return where a part of the value is."""
        path = f"{self.path}[{key}]" if isinstance(key, int) else f"{self.path}.{key}"
        if parts.tables:
            return Spot(path, "")
        is_column = self.column == "" and not isinstance(key, int)
        return Spot(path, str(key) if is_column else self.column)


_WHOLE: Final = Spot()


class Half(NamedTuple):
    """A value that is as neither of two ends."""

    name: str
    spot: Spot
    before: Any
    now: Any
    after: Any

    @property
    def place(self) -> Place:
        return self.name, self.spot.path

    @property
    def label(self) -> str:
        part = self.name.removesuffix(UNSHOWN)
        return f"{part}{self.spot.path}{self.name.removeprefix(part)}"


def halves(
    never: Mapping[str, Any], found: Mapping[str, Any], done: Mapping[str, Any]
) -> list[Half]:
    """Return what is neither as if a job had never begun, nor as if it was done.

    A number between those of the ends, and a part of the items of a list, are a loop under way and no half.
    Effects are none: those of a job that was killed are some of those of a job that was done.
    """
    names = dict.fromkeys(name for name, *_ in differences(done, found))
    return [
        half
        for name in sorted(names, key=are_files)
        # What nobody has looked at before the job is not known.
        if not is_effect(name) and (name in never or not name.endswith(UNSHOWN))
        for half in _apart(name, _WHOLE, *(_content(each, name) for each in (never, found, done)))
    ]


def are_files(name: str) -> bool:
    """Return whether a part of the state is the files of a folder, of which one may be a database."""
    return name.startswith(("files", "temporary files"))


def is_effect(name: str) -> bool:
    return name.endswith(" calls")


def _content(state: Mapping[str, Any], name: str) -> Any:
    """Return a part of the state. A table, a list or a key that nobody has used yet is an empty one."""
    value = whole(state.get(name, MISSING))
    return () if value is MISSING and not name.startswith("file ") else value


def other_values(differing: Collection[tuple[str, Any, Any]]) -> dict[Place, Any]:
    """Return the values that are other ones, by their places, without what is there once and is not now.

    The calls of an effect are one value, if there are as many: one that is not made any more is lost.
    """
    values: dict[Place, Any] = {}
    for name, once, now in differing:
        if not is_effect(name):
            for spot, (one, other) in leaves((once, now)):
                if _is_value(one) and _is_value(other):
                    values[name, spot.path] = other
        elif (
            isinstance(once, dict)
            and isinstance(now, dict)
            and sum(once.values()) == sum(now.values())
        ):
            values[name, _WHOLE.path] = now
    return values


def has_only(difference: tuple[str, Any, Any], values: Mapping[Place, Any]) -> bool:
    """Return whether something differs by some values only. Numbers and times of the state may be any others."""
    name, once, now = difference
    if not any(name == part for part, _ in values):
        return False
    if is_effect(name):
        return bool(values[name, _WHOLE.path] == now)
    return all(
        (name, spot.path) in values and _is_value(one) and _is_alike(values[name, spot.path], now)
        for spot, (one, now) in leaves((once, now))
    )


def _is_value(form: Any) -> bool:
    return form is not MISSING and form is not None and not isinstance(form, tuple | dict)


def _is_alike(value: Any, other: Any) -> bool:
    if _is_number(value) or isinstance(value, Time | Timed):
        return _is_number(other) or isinstance(other, Time | Timed)
    return bool(value == other)


def _is_number(form: Any) -> bool:
    return isinstance(form, _NUMBERS) and not isinstance(form, bool)


def columns_of(once: Any, now: Any) -> list[str]:
    """Return the columns of tables in which rows are not the same, by their names."""
    return sorted({spot.column for spot, _ in leaves((once, now)) if spot.column})


def leaves(forms: Sequence[Any], spot: Spot = _WHOLE) -> Iterator[tuple[Spot, Sequence[Any]]]:
    """Yield the places where some forms of one thing are not the same, with what each has there."""
    if all(form == forms[0] for form in forms):
        return
    parts = _parts(forms)
    if parts is None:
        yield spot, forms
        return
    for key, inner in parts.by_name():
        yield from leaves(inner, spot.within(parts, key))


class _Parts(NamedTuple):
    """The parts of some forms of one thing."""

    #: Of each form, by their names.
    named: Sequence[Mapping[Any, Any]]
    #: Of tables: their rows, and the column by which these are known.
    tables: Sequence[Table] = ()
    column: Any = None

    def by_name(self) -> Iterator[tuple[Any, Sequence[Any]]]:
        """Yield each name, with what each form has there."""
        for name in dict.fromkeys(name for part in self.named for name in part):
            yield name, [part.get(name, MISSING) for part in self.named]


def _parts(forms: Sequence[Any]) -> _Parts | None:
    """Return the parts of some forms by their names; None if they have none, or only one of them is there."""
    there = [form for form in forms if form is not MISSING]
    kinds = {type(form) for form in there if form != ()}
    if len(there) == 1 or not kinds:
        return None
    if kinds == {Keyed}:
        return _Parts([dict(() if form is MISSING else form) for form in forms])
    if kinds == {Fields} and len({form[0] for form in there}) == 1:
        return _Parts([dict(() if form is MISSING else form[1]) for form in forms])
    tables = _tables(forms)
    column = None if tables is None else _key_of(tables)
    if tables is None or column is None:
        return None
    named = [{_row_name(column, row): Keyed(row.items()) for row in table} for table in tables]
    return _Parts(named, tables, column)


def _row_name(column: Any, row: Mapping[Any, Any]) -> Any:
    return row[column] if column == 0 else f"{column}={row[column]}"


def _key_of(tables: Sequence[Table]) -> Any:
    """Return the column by which rows are known, 0 for those without names of columns; None if there is none."""
    rows = [row for table in tables for row in table]
    for column in ("id", "pk", *rows[0]):
        if all(column in row for row in rows) and all(
            len({row[column] for row in table}) == len(table) for table in tables
        ):
            return column
    return None


def _tables(forms: Sequence[Any]) -> Sequence[Table] | None:
    """Return some forms as tables of rows with columns; None if one of them is none."""
    tables: list[Table] = []
    for form in forms:
        is_table = isinstance(form, tuple) and not isinstance(form, Keyed | Fields)
        rows = [_columns(row) for row in form] if is_table else []
        table = [row for row in rows if row is not None]
        if len(table) < len(rows) or not (is_table or form is MISSING):
            return None
        tables.append(table)
    return tables if any(tables) else None


def _columns(row: Any) -> dict[Any, Any] | None:
    if isinstance(row, Keyed):
        return dict(row)
    if isinstance(row, Fields):
        return dict(row[1])
    # Of raw SQL, a row without the names of its columns.
    return dict(enumerate(row)) if type(row) is tuple and row else None


def _apart(name: str, spot: Spot, before: Any, now: Any, after: Any) -> Iterator[Half]:
    """Yield what is in neither of two ends."""
    if _is_same(now, before) or _is_same(now, after):
        return
    forms = before, now, after
    parts = None if now is MISSING or before is MISSING is after else _parts(forms)
    if parts is None:
        if not _is_between(*forms):
            yield Half(name, spot, *forms)
        return
    for key, inner in parts.by_name():
        if not parts.tables or not _is_moved(inner, parts):
            yield from _apart(name, spot.within(parts, key), *inner)


def _is_moved(rows: Sequence[Any], parts: _Parts) -> bool:
    """Return whether a row is there under another key only, or is new and has nothing that is new.

    Keys are given in turn, so that they are other ones if a row before is left out.
    """
    before, now, after = rows
    if now is MISSING:
        return False
    ends = [row for table in (parts.tables[0], parts.tables[2]) for row in table]
    own = {name: value for name, value in now if name != parts.column}
    if before is MISSING and after is MISSING:
        return bool(own) and _has_nothing_new(own, ends)
    return any(
        all(_is_same(row.get(name, MISSING), value) for name, value in own.items()) for row in ends
    )


def _has_nothing_new(row: Mapping[Any, Any], ends: Sequence[Mapping[Any, Any]]) -> bool:
    """Return whether each value of a row is one that its column has in some rows."""
    return all(
        any(_is_same(end.get(name, MISSING), value) for end in ends) for name, value in row.items()
    )


def _is_between(before: Any, now: Any, after: Any) -> bool:
    """Return whether a number is on its way from one to another, or a list has a part of the items of two."""
    if before is MISSING is after:
        return False
    ends = [
        0 if form is MISSING or form is None or form == () else form for form in (before, after)
    ]
    if all(map(_is_number, (*ends, now))):
        return bool(min(ends) < now < max(ends))
    items = [_items(form) for form in (before, now, after)]
    if None in items or not items[1]:
        return False
    least, there, most = (Counter(map(_general, each or ())) for each in items)
    if all(there[item] <= max(least[item], most[item]) for item in there):
        return True
    tables = _tables((before, now, after))
    if tables is None:
        return False
    # Rows that nothing tells apart.
    rows = [*tables[0], *tables[2]]
    return all(_has_nothing_new(row, rows) for row in tables[1])


def _items(form: Any) -> Sequence[Any] | None:
    if form is MISSING or form is None:
        return ()
    if isinstance(form, str) and not isinstance(form, Timed):
        return form.splitlines() if "\n" in form or not form else None
    return form if isinstance(form, tuple) else None


def _is_same(form: Any, other: Any) -> bool:
    return bool(form == other) or _general(form) == _general(other)


def _general(form: Any) -> Any:
    """Return a form without the numbers in the names of random values and of times."""
    if isinstance(form, str | Time):
        return _NAMES.sub("<>", str(form))
    if isinstance(form, tuple):
        return tuple(map(_general, form))
    return form
