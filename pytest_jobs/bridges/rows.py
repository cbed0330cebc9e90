"""Rows of Django's databases in which job libraries keep their schedules."""

from __future__ import annotations

from typing import Any


def is_readable(model: Any) -> bool:
    """Return whether the table of a model is there, and the test may use the database."""
    from django.db import connections, router

    try:
        tables = connections[router.db_for_read(model)].introspection.table_names()
    except (RuntimeError, AssertionError):
        # So pytest-django and `SimpleTestCase` keep a test from the database.
        return False
    return model._meta.db_table in tables
