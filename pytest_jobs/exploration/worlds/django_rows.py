"""The rows of a database of Django: writing the first, and reading them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connections, transaction
from django.db.models import Model, QuerySet
from django.db.models.base import ModelState

from ...errors import ExplorationError
from .django_databases import Templates, allowed, database_of, in_place, models_of, with_referred
from .django_keys import Keys

_templates = Templates()


class Rows:
    """Those of a database, whatever the deliveries do with their connections to it."""

    def __init__(self, models: Sequence[type[Model]], using: str, wrapper: Any) -> None:
        self._models = models
        self._using = using
        self._wrapper = wrapper
        self._keys = Keys(wrapper, using)

    @classmethod
    @contextmanager
    def opened(cls, models: Sequence[type[Model]], using: str) -> Generator[Rows, None, None]:
        """Return one for a block, with a connection of its own."""
        wrapper: Any = connections.create_connection(using)
        wrapper.inc_thread_sharing()
        try:
            allowed(using, wrapper.ensure_connection)
            yield cls(models, using, wrapper)
        finally:
            wrapper.close()

    def save(self, rows: Iterable[Model] | Callable[[], object]) -> None:
        """Save the first rows."""
        with in_place(self._using, self._wrapper), transaction.atomic(using=self._using):
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

    def rows(self, model: type[Model]) -> list[dict[str, Any]]:
        """Return the rows of a model, each by the names of its fields, in the order of their keys."""
        fields = [field.attname for field in model._meta.concrete_fields]
        with in_place(self._using, self._wrapper):
            rows = list(QuerySet(model, using=self._using).order_by("pk").values(*fields))
            self._keys.renumber(model, rows)
            return rows


@contextmanager
def new_database(
    models: Iterable[type[Model]] | None, using: str, *, migrate: bool
) -> Generator[Sequence[type[Model]], None, None]:
    """Put a database with empty tables behind an alias for a block, and give the models whose rows count.

    Raises:
        ExplorationError: when there is no such database, when the test may not use it, or when it is
            that of a server and no test database.
    """
    if using not in connections.settings:
        raise ExplorationError(
            f"using={using!r} is no database: DATABASES has {', '.join(connections.settings)}."
        )
    shown = models_of(models, using)
    with ExitStack() as stack:
        configured = stack.enter_context(database_of(shown, using, migrate, _templates))
        before = connections.settings[using]
        connections.settings[using] = configured
        stack.callback(connections.settings.__setitem__, using, before)
        wrapper: Any = connections.create_connection(using)
        stack.callback(wrapper.close)
        stack.enter_context(in_place(using, wrapper))
        yield shown


def _copies(rows: Iterable[Model]) -> Generator[Any, None, None]:
    """Give copies that are not saved and refer to one another; `deepcopy` asks for an installed application."""
    known: dict[int, Any] = {}
    for row in rows:
        model: Any = type(row)
        made = model.__new__(model)
        vars(made).update(vars(row))
        made._state = ModelState()
        made._state.fields_cache = {
            name: known.get(id(related), related)
            for name, related in row._state.fields_cache.items()
        }
        known[id(row)] = made
        yield made
