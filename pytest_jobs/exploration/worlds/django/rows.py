"""The rows of a database of Django: writing the first, and reading them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.management.color import no_style
from django.db import connections, transaction
from django.db.models import AutoField, QuerySet
from django.db.models.base import ModelState

from .databases import allowed, in_place, with_referred


class Rows:
    """The rows of a database, read by a connection that no delivery uses."""

    def __init__(self, models: Sequence[type[Any]], using: str, wrapper: Any) -> None:
        self._models = models
        self._using = using
        self._wrapper = wrapper
        self._keys = Keys(wrapper, using)

    @classmethod
    @contextmanager
    def opened(cls, models: Sequence[type[Any]], using: str) -> Generator[Rows, None, None]:
        """Open a connection for a block, and return the rows that it reads."""
        wrapper: Any = connections.create_connection(using)
        wrapper.inc_thread_sharing()
        try:
            allowed(using, wrapper.ensure_connection)
            yield cls(models, using, wrapper)
        finally:
            wrapper.close()

    def save(self, rows: Iterable[Any] | Callable[[], object]) -> None:
        """Save the first rows."""
        atomic: Any = transaction.atomic(using=self._using)
        with in_place(self._using, self._wrapper), atomic:
            if callable(rows):
                rows()
            else:
                for row in _copies(rows):
                    row.save(using=self._using, force_insert=True)
            self._keys.begin(with_referred(self._models))

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of all models, by the name of the model."""
        names = Counter(model.__name__ for model in self._models)
        return {
            model.__name__ if names[model.__name__] == 1 else model._meta.label: self.rows(model)
            for model in self._models
        }

    def rows(self, model: type[Any]) -> list[dict[str, Any]]:
        """Return the rows of a model, each by the names of its fields, in the order of their keys."""
        fields = [field.attname for field in model._meta.concrete_fields]
        with in_place(self._using, self._wrapper):
            # A query set of its own, since the managers of a model may hide rows.
            rows = list(QuerySet(model, using=self._using).order_by("pk").values(*fields))
            self._keys.renumber(model, rows)
            return rows


class Keys:
    """Numbers the keys that a database gave out in a history, in their order.

    A transaction that is rolled back leaves a gap in the sequence of its table. Later rows have other keys
    than in a clean run then, and that is not a difference.
    """

    def __init__(self, wrapper: Any, using: str) -> None:
        # sqlite gives out the numbers of a transaction that was rolled back once more.
        self._has_gaps = wrapper.vendor != "sqlite"
        self._wrapper = wrapper
        self._using = using
        #: By model: the last key of the first rows.
        self._last: dict[type[Any], int] = {}

    def begin(self, models: Sequence[type[Any]]) -> None:
        """Let the sequences go on behind the keys of the first rows, which stay as they are."""
        if not self._has_gaps:
            return
        with self._wrapper.cursor() as cursor:
            for statement in self._wrapper.ops.sequence_reset_sql(no_style(), models):
                cursor.execute(statement)
        for model in models:
            if isinstance(model._meta.pk, AutoField):
                self._last[model] = max(self._keys(model), default=0)

    def renumber(self, model: type[Any], rows: list[dict[str, Any]]) -> None:
        """Replace new keys by their numbers in the rows of a model, and where these rows refer to others."""
        if not self._has_gaps:
            return
        for field in model._meta.concrete_fields:
            named = _model_of_key(field)
            if named in self._last:
                last = self._last[named]
                new = [key for key in self._keys(named) if key > last]
                numbers = {key: last + place for place, key in enumerate(new, start=1)}
                for row in rows:
                    row[field.attname] = numbers.get(row[field.attname], row[field.attname])

    def _keys(self, model: type[Any]) -> list[int]:
        return list(QuerySet(model, using=self._using).order_by("pk").values_list("pk", flat=True))


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
