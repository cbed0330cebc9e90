"""Jobs with one key that share a number of places."""

from datetime import UTC, datetime, timedelta

import pytest

from pytest_jobs import Job, job, limits_concurrency, retry_on, unique
from pytest_jobs.errors import JobLockedError

MINUTE = 60


@limits_concurrency(key="owner")
class Materialize(Job):
    def perform(self, owner, how="well"):
        if how == "broken":
            raise ValueError(how)
        if how == "killed":
            raise SystemExit
        return owner


@pytest.fixture(autouse=True)
def _frozen(jobs):
    jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))


def order(jobs):
    return [delivery.record.sequence for delivery in jobs.deliveries]


def sequences(view):
    return [record.sequence for record in view]


def test_a_job_beyond_the_limit_is_enqueued_and_waits(jobs):
    first, second = Materialize.perform_later("a"), Materialize.perform_later("a")

    assert (second.enqueued, second.dropped_for, second.enqueue_error) == (True, None, None)
    assert sequences(jobs.enqueued) == [0, 1]
    assert sequences(jobs.pending) == [0, 1]
    assert (sequences(jobs.blocked), list(jobs.scheduled)) == ([1], [])
    assert jobs.blocked[0].due_at is None
    assert [(lock.kind, lock.job_id) for lock in jobs.locks] == [("limit", first.job_id)]

    assert jobs.pending[0].blocked_until is None
    assert jobs.blocked[0].blocked_until == jobs.locks[0].expires_at
    assert jobs.locks[0].expires_at - jobs.enqueued[0].enqueued_at == timedelta(minutes=3)

    Materialize.perform_later("b")
    assert sequences(jobs.blocked) == [1]
    assert [lock.key.rpartition(".")[2] for lock in jobs.locks] == [
        'Materialize:["a"]',
        'Materialize:["b"]',
    ]


def test_as_many_run_at_once_as_the_limit_says(jobs):
    @limits_concurrency(to=3)
    @job
    def load(n): ...

    for n in range(8):
        load.perform_later(n)
    assert len(jobs.blocked) == 5

    jobs.drain()
    assert len(jobs.performed) == 8
    assert (jobs.blocked, jobs.locks) == ([], [])


def test_a_job_that_ends_or_fails_releases_one_which_is_due_at_once(jobs):
    begin = jobs.clock.now()
    for how in ("well", "broken", "well"):
        Materialize.perform_later("a", how=how)
    jobs.perform(jobs.pending[0])

    assert (sequences(jobs.pending), sequences(jobs.blocked)) == ([1, 2], [2])
    assert [lock.record.sequence for lock in jobs.locks] == [1]
    tally = jobs.perform_due(raise_errors=False)
    assert (tally["failed"], tally["performed"]) == (1, 1)
    assert jobs.locks == []
    assert [d.at for d in jobs.performed] == [begin, begin]


def test_a_job_that_is_to_be_retried_lets_the_next_go_first(jobs):
    @retry_on(ConnectionError, wait=10)
    @limits_concurrency()
    class Load(Job):
        def perform(self, n): ...

    jobs.fail(Load, raising=ConnectionError, on=[1])
    Load.perform_later(1)
    Load.perform_later(2)
    jobs.perform(jobs.pending[0])
    assert (jobs.blocked, [lock.record.args for lock in jobs.locks]) == ([], [(2,)])

    jobs.drain()
    assert [d.record.args for d in jobs.performed] == [(1,), (2,)]
    assert jobs.locks == []


def test_the_lower_priority_goes_first_and_then_the_first_in_order_whatever_its_queue(jobs):
    for priority, queue in ((None, "low"), (5, "high"), (None, "low"), (-5, "low"), (0, "high")):
        Materialize.set(priority=priority, queue=queue).perform_later("a")
    jobs.drain()

    assert order(jobs) == [0, 3, 2, 4, 1]


def killed(jobs, cls=Materialize):
    """Let a worker be killed while it performs a job, and the job not come back."""
    cls.perform_later("a", how="killed")
    with pytest.raises(SystemExit):
        jobs.drain()
    record = jobs.pending[0]
    jobs.harness.ledger.removed(record)
    return record


