"""Which code counts in a test whose jobs are killed."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any, Final

from ...errors import ExplorationError
from ...harness.records.record import JobRecord
from ..engine.scope import Scope

_LOCK: Final = type(threading.Lock())
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
        self._scopes: dict[object, LiveScope] = {}

    def of(self, record: JobRecord) -> LiveScope:
        """Return what says whether the lines of some code count.

        Raises:
            JobsError: when the job has no body that is written in Python.
        """
        body = record.source.resolve(record.job)
        known = self._scopes.get(body)
        if known is None:
            scope = Scope(body, _no_world, atomic=self._atomic)
            known = self._scopes[body] = LiveScope(scope, body, self._root)
        return known


class LiveScope:
    """Says of code whether its lines are points, for the jobs of one body."""

    def __init__(self, scope: Scope, body: Callable[..., Any], root: Path) -> None:
        self._scope = scope
        code: Any = getattr(inspect.unwrap(body), "__code__", None)
        self._home = getattr(code, "co_filename", "")
        self._root = root
        self.is_of_project = scope.is_of_project
        self.passed_over = scope.passed_over

    def wants(self, code: CodeType) -> bool:
        """Say whether the lines of some code count."""
        filename = code.co_filename
        if filename != self._home and self._is_of_tests(filename):
            return False
        return self._scope.wants(code)

    def locks_held(self) -> dict[int, Any]:
        """Return the locks among the globals of the project which are held, by their identity."""
        return {
            id(value): value
            for module in self._scope.loaded_modules()
            for value in list(vars(module).values())
            if isinstance(value, _LOCK) and value.locked()
        }

    def _is_of_tests(self, filename: str) -> bool:
        try:
            folders = Path(filename).relative_to(self._root).parts[:-1]
        except ValueError:
            return False
        return not _FOLDERS.isdisjoint(folders)


def _module(name: str) -> object:
    try:
        return import_module(name)
    except ImportError as error:
        raise ExplorationError(
            f"jobs_crash_atomic names {name!r}, which cannot be imported: {error}."
        ) from error


def _no_world() -> None:
    """Stand where an exploration has a world: here it is the test."""
