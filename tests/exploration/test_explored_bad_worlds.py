"""A world, a state or an exception that cannot be used is an error with the line to write."""

from __future__ import annotations

import types
from contextlib import contextmanager

import pytest
from tables import each_row

from pytest_jobs import check_idempotent, sqlite_world
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


def yields_twice():
    place.stored = []
    yield lambda: {"stored": place.stored}
    yield dict


def fails_at_the_end():
    place.stored = []
    yield lambda: {"stored": place.stored}
    raise FileNotFoundError("out.csv")


def yields_an_iterator():
    yield iter([])


def yields_a_state():
    yield {"state": 1}


def yields_what_returns_nothing():
    yield place.stored.clear


def yields_what_is_awaited():
    async def snapshot():
        return {}

    yield snapshot


def yields_a_generator_function():
    def snapshot():
        yield from place.stored

    yield snapshot


def fails_after_another_error():
    place.stored = []
    try:
        yield lambda: {"stored": [object()]}
    finally:
        assert place.stored == [1]


def swallows_exceptions():
    place.stored = []
    try:
        yield lambda: {"stored": [object()]}
    except Exception:
        return


@contextmanager
def block():
    yield dict


ENDED = (
    "world={!r} ended without a `yield`, so it shows no state: yield a callable that returns the state, as in "
    "`yield lambda: {{'payments': rows('payments')}}`."
)
TWICE = (
    "world={!r} yields more than once: yield one callable that returns the whole state, as in "
    "`yield lambda: {{'payments': rows('payments'), 'mails': mailer.calls}}`."
)
FAILED = (
    "world={!r} ended with FileNotFoundError: out.csv while it was left. It is left after every history, also "
    "when the job was killed or did nothing: let the lines after its `yield` succeed then too, for example within "
    "`with contextlib.suppress(FileNotFoundError):`."
)


@each_row(
    "world, text",
    [
        *((world, ENDED.format(world)) for world in (ends_at_once, contextmanager(ends_at_once))),
        *((world, TWICE.format(world)) for world in (yields_twice, contextmanager(yields_twice))),
        *(
            (world, FAILED.format(world))
            for world in (fails_at_the_end, contextmanager(fails_at_the_end))
        ),
        (
            yields_an_iterator,
            "is not a snapshot: yield a callable that returns the state, as in `yield lambda:",
        ),
        (yields_a_state, "which is not a snapshot"),
        (
            yields_what_returns_nothing,
            (
                "The snapshot of the world returned None, which is not a state: return the values that the job "
                "changes, by name, as in `yield lambda: {'payments': rows('payments')}`."
            ),
        ),
        (
            yields_what_is_awaited,
            "returned an awaitable, a coroutine, which is not a state: return the values",
        ),
        (
            yields_a_generator_function,
            (
                "The state holds an iterator, state (a generator), which is used up when it is read once: put "
                "`list(...)` around it."
            ),
        ),
        # Another error is not hidden.
        (fails_after_another_error, "which has no fields"),
        (swallows_exceptions, "which has no fields"),
        (lambda: 7, "it is a generator function"),
        # One that cannot be made for each history.
        (3, "write a generator function that yields a snapshot callable once"),
        (block(), "as in world=shop, without parentheses"),
        (yields_twice(), "as in world=shop, without parentheses"),
    ],
)
def test_a_world_that_shows_no_state_or_cannot_be_left_is_refused(world, text):
    with pytest.raises(ExplorationError) as found:
        check_idempotent(store, world=world)

    assert text in str(found.value)
    assert isinstance(found.value.__cause__, FileNotFoundError) == ("FileNotFoundError" in text)


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


def test_a_world_that_cleans_up_is_left_after_each_history():
    left = []

    def world():
        place.stored = []
        yield lambda: {"stored": place.stored}
        left.append(1)

    with pytest.raises(DuplicateEffect):
        check_idempotent(store, world=world, histories=["twice"])

    assert len(left) >= 3


@each_row(
    "accept, line",
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


def test_a_schema_that_sqlite_refuses_is_named():
    def world():
        with sqlite_world("create table orders (id") as rows:
            yield lambda: {"orders": rows("orders")}

    assert message(world) == (
        "The schema of sqlite_world cannot be carried out: incomplete input. It is 'create table orders (id'."
    )
