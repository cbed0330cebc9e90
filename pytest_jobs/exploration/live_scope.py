"""Which code counts in a test whose jobs are killed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any, Final

from ..errors import ExplorationError
from ..harness.record import JobRecord
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


def _module(name: str) -> object:
    try:
        return import_module(name)
    except ImportError as error:
        raise ExplorationError(
            f"jobs_crash_atomic names {name!r}, which cannot be imported: {error}."
        ) from error


def _no_world() -> None:
    """Stand where an exploration has a world: here it is the test."""
