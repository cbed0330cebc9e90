"""Group Q: what ActiveJob's tests expect of enqueueing after the commit of the open transactions."""

import pytest
from stub_database import StubDatabase

from pytest_jobs import (
    Halt,
    Job,
    TestAdapter,
    around_enqueue,
    before_enqueue,
    configure,
    perform_all_later,
)
from pytest_jobs.errors import EnqueueError, RolledBackError


class Hello(Job):
    def perform(self, name="David"):
        return name


class HelloAfterCommit(Hello):
    enqueue_after_commit = True


class Base(Job):
    pass


class Derived(Base):
    def perform(self):
        pass


class Full:
    def now_ns(self):
        return 0

    def enqueue(self, payload):
        raise EnqueueError("There is no room.")


@pytest.fixture
def database():
    return StubDatabase()


@pytest.fixture
def adapter(database):
    adapter = TestAdapter()
    with configure(adapter=adapter, transactions=[database]):
        yield adapter


def names(adapter):
    return [payload.name.rpartition(".")[2] for payload in adapter.enqueued]


def test_q7_by_default_a_job_is_enqueued_inside_the_transaction(adapter, database):
    assert Hello.enqueue_after_commit is False

    with database.transaction():
        hello = Hello.perform_later()
        assert hello.enqueued
        assert names(adapter) == ["Hello"]


def test_q7_a_job_waits_for_the_commit_and_is_taken_to_be_enqueued_meanwhile(adapter, database):
    with database.transaction():
        hello = HelloAfterCommit.perform_later()
        assert (hello.enqueued, hello.enqueue_error) == (True, None)
        assert names(adapter) == []

    assert names(adapter) == ["HelloAfterCommit"]
    assert hello.enqueued


def test_q7_where_no_transaction_is_open_it_is_enqueued_at_once(adapter):
    HelloAfterCommit.perform_later()

    assert names(adapter) == ["HelloAfterCommit"]


def test_q7_it_is_dropped_when_the_transaction_is_rolled_back(adapter, database):
    with database.transaction(rolls_back=True):
        hello = HelloAfterCommit.perform_later()

    assert names(adapter) == []
    assert not hello.enqueued
    assert isinstance(hello.enqueue_error, RolledBackError)


def test_q7_an_adapter_that_refuses_it_after_the_commit_corrects_that(database):
    with configure(adapter=Full(), transactions=[database]), database.transaction():
        hello = HelloAfterCommit.perform_later()
        assert hello.enqueued

    assert not hello.enqueued
    assert isinstance(hello.enqueue_error, EnqueueError)


def test_q7_callbacks_run_after_the_commit(adapter, database):
    steps = []

    class Watched(HelloAfterCommit):
        @around_enqueue
        def tell(self):
            steps.append("before")
            yield
            steps.append(f"after, with {len(adapter.enqueued)}")

    with database.transaction():
        Watched.perform_later()
        steps.append("commit")

    assert steps == ["commit", "before", "after, with 1"]


def test_q7_a_callback_that_halts_it_after_the_commit_corrects_that(adapter, database):
    class Halted(HelloAfterCommit):
        @before_enqueue
        def stop(self):
            raise Halt

    with database.transaction():
        hello = Halted.perform_later()
        assert hello.enqueued

    assert not hello.enqueued
    assert isinstance(hello.enqueue_error, Halt)
    assert names(adapter) == []


def test_q7_many_jobs_wait_together(adapter, database):
    with database.transaction():
        jobs = perform_all_later([HelloAfterCommit.new("a"), HelloAfterCommit.new("b")])
        assert all(job.enqueued for job in jobs)
        assert names(adapter) == []

    assert names(adapter) == ["HelloAfterCommit", "HelloAfterCommit"]


def test_q7_of_mixed_jobs_some_come_at_once_and_the_others_after_the_commit(adapter, database):
    with database.transaction():
        perform_all_later([HelloAfterCommit.new(), Hello.new()])
        assert names(adapter) == ["Hello"]

    assert names(adapter) == ["Hello", "HelloAfterCommit"]


def test_q7_it_can_be_declared_without_a_database():
    class Declared(Job):
        enqueue_after_commit = True

    assert Declared.enqueue_after_commit


def test_q7_a_base_class_that_is_told_later_reaches_those_that_exist(
    adapter, database, monkeypatch
):
    monkeypatch.setattr(Base, "enqueue_after_commit", True)

    with database.transaction():
        Derived.perform_later()
        assert names(adapter) == []
    assert names(adapter) == ["Derived"]
