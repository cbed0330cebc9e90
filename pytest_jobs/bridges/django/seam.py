"""The place where the backends of Django tasks are taken over."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from asgiref.sync import sync_to_async

from ...harness.records.patches import Patches
from .families import Family


class Taker(Protocol):
    """Who takes over what the backends are asked: a bridge."""

    def enqueued(
        self, backend: Any, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Take in a task, and return its TaskResult."""
        ...

    def result(self, result_id: str) -> Any:
        """Return a TaskResult; None when the task was not enqueued here."""
        ...

    def save_metadata(self, result_id: str, metadata: Mapping[str, Any]) -> bool:
        """Keep the metadata of a task; say whether it was enqueued here."""
        ...


class Seam:
    """Patches the classes of the backends, for as many bridges as are installed: the last one takes.

    Classes, and not the backends that `task_backends` returns: an application that keeps a backend
    in a variable is then covered too, as are the backends that each thread gets for itself, and
    `isinstance` goes on to hold. A class is patched when the settings name it, or when the handler
    makes a backend of it, which `override_settings` leads to.
    """

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families
        self._patches = Patches()
        self._takers: list[Taker] = []
        self._taken_over: set[type] = set()

    def enter(self, taker: Taker) -> None:
        """Let a bridge take what is enqueued from now on.

        Raises:
            Exception: what Django raises for settings that it cannot read.
        """
        if not self._takers:
            self._patch()
        self._takers.append(taker)

    def leave(self, taker: Taker) -> None:
        """Give the place back to the bridge before, or to the backends."""
        self._takers.remove(taker)
        if not self._takers:
            self._taken_over.clear()
            self._patches.restore()

    def take_over(self, backend_class: type) -> None:
        """Patch a class of backends, unless it is patched already."""
        if backend_class in self._taken_over:
            return
        self._taken_over.add(backend_class)
        gives_results = self._gives_results(backend_class)
        self._patches.set(backend_class, "enqueue", self._enqueue())
        self._patches.set(backend_class, "aenqueue", _aenqueue)
        if gives_results:
            self._patches.set(backend_class, "get_result", self._get_result())
            self._patches.set(backend_class, "aget_result", _aget_result)
        if hasattr(backend_class, "save_metadata"):
            self._patches.set(backend_class, "save_metadata", self._save_metadata())
            self._patches.set(backend_class, "asave_metadata", _asave_metadata)

    def _patch(self) -> None:
        try:
            for family in self._families:
                handler_class = type(family.handler)
                made = handler_class.create_connection
                self._patches.set(handler_class, "create_connection", _Made(self, made))
                for backend_class in _loaded_classes(family.handler):
                    self.take_over(backend_class)
        except BaseException:
            self._taken_over.clear()
            self._patches.restore()
            raise

    def _gives_results(self, backend_class: Any) -> bool:
        return all(
            backend_class.get_result is not family.backend_class.get_result  # type: ignore[attr-defined]
            for family in self._families
        )

    def _enqueue(self) -> Any:
        def enqueue(
            self_: Any, /, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
        ) -> Any:
            return self._takers[-1].enqueued(self_, task, args, kwargs)

        return enqueue

    def _get_result(self) -> Any:
        def get_result(self_: Any, /, result_id: str) -> Any:
            for taker in reversed(self._takers):
                result = taker.result(result_id)
                if result is not None:
                    return result
            raise self._family_of(self_).no_such_result(result_id)

        return get_result

    def _save_metadata(self) -> Any:
        def save_metadata(self_: Any, /, result_id: str, metadata: Mapping[str, Any]) -> None:
            if not any(taker.save_metadata(result_id, metadata) for taker in self._takers[::-1]):
                raise self._family_of(self_).no_such_result(result_id)

        return save_metadata

    def _family_of(self, backend: Any) -> Family:
        for family in self._families:
            if isinstance(backend, family.backend_class):
                return family
        return self._families[0]


def seam_of(families: Sequence[Family]) -> Seam:
    """Return the seam of this process: the one that is in force, or a new one."""
    in_force = vars(type(families[0].handler)).get("create_connection")
    return in_force.seam if isinstance(in_force, _Made) else Seam(families)


class _Made:
    """Stands in for `create_connection` of a handler: the class of a backend is taken over first."""

    def __init__(self, seam: Seam, create_connection: Any) -> None:
        self.seam = seam
        self._create_connection = create_connection

    def __get__(self, handler: Any, owner: type) -> Any:
        def create_connection(alias: str) -> Any:
            backend = self._create_connection(handler, alias)
            self.seam.take_over(type(backend))
            return backend

        return create_connection


async def _aenqueue(self: Any, /, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return await sync_to_async(self.enqueue, thread_sensitive=True)(
        task=task, args=args, kwargs=kwargs
    )


async def _aget_result(self: Any, /, result_id: str) -> Any:
    return self.get_result(result_id)


async def _asave_metadata(self: Any, /, result_id: str, metadata: Mapping[str, Any]) -> None:
    self.save_metadata(result_id, metadata)


def _loaded_classes(handler: Any) -> Iterable[type]:
    """Return the classes that the settings name and that have been imported: backends of them may exist."""
    for parameters in handler.configure_settings(None).values():
        module, _, name = str(parameters.get("BACKEND", "")).rpartition(".")
        backend_class = getattr(sys.modules.get(module), name, None)
        if isinstance(backend_class, type):
            yield backend_class
