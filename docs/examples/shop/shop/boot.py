"""How each program of the shop begins: its web server, its workers, and its tests."""

from __future__ import annotations

from pytest_jobs import configure
from pytest_jobs.core.foundation.protocols import Adapter, Store

from . import db


def boot(adapter: Adapter | None = None, store: Store | None = None) -> None:
    """Say where jobs go, what keeps their locks, and for which commits they wait.

    Args:
        adapter: takes the jobs; None in tests, where the harness does.
        store: keeps locks, limits and batches; None in tests, likewise.
    """
    configure(adapter=adapter, store=store, transactions=[db.UnitsOfWork()])
