"""A world, a state or an exception that cannot be used is an error with the line to write."""

from __future__ import annotations

import types
from contextlib import contextmanager

import pytest

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, ExplorationError

place = types.SimpleNamespace(stored=[])


def store():
    place.stored.append(1)


def message(world, **options):
    with pytest.raises(ExplorationError) as found:
        check_idempotent(store, world=world, **options)
    return str(found.value)


def ends_at_once():
    place.stored = []
    return
    yield


@pytest.mark.parametrize("world", [ends_at_once, contextmanager(ends_at_once)])
def test_a_world_that_yields_nothing(world):
    assert message(world) == (
        f"world={world!r} ended without a `yield`, so it shows no state: yield a callable that returns the state, "
        "as in `yield lambda: {'payments': rows('payments')}`."
    )


def yields_twice():
    place.stored = []
    yield lambda: {"stored": place.stored}
    yield dict


@pytest.mark.parametrize("world", [yields_twice, contextmanager(yields_twice)])
def test_a_world_that_yields_twice(world):
    assert message(world) == (
        f"world={world!r} yields more than once: yield one callable that returns the whole state, as in "
        "`yield lambda: {'payments': rows('payments'), 'mails': mailer.calls}`."
    )


def test_a_verb_in_a_world(jobs):
    def world():
        place.stored = []
        jobs.drain()
        yield lambda: {"stored": place.stored}

    performs_nothing = (
        "was called in a check, whose jobs are in a ledger of their own, so that it would perform nothing. Call "
        "the function of the job, or let the world make what the job would have left; the check performs its own "
        "job by itself."
    )
    assert message(world) == f"jobs.drain() {performs_nothing}"
    assert jobs.drain() == {}


def test_a_world_that_yields_an_iterator():
    def world():
        yield iter([])

    assert (
        "is not a snapshot: yield a callable that returns the state, as in `yield lambda:"
        in message(world)
    )


def test_a_snapshot_that_returns_nothing():
    def world():
        yield place.stored.clear

    assert message(world) == (
        "The snapshot of the world returned None, which is not a state: return the values that the job changes, "
        "by name, as in `yield lambda: {'payments': rows('payments')}`."
    )


def test_a_snapshot_that_must_be_awaited():
    async def snapshot():
        return {}

    def world():
        yield snapshot

    assert "returned an awaitable, a coroutine, which is not a state: return the values" in message(
        world
    )


def test_a_snapshot_that_is_an_iterator():
    def snapshot():
        yield from place.stored

    def world():
        yield snapshot

    assert message(world) == (
        "The state holds an iterator, state (a generator), which is used up when it is read once: put `list(...)` "
        "around it."
    )


def fails_at_the_end():
    place.stored = []
    yield lambda: {"stored": place.stored}
    raise FileNotFoundError("out.csv")


@pytest.mark.parametrize("world", [fails_at_the_end, contextmanager(fails_at_the_end)])
def test_a_world_that_fails_while_it_is_left(world):
    with pytest.raises(ExplorationError) as found:
        check_idempotent(store, world=world)

    assert str(found.value) == (
        f"world={world!r} ended with FileNotFoundError: out.csv while it was left. It is left after every "
        "history, also when the job was killed or did nothing: let the lines after its `yield` succeed then "
        "too, for example within `with contextlib.suppress(FileNotFoundError):`."
    )
    assert isinstance(found.value.__cause__, FileNotFoundError)


def test_a_world_that_fails_after_another_error_does_not_hide_it():
    def world():
        place.stored = []
        try:
            yield lambda: {"stored": [object()]}
        finally:
            assert place.stored == [1]

    assert "which has no fields" in message(world)


def test_a_world_that_swallows_exceptions_hides_nothing():
    def world():
        place.stored = []
        try:
            yield lambda: {"stored": [object()]}
        except Exception:
            return

    assert "which has no fields" in message(world)


def test_a_world_that_cleans_up_is_left_after_each_history():
    left = []

    def world():
        place.stored = []
        yield lambda: {"stored": place.stored}
        left.append(1)

    with pytest.raises(DuplicateEffect):
        check_idempotent(store, world=world, histories=["twice"])

    assert len(left) >= 3


@pytest.mark.parametrize(
    ("accept", "line"),
    [
        (ValueError, "(ValueError,)"),
        (ValueError("no"), "(ValueError,)"),
        ([ValueError, "KeyError"], "(ValueError, AlreadyPaid,)"),
        ((int,), "(AlreadyPaid,)"),
        ("ValueError", "(AlreadyPaid,)"),
        (None, "(AlreadyPaid,)"),
    ],
)
def test_an_exception_to_accept_that_is_none(accept, line):
    assert message(yields_twice, accept=accept) == (
        f"accept={accept!r} is not a collection of classes of exceptions: write accept={line}."
    )
