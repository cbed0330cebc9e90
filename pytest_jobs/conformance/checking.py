"""What checks of idempotency and of handoffs take for granted of every library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import pytest

from ..errors import ExplorationError, LostEffect, NotIdempotent
from ..exploration.check import check_idempotent
from ..exploration.handoff_check import check_handoff
from ..harness.jobs import Jobs
from . import bodies
from .case import Case, Library, send


class _FailsFirst(list[Any]):
    """A list to which nothing can be added at the first time."""

    tried = False

    def append(self, value: Any) -> None:
        if not self.tried:
            self.tried = True
            raise bodies.Broken("the first delivery failed")
        super().append(value)


class _AddsOnce(list[Any]):
    """A list to which a value is added once only, as an idempotent job does."""

    def append(self, value: Any) -> None:
        if value not in self:
            super().append(value)


#: Makes a world in which jobs note values in a new list of a class.
_Worlds: TypeAlias = "Callable[[type[list[Any]]], Callable[[], Iterator[Callable[[], Any]]]]"


class Checking(Case):
    """A clean run is one delivery that ends well, and ends when the queue is empty."""

    @pytest.fixture
    def surroundings(self) -> Callable[[], AbstractContextManager[object]]:
        """Return what a world builds besides, such as the database in which the library keeps results."""
        return nullcontext

    @pytest.fixture
    def world_of(self, surroundings: Callable[[], AbstractContextManager[object]]) -> _Worlds:
        """Return a function that makes worlds."""

        def make(kind: type[list[Any]]) -> Callable[[], Iterator[Callable[[], Any]]]:
            def world() -> Iterator[Callable[[], Any]]:
                with surroundings():
                    notes = kind()
                    token = bodies.noted.set(notes)
                    yield lambda: {"noted": list(notes)}
                    bodies.noted.reset(token)

            return world

        return make

    def test_a_check_refuses_a_job_that_fails_at_its_first_delivery(
        self, library: Library, jobs: Jobs, world_of: _Worlds
    ) -> None:
        with pytest.raises(ExplorationError, match="ends with Broken: the first delivery failed"):
            check_idempotent(
                library.jobs.note, args=(7,), world=world_of(_FailsFirst), trace=bodies.note
            )

    def test_a_child_that_is_enqueued_twice_is_no_difference_if_it_is_idempotent(
        self, library: Library, jobs: Jobs, world_of: _Worlds
    ) -> None:
        check_idempotent(
            library.jobs.parent, args=(7,), world=world_of(_AddsOnce), histories=["twice"]
        )

    def test_a_child_that_is_enqueued_twice_is_named_by_its_harm(
        self, library: Library, jobs: Jobs, world_of: _Worlds
    ) -> None:
        with pytest.raises(NotIdempotent, match="DUPLICATE noted"):
            check_idempotent(
                library.jobs.parent, args=(7,), world=world_of(list), histories=["twice"]
            )

    def test_a_call_that_enqueues_loses_work_unless_something_finds_it(
        self,
        library: Library,
        jobs: Jobs,
        noted: list[Any],
        surroundings: Callable[[], AbstractContextManager[object]],
    ) -> None:
        # Some libraries prepare themselves when they perform a job for the first time.
        is_async = send(library, library.jobs.note, 0)
        jobs.drain()

        def world() -> Iterator[Callable[[], Any]]:
            with surroundings():
                noted.clear()
                yield lambda: {"noted": list(noted)}

        def place() -> Any:
            noted.append("owed")
            return library.enqueue(library.jobs.note, (7,))

        def sweep() -> Any:
            return library.enqueue(library.jobs.note, (7,)) if noted == ["owed"] else None

        def called(function: Callable[[], Any]) -> Callable[[], Any]:
            async def awaited() -> None:
                made = function()
                if made is not None:
                    await made

            return awaited if is_async else function

        def check(recover: Callable[[], Any] | None = None) -> None:
            check_handoff(
                called(place),
                world=world,
                recover=recover,
                trace=place,
                histories=("early", "dies", "refused"),
            )

        with pytest.raises(LostEffect, match=r"LOST noted \[(dies|refused), .*no recover="):
            check()
        check(called(sweep))
