"""What was enqueued and what became of it can be looked at, and printed."""

from __future__ import annotations

from datetime import UTC, datetime

from pytest_jobs import Jobs, VirtualClock
from shop.gateway import GatewayTimeout
from shop.jobs import ProcessPayment
from shop.models import Customer, Order

DEAD = """\
dead: 2
#  job             arguments  attempt  status     at                         again in  error
3  ProcessPayment  1          1        failed     2096-02-26 17:30:00+00:00  -         CardDeclined: declined
5  ProcessPayment  2          1        discarded  2096-02-26 17:30:00+00:00  -         CardExpired: expired"""


def test_there_is_a_view_for_each_question(jobs: Jobs, customer: Customer) -> None:
    Order.place(customer, 4200)
    Order.place(customer, 99, card="expired")
    Order.place(customer, 800, card="declined")
    jobs.fail(ProcessPayment, raising=GatewayTimeout, times=1)

    jobs.perform_due(raise_errors=False)

    assert [delivery.record.args for delivery in jobs.retried] == [(1,)]
    assert [delivery.record.args for delivery in jobs.discarded] == [(2,)]
    assert [delivery.record.args for delivery in jobs.failed] == [(3,)]
    assert list(jobs.dead) == [*jobs.discarded, *jobs.failed]
    assert len(jobs.deliveries) == len(jobs.performed) + 3
    assert [record.job for record in jobs.scheduled] == [ProcessPayment]


def test_a_view_prints_as_a_table(jobs: Jobs, jobs_clock: VirtualClock, customer: Customer) -> None:
    jobs_clock.move_to(datetime(2096, 2, 26, 17, 30, tzinfo=UTC))
    Order.place(customer, 4200, card="declined")
    Order.place(customer, 99, card="expired")

    jobs.perform_due(raise_errors=False)

    assert str(jobs.dead) == DEAD


def test_the_fixture_has_a_second_name(job_harness: Jobs, jobs: Jobs) -> None:
    assert job_harness is jobs
