"""Second databases on a PostgreSQL server, beside those that the test runner has made."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import DatabaseError, connections
from django.db.utils import load_backend

from ..base.postgresql import asked


class Clones:
    """The databases that were made as copies of test databases, by the name of the test database."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        self._refusals: dict[tuple[str, ...], str] = {}

    def name_of(self, settings: dict[str, Any]) -> str:
        """Return the name of the copy of a database; "" if there is none."""
        return self._names.get(_place(settings), "")

    def refusal_of(self, settings: dict[str, Any]) -> str:
        """Return why a database could not be copied; "" if nobody tried."""
        return self._refusals.get(_place(settings), "")

    @contextmanager
    def made(self) -> Generator[None, None, None]:
        """Copy the test databases of PostgreSQL for a block, before a test uses them.

        The server refuses to copy a database to which anyone is connected.
        """
        with ExitStack() as stack:
            for using in connections:
                wrapper: Any = connections[using]
                place = _place(wrapper.settings_dict)
                if wrapper.vendor == "postgresql" and place not in self._names:
                    wrapper.close()
                    try:
                        self._names[place] = self._make(wrapper.settings_dict, using)
                    except DatabaseError as error:
                        self._refusals[place] = str(error).strip().splitlines()[0]
                    else:
                        stack.callback(self._drop, wrapper.settings_dict, using)
            yield

    def _make(self, settings: dict[str, Any], using: str) -> str:
        name = f"{settings['NAME']}_jobs"
        with _maintenance(settings, using) as (ask, quoted):
            ask(f"DROP DATABASE IF EXISTS {quoted(name)}")
            ask(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(settings['NAME'])}")
        return name

    def _drop(self, settings: dict[str, Any], using: str) -> None:
        name = self._names.pop(_place(settings))
        with _maintenance(settings, using) as (ask, quoted):
            ask(f"DROP DATABASE IF EXISTS {quoted(name)}")


#: The copies that the plugin of pytest has made; None without it.
clones: ContextVar[Clones | None] = ContextVar("pytest_jobs_clones", default=None)


def _place(settings: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(settings[name]) for name in ("NAME", "HOST", "PORT"))


@contextmanager
def _maintenance(
    settings: dict[str, Any], using: str
) -> Generator[tuple[Callable[[str], Any], Callable[[str], str]], None, None]:
    """Have a connection to the database of a server that is always there, for a block."""
    backend = load_backend(settings["ENGINE"])
    # Without a name, Django connects to the database `postgres`.
    with closing(backend.DatabaseWrapper({**settings, "NAME": None}, using)) as wrapper:
        yield lambda sql: asked(wrapper, sql), wrapper.ops.quote_name
