"""While a job is performed its transactions commit as in a worker, whatever the test's do."""

from __future__ import annotations

from functools import partial

import pytest

pytest.importorskip("django")

from django.db import transaction
from django_project import close_connections

from pytest_jobs import job, retry_on

order = []


@pytest.fixture(autouse=True)
def _nothing_happened():
    order.clear()


def note(text):
    order.append(text)


@job(enqueue_after_commit=False)
def send(number):
    note(f"send {number}")


@job(enqueue_after_commit=False)
def register():
    transaction.on_commit(partial(note, "callback"))
    note("job")


@job(enqueue_after_commit=False)
def register_in_a_block():
    with transaction.atomic():
        with transaction.atomic():
            transaction.on_commit(partial(note, "callback"))
        note("inner block")
    note("outer block")


@retry_on(ValueError, attempts=2, wait=3)
@job(enqueue_after_commit=False)
def fail_in_a_block():
    with transaction.atomic():
        transaction.on_commit(partial(note, "callback"))
        raise ValueError


@job(enqueue_after_commit=False)
def fail_in_a_callback():
    transaction.on_commit(lambda: 1 / 0)


@job(enqueue_after_commit=False)
def enqueue_after_commit():
    with transaction.atomic():
        transaction.on_commit(partial(send.perform_later, 1))


@job(enqueue_after_commit=False)
async def register_in_a_coroutine():
    transaction.on_commit(partial(note, "callback"))
    note("job")
    # The loop's task has a connection of its own.
    close_connections()


def test_without_a_block_a_callback_runs_at_once(jobs):
    register.perform_later()
    jobs.drain()

    assert order == ["callback", "job"]


def test_in_a_block_it_runs_at_the_end_of_the_outermost(jobs):
    register_in_a_block.perform_later()
    jobs.drain()

    assert order == ["inner block", "callback", "outer block"]


def test_inline_too(inline_jobs):
    register.perform_later()
    register_in_a_block.perform_later()

    assert order == ["callback", "job", "inner block", "callback", "outer block"]


def test_in_a_coroutine_too(jobs, monkeypatch):
    # Django asks for this where synchronous database code is called in a coroutine.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    register_in_a_coroutine.perform_later()
    jobs.drain()

    assert order == ["callback", "job"]


def test_what_the_test_registered_is_left_alone(jobs):
    transaction.on_commit(partial(note, "of the test"))
    register_in_a_block.perform_later()
    jobs.drain()
    assert order == ["inner block", "callback", "outer block"]

    jobs.commit()
    assert order[-1] == "of the test"


def test_a_block_of_the_test_is_none_of_the_job(jobs):
    with transaction.atomic():
        transaction.on_commit(partial(note, "of the test"))
        register.perform_later()
        register_in_a_block.perform_later()
        jobs.drain()
    assert order == ["callback", "job", "inner block", "callback", "outer block"]

    jobs.commit()
    assert order[-1] == "of the test"


def test_a_block_of_the_test_is_none_of_the_job_without_a_test_case(transactional, open_harness):
    with open_harness() as jobs, transaction.atomic():
        transaction.on_commit(partial(note, "of the test"))
        register.perform_later()
        jobs.drain()
        assert order == ["callback", "job"]

    assert order == ["callback", "job", "of the test"]


def test_a_block_that_fails_drops_its_callbacks_in_every_attempt(jobs):
    fail_in_a_block.perform_later()
    with pytest.raises(ValueError):
        jobs.drain()

    assert order == []
    assert len(jobs.dropped_by_rollback) == 2


def test_an_error_of_a_callback_is_one_of_the_job(jobs):
    fail_in_a_callback.perform_later()
    with pytest.raises(ZeroDivisionError):
        jobs.drain()

    assert [delivery.status for delivery in jobs.deliveries] == ["failed"]


def test_what_a_callback_enqueues_is_a_child_of_the_job(jobs):
    enqueue_after_commit.perform_later()
    jobs.perform(jobs.pending[0])

    assert [record.parent for record in jobs.pending] == [0]
    assert jobs.deliveries[0].enqueued == tuple(jobs.pending)


def test_nothing_is_left_waiting(jobs):
    register_in_a_block.perform_later()
    jobs.drain()

    assert jobs.waiting_for_commit == []
    assert jobs.commit() == ()


def test_a_job_after_one_that_was_interrupted_has_no_block_of_it(jobs):
    @job
    def interrupted():
        with transaction.atomic():
            if not order:
                note("first")
                raise KeyboardInterrupt
        transaction.on_commit(partial(note, "callback"))
        note("second")

    record = interrupted.perform_later() and jobs.pending[0]
    with pytest.raises(KeyboardInterrupt):
        jobs.perform(record)
    with transaction.atomic():
        jobs.perform(record)

    assert order == ["first", "callback", "second"]
