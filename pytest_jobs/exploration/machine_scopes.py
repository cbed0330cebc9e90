"""Which code is explored line by line, for several jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import CodeType, ModuleType
from typing import Any

from .scope import Scope


class Scopes:
    """What the scope of any of several jobs wants."""

    def __init__(
        self, world: Callable[..., Any], trace: object = None, atomic: Iterable[object] = ()
    ) -> None:
        """Begin with no job.

        Args:
            world: what builds the world.
            trace: modules, functions or classes that count instead of the default; None for it.
            atomic: modules, functions or classes that are one step.
        """
        self._world = world
        self._trace = trace
        self._atomic = atomic
        self._scopes: dict[object, Scope] = {}
        self._fakes: dict[type, object] = {}

    def add(self, body: Callable[..., Any]) -> None:
        """Take in a job, by the function that runs as it."""
        if body not in self._scopes:
            self._scopes[body] = scope = Scope(body, self._world, self._trace, self._atomic)
            for fake in self._fakes.values():
                scope.leave_out(fake)

    def wants(self, code: CodeType) -> bool:
        """Say whether the lines of a function are points."""
        return any(scope.wants(code) for scope in self._all())

    def is_of_project(self, code: CodeType) -> bool:
        """Say whether it is code of the project: not installed, and not ours."""
        return any(scope.is_of_project(code) for scope in self._all())

    def passed_over(self, code: CodeType) -> None:
        """Take note of a function that runs in a delivery and counts for no job."""
        for scope in self._all():
            scope.passed_over(code)

    def leave_out(self, fake: object) -> None:
        """Let the methods of a fake not count."""
        self._fakes.setdefault(type(fake), fake)
        for scope in self._all():
            scope.leave_out(fake)

    def loaded_modules(self) -> list[ModuleType]:
        """Return the modules whose code may count, whether it has run or not."""
        found = (module for scope in self._all() for module in scope.loaded_modules())
        return list(dict.fromkeys(found))

    def _all(self) -> Iterator[Scope]:
        # A copy, since a job that is enqueued meanwhile comes in.
        return iter(tuple(self._scopes.values()))
