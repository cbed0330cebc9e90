"""Connections of the standard library to sqlite databases."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from sqlite3 import dbapi2
from typing import Any

from ....harness.records.patches import Patches
from .connections import Connections


class Sqlite(Connections):
    def __init__(self, patches: Patches) -> None:
        super().__init__(patches)
        connect = functools.partial(self._connect, sqlite3.connect)
        patches.set(sqlite3, "connect", connect)
        patches.set(dbapi2, "connect", connect)

    def in_transaction(self, connection: Any) -> bool:
        return bool(connection.in_transaction)

    def _connect(self, connect: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        connection = connect(*args, **kwargs)
        self.known.add(connection)
        # In a check nobody waits for a lock. Here deliveries run one after the other, and wait as usual.
        seconds = args[1] if len(args) > 1 else kwargs.get("timeout", 5.0)
        sqlite3.Cursor(connection).execute(f"pragma busy_timeout = {int(seconds * 1000)}").close()
        return connection
