"""The form of a state, by which it is compared with the state of another history."""

from __future__ import annotations

import functools
import logging
import re
import sys
import types
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set as AbstractSet
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any, Final, TypeAlias, cast

from ....errors import ExplorationError
from ....harness.records.attributes import identity
from .chance import Chance
from .fields import (
    STANDS_FOR,
    Pairs,
    declared_fields,
    own_fields,
    public_fields,
    record_of,
    rows_of,
    values_of,
)
from .times import Times
from .volatile import LongTexts, Volatile

#: Returns the form of a value of one class.
_Former: TypeAlias = "Callable[[Renaming, Any], Any]"

_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")
#: Values that are equal exactly if they are the same.
_SCALARS: Final = (str, bytes, int, float, uuid.UUID, PurePath)
_PLAIN: Final = (type(None), bool, complex, Fraction, timedelta, time)
_NAMED: Final = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodWrapperType,
    types.MethodDescriptorType,
)


class _Unfit(Exception):
    """Part of a state cannot be compared."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self._steps: list[str] = []

    def within(self, step: str) -> None:
        self._steps.insert(0, step)

    def error(self, name: str) -> ExplorationError:
        return ExplorationError(self.why.format(path=f"{name}{''.join(self._steps)}"))


class Unordered(list[Any]):
    """A list whose order does not matter."""


class Members(tuple[Any, ...]):
    """The form of something whose members have no order, such as a set."""

    __slots__ = ()


class Keyed(tuple[tuple[Any, Any], ...]):
    """The form of a mapping: its keys and values, in an order that does not depend on where they were found."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{key!r}: {value!r}' for key, value in self)}}}"


