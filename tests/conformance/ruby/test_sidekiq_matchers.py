"""The matchers of rspec-sidekiq, asked as assertions."""

import fnmatch
from datetime import UTC, datetime, timedelta
from unittest.mock import ANY
from zoneinfo import ZoneInfo

import pytest

from pytest_jobs import Job, job, later, reference, retry_on
from pytest_jobs.errors import CriterionError

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@job(queue="mailers")
def remind(user_id: int, text: str = "", *, tags: list | None = None) -> None: ...


@job
def gather(*items) -> None: ...


@retry_on(ConnectionError, wait=60, attempts=3)
class Sync(Job):
    def perform(self, name):
        raise ConnectionError(f"no route to {name}")


@pytest.fixture(autouse=True)
def _noon(jobs):
    jobs.clock.move_to(NOON)


def test_d16_a_block_without_the_job_fails_and_jobs_outside_do_not_count(
    jobs, assert_enqueued, assert_not_enqueued
):
    remind.perform_later(1)
    with jobs.capture() as sent:
        gather.perform_later()

    with pytest.raises(AssertionError, match="remind"):
        assert_enqueued(remind, within=sent)
    assert_not_enqueued(remind, within=sent)
    with pytest.raises(AssertionError):
        assert_not_enqueued(gather, within=sent)


def test_d16_arguments_are_compared_as_they_arrive(jobs, assert_enqueued, assert_not_enqueued):
    remind.perform_later(1, "late", tags=["a", {"b": [2]}])

    assert_enqueued(remind, args=[1, "late"], kwargs={"tags": ["a", {"b": [2]}]})
    assert_not_enqueued(remind, args=[1, "late"])
    assert_not_enqueued(remind, args=["late", 1], kwargs={"tags": ANY})


def test_d16_matchers_may_stand_at_any_depth(jobs, assert_enqueued):
    remind.perform_later(1, "late", tags=["a", {"b": [2.0001]}])

    assert_enqueued(
        remind, args=[ANY, "late"], kwargs={"tags": ["a", {"b": [pytest.approx(2, abs=0.01)]}]}
    )


def test_d16_one_list_is_told_from_several_arguments(jobs, assert_enqueued):
    gather.perform_later(1, 2)

    with pytest.raises(AssertionError) as caught:
        assert_enqueued(gather, args=[[1, 2]])
    assert "args" in str(caught.value)
    assert_enqueued(gather, args=[1, 2])


def test_d16_a_queue_is_that_of_the_job_or_of_the_call(jobs, assert_enqueued):
    remind.perform_later(1)
    remind.set(queue="low").perform_later(2)

    assert assert_enqueued(remind, queue="mailers").args == (1,)
    assert assert_enqueued(remind, queue="low").args == (2,)


def test_d16_a_time_is_matched_to_the_second_or_as_exactly_as_asked(
    jobs, assert_enqueued, assert_not_enqueued
):
    due = NOON + timedelta(hours=1)
    remind.set(at=due + timedelta(milliseconds=900)).perform_later(1)

    assert_enqueued(remind, at=due)
    assert_enqueued(remind, at=due + timedelta(minutes=5), tolerance=timedelta(minutes=10))
    assert_not_enqueued(remind, at=due, tolerance=timedelta(0))
    assert_not_enqueued(remind, at=due + timedelta(seconds=9))
    assert_not_enqueued(remind, at=None)


def test_d16_an_interval_is_elapsed_time_also_over_a_change_of_the_clocks(jobs, assert_enqueued):
    night = jobs.clock.move_to(datetime(2030, 3, 30, 12, tzinfo=ZoneInfo("Europe/Warsaw")))
    remind.set(wait=timedelta(days=1)).perform_later(1)

    record = assert_enqueued(remind, wait=timedelta(days=1), tolerance=timedelta(0))
    assert record.due_at == night + timedelta(hours=24)
    assert record.due_at.astimezone(ZoneInfo("Europe/Warsaw")).hour == 13


