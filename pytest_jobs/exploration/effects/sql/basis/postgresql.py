"""What the effect sources of the drivers of PostgreSQL do alike, and a database whose tables are compared."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Final

from .....errors import ExplorationError
from ....engine.sameness.renaming import Unordered
from ....stores.account import accounts
from .driver import TablesStore, WatchedDriver, note_tables
from .statements import Statement

_SEARCH_PATH: Final = re.compile(r"-csearch_path=(\S+)")


class PostgresqlStore(TablesStore):
    def content(self, name: str, renamed: Callable[[Any], Any]) -> Any:
        try:
            import psycopg
            from psycopg import sql
            from psycopg.conninfo import make_conninfo
        except ImportError as error:
            raise ExplorationError(
                f"The job writes to table {name}, which the world does not show, and psycopg is what reads it at "
                "the end of each history: pip install 'psycopg[binary]', or show the table."
            ) from error

        if self.again is None:
            raise ExplorationError(
                f"No delivery of this history has a connection by which table {name} could be read, and the world "
                "does not show it: show the table."
            )
        table = sql.Identifier(*filter(None, self.tables.get(name, (name,))))
        with psycopg.connect(make_conninfo(**self.again), autocommit=True) as connection:
            connection.execute("SET lock_timeout = 1000")
            try:
                # What a sequence has numbered has gaps after a rollback, which are no difference.
                found = connection.execute(_COLUMNS, (table.as_string(connection),))
                columns = [sql.Identifier(column) for (column,) in found]
            except psycopg.errors.UndefinedTable:
                # It was a temporary one.
                return ()
            query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(",").join(columns), table)
            rows = connection.execute(query).fetchall()
        return renamed(Unordered(rows))


_COLUMNS: Final = """
SELECT attname FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''
AND coalesce(pg_get_expr(adbin, adrelid), '') NOT LIKE 'nextval(%%' ORDER BY attnum
"""


class Postgresql(WatchedDriver):
    dialect = "postgresql"
    noun = "to PostgreSQL"

    @abstractmethod
    def place_of(self, connection: Any) -> Mapping[str, Any]:
        """Return the parameters of a connection, as psycopg takes them; those that are None do not count."""

    def report(self, connection: Any, statement: Statement) -> None:
        if accounts.current is None:
            return
        opening = self.opening(connection)
        if opening.place is None:
            place = self.place_of(connection)
            opening.place = {name: str(place[name]) for name in place if place[name] is not None}
        report_tables(opening.place, statement)


def report_tables(place: Mapping[str, str], statement: Statement) -> None:
    """Report the tables of a statement to the open account; a place has the parameters that psycopg takes."""
    account = accounts.current
    if account is None or account.phase == "comparison":
        return
    host = place.get("host", "")
    name = f"{host}:{place.get('port', '')}/{place.get('dbname', '')}"
    # With another schema in front, the same names are other tables.
    path = _SEARCH_PATH.search(place.get("options", ""))
    if account.phase in ("world", "snapshot"):
        account.know(f"{Postgresql.dialect} on {host}")
    label = account.label("postgresql", (name, path[1] if path else ""), name)
    key = account.store(f"postgresql {label}", lambda: PostgresqlStore(label))
    note_tables(statement, lambda schema: key, place)
