"""A sqlite database that is new for each history."""

from __future__ import annotations

import itertools
import os
import sqlite3
import tempfile
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from ...errors import ExplorationError
from ...harness.patches import Patches
from ..forked import must_outlive

Rows: TypeAlias = Callable[[str], list[tuple[Any, ...]]]

_numbers = itertools.count(1)


@contextmanager
def sqlite_world(
    schema: str, *, bind: tuple[Any, str] | None = None
) -> Generator[Rows, None, None]:
    """Make a database in memory for a block; in a file with `crash_backend="fork"`.

    Args:
        schema: the statements that create tables and put the first rows in.
        bind: the module or object, and the name under which it has the function that opens a
            connection. For the block it opens one to this database, and does nothing else: where it
            sets a `row_factory` too, bind a function of its own that only opens.

    Returns:
        A function that takes the name of a table and returns its rows, in the order of their ids.

    Raises:
        ExplorationError: when there is nothing of that name to bind.
    """
    patches = Patches()
    with _uri() as uri, closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as keeper:
        keeper.executescript(schema)
        if bind is not None:
            _bind(patches, bind, lambda *args, **kwargs: sqlite3.connect(uri, uri=True))
        try:
            yield lambda table: list(keeper.execute(f'select * from "{table}" order by 1'))  # noqa: S608 - a name that the test writes
        finally:
            patches.restore()


@contextmanager
def _uri() -> Generator[str, None, None]:
    """Name a database in memory; one in a file where it has to outlive a process."""
    if not must_outlive.get():
        yield f"file:pytest-jobs-{os.getpid()}-{next(_numbers)}?mode=memory&cache=shared"
        return
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory is made in it
    with tempfile.TemporaryDirectory(dir=memory, prefix="pytest-jobs-") as folder:
        yield f"{Path(folder, 'world.db').as_uri()}"


def _bind(patches: Patches, bind: tuple[Any, str], connect: Callable[..., Any]) -> None:
    owner, name = bind
    if not hasattr(owner, name):
        raise ExplorationError(
            f"{owner!r} has no {name!r} to be bound: name the function of the application that opens a connection."
        )
    patches.set(owner, name, connect)