def test_what_a_killed_worker_had_is_free_when_its_time_is_over(jobs):
    begin = killed(jobs).enqueued_at
    Materialize.perform_later("a")
    assert len(jobs.blocked) == 1

    jobs.drain()
    assert [d.at - begin for d in jobs.performed] == [timedelta(minutes=3)]
    assert (jobs.blocked, jobs.locks) == ([], [])

    Materialize.set(wait=10 * MINUTE).perform_later("a")
    assert (jobs.locks, jobs.blocked) == ([], [])  # It takes its place when it is due.
    assert jobs.drain() == {"performed": 1}


def test_a_scheduled_job_that_finds_no_place_when_it_is_due_is_put_off_without_an_attempt(jobs):
    begin = killed(jobs).enqueued_at
    Materialize.set(wait=MINUTE).perform_later("a")
    jobs.run_for(MINUTE)

    (put_off,) = jobs.deliveries
    assert (put_off.status, put_off.wait) == ("snoozed", timedelta(minutes=2))
    assert type(put_off.error) is JobLockedError
    assert (sequences(jobs.blocked), len(jobs.enqueued)) == ([2], 2)

    jobs.drain()
    assert [(d.record.attempt, d.at - begin) for d in jobs.performed] == [(1, timedelta(minutes=3))]


def test_a_job_that_was_put_off_is_due_as_soon_as_there_is_a_place(jobs):
    begin = jobs.clock.now()
    Materialize.perform_later("a")
    Materialize.set(wait=MINUTE, priority=-1).perform_later("a")
    jobs.clock.advance(MINUTE)
    jobs.drain()

    assert [(d.record.sequence, d.status) for d in jobs.deliveries] == [
        (1, "snoozed"),
        (0, "performed"),
        (2, "performed"),
    ]
    assert jobs.deliveries[-1].at - begin == timedelta(minutes=1)


def test_a_job_longer_than_its_duration_overlaps_with_the_next(jobs):
    seen = []

    @limits_concurrency(duration=MINUTE)
    @job
    def load(n):
        if n == 1:
            jobs.clock.advance(MINUTE)
            load.perform_later(2)
            seen.extend(lock.record.args for lock in jobs.locks)

    load.perform_later(1)
    jobs.perform(jobs.pending[0])

    assert seen == [(2,)]
    assert [lock.record.args for lock in jobs.locks] == [(2,)]


def test_a_second_delivery_of_a_job_takes_a_place_again(jobs):
    Materialize.perform_later("a")
    jobs.drain()
    Materialize.perform_later("a")
    jobs.perform(jobs.redeliver(jobs.enqueued[0]))

    assert [d.status for d in jobs.deliveries] == ["performed", "snoozed"]


# Discarding


@limits_concurrency(key="owner", on_conflict="discard")
class Refresh(Job):
    def perform(self, owner, how="well"):
        if how == "killed":
            raise SystemExit


def test_discard_drops_a_job_beyond_the_limit(jobs):
    first, second = Refresh.perform_later("a"), Refresh.perform_later("a")

    assert (second.enqueued, second.dropped_for) == (False, first.job_id)
    assert (len(jobs.enqueued), jobs.blocked) == (1, [])

    jobs.drain()
    assert Refresh.perform_later("a").enqueued


def test_discard_drops_a_scheduled_job_when_it_is_due(jobs):
    killed(jobs, Refresh)
    Refresh.set(wait=MINUTE).perform_later("a")
    jobs.drain()

    (delivery,) = jobs.deliveries
    assert (delivery.status, type(delivery.error), delivery.raises) == (
        "halted",
        JobLockedError,
        False,
    )
    assert (jobs.dead, jobs.pending) == ([], [])


def test_a_retry_is_not_dropped_for_the_run_that_it_follows(jobs):
    @retry_on(ConnectionError, wait=0)
    @limits_concurrency(on_conflict="discard")
    @job
    def load(): ...

    jobs.fail(load, raising=ConnectionError, on=[1])
    load.perform_later()
    jobs.drain()

    assert [d.status for d in jobs.deliveries] == ["retried", "performed"]


def test_a_job_that_is_dropped_for_the_limit_has_no_lock_either(jobs):
    @unique("n")
    @limits_concurrency(on_conflict="discard")
    @job
    def load(n): ...

    load.perform_later(1)
    load.perform_later(2)
    assert sorted((lock.kind, lock.record.args) for lock in jobs.locks) == [
        ("limit", (1,)),
        ("unique", (1,)),
    ]

    assert load.perform_later(1).dropped_for == jobs.pending[0].job_id
