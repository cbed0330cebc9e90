"""A job that has opened no block is in autocommit mode, as in a worker, also in the transaction of a test case."""

from __future__ import annotations

import pytest

pytest.importorskip("django")

from django.db import IntegrityError, close_old_connections, connection, transaction
from django.db.transaction import TransactionManagementError

from pytest_jobs import job

seen = []


@pytest.fixture(autouse=True)
def table(test_case):
    seen.clear()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE autocommitted (number INTEGER PRIMARY KEY)")


def insert(number):
    with transaction.mark_for_rollback_on_error(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO autocommitted VALUES (%s)", [number])


def count():
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM autocommitted")
        return cursor.fetchone()[0]


@job(enqueue_after_commit=False)
def modes():
    seen.append((connection.get_autocommit(), connection.savepoint()))
    with transaction.atomic():
        seen.append((connection.get_autocommit(), connection.savepoint() is not None))
    for refused in (lambda: transaction.set_rollback(True), transaction.get_rollback):
        with pytest.raises(TransactionManagementError):
            refused()


@job(enqueue_after_commit=False)
def goes_on_after_an_error():
    insert(1)
    with pytest.raises(IntegrityError):
        insert(1)
    insert(2)


@transaction.atomic(savepoint=False)
def two_rows_without_a_savepoint():
    insert(2)
    insert(1)


@job(enqueue_after_commit=False)
def block_without_a_savepoint():
    insert(1)
    with pytest.raises(IntegrityError):
        two_rows_without_a_savepoint()
    insert(3)


@job(enqueue_after_commit=False)
def closes():
    insert(1)
    close_old_connections()
    connection.close()
    connection.commit()
    connection.rollback()
    seen.append(count())


def test_what_a_job_is_told(jobs):
    modes.perform_later()
    jobs.drain()

    assert seen == [(True, None), (False, True)]
    assert not connection.get_autocommit()


def test_a_statement_that_fails_takes_nothing_along(jobs):
    goes_on_after_an_error.perform_later()
    jobs.drain()

    assert count() == 2


def test_the_outermost_block_of_a_job_is_rolled_back_without_a_savepoint_too(jobs):
    block_without_a_savepoint.perform_later()
    jobs.drain()

    assert count() == 2


def test_a_job_does_not_close_the_connection_of_the_test(jobs):
    closes.perform_later()
    jobs.drain()

    assert (seen, count()) == ([1], 1)
