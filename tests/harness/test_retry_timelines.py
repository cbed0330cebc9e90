"""The retries of a job as a timeline: what it says, and its text."""

from datetime import timedelta

import pytest

from pytest_jobs import Job, job, polynomially_longer, retry_on, sidekiq_backoff
from pytest_jobs.harness.records.delivery import Delivery
from pytest_jobs.harness.running.timeline import RetryTimeline


class Unavailable(Exception):
    pass


@retry_on(Unavailable, wait=polynomially_longer, attempts=5)
class Charge(Job):
    def perform(self):
        pass


@retry_on(Unavailable, wait=sidekiq_backoff, attempts=26)
class Sidekiq(Charge):
    pass


@retry_on(Unavailable, wait=lambda failures: 30, attempts=3)
class Steady(Charge):
    pass


@retry_on(Unavailable, wait=lambda failures: 0, attempts=3)
class AtOnce(Charge):
    pass


class Plain(Job):
    def perform(self):
        pass


def test_a_timeline_as_text(jobs):
    timeline = jobs.simulate_retries(Charge, raising=Unavailable("down"))

    assert str(timeline) == (
        "Charge: exhausted after 5 attempts in 6m 2s\n"
        "attempt  starts   waits                                                   ends\n"
        "1        +0s      3s (3s to 3.15s)              #                         retried: Unavailable: down\n"
        "2        +3s      18s (18s to 20.4s)            ##                        retried: Unavailable: down\n"
        "3        +21s     1m 23s (1m 23s to 1m 35.15s)  ########                  retried: Unavailable: down\n"
        "4        +1m 44s  4m 18s (4m 18s to 4m 56.4s)   ########################  retried: Unavailable: down\n"
        "5        +6m 2s   -                                                       exhausted: Unavailable: down"
    )


@pytest.mark.parametrize(
    ("kind", "error", "options", "text"),
    [
        (
            Steady,
            Unavailable,
            {"succeed_on": 3},
            (
                "Steady: performed after 3 attempts in 1m\n"
                "attempt  starts  waits                            ends\n"
                "1        +0s     30s    ########################  retried: Unavailable\n"
                "2        +30s    30s    ########################  retried: Unavailable\n"
                "3        +1m     -                                performed"
            ),
        ),
        (
            Plain,
            Unavailable("a\nb"),
            {},
            (
                "Plain: failed after 1 attempt in 0s\n"
                "attempt  starts  waits    ends\n"
                "1        +0s     -        failed: Unavailable: a"
            ),
        ),
        (
            AtOnce,
            Unavailable,
            {},
            (
                "AtOnce: exhausted after 3 attempts in 0s\n"
                "attempt  starts  waits    ends\n"
                "1        +0s     0s       retried: Unavailable\n"
                "2        +0s     0s       retried: Unavailable\n"
                "3        +0s     -        exhausted: Unavailable"
            ),
        ),
    ],
    ids=["without chance", "one attempt", "without waits"],
)
def test_a_timeline_without_chance_or_waits_as_text(jobs, kind, error, options, text):
    assert str(jobs.simulate_retries(kind, raising=error, **options)) == text


def test_a_timeline_prints_its_headline(jobs):
    timeline = jobs.simulate_retries(Sidekiq, raising=Unavailable)

    assert timeline.headline == "Sidekiq: exhausted after 26 attempts in 20d 9h 49m"
    assert repr(timeline) == "<RetryTimeline Sidekiq: exhausted after 26 attempts in 20d 9h 49m>"


def test_attempts_are_compared_by_value_and_are_read_only(jobs, noon):
    one = jobs.simulate_retries(Steady, raising=Unavailable("x")).attempts
    other = jobs.simulate_retries(Steady, raising=one[0].error).attempts

    assert one[0].wait == other[0].wait
    with pytest.raises(AttributeError):
        one[0].number = 2


def test_a_timeline_can_be_made_of_any_deliveries(make_record):
    second = 1_000_000_000
    deliveries = [
        Delivery(make_record(attempt=1), 0, "snoozed", wait_ns=90 * second),
        Delivery(make_record(attempt=2, queue=None), 90 * second, "crashed"),
    ]
    timeline = RetryTimeline("job", deliveries)

    assert timeline.waits == [timedelta(seconds=90)]
    assert (timeline.status, timeline.attempts[1].queue) == ("crashed", None)
    assert str(timeline) == (
        "job: crashed after 2 attempts in 1m 30s\n"
        "attempt  starts   waits                             ends\n"
        "1        +0s      1m 30s  ########################  snoozed\n"
        "2        +1m 30s  -                                 crashed"
    )


def test_a_local_job_is_drawn_by_its_own_name(jobs):
    @job
    def send_receipt():
        pass

    timeline = jobs.simulate_retries(send_receipt, raising=Unavailable)

    assert timeline.headline == "send_receipt: failed after 1 attempt in 0s"
