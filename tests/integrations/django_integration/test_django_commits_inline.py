"""Inline, what waits for a commit runs at the end of the outermost block that is not a test case's."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial

import pytest

pytest.importorskip("django")

from django.db import connections, transaction
from django.test import TestCase

from pytest_jobs import job
from pytest_jobs.errors import UnfinishedJobsError

done = []


@pytest.fixture(autouse=True)
def _nothing_done():
    done.clear()


@job(enqueue_after_commit=False)
def send(number):
    done.append(number)


@job(enqueue_after_commit=False)
def look():
    done.append(connections["default"].in_atomic_block)


@job(enqueue_after_commit=False)
def fail():
    raise ValueError("no mail")


def test_without_a_block_a_callback_runs_at_once(inline_jobs):
    transaction.on_commit(partial(send.perform_later, 1))

    assert done == [1]
    assert inline_jobs.waiting_for_commit == []


def test_in_a_block_it_runs_at_the_end_of_the_outermost(inline_jobs):
    with transaction.atomic():
        with transaction.atomic():
            transaction.on_commit(partial(send.perform_later, 1))
        assert [found.text for found in inline_jobs.waiting_for_commit] == ["send.perform_later(1)"]
        assert done == []

    assert done == [1]
    assert inline_jobs.commit() == ()


def test_a_job_enqueued_in_a_block_is_performed_after_it(inline_jobs):
    with transaction.atomic():
        with transaction.atomic():
            send.perform_later(1)
        assert done == []

    assert done == [1]


def test_a_rollback_performs_what_the_broker_has(inline_jobs):
    with suppress(ValueError), transaction.atomic():
        send.perform_later(1)
        transaction.on_commit(partial(send.perform_later, 2))
        raise ValueError("no")

    assert done == [1]


def test_they_are_performed_in_the_order_of_enqueueing(inline_jobs):
    with transaction.atomic():
        transaction.on_commit(partial(send.perform_later, 2))
        send.perform_later(1)

    assert done == [1, 2]


def test_of_nested_blocks_on_two_databases_the_outermost_counts(inline_jobs):
    with transaction.atomic("default"):
        with transaction.atomic("other"):
            send.perform_later(1)
            transaction.on_commit(partial(send.perform_later, 2), using="other")
        assert done == []

    assert done == [1, 2]


def test_a_block_with_nothing_in_it_performs_nothing(inline_jobs):
    with transaction.atomic():
        pass

    assert inline_jobs.deliveries == []


def test_for_a_block_of_the_test(jobs):
    transaction.on_commit(partial(send.perform_later, 0))
    with jobs.inline(), transaction.atomic():
        transaction.on_commit(partial(send.perform_later, 1))
        assert done == []
    assert done == [1]

    jobs.commit()
    assert [record.args for record in jobs.pending] == [(0,)]


def test_a_commit_performs_what_it_enqueues(test_case, open_harness):
    transaction.on_commit(partial(send.perform_later, 1))
    with open_harness(mode="inline") as jobs:
        assert [record.args for record in jobs.commit()] == [(1,)]

    assert done == [1]


def test_a_block_that_outlasts_inline_is_an_error(jobs):
    with transaction.atomic():
        inline = jobs.inline()
        with pytest.raises(UnfinishedJobsError, match=r"^send\(1\): enqueued inline"), inline:
            send.perform_later(1)

        assert len(jobs.pending) == 1


def test_an_error_of_a_job_is_raised_at_the_end(jobs):
    def order():
        with jobs.inline():
            with transaction.atomic():
                fail.perform_later()
            send.perform_later(1)

    with pytest.raises(ValueError, match="no mail"):
        order()

    assert done == [1]


def test_an_error_of_a_callback_is_raised_by_the_block(inline_jobs):
    @transaction.atomic
    def order():
        transaction.on_commit(lambda: 1 / 0)
        transaction.on_commit(partial(send.perform_later, 1))
        send.perform_later(2)

    with pytest.raises(ZeroDivisionError):
        order()

    assert done == [2]
    assert len(inline_jobs.dropped_by_rollback) == 1


def test_an_error_of_a_robust_callback_is_logged(inline_jobs, caplog):
    with caplog.at_level(logging.ERROR, "django.db.backends.base"):
        transaction.on_commit(lambda: 1 / 0, robust=True)

    assert "division by zero" in caplog.text


def test_captured_it_is_not_run_again(inline_jobs):
    with TestCase.captureOnCommitCallbacks(execute=True) as callbacks:
        transaction.on_commit(partial(send.perform_later, 1))

    assert done == [1]
    assert len(callbacks) == 1


def test_without_a_test_case_the_real_commit_counts(transactional, open_harness):
    with open_harness(mode="inline"):
        with transaction.atomic():
            look.perform_later()
            transaction.on_commit(partial(send.perform_later, 1))
            with transaction.atomic():
                send.perform_later(0)
            assert done == []

        assert done == [False, 0, 1]


def test_without_a_test_case_a_rollback_performs_what_the_broker_has(transactional, open_harness):
    with open_harness(mode="inline"):
        with suppress(ValueError), transaction.atomic():
            send.perform_later(1)
            transaction.on_commit(partial(send.perform_later, 2))
            raise ValueError("no")

        assert done == [1]
