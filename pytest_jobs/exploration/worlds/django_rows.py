"""The rows of a database of Django: writing the first, and reading them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connections, transaction
from django.db.models import QuerySet
from django.db.models.base import ModelState

from ...errors import ExplorationError
from .django_databases import (
    Templates,
    allowed,
    database_of,
    in_place,
    models_of,
    settings_of_databases,
    with_referred,
)
from .django_keys import Keys

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