def test_d16_a_job_for_now_is_told_from_a_scheduled_one_though_its_time_is_past(
    jobs, assert_enqueued
):
    remind.perform_later(1)
    remind.set(wait=60).perform_later(2)
    remind.set(at=NOON - timedelta(hours=1)).perform_later(3)

    assert assert_enqueued(remind, at=None).args == (1,)
    assert assert_enqueued(remind, at=NOON - timedelta(hours=1)).args == (3,)
    assert [record.args for record in jobs.scheduled] == [(2,)]
    assert jobs.perform_due() == {"performed": 2}


def test_d16_whatever_else_a_record_says_is_asked_by_a_callable(jobs, assert_enqueued):
    remind.perform_later(1, tags=["a"])

    record = assert_enqueued(
        remind, where=lambda record: record.attempt == 1 and record.params["tags"] == ["a"]
    )
    assert record.headers == {}


@pytest.mark.parametrize("criteria", [{"count": 1, "at_least": 1}, {"retry": 3}])
def test_d16_what_is_asked_twice_or_is_no_criterion_is_refused(jobs, assert_enqueued, criteria):
    remind.perform_later(1)

    with pytest.raises((CriterionError, TypeError)):
        assert_enqueued(remind, **criteria)


def test_d16_never_may_be_asked_with_arguments(jobs, assert_enqueued, assert_not_enqueued):
    remind.perform_later(1)

    assert_not_enqueued(remind, params={"user_id": 2})
    assert assert_enqueued(remind, params={"user_id": 2}, count=0) == ()
    with pytest.raises(AssertionError):
        assert_not_enqueued(remind, params={"user_id": 1})


@pytest.mark.parametrize(
    ("number", "holds"),
    [
        ({}, False),
        ({"count": 3}, True),
        ({"count": 2}, False),
        ({"at_least": 3}, True),
        ({"at_least": 4}, False),
        ({"at_most": 3}, True),
        ({"at_most": 2}, False),
        ({"at_least": 1, "at_most": 5}, True),
    ],
    ids=str,
)
def test_d16_one_is_expected_unless_another_number_is_asked(jobs, assert_enqueued, number, holds):
    for user_id in (1, 2, 3):
        remind.perform_later(user_id)

    if holds:
        assert len(assert_enqueued(remind, **number)) == 3
    else:
        with pytest.raises(AssertionError):
            assert_enqueued(remind, **number)


@reference(id="name", find="named")
class Mailer:
    def __init__(self, name):
        self.name = name

    @classmethod
    def named(cls, name):
        return cls(name)

    def welcome(self, user_id): ...

    welcome_later = later(welcome, queue="mailers")


def test_d16_a_mail_that_is_sent_later_is_a_job_by_its_own_name_and_nothing_wraps_it(
    jobs, assert_enqueued
):
    Mailer("shop").welcome_later(7)

    record = assert_enqueued(Mailer.welcome_later, params={"user_id": 7}, queue="mailers")
    assert record.name == f"{__name__}.Mailer.welcome_later"
    assert record.args[0].id == "shop"


def test_d16_the_sets_of_scheduled_retried_and_dead_jobs_can_be_asked(
    jobs, assert_retried, assert_failed
):
    Sync.perform_later("customers")
    Sync.set(wait=3600).perform_later("orders")
    jobs.perform_due()

    assert [r.args for r in jobs.scheduled] == [("orders",), ("customers",)]
    assert_retried(Sync, error=ConnectionError("no route to customers"), attempt=1)
    jobs.drain(raise_errors=False)

    dead = assert_failed(Sync, args=["orders"], error=ConnectionError, attempt=3)
    assert dead.at == NOON + timedelta(seconds=3600 + 120)
    matching = [
        letter for letter in jobs.dead if fnmatch.fnmatch(letter.record.payload.arguments, "*cust*")
    ]
    assert [letter.record.args for letter in matching] == [("customers",)]
    died_within = [d for d in jobs.dead if jobs.clock.now() - d.at <= timedelta(minutes=30)]
    assert died_within == [dead]
