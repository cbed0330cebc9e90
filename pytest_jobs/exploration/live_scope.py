"""Which code counts in a test whose jobs are killed."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any, Final

from ..errors import ExplorationError
from ..harness.record import JobRecord
from .lines import Listening
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
        self._scopes: dict[CodeType, Listening] = {}

    def of(self, record: JobRecord) -> Listening:
        """Return what says whether the lines of some code count.

        Raises:
            JobsError: when the job has no body that is written in Python.
        """
        body = record._bridge.resolve(record.job)
        scope = Scope(body, _no_world, atomic=self._atomic)
        code: Any = getattr(body, "__code__", None)
        known = self._scopes.get(code)
        if known is None:
            known = self._scopes[code] = _LiveScope(scope, code, self._root)
        return known


class _LiveScope:
    """The scope of one job, without the folders of tests."""

    def __init__(self, scope: Scope, body: CodeType | None, root: Path) -> None:
        self._scope = scope
        self._home = "" if body is None else body.co_filename
        self._root = root

    def wants(self, code: CodeType) -> bool:
        filename = code.co_filename
        return (filename == self._home or not self._is_of_tests(filename)) and self._scope.wants(
            code
        )

    def is_of_project(self, code: CodeType) -> bool:
        return False

    def passed_over(self, code: CodeType) -> None:
        pass

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
