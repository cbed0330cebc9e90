"""Which code counts in a test whose jobs are killed, and which effects are heard of there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from sqlite3 import dbapi2
from types import CodeType
from typing import Any, Final

from ..errors import ExplorationError
from ..harness.patches import Patches
from ..harness.record import JobRecord
from .effects import sqlite
from .effects.audit import audit_hook
from .scope import Scope

#: Folders in which a project keeps its tests, and what stands in for the outside world there.
_FOLDERS: Final = frozenset(("tests", "test", "testing"))


class LiveScopes:
    """Says, for the body of each job, whose lines are points.

    As in an exploration they are those of the project. Folders of tests are left out as well, since
    fakes live there, unless the job does too.
    """

    def __init__(self, root: Path, atomic: Iterable[str] = ()) -> None:
        """Begin.

        Args:
            root: the folder of the project; folders above it have no say.
            atomic: the names of modules whose lines do not count.

        Raises:
            ExplorationError: when one of them cannot be imported.
        """
        self._root = root
        self._atomic = [_module(name) for name in atomic]
        self._scopes: dict[CodeType, Callable[[CodeType], bool]] = {}

    def of(self, record: JobRecord) -> Callable[[CodeType], bool]:
        """Return what says whether the lines of some code count.

        Raises:
            JobsError: when the job has no body that is written in Python.
        """
        body = record._bridge.resolve(record.job)
        scope = Scope(body, _no_world, atomic=self._atomic)
        code: Any = getattr(body, "__code__", None)
        known = self._scopes.get(code)
        if known is None:
            known = self._scopes[code] = self._narrowed(scope, code)
        return known

    def _narrowed(self, scope: Scope, body: CodeType | None) -> Callable[[CodeType], bool]:
        home = "" if body is None else body.co_filename

        def wants(code: CodeType) -> bool:
            filename = code.co_filename
            return (filename == home or not self._is_of_tests(filename)) and scope.wants(code)

        return wants

    def _is_of_tests(self, filename: str) -> bool:
        try:
            folders = Path(filename).relative_to(self._root).parts[:-1]
        except ValueError:
            return False
        return not _FOLDERS.isdisjoint(folders)


@contextmanager
def effects_heard() -> Generator[None, None, None]:
    """Hear of effects for a block in which a test runs, in whatever connections it opens."""
    patches = Patches()
    # Deliveries are made one after the other, so each waits for locks as it does without us.
    sqlite.install(patches)
    connect = _patient(sqlite3.connect)
    patches.set(sqlite3, "connect", connect)
    patches.set(dbapi2, "connect", connect)
    audit_hook.install()
    try:
        yield
    finally:
        patches.restore()


def _patient(heard: Callable[..., Any]) -> Callable[..., Any]:
    def connect(*args: Any, **kwargs: Any) -> Any:
        connection = heard(*args, **kwargs)
        seconds = args[1] if len(args) > 1 else kwargs.get("timeout", 5.0)
        connection.execute(f"pragma busy_timeout = {int(seconds * 1000)}")
        return connection

    return connect


def _module(name: str) -> object:
    try:
        return import_module(name)
    except ImportError as error:
        raise ExplorationError(
            f"jobs_crash_atomic names {name!r}, which cannot be imported: {error}."
        ) from error


def _no_world() -> None:
    """Stand where an exploration has a world: here it is the test."""
