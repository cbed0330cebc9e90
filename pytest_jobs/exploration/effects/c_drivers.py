"""Drivers of databases that are written in C: Python has no audit event for what they send."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Final

from ...harness.records.patches import Patches
from ..engine.acts import watcher


class Driver:
    """The source for a driver that nobody sees: a delivery that uses it by itself is refused.

    Within a statement or a connection of Django or SQLAlchemy it is a part of that.
    """

    def __init__(self, library: str, owner: str, *names: str) -> None:
        """Install nothing yet.

        Args:
            library: the module.
            owner: a class of the module; empty for the module itself.
            names: the functions or methods that reach the server.
        """
        self.library = library
        self._owner = owner
        self._names = names

    def install(self, patches: Patches) -> None:
        owner: Any = sys.modules[self.library]
        if self._owner:
            owner = getattr(owner, self._owner, None)
        for name in self._names:
            genuine = getattr(owner, name, None)
            if callable(genuine):
                patches.set(owner, name, self._refusing(name, genuine))

    def _refusing(self, name: str, genuine: Callable[..., Any]) -> Callable[..., Any]:
        text = ".".join(filter(None, (self.library, self._owner, name)))

        @functools.wraps(genuine)
        def call(*args: Any, **kwargs: Any) -> Any:
            current = watcher.get()
            if current is not None:
                current.outside(text)
            return genuine(*args, **kwargs)

        return call


psycopg2: Final = Driver("psycopg2", "", "connect")
pyodbc: Final = Driver("pyodbc", "", "connect")
pymssql: Final = Driver("pymssql", "", "connect")
oracledb: Final = Driver("oracledb", "", "connect", "create_pool")
mysqlclient: Final = Driver("MySQLdb", "", "connect", "Connect", "Connection")
#: Statements too, where Python code sends them: a connection may have been open before.
statements_of_mysqlclient: Final = Driver("MySQLdb.connections", "Connection", "query", "commit")
mysql_connector: Final = Driver("mysql.connector", "", "connect")
statements_of_mysql_connector: Final = Driver(
    "mysql.connector.connection_cext", "CMySQLConnection", "cmd_query", "commit"
)
