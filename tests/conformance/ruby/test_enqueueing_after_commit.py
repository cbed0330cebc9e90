"""Group Q: what ActiveJob's tests expect of enqueueing after a commit, as far as a callback gives it."""

import pytest
from stub_transactions import StubTransactions

from pytest_jobs import Job, configure, perform_all_later
from pytest_jobs.bridges.reference import ReferenceBridge
from pytest_jobs.errors import EnqueueError
from pytest_jobs.harness.jobs import Jobs


class Hello(Job):
    def perform(self, name="David"):
        return name


class Full:
    def now_ns(self):
        return 0

    def enqueue(self, payload):
        raise EnqueueError("There is no room.")


@pytest.fixture
def database():
    return StubTransactions()


@pytest.fixture
def jobs(database):
    with Jobs([ReferenceBridge()], transactions=[database]) as jobs:
        yield jobs


def test_q7_without_a_callback_a_job_is_enqueued_inside_the_transaction(jobs, database):
    with database.transaction():
        hello = Hello.perform_later()
        assert hello.enqueued
        assert len(jobs.enqueued) == 1


def test_q7_without_a_database_a_job_is_enqueued_at_once():
    with Jobs([ReferenceBridge()]) as jobs:
        Hello.perform_later()

        assert len(jobs.enqueued) == 1


def test_q7_a_callback_enqueues_once_when_the_commit_comes(jobs, database):
    with database.transaction():
        database.functions.append(Hello.perform_later)
        assert jobs.enqueued == []

    assert [record.job for record in jobs.commit()] == [Hello]
    assert jobs.commit() == ()


def test_q7_what_is_enqueued_at_once_comes_before_what_waited(jobs, database):
    with database.transaction():
        database.functions.append(lambda: perform_all_later([Hello.new("a"), Hello.new("b")]))
        Hello.perform_later("at once")
    jobs.commit()

    assert [record.args for record in jobs.enqueued] == [("at once",), ("a",), ("b",)]


def test_q7_a_job_that_is_refused_after_the_commit_says_so():
    hello = Hello.new()
    assert (hello.enqueued, hello.enqueue_error) == (False, None)

    with configure(adapter=Full()):
        hello.enqueue()

    assert not hello.enqueued
    assert isinstance(hello.enqueue_error, EnqueueError)
