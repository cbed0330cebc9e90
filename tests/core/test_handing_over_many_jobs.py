"""An adapter that takes many jobs at once gets them at once, and says of each whether it took it."""

import pytest
from stub_database import StubDatabase

from pytest_jobs import (
    Job,
    MemoryStore,
    TestAdapter,
    before_enqueue,
    configure,
    hookimpl,
    hooks,
    job,
    limits_concurrency,
    perform_all_later,
    unique,
)
from pytest_jobs.errors import EnqueueError, RolledBackError, StoreError


class ManyAtOnce(TestAdapter):
    """Takes jobs in round trips, and refuses those of an amount below 0."""

    def __init__(self):
        super().__init__()
        self.trips = []

    def enqueue(self, payload):
        self.trips.append([payload.name.rpartition(".")[2]])
        super().enqueue(payload)

    def enqueue_all(self, payloads):
        self.trips.append([payload.name.rpartition(".")[2] for payload in payloads])
        refused = ["[-" in payload.arguments for payload in payloads]
        for payload, is_refused in zip(payloads, refused, strict=True):
            if not is_refused:
                super().enqueue(payload)
        return [EnqueueError("full") if is_refused else None for is_refused in refused]


class Pay(Job):
    def perform(self, amount): ...


@unique(key="amount")
class PayOnce(Pay): ...


@unique(key="amount", on_conflict="replace")
class PayLatest(Pay): ...


@limits_concurrency(to=1, key=lambda amount: "all", on_conflict="discard")
class PayAlone(Pay): ...


class Checked(Pay):
    @before_enqueue
    def check(self): ...


class AfterCommit(Pay):
    enqueue_after_commit = True


@job(enqueue_after_commit=True)
def confirm(amount): ...


@pytest.fixture
def database():
    return StubDatabase()


@pytest.fixture
def many(database):
    adapter = ManyAtOnce()
    with configure(adapter=adapter, store=MemoryStore(), transactions=[database]):
        yield adapter


def test_jobs_of_all_classes_are_one_trip(many):
    jobs = perform_all_later([Pay.new(1), PayOnce.new(2), Pay.new(3)])
    perform_all_later([Pay.new(1)])

    assert many.trips == [["Pay", "PayOnce", "Pay"], ["Pay"]]
    assert [each.enqueued for each in jobs] == [True] * 3


def test_jobs_with_callbacks_and_those_that_replace_others_go_alone_in_their_order(many):
    kinds = [Pay, Pay, Checked, Pay, Pay, PayLatest, Pay, Pay]
    jobs = perform_all_later([kind.new(number) for number, kind in enumerate(kinds)])

    assert many.trips == [
        ["Pay", "Pay"],
        ["Checked"],
        ["Pay", "Pay"],
        ["PayLatest"],
        ["Pay", "Pay"],
    ]
    assert [payload.job_id for payload in many.enqueued] == [each.job_id for each in jobs]


def test_a_job_that_the_queue_refuses_keeps_the_error_and_gives_its_lock_back(many):
    taken, refused = perform_all_later([PayOnce.new(1), PayOnce.new(-1)])

    assert (taken.enqueued, taken.enqueue_error) == (True, None)
    assert (refused.enqueued, str(refused.enqueue_error)) == (False, "full")
    assert PayOnce.set(queue="other").perform_later(-1).dropped_for is None


def test_a_job_that_another_keeps_out_is_not_sent(many):
    first = PayOnce.perform_later(1)
    many.trips.clear()
    jobs = perform_all_later([PayOnce.new(1), PayAlone.new(1), PayAlone.new(2), PayOnce.new(2)])

    assert many.trips == [["PayAlone", "PayOnce"]]
    assert [each.dropped_for for each in jobs] == [first.job_id, None, jobs[1].job_id, None]
    assert [each.enqueued for each in jobs] == [False, True, False, True]


def test_lifecycle_plugins_see_each_job(many):
    seen = []

    class Plugin:
        @hookimpl
        def job_enqueued(self, job, payload):
            seen.append(("enqueued", payload is job.payload, *job.args))

        @hookimpl
        def job_not_enqueued(self, job):
            seen.append(("not enqueued", *job.args))

    with hooks.using(Plugin()):
        perform_all_later([PayOnce.new(1), PayOnce.new(1), Pay.new(-1)])

    assert seen == [("not enqueued", 1), ("enqueued", True, 1), ("not enqueued", -1)]


def test_a_store_that_is_down_enqueues_none_of_them(many, monkeypatch):
    def refuse(*args, **kwargs):
        raise StoreError("down")

    monkeypatch.setattr(MemoryStore, "acquire", refuse)
    with pytest.raises(StoreError):
        perform_all_later([Pay.new(1), PayOnce.new(2)])

    assert many.trips == []


def test_those_that_wait_for_a_commit_are_one_trip_at_the_last_commit(many, database):
    other = StubDatabase("other")
    with configure(adapter=many, transactions=[database, other]), other.transaction():
        with database.transaction():
            jobs = perform_all_later([AfterCommit.new(1), Pay.new(2), confirm.new(3), Pay.new(4)])
        assert many.trips == [["Pay", "Pay"]]

    assert many.trips[1:] == [["AfterCommit", "confirm"]]
    assert [each.enqueued for each in jobs] == [True] * 4
    with database.transaction(rolls_back=True):
        jobs = perform_all_later([AfterCommit.new(1), confirm.new(2)])
    assert len(many.trips) == 2
    assert [type(each.enqueue_error) for each in jobs] == [RolledBackError] * 2
