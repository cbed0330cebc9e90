"""Blocking connections of psycopg to PostgreSQL, also those in pools."""

from __future__ import annotations

import functools
from typing import Any

from psycopg import Connection
from psycopg.pq import TransactionStatus

from ....harness.records.patches import Patches
from .connections import Connections


class Psycopg(Connections):
    def __init__(self, patches: Patches) -> None:
        super().__init__(patches)
        begin = Connection.__init__

        @functools.wraps(begin)
        def made(connection: Any, *args: Any, **kwargs: Any) -> None:
            begin(connection, *args, **kwargs)
            self.known.add(connection)

        patches.set(Connection, "__init__", made)

    def in_transaction(self, connection: Any) -> bool:
        idle = (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)
        return connection.info.transaction_status not in idle
