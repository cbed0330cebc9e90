"""The backends whose queue is a table: what the columns of a row make of JSON."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from django.db import connections, router

from ..toolkit import as_jsonb, check_json_text

#: The modules of these backends. Their workers run a task at most once: they commit that a task is running before
#: they run it, and nobody looks for tasks that stay in that state.
OF_ROWS: Final = frozenset(("django_tasks.backends.database.backend", "django_tasks_db.backend"))


def connection_of(backend_class: type) -> Any:
    """Return the connection to the table that is the queue of a backend; None for a backend without a table."""
    module = next((b.__module__ for b in backend_class.__mro__ if b.__module__ in OF_ROWS), None)
    if module is None:
        return None
    models = import_module(f"{module.rpartition('.')[0]}.models")
    return connections[router.db_for_write(models.DBTaskResult)]


def as_column(connection: Any, text: str) -> str:
    """Return JSON as a row has it.

    Raises:
        DatabaseError: when it is JSON that the table refuses.
    """
    driver = connection.Database
    with connection.wrap_database_errors:
        if connection.vendor == "postgresql":
            return as_jsonb(text, import_module(f"{driver.__name__}.errors").lookup)
        if connection.vendor == "sqlite":
            check_json_text(text, driver.IntegrityError)
    return text