class AsCalled(tuple[str, Pairs]):
    """A model of an ORM as a call has got it: the name of its class, and its columns."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(self[0])


class AsAtFirst(list[Any]):
    """The rows or lines that nobody has changed, so that each history of a search has them in one form."""

    form: FirstForm | None = None


class FirstForm:
    """The form of what nobody has changed: made where it is compared with another one, which takes long.

    A table of which no history writes a row may have fifty thousand.
    """

    __slots__ = ("_form", "_make")

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make: Callable[[], Any] | None = make
        self._form: Any = None

    def whole(self) -> Any:
        if self._make is not None:
            self._form, self._make = self._make(), None
        return self._form

    def __eq__(self, other: object) -> bool:
        return self is other or bool(self.whole() == whole(other))

    def __hash__(self) -> int:
        return hash(self.whole())


def whole(form: Any) -> Any:
    """Return a form of a part of the state, made by now."""
    return form.whole() if type(form) is FirstForm else form


class Fields(tuple[str, tuple[tuple[str, Any], ...]]):
    """The form of an object: the name of its class, and its fields."""

    __slots__ = ()

    def __repr__(self) -> str:
        name, fields = self
        return f"{name}({', '.join(f'{field}={form!r}' for field, form in fields)})"


class Renaming(Volatile):
    """Gives values of one history a form that can be compared with that of another history.

    A value is compared by its structure: a mapping by its keys, an object by its fields. What is random
    in its texts and numbers is renamed, and times become distances.
    """

    def __init__(self, chance: Chance, times: Times, texts: LongTexts, formers: Formers) -> None:
        super().__init__(chance, times, texts)
        self._formers = formers
        #: Whether something that cannot be compared is named by its type, rather than an error.
        self._lenient = False
        #: The values that are being formed, each within the one before it.
        self._open: set[int] = set()

    def of_state(self, name: str, value: Any) -> Any:
        """Return the form of a part of the state, or raise an error that says what to write instead."""
        if type(value) is AsAtFirst:
            value.form = value.form or FirstForm(
                functools.partial(self.of_state, name, list(value))
            )
            return value.form
        try:
            return self.of(value)
        except _Unfit as unfit:
            raise unfit.error(name) from None

    def of_call(self, value: Any) -> Any:
        """Return the form of the arguments of a call. What cannot be compared stands as its type."""
        self._lenient = True
        try:
            return self.of(value)
        finally:
            self._lenient = False

    def of(self, value: Any) -> Any:
        """Return the form of a value: hashable, and equal exactly if the values are the same."""
        return self._formers[type(value)](self, value)

    def with_fields(self, value: Any, former: _Former) -> Any:
        members, more = former(self, value), public_fields(value)
        return (members, self.by_name(value, more)) if more else members

    def stood_for(self, value: Any) -> Any:
        return self.of(getattr(value, STANDS_FOR))

    # Values with values in them

    def by_key(self, value: Mapping[Any, Any]) -> Any:
        items = dict.items(value) if isinstance(value, dict) else value.items()
        pairs: list[tuple[Any, Any]] = []
        key = None
        if not self._begin(value):
            return self.unfit(value, _CYCLE)
        try:
            for key, inner in sorted(items, key=lambda item: self.drawn_in(item[0])):
                pairs.append((self.of(key), self.of(inner)))
        except _Unfit as unfit:
            unfit.within(f"[{key!r}]")
            raise
        finally:
            self._open.discard(identity(value))
        return Keyed(_ordered(pairs))

    def sequence(self, value: Iterable[Any]) -> Any:
        forms: list[Any] = []
        rows, is_table = self._as_table(value)
        if not self._begin(value):
            return self.unfit(value, _CYCLE)
        try:
            for inner in rows:
                forms.append(self.of(inner))  # noqa: PERF401 - its length is the place of an error
        except _Unfit as unfit:
            unfit.within(f"[{len(forms)}]")
            raise
        finally:
            self._open.discard(identity(value))
        return Members(_ordered(forms)) if is_table else tuple(forms)

    def collection(self, value: Collection[Any]) -> Any:
        """Return the form of what has the methods of a collection, as a proxy has whatever it stands for."""
        try:
            iter(value)
        except TypeError:
            return self.instance(value)
        return self.sequence(value)

    def formed_once(self, value: AsAtFirst) -> Any:
        value.form = value.form or FirstForm(functools.partial(self.sequence, value))
        return value.form.whole()

    def _as_table(self, value: Iterable[Any]) -> tuple[Iterable[Any], bool]:
        """Return a value, and whether it is rows with random values, which come in the order of drawing then.

        Such a value may have decided their own order.
        """
        kinds = {type(row) for row in value} if isinstance(value, list | tuple) else set()
        if len(kinds) != 1 or issubclass(kinds.pop(), _SCALARS):
            return value, False
        value = list(value)
        drawn = [(self.drawn_in(row), place) for place, row in enumerate(value)]
        if not any(numbers for numbers, _ in drawn):
            return value, False
        return [value[place] for _, place in sorted(drawn)], True

    def members(self, value: AbstractSet[Any]) -> Any:
        members = sorted(value, key=self.drawn_in) if len(value) > 1 else value
        return Members(_ordered(self.sequence(members)))

    def rows(self, ordered: bool, rows: list[Any]) -> Any:
        forms = self.sequence(rows)
        return forms if ordered else Members(_ordered(forms))

    def by_name(self, value: Any, pairs: Pairs, kind: str = "") -> Any:
        forms: list[tuple[str, Any]] = []
        name = ""
        if not self._begin(value):
            return self.unfit(value, _CYCLE)
        try:
            for name, inner in pairs:
                forms.append((name, self.of(inner)))
        except _Unfit as unfit:
            unfit.within(f".{name}")
            raise
        finally:
            self._open.discard(identity(value))
        kind = kind or type(value).__name__
        return Fields((kind, tuple(sorted(forms, key=lambda form: form[0]))))

    def instance(self, value: Any) -> Any:
        if isinstance(value, _NAMED):
            return _qualified(value)
        if isinstance(value, functools.partial):
            return self.by_name(
                value, [("func", value.func), ("args", value.args), ("keywords", value.keywords)]
            )
        if isinstance(value, BaseException):
            return self.by_name(value, [("args", value.args), *own_fields(value)])
        record = record_of(value)
        if record is not None:
            return self.by_key(record)
        pairs = own_fields(value)
        if pairs:
            return self.by_name(value, pairs)
        shown, kind = repr(value), cast("Any", type(value))
        if kind.__repr__ is not object.__repr__ and not _ADDRESS.search(shown):
            return self.text(shown)
        locked = getattr(value, "locked", None)
        if callable(locked):
            return type(value).__name__, bool(locked())
        return self.unfit(value, _NO_FIELDS)

    def _begin(self, value: Any) -> bool:
        """Begin to form a value with others in it; return False if it is a part of itself."""
        if identity(value) in self._open:
            return False
        self._open.add(identity(value))
        return True

    def unfit(self, value: Any, why: str) -> Any:
        kind = type(value).__name__
        if self._lenient:
            return f"<{kind}>"
        raise _Unfit(why.replace("{kind}", kind))


_ITERATOR: Final = (
    "The state holds an iterator, {path} (a {kind}), which is used up when it is read once: put "
    "`list(...)` around it."
)
_NO_FIELDS: Final = (
    "The state holds {path} (a {kind}), which has no fields and only the repr that every object has, so that "
    "two of them cannot be compared: put the values into the state that count, such as "
    "`{{'balance': account.balance}}`."
)
_CYCLE: Final = (
    "The state holds a cycle: {path} is an object that it is itself a part of. Put the values into the state that "
    "count, such as `{{'children': [child.name for child in parent.children]}}`."
)


def _qualified(value: Any) -> str:
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or value.__name__
    return f"{module}.{name}" if module else name


def _ordered(forms: Iterable[Any]) -> Iterator[Any]:
    """Return forms in an order that does not depend on where they were found."""
    return iter(sorted(forms, key=repr))


def _itself(form: Renaming, value: Any) -> Any:
    return value


#: How the values of frequent classes are formed.
_COMMON: Final[Mapping[type, _Former]] = {
    int: Renaming.number,
    float: Renaming.number,
    str: Renaming.text,
    bytes: Renaming.content,
    dict: Renaming.by_key,
    list: Renaming.sequence,
    tuple: Renaming.sequence,
    Unordered: lambda form, value: Members(_ordered(form.sequence(value))),
    AsAtFirst: Renaming.formed_once,
    AsCalled: lambda form, value: form.by_name(value, value[1], value[0]),
    datetime: lambda form, value: form.times.of_datetime(value),
    date: lambda form, value: form.times.of_date(value),
    **dict.fromkeys(_PLAIN, _itself),
}


class Formers(dict[type, _Former]):
    """What forms the values of each class. Histories of one search share it, since the class alone decides."""

    def __init__(self) -> None:
        super().__init__(_COMMON)

    def __missing__(self, kind: type) -> _Former:
        if hasattr(kind, STANDS_FOR):
            former: _Former = Renaming.stood_for
        else:
            found = _of_scalar(kind) or _of_library(kind) or _of_collection(kind)
            former = found or Renaming.instance
        self[kind] = former
        return former


def _of_scalar(kind: type) -> _Former | None:
    if issubclass(kind, Enum | re.Pattern | tzinfo):
        return lambda form, value: repr(value)
    if issubclass(kind, datetime):
        # pandas.NaT is a datetime, and not equal to itself.
        return lambda form, value: form.times.of_datetime(value) if value == value else "<nan>"  # noqa: PLR0124
    for bases, former in _SCALAR_BASES:
        if issubclass(kind, bases):
            return former
    return None


_SCALAR_BASES: Final[tuple[tuple[type | tuple[type, ...], _Former], ...]] = (
    ((bool, timedelta, time, Fraction, complex), _itself),
    ((int, float), Renaming.number),
    (str, lambda form, value: form.text(str.__str__(value))),
    ((bytes, bytearray, memoryview), lambda form, value: form.content(bytes(value))),
    ((uuid.UUID, PurePath), lambda form, value: form.text(str(value))),
    (date, lambda form, value: form.times.of_date(value)),
    (Decimal, lambda form, value: "<nan>" if value.is_nan() else value),
    (logging.Logger, lambda form, value: f"<logger {value.name}>"),
)


def _of_library(kind: type) -> _Former | None:
    values = values_of(kind)
    if values is not None:
        return lambda form, value: form.of(values(value))
    rows = rows_of(kind)
    if rows is not None:
        return lambda form, value: form.rows(*rows(value))
    fields = declared_fields(kind)
    if fields is not None:
        return lambda form, value: form.by_name(value, fields(value))
    mock = sys.modules.get("unittest.mock")
    if mock is not None and issubclass(kind, mock.NonCallableMock):
        return lambda form, value: form.sequence(value.mock_calls)
    if mock is not None and issubclass(kind, type(mock.call)):
        return Renaming.sequence
    return None


def _of_collection(kind: type) -> _Former | None:
    for base in (dict, list, tuple, set, frozenset):
        if issubclass(kind, base):
            former = _COMMON.get(base, Renaming.members)
            # By the method of the base: that of Django's MultiValueDict gives each last value only.
            return lambda form, value: form.with_fields(value, former)
    if hasattr(kind, "__next__") or hasattr(kind, "__anext__"):
        return lambda form, value: form.unfit(value, _ITERATOR)
    if issubclass(kind, Mapping):
        return Renaming.by_key
    if issubclass(kind, AbstractSet):
        return Renaming.members
    is_sequence = issubclass(kind, Collection) and not issubclass(kind, type)
    return Renaming.collection if is_sequence else None
