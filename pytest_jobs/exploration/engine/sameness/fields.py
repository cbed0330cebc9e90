"""What an object has to be compared: its columns, its values, or its fields.

A library is looked at only if the program has imported it: otherwise no object can be one of its own.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

#: Names with values. A name that an object lacks is missing, which is not the same as None.
Pairs: TypeAlias = "list[tuple[str, Any]]"
#: Returns what an object has to be compared.
Reader: TypeAlias = Callable[[Any], Pairs]

_ABSENT: Final = object()
#: The attribute by which a stand-in for an object leads to the object itself; no class of a project has it.
STANDS_FOR: Final = "_pytest_jobs_target"
_NOT_FIELDS: Final = frozenset(("__dict__", "__weakref__"))


def declared_fields(kind: type) -> Reader | None:
    """Return what reads the fields that a class declares: of dataclasses, attrs, pydantic and the models of ORMs.

    None if the class declares none in a way that is known here.
    """
    return (
        _sqlalchemy_columns(kind) or _django_columns(kind) or _pydantic_fields(kind) or _names(kind)
    )


def _names(kind: type) -> Reader | None:
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
    elif hasattr(kind, "__attrs_attrs__"):
        names = [field.name for field in kind.__attrs_attrs__]
    else:
        return None
    return lambda value: _present(value, names)


def _pydantic_fields(kind: type) -> Reader | None:
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not issubclass(kind, pydantic.BaseModel):
        return None

    def fields(value: Any) -> Pairs:
        extra = getattr(value, "model_extra", None) or {}
        return [*vars(value).items(), *extra.items()]

    return fields


def loaded_columns(value: object) -> Pairs | None:
    """Return the columns of a model of an ORM that are loaded, or else its key; None for another object.

    To ask the model for another column would ask the database, or fail where its session is closed.
    """
    kind = type(value)
    names = _names_of_sqlalchemy(kind)
    names = _names_of_django(kind) if names is None else names
    if names is None:
        return None
    there = vars(value)
    state = there.get("_sa_instance_state")
    found = [(name, there[name]) for name in names if name in there]
    return found or [("identity", getattr(state, "identity", None))]


def _names_of_sqlalchemy(kind: type) -> list[str] | None:
    sqlalchemy = sys.modules.get("sqlalchemy")
    mapper = None if sqlalchemy is None else sqlalchemy.inspect(kind, raiseerr=False)
    attributes = getattr(mapper, "column_attrs", None)
    return None if attributes is None else [attribute.key for attribute in attributes]


def _names_of_django(kind: Any) -> list[str] | None:
    models = sys.modules.get("django.db.models")
    if models is None or not issubclass(kind, models.Model):
        return None
    return [field.attname for field in kind._meta.concrete_fields]


def _sqlalchemy_columns(kind: type) -> Reader | None:
    names = _names_of_sqlalchemy(kind)
    return None if names is None else lambda value: _present(value, names)


def _django_columns(kind: Any) -> Reader | None:
    names = _names_of_django(kind)
    if names is None:
        return None

    def columns(value: Any) -> Pairs:
        files = sys.modules.get("django.core.files.base")
        return [
            (name, inner.name if files is not None and isinstance(inner, files.File) else inner)
            for name, inner in _present(value, names)
        ]

    return columns


def _present(value: Any, names: Iterable[str]) -> Pairs:
    found = ((name, getattr(value, name, _ABSENT)) for name in names)
    return [(name, inner) for name, inner in found if inner is not _ABSENT]


def own_fields(value: Any) -> Pairs:
    """Return the attributes of an object itself, also those in slots, but not those of its class."""
    return [*_slots(value), *getattr(value, "__dict__", {}).items()]


def public_fields(value: Any) -> Pairs:
    """Return what a list, a dict or another collection has besides its members. Libraries keep theirs private."""
    return [(name, inner) for name, inner in own_fields(value) if not name.startswith("_")]


def _slots(value: Any) -> Iterator[tuple[str, Any]]:
    for base in type(value).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            hidden = name.startswith("__") and not name.endswith("__")
            inner = getattr(
                value, f"_{base.__name__.lstrip('_')}{name}" if hidden else name, _ABSENT
            )
            if name not in _NOT_FIELDS and inner is not _ABSENT:
                yield name, inner


def rows_of(kind: type) -> Callable[[Any], tuple[bool, list[Any]]] | None:
    """Return what reads the rows of a QuerySet, and whether they are in an order; None for another class."""
    query = sys.modules.get("django.db.models.query")
    manager = sys.modules.get("django.db.models.manager")
    if query is None or manager is None:
        return None
    if issubclass(kind, query.QuerySet):
        return _queried
    if issubclass(kind, manager.BaseManager):
        return lambda value: _queried(value.all())
    return (lambda value: (True, list(value))) if issubclass(kind, query.RawQuerySet) else None


def _queried(queryset: Any) -> tuple[bool, list[Any]]:
    # Asked again, since the database may have changed since the QuerySet was evaluated.
    rows = list(queryset.all())
    annotated = list(queryset.query.annotations)
    models: Any = sys.modules.get("django.db.models")
    if annotated and rows and isinstance(rows[0], models.Model):
        return queryset.ordered, [(row, dict(_present(row, annotated))) for row in rows]
    return queryset.ordered, rows


def values_of(kind: type) -> Callable[[Any], Any] | None:
    """Return what turns the arrays, tables and numbers of numpy and pandas, and ids of MongoDB, into plain values.

    None for others.
    """
    if kind.__module__ in ("bson.objectid", "mongomock.object_id"):
        return lambda value: (kind.__name__, str(value))
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if pandas is not None:
        if issubclass(kind, pandas.DataFrame):
            return _table
        if issubclass(kind, pandas.Series):
            return lambda value: (value.name, value.index.tolist(), value.tolist())
        if issubclass(kind, pandas.Index):
            return lambda value: value.tolist()
    if numpy is not None:
        if issubclass(kind, numpy.ndarray):
            return lambda value: (value.shape, value.tolist())
        if issubclass(kind, numpy.generic):
            return _scalar
    return None


def _table(frame: Any) -> Any:
    columns = frame.columns.tolist()
    # By position, since two columns may have one name.
    values = [frame.iloc[:, at].tolist() for at in range(len(columns))]
    return columns, frame.index.tolist(), values


def _scalar(value: Any) -> Any:
    plain = value.item()
    # A type that Python has no counterpart of returns itself.
    return repr(plain) if type(plain) is type(value) else plain


def record_of(value: Any) -> Mapping[Any, Any] | None:
    """Return a row of a database driver, such as sqlite3.Row, by its columns; None for something else."""
    kind = type(value)
    # A client of redis has no length, and its `keys()` would ask the server.
    if not (hasattr(value, "keys") and hasattr(kind, "__getitem__") and hasattr(kind, "__len__")):
        return None
    return {key: value[key] for key in value.keys()}  # noqa: SIM118 - a row iterates over its values
