"""The rows of a database of Django: writing the first, and reading them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from django.core.management.color import no_style
from django.db import connections, transaction
from django.db.models import AutoField, QuerySet
from django.db.models.base import ModelState

from ....errors import ExplorationError
from .databases import (
    Templates,
    allowed,
    database_of,
    in_place,
    models_of,
    settings_of_databases,
    with_referred,
)


class Keys:
    """Numbers the keys that were given in a history, in their order.

    A transaction that is rolled back leaves a gap in the sequence of its table. What comes after
    has other keys than in a clean run, and that is no difference.
    """

    def __init__(self, wrapper: Any, using: str) -> None:
        # sqlite takes the numbers back.
        self._has_gaps = wrapper.vendor != "sqlite"
        self._wrapper = wrapper
        self._using = using
        self._last: dict[type[Any], int] = {}

    def begin(self, models: Sequence[type[Any]]) -> None:
        """Let the sequences go on behind the first rows, and take those for known."""
        if not self._has_gaps:
            return
        with self._wrapper.cursor() as cursor:
            for statement in self._wrapper.ops.sequence_reset_sql(no_style(), models):
                cursor.execute(statement)
        for model in models:
            if _is_numbered(model):
                self._last[model] = max(self._keys(model), default=0)

    def renumber(self, model: type[Any], rows: list[dict[str, Any]]) -> None:
        """Put the numbers of keys in their place, in the rows of a model."""
        if not self._has_gaps:
            return
        for field in model._meta.concrete_fields:
            named = _named_by(field)
            if named in self._last:
                numbers = self._numbers(named)
                for row in rows:
                    row[field.attname] = numbers.get(row[field.attname], row[field.attname])

    def _numbers(self, model: type[Any]) -> dict[Any, int]:
        last = self._last[model]
        new = [key for key in self._keys(model) if key > last]
        return {key: last + place for place, key in enumerate(new, start=1)}

    def _keys(self, model: type[Any]) -> list[int]:
        return list(QuerySet(model, using=self._using).order_by("pk").values_list("pk", flat=True))


def _is_numbered(model: type[Any]) -> bool:
    return isinstance(model._meta.pk, AutoField)


def _named_by(field: Any) -> Any:
    """Return the model whose key a field has: its own, or that of the row that it refers to."""
    if field.primary_key and field.remote_field is None:
        return field.model
    related = field.remote_field
    if related is None or related.model is None:
        return None
    return related.model if field.target_field.primary_key else None


_templates = Templates()


class Rows:
    """Those of a database, whatever the deliveries do with their connections to it."""

    def __init__(self, models: Sequence[type[Any]], using: str, wrapper: Any) -> None:
        self._models = models
        self._using = using
        self._wrapper = wrapper
        self._keys = Keys(wrapper, using)

    @classmethod
    @contextmanager
    def opened(cls, models: Sequence[type[Any]], using: str) -> Generator[Rows, None, None]:
        """Return one for a block, with a connection of its own."""
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
            rows = list(QuerySet(model, using=self._using).order_by("pk").values(*fields))
            self._keys.renumber(model, rows)
            return rows


@contextmanager
def new_database(
    models: Iterable[type[Any]] | None, using: str, *, migrate: bool
) -> Generator[Sequence[type[Any]], None, None]:
    """Put a database with empty tables behind an alias for a block, and give the models whose rows count.

    Raises:
        ExplorationError: when there is no such database, when the test may not use it, or when it is
            that of a server and no test database.
    """
    if using not in settings_of_databases():
        raise ExplorationError(
            f"using={using!r} is no database: DATABASES has {', '.join(settings_of_databases())}."
        )
    shown = models_of(models, using)
    with ExitStack() as stack:
        configured = stack.enter_context(database_of(shown, using, migrate, _templates))
        before = settings_of_databases()[using]
        settings_of_databases()[using] = configured
        stack.callback(settings_of_databases().__setitem__, using, before)
        wrapper: Any = connections.create_connection(using)
        stack.callback(wrapper.close)
        stack.enter_context(in_place(using, wrapper))
        yield shown


def _copies(rows: Iterable[Any]) -> Generator[Any, None, None]:
    """Give copies that are not saved and refer to one another; `deepcopy` asks for an installed application."""
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
