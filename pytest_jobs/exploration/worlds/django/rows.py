"""The rows of a database of Django: writing the first, and reading them all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Generator, Hashable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from django.core.management.color import no_style
from django.db import transaction
from django.db.models import AutoField, QuerySet
from django.db.models.base import ModelState

from ...engine.sameness.renaming import AsAtFirst
from ...stores.sqlite import Looks
from ..base.postgresql import SnapshotLooks, asked, fingerprints_of
from .databases import in_place, with_referred

#: The rows of tables without a model; None of a table that was not read yet.
_RawRows: TypeAlias = "dict[str, list[tuple[Any, ...]] | None]"

#: So many tables are remembered at most, since each is there as a whole.
_KNOWN_AT_MOST: Final = 500


class Known(dict[Hashable, list[dict[str, Any]]]):
    """The rows of tables that were read before, by what they depend on."""

    #: The fingerprints of the tables before the first history.
    first: Mapping[str, Hashable] = MappingProxyType({})


class Rows:
    """The rows of a database, read by a connection that no delivery uses."""

    def __init__(self, models: Sequence[type[Any]], using: str, wrapper: Any, known: Known) -> None:
        self._models = models
        self._using = using
        #: A connection that no transaction of a delivery uses.
        self.wrapper = wrapper
        #: The rows that other histories have read, so that only tables with other rows are read.
        self._known = known
        self._keys = Keys(wrapper, using, known)
        #: The fingerprint of a table without rows.
        self._none: Hashable = () if wrapper.vendor == "sqlite" else None
        #: The fingerprints of the tables at the last look.
        self._seen: dict[str, Hashable] = {}
        #: The rows of the tables without a model that were read since the last change of any table. It is None if
        #: other tables may be there by now.
        self._others: _RawRows | None = None
        #: Returns which of some tables others may have written since the last look.
        self._looks: Callable[[Collection[str]], Collection[str]] = list
        if wrapper.vendor == "sqlite":
            self._looks = Looks(wrapper.connection, str(wrapper.settings_dict["NAME"])).changed
        elif wrapper.vendor == "postgresql":
            self._looks = SnapshotLooks(wrapper).changed

    def save(self, rows: Iterable[Any] | Callable[[], object]) -> None:
        atomic: Any = transaction.atomic(using=self._using)
        with in_place(self._using, self.wrapper), atomic:
            if callable(rows):
                rows()
            else:
                for row in _copies(rows):
                    row.save(using=self._using, force_insert=True)
            self._keys.begin(with_referred(self._models))

    def begin(self) -> None:
        """Take the rows that are there now for the first rows, which are formed only once."""
        self._keys.go_on(with_referred(self._models))
        if not self._known:
            prints = self._prints(self._models)
            self._known.first = dict(prints)
            for model in self._models:
                rows = self._read_anew(model, prints, are_first=True)
                self._known[self._key(model, prints)] = AsAtFirst(rows)

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        prints = self._prints(self._models)
        return {name: self._read(model, prints) for name, model in self.names().items()}

    def names(self) -> dict[str, type[Any]]:
        """Return the models by their names, or by their labels where two have the same name."""
        names = Counter(model.__name__ for model in self._models)
        return {
            model.__name__ if names[model.__name__] == 1 else model._meta.label: model
            for model in self._models
        }

    def tables(
        self, *, shared: bool
    ) -> Generator[tuple[str, str, Callable[[], list[Any]]], None, None]:
        """Yield each table of the database: its name in a state, the table, and what reads its rows.

        The name is the name of the model, or the table if it has none. Rows that are only looked at may be shared.
        """
        names = self.names()
        prints = self._prints(self._models)
        others = self._others if prints else None
        if others is None:
            of_models = {model._meta.db_table for model in self._models}
            unread: _RawRows = {
                name: None for name in table_names(self.wrapper) if name not in of_models
            }
            others = self._others = unread
        for name, model in names.items():
            read = self._shared if shared else self._read
            yield name, model._meta.db_table, partial(read, model, prints)
        for table in others:
            yield table, table, partial(self._raw, table, others)

    def _raw(self, table: str, others: _RawRows) -> list[tuple[Any, ...]]:
        rows = others[table]
        if rows is None:
            quoted = self.wrapper.ops.quote_name(table)
            rows = sorted(asked(self.wrapper, f"SELECT * FROM {quoted}"), key=repr)  # noqa: S608 - a table that is there
            others[table] = rows
        return list(rows)

    def rows(self, model: type[Any]) -> list[dict[str, Any]]:
        """Return the rows of a model, each by the names of its fields, in the order of their keys."""
        return self._read(model, self._prints([model]))

    def _prints(self, models: Sequence[type[Any]]) -> dict[str, Hashable]:
        """Return the fingerprints of the tables on which the rows of models depend, as `_read` takes them."""
        depends = [named for model in models for named in (model, *self._keys.named_by(model))]
        tables = list(dict.fromkeys(named._meta.db_table for named in depends))
        for table in self._looks(list(self._seen)):
            self._seen.pop(table, None)
            self._others = None
        unseen = [table for table in tables if table not in self._seen]
        self._seen.update(fingerprints(self.wrapper, unseen))
        return self._seen

    def _read(self, model: type[Any], prints: Mapping[str, Hashable]) -> list[dict[str, Any]]:
        """Return the rows of a model: those that are known if its table is as it was then."""
        return [dict(row) for row in self._shared(model, prints)]

    def _key(self, model: type[Any], prints: Mapping[str, Hashable]) -> Hashable:
        # Of a table to which the rows refer only its new keys matter: a job may count in a row that many refer to.
        depends = (model, *self._keys.named_by(model))
        new = (self._keys.new(named, prints) for named in depends)
        return model, prints[model._meta.db_table], *new, *map(self._keys.last, depends)

    def _shared(self, model: type[Any], prints: Mapping[str, Hashable]) -> list[dict[str, Any]]:
        if not prints:
            return self._read_anew(model, prints)
        with in_place(self._using, self.wrapper):
            key = self._key(model, prints)
        if key not in self._known:
            if len(self._known) >= _KNOWN_AT_MOST:
                self._known.clear()
            self._known[key] = self._read_anew(model, prints)
        return self._known[key]

    def _read_anew(
        self, model: type[Any], prints: Mapping[str, Hashable], *, are_first: bool = False
    ) -> list[dict[str, Any]]:
        if prints and prints[model._meta.db_table] == self._none:
            # Most tables of an application are empty in a test.
            return []
        fields = [field.attname for field in model._meta.concrete_fields]
        with in_place(self._using, self.wrapper):
            # A query set of its own, since the managers of a model may hide rows.
            rows = list(QuerySet(model, using=self._using).order_by("pk").values(*fields))
            if not are_first:
                self._keys.renumber(model, rows, prints)
            return rows


def table_names(wrapper: Any) -> list[str]:
    """Return the tables of a database, without those in which Django notes its migrations."""
    with closing(wrapper.cursor()) as cursor:
        names: list[str] = wrapper.introspection.table_names(cursor)
    return [name for name in names if name != "django_migrations"]


def fingerprints(wrapper: Any, tables: Sequence[str]) -> dict[str, Hashable]:
    """Return for each table a value that changes with its rows; nothing for a server other than PostgreSQL."""
    if wrapper.vendor == "sqlite":
        # It may have been closed, and Django opens a connection again when it is used.
        wrapper.ensure_connection()
        read = wrapper.connection.execute
        quoted = wrapper.ops.quote_name
        return {table: tuple(read(f"SELECT * FROM {quoted(table)}").fetchall()) for table in tables}  # noqa: S608 - a table of the models
    if wrapper.vendor == "postgresql":
        quoted = {wrapper.ops.quote_name(table): table for table in tables}
        return {quoted[name]: mark for name, mark in fingerprints_of(wrapper, list(quoted)).items()}
    return {}


class Keys:
    """Numbers the keys that a database gave out in a history, in their order.

    A transaction that is rolled back leaves a gap in the sequence of its table, and so do rows that are deleted
    and made anew. Later rows have other keys than in a clean run then, and that is not a difference.
    """

    def __init__(self, wrapper: Any, using: str, known: Known) -> None:
        self._wrapper = wrapper
        self._known = known
        self._using = using
        #: By model: the last key of the first rows.
        self._last: dict[type[Any], int] = {}
        #: By model: the others whose keys its rows have. A state is read at each point of a job.
        self._named: dict[type[Any], list[type[Any]]] = {}
        #: By model: the fingerprint of its table, and the keys after those of the first rows.
        self._new: dict[type[Any], tuple[Hashable, tuple[Any, ...]]] = {}

    def begin(self, models: Sequence[type[Any]]) -> None:
        """Let the sequences go on behind the keys of the first rows, which stay as they are."""
        statements = self._wrapper.ops.sequence_reset_sql(no_style(), models)
        # PostgreSQL takes them at once, which is faster.
        at_once = self._wrapper.vendor == "postgresql"
        for sql in [" ".join(statements)] if at_once else statements:
            asked(self._wrapper, sql)
        self.go_on(models)

    def go_on(self, models: Sequence[type[Any]]) -> None:
        """Take the keys that are there now for those of the first rows."""
        quote = self._wrapper.ops.quote_name
        there = table_names(self._wrapper)
        numbered = [
            model
            for model in models
            if isinstance(model._meta.pk, AutoField) and model._meta.db_table in there
        ]
        questions = [
            f"SELECT {place}, max({quote(model._meta.pk.column)}) FROM {quote(model._meta.db_table)}"  # noqa: S608 - names of the models
            for place, model in enumerate(numbered)
        ]
        for place, last in asked(self._wrapper, " UNION ALL ".join(questions)):
            self._last[numbered[place]] = last or 0
        self._named, self._new = {}, {}

    def last(self, model: type[Any]) -> int | None:
        """Return the last key of the first rows of a model; None if nobody numbers them."""
        return self._last.get(model)

    def named_by(self, model: type[Any]) -> list[type[Any]]:
        """Return the other models whose keys the rows of a model have."""
        if model not in self._named:
            found = dict.fromkeys(map(_model_of_key, model._meta.concrete_fields))
            self._named[model] = [
                each for each in found if each in self._last and each is not model
            ]
        return self._named[model]

    def new(self, model: type[Any], prints: Mapping[str, Hashable]) -> tuple[Any, ...]:
        """Return the keys of a model behind those of the first rows, in their order.

        They are asked for again when the fingerprint of the table is another one, or if it has none.
        """
        # It is empty where a table has no rows.
        mark: Any = prints.get(model._meta.db_table, self)
        is_as_at_first = mark == self._known.first.get(model._meta.db_table, None)
        if model not in self._last or not mark or is_as_at_first:
            return ()
        known, keys = self._new.get(model, (None, ()))
        if mark is self or mark != known:
            found = QuerySet(model, using=self._using).filter(pk__gt=self._last[model])
            keys = tuple(found.order_by("pk").values_list("pk", flat=True))
            self._new[model] = mark, keys
        return keys

    def renumber(
        self, model: type[Any], rows: list[dict[str, Any]], prints: Mapping[str, Hashable]
    ) -> None:
        """Replace new keys by their numbers in the rows of a model, and where these rows refer to others."""
        for field in model._meta.concrete_fields:
            named = _model_of_key(field)
            if named in self._last:
                last, new = self._last[named], self.new(named, prints)
                numbers = {key: last + place for place, key in enumerate(new, start=1)}
                for row in rows:
                    key = row[field.attname]
                    number = numbers.get(key, key)
                    if field.primary_key and number != key:
                        _readdress(row, key, number)
                    row[field.attname] = number


def _readdress(row: dict[str, Any], key: object, number: object) -> None:
    """Put the number of a row in the place of its key in the addresses that the row has, such as `/orders/7`."""
    part = re.compile(rf"(?<=[/=]){key}(?!\w)")
    for name, value in row.items():
        if isinstance(value, str):
            row[name] = part.sub(str(number), value)


def _model_of_key(field: Any) -> Any:
    """Return the model whose key a field has: its own, or that of the row that it refers to; None for none."""
    if field.primary_key and field.remote_field is None:
        return field.model
    related = field.remote_field
    if related is None or related.model is None:
        return None
    return related.model if field.target_field.primary_key else None


def _copies(rows: Iterable[Any]) -> Generator[Any, None, None]:
    """Yield unsaved copies of rows, which refer to each other as the rows do.

    The rows are made once and saved in every history. `deepcopy` works only for models of installed
    applications.
    """
    known: dict[int, Any] = {}
    for row in rows:
        model: Any = type(row)
        made = model.__new__(model)
        vars(made).update(vars(row))
        state: Any = ModelState()
        made._state = state
        state.fields_cache = {
            name: known.get(id(related), related)
            for name, related in row._state.fields_cache.items()
        }
        known[id(row)] = made
        yield made
