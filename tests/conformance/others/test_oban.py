"""What Oban's testing helpers do (Elixir), and what Oban Pro adds to them."""

import socket
from datetime import timedelta
from unittest.mock import ANY

import pytest
from dirty_equals import IsPartialDict
from others_shop import Charge, place_order, poll, send_mail
from stub_transactions import StubTransactions, callback

from pytest_jobs import job
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import DeclarationError
from pytest_jobs.harness.jobs import Jobs


@pytest.fixture
def offline(monkeypatch):
    def connect(*args):
        raise AssertionError("something connects")

    monkeypatch.setattr(socket.socket, "connect", connect)


def test_no_broker_no_database_no_server_process(offline, jobs):
    place_order.perform_later(1)

    assert jobs.drain() == {"performed": 2}


def test_jobs_are_only_recorded(jobs):
    place_order.perform_later(1)

    assert len(jobs.pending) == 1
    assert len(jobs.deliveries) == 0


def test_jobs_run_inline_at_enqueue():
    with open_jobs(mode="inline") as jobs:
        place_order.perform_later(1)

        assert [d.record.job for d in jobs.performed] == [place_order, send_mail]


def test_the_mode_is_switched_for_a_scope(jobs):
    place_order.perform_later(1)
    with jobs.inline():
        place_order.perform_later(2)
    place_order.perform_later(3)

    assert [record.args for record in jobs.pending] == [(1,), (3,)]


def test_enqueued_by_class(jobs, assert_enqueued):
    send_mail.perform_later("ann")

    assert_enqueued(send_mail)


def test_enqueued_by_queue(jobs, assert_enqueued):
    send_mail.perform_later("ann")
    send_mail.set(queue="low").perform_later("ann")

    assert assert_enqueued(send_mail, queue="mailers").sequence == 0


def test_enqueued_by_exact_arguments(jobs, assert_enqueued, assert_not_enqueued):
    send_mail.perform_later("ann", options={"copy": ["bob"]})

    assert_enqueued(send_mail, args=["ann"], kwargs={"options": {"copy": ["bob"]}})
    assert_not_enqueued(send_mail, args=["ann"])


def test_enqueued_by_some_of_the_arguments_nested_ones_and_wildcards(jobs, assert_enqueued):
    send_mail.perform_later("ann", options={"copy": ["bob"], "size": 10})

    assert_enqueued(send_mail, params={"options": {"copy": ANY, "size": 10}})
    assert_enqueued(send_mail, params={"options": IsPartialDict(size=10)})


def test_enqueued_by_scheduled_time_with_a_tolerance(jobs, assert_enqueued, assert_not_enqueued):
    now = jobs.clock.now()
    send_mail.set(wait=60.5).perform_later("ann")

    assert_enqueued(send_mail, wait=60)
    assert_enqueued(send_mail, at=now + timedelta(minutes=1), tolerance=timedelta(seconds=5))
    assert_not_enqueued(send_mail, wait=60, tolerance=timedelta(0))


def test_enqueued_by_priority(jobs, assert_enqueued, assert_not_enqueued):
    send_mail.perform_later("ann")

    assert_enqueued(send_mail, priority=5)
    assert_not_enqueued(send_mail, priority=0)


def test_nothing_of_the_kind_was_enqueued(jobs, assert_not_enqueued):
    send_mail.perform_later("ann")

    assert_not_enqueued(place_order)
    with pytest.raises(AssertionError, match="but 1 was enqueued:"):
        assert_not_enqueued(send_mail)


def test_one_job_is_performed_as_a_worker_would(jobs):
    Charge.perform_later(7)

    delivery = jobs.perform(jobs.pending[0])

    assert (delivery.status, delivery.result) == ("performed", "attempt 1")


def test_what_a_job_returns_is_checked():
    async def unfinished(): ...

    @job
    def broken():
        return unfinished()

    with pytest.raises(DeclarationError, match="returned a coroutine that nothing awaits"):
        broken.perform_now()


def test_a_drain_follows_the_jobs_that_jobs_enqueue(jobs):
    place_order.perform_later(1)

    assert jobs.drain() == {"performed": 2}


def test_a_drain_makes_at_most_so_many_deliveries(jobs):
    for number in (1, 2, 3):
        place_order.perform_later(number)

    assert jobs.drain(at_most=2).total == 2


def test_a_drain_includes_what_is_scheduled(jobs):
    send_mail.set(wait=timedelta(days=3)).perform_later("ann")

    assert jobs.drain() == {"performed": 1}


def test_a_drain_goes_up_to_an_instant(jobs):
    poll.perform_later()

    tally = jobs.drain(until=jobs.clock.now() + timedelta(seconds=150))

    assert tally == {"performed": 3}


def test_a_drain_counts_by_outcome(jobs):
    for error in (None, "slow", "expired", "broken"):
        Charge.perform_later(1, error=error)

    tally = jobs.drain(raise_errors=False)

    assert tally == {"performed": 1, "retried": 2, "discarded": 1, "exhausted": 1, "failed": 1}


def test_errors_are_raised_or_recorded_by_option(jobs):
    Charge.perform_later(1, error="broken")
    with pytest.raises(LookupError):
        jobs.drain()

    Charge.perform_later(2, error="broken")
    jobs.drain(raise_errors=False)
    assert [type(d.error) for d in jobs.failed] == [LookupError, LookupError]


def test_what_waits_for_a_commit_is_enqueued_by_it():
    waiting = callback("order_placed()")
    stub = StubTransactions(waiting, functions=[lambda: send_mail.perform_later("ann")])
    with Jobs([ReferenceBridge()], transactions=[stub]) as jobs:
        assert len(jobs.enqueued) == 0

        (record,) = jobs.commit()
        assert record.args == ("ann",)


def test_a_scoped_run_leaves_other_jobs_alone(jobs):
    send_mail.perform_later("ann")
    with jobs.capture() as sent:
        place_order.perform_later(1)

    jobs.drain(only=lambda record: record in sent)

    assert [d.record.job for d in jobs.performed] == [place_order]


def test_the_order_of_a_drain_does_not_change(jobs):
    for number in range(20):
        send_mail.perform_later(number)
    jobs.drain()

    assert [d.record.args for d in jobs.performed] == [(number,) for number in range(20)]


def test_the_schedule_of_production_is_checked():
    from pytest_jobs import Schedule
    from pytest_jobs.errors import ScheduleError

    with pytest.raises(ScheduleError, match="every other mondey"):
        Schedule({"mail": {"class": send_mail, "schedule": "every other mondey", "args": ["ann"]}})
