"""Copies of the databases of Django, as the connections of the test see them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connections

from ..base.store import Copied
from .clones import clones
from .copies import SqliteCopy


@contextmanager
def copied_databases() -> Generator[list[Copied], None, None]:
    """Copy each database that the test may use, for a block."""
    copies: list[Copied] = []
    with ExitStack() as stack:
        for using in connections:
            wrapper: Any = connections[using]
            if not _is_allowed(wrapper):
                continue
            if wrapper.vendor == "sqlite":
                copies.append(SqliteCopy(using, wrapper))
            else:
                from .servers import copy_of_server

                copies.append(copy_of_server(using, wrapper, clones.get(), stack))
        yield copies


def _is_allowed(wrapper: Any) -> bool:
    """Return whether the test may use a database; it is opened then."""
    try:
        # pytest-django refuses the first, and Django's test cases the second.
        wrapper.ensure_connection()
        wrapper.cursor().close()
    except (RuntimeError, AssertionError) as error:
        if "atabase" in str(error):
            return False
        raise
    return True
