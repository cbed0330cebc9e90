"""Databases of sqlite with some content, and connections that go past them to the one of the test itself."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import dbapi2
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import refuse_delivery
from ...stores.sqlite import temporary_folder

_DIRECT: Final = (
    "The job opens the test's own database {name!r} with sqlite3.connect, and the check can give only the "
    "connections of {library} a copy of it. Open the connection in a function of the application, and bind that "
    'in a world: `with sqlite_world(schema, bind=(module, "connect")) as rows:`.'
)


@contextmanager
def file_with(content: bytes, name: str) -> Generator[Path, None, None]:
    """Have a file of this name with the content of a database for a block."""
    with temporary_folder("pytest-jobs-") as folder:
        path = folder / name
        path.write_bytes(content)
        yield path


@contextmanager
def refusing_direct_connections(
    names: Collection[str], library: str
) -> Generator[None, None, None]:
    """Refuse deliveries that open one of these databases by the standard library, for a block."""
    files = {_absolute(name) for name in names}

    def checked(connect: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(connect)
        def connected(*args: Any, **kwargs: Any) -> Any:
            name = str(args[0] if args else kwargs.get("database"))
            if _absolute(name) in files:
                refuse_delivery(_DIRECT.format(name=name, library=library))
            return connect(*args, **kwargs)

        return connected

    with Patches() as patches:
        for module in (sqlite3, dbapi2):
            patches.set(module, "connect", checked(module.connect))
        yield


def _absolute(name: str) -> str:
    """Return the path of a file without links; the name of a database in memory stays as it is."""
    return name if name.startswith(("file:", ":")) else str(Path(name).resolve())
