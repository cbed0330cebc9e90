"""What checks of idempotency and of handoffs take for granted of every library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, TypeAlias

import pytest

from ..errors import ExplorationError, NotIdempotent
from ..exploration.check import check_idempotent
from ..exploration.handoff_check import check_handoff
from ..exploration.worlds.fakes import fake
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

    def test_what_a_second_delivery_does_again_is_found(
        self, library: Library, jobs: Jobs, world_of: _Worlds
    ) -> None:
        with pytest.raises(NotIdempotent, match=r"DUPLICATE noted.* \[twice\]"):
            check_idempotent(
                library.jobs.note, args=(7,), world=world_of(list), histories=["twice"]
            )

        assert len(jobs.enqueued) == 0

    def test_a_job_whose_effect_has_a_key_passes_every_history(
        self,
        library: Library,
        jobs: Jobs,
        surroundings: Callable[[], AbstractContextManager[object]],
    ) -> None:
        def world() -> Iterator[Callable[[], Any]]:
            with surroundings(), fake(bodies, "keep", lambda value: None, key="value") as kept:
                yield lambda: {"noted": kept.calls}

        explored = check_idempotent(
            library.jobs.note, args=(7,), world=world, histories="all", trace=bodies.note
        )

        assert explored.histories > 3
        if library.jobs.coroutine is not None:
            # A coroutine is killed in another way than a function.
            check_idempotent(
                library.jobs.coroutine,
                args=(7,),
                world=world,
                histories=["crash"],
                trace=bodies.coroutine,
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

    @pytest.mark.parametrize(
        ("history", "found", "mended", "words"),
        [
            ("early", ["enqueue_first"], ["place"], "DIVERGED noted"),
            ("dies", ["place"], ["place", "sweep"], "LOST noted"),
            ("refused", ["swallow"], ["swallow", "sweep"], "LOST noted"),
            ("enqueue_unknown", ["publish_again"], ["publish_again"], "DUPLICATE noted"),
            ("overtaken", ["place", "sweep"], ["place", "sweep"], "DUPLICATE noted"),
            ("lost", ["place"], ["place", "sweep"], "LOST noted"),
        ],
    )
    def test_each_history_of_a_call_that_hands_off_finds_a_mistake_and_passes_its_mend(
        self,
        library: Library,
        jobs: Jobs,
        surroundings: Callable[[], AbstractContextManager[object]],
        history: Literal["early", "dies", "refused", "enqueue_unknown", "overtaken", "lost"],
        found: Sequence[str],
        mended: Sequence[str],
        words: str,
    ) -> None:
        # Some libraries prepare themselves when they perform a job for the first time.
        is_async = send(library, library.jobs.note, 0)
        jobs.drain()

        def check(names: Sequence[str], notes: list[Any]) -> None:
            call, *recover = (getattr(_Calls(library, notes, is_async=is_async), n) for n in names)

            def world() -> Iterator[Callable[[], Any]]:
                with surroundings():
                    notes.clear()
                    yield lambda: {"noted": list(notes)}

            # Not by the world: what finds lost work is another process.
            token = bodies.noted.set(notes)
            try:
                check_handoff(
                    call(),
                    world=world,
                    recover=[each() for each in recover] or None,
                    trace=_Calls,
                    histories=[history],
                )
            finally:
                bodies.noted.reset(token)

        with pytest.raises(NotIdempotent, match=rf"{words} \[{history}"):
            check(found, [])
        check(mended, _AddsOnce() if history in ("enqueue_unknown", "overtaken") else [])


class _Calls:
    """Calls that hand a job off, as functions, or as coroutine functions if the library awaits."""

    def __init__(self, library: Library, notes: list[Any], *, is_async: bool) -> None:
        self._library = library
        self._notes = notes
        self._is_async = is_async

    def place(self) -> Callable[[], Any]:
        return self._made_of(self._note, self._enqueue)

    def enqueue_first(self) -> Callable[[], Any]:
        return self._made_of(self._enqueue, self._note)

    def swallow(self) -> Callable[[], Any]:
        return self._made_of(self._note, self._enqueue, on_error=lambda: None)

    def publish_again(self) -> Callable[[], Any]:
        return self._made_of(self._note, self._enqueue, on_error=self._enqueue)

    def sweep(self) -> Callable[[], Any]:
        return self._made_of(lambda: self._enqueue() if self._notes == ["owed"] else None)

    def _note(self) -> None:
        self._notes.append("owed")

    def _enqueue(self) -> Any:
        return self._library.enqueue(self._library.jobs.note, (7,))

    def _made_of(
        self, *steps: Callable[[], Any], on_error: Callable[[], Any] | None = None
    ) -> Callable[[], Any]:
        def call() -> None:
            try:
                for step in steps:
                    step()
            except Exception:
                if on_error is None:
                    raise
                on_error()

        async def awaited() -> None:
            try:
                for step in steps:
                    made = step()
                    if made is not None:
                        await made
            except Exception:
                if on_error is None:
                    raise
                made = on_error()
                if made is not None:
                    await made

        return awaited if self._is_async else call
