"""Group P: what ActiveJob's tests expect of looking for jobs that were performed."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pytest

from pytest_jobs import Job, reference


class Hello(Job):
    def perform(self, *names, keyword=None):
        return names


class Log(Job):
    def perform(self):
        pass


@reference(id="id", find="find")
class Person:
    def __init__(self, id):
        self.id = id

    @classmethod
    def find(cls, id):
        return cls(id)


class Queues(StrEnum):
    DEFAULT = "default"


TOMORROW = datetime(2030, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(params=["in a block", "after the block"])
def perform(request, jobs):
    """Return a function that enqueues and performs, and returns the criterion that says where to look."""

    def perform(configured, *args, **kwargs):
        inline = request.param == "in a block"
        with jobs.inline() if inline else jobs.capture(), jobs.capture() as sent:
            configured.perform_later(*args, **kwargs)
        if not inline:
            jobs.drain()
        return {"within": sent} if inline else {}

    return perform


# Only some are performed


def enqueue_both():
    Hello.set(queue="some").perform_later()
    Log.set(queue="other").perform_later()


@pytest.mark.parametrize(
    "filters",
    [
        {"only": Hello},
        {"only": [Hello]},
        {"exclude": Log},
        {"exclude": [Log]},
        {"queue": "some"},
        {"only": [Hello, Log], "queue": "some"},
        {"exclude": [Log], "queue": ["some", "other"]},
    ],
)
def test_p12_only_what_fits_is_performed_and_the_rest_stays(
    jobs, assert_performed, assert_not_performed, filters
):
    with jobs.inline(**filters):
        enqueue_both()

    assert_performed(Hello)
    assert_not_performed(Log)
    assert [record.job for record in jobs.pending] == [Log]


@pytest.mark.parametrize(
    ("expected", "performed", "lines"),
    [
        (1, 0, ["Expected exactly 1 Hello performed", "but no job was performed."]),
        (5, 1, ["Expected exactly 5 Hello performed", "but 1 matches:"]),
        (1, 2, ["Expected exactly 1 Hello performed", "but 2 match:"]),
    ],
)
def test_p12_another_number_says_both(jobs, assert_performed, failure, expected, performed, lines):
    for _ in range(performed):
        Hello.perform_later()
    Log.perform_later()
    if performed:
        jobs.drain(only=Hello)

    assert failure(assert_performed, Hello, count=expected).splitlines()[:2] == lines


# None is performed


@pytest.mark.parametrize(
    ("filters", "hello_is_left"),
    [
        ({"only": Log}, True),
        ({"exclude": Hello}, True),
        ({"queue": "other"}, True),
        ({"only": [Log], "queue": "other"}, True),
        ({"exclude": [Hello], "queue": "other"}, True),
        ({}, False),
    ],
)
@pytest.mark.parametrize("verb", ["inline", "drain"])
def test_p13_what_does_not_fit_is_not_performed(
    jobs, assert_not_performed, failure, filters, hello_is_left, verb
):
    with jobs.inline(**filters) if verb == "inline" else jobs.capture():
        enqueue_both()
    if verb == "drain":
        jobs.drain(**filters)

    if hello_is_left:
        assert_not_performed(Hello)
        assert_not_performed(queue="some")
    else:
        assert failure(assert_not_performed, Hello).splitlines()[:3] == [
            "Expected no Hello performed",
            "but 1 was performed:",
            "  #0 Hello() performed",
        ]


def test_p13_nothing_at_all_is_performed(jobs, assert_not_performed, failure):
    enqueue_both()
    assert_not_performed()

    jobs.drain()
    assert failure(assert_not_performed).splitlines()[:2] == [
        "Expected no job performed",
        "but 2 were performed:",
    ]


# One job


def test_p14_the_delivery_is_returned(perform, assert_performed):
    where = perform(Hello, 1, 2, keyword=True)

    delivery = assert_performed(Hello, queue="default", **where)

    assert delivery.status == "performed"
    assert (delivery.record.job, delivery.record.queue) == (Hello, "default")
    assert (delivery.record.args, delivery.record.kwargs) == ((1, 2), {"keyword": True})
    assert delivery.record.due_at is None


def test_p14_a_queue_may_be_named_by_an_enum(perform, assert_performed):
    where = perform(Hello)

    assert_performed(Hello, queue=Queues.DEFAULT, **where)


@pytest.mark.parametrize(
    ("criteria", "line"),
    [
        ({"queue": "low"}, "  queue  differs  expected 'low', got 'default'"),
        ({"priority": 10}, "  priority  differs  expected 10, got 5"),
    ],
)
def test_p14_another_queue_or_priority_is_shown(perform, assert_performed, failure, criteria, line):
    where = perform(Hello.set(priority=5))

    assert failure(assert_performed, Hello, **criteria, **where).splitlines()[4:6] == [
        "Closest: #0 Hello() performed",
        line,
    ]


def test_p14_another_job_is_not_the_one(perform, assert_performed, failure):
    where = perform(Hello)

    assert "but no Log was performed" in failure(assert_performed, Log, **where)


# When


def test_p15_a_job_is_performed_when_it_is_due(noon, jobs, assert_performed, failure):
    Hello.set(at=TOMORROW).perform_later()
    jobs.drain()

    assert assert_performed(Hello, at=TOMORROW, tolerance=timedelta(0)).record.due_at == TOMORROW
    assert failure(assert_performed, Hello, at=noon).splitlines()[5] == (
        "  at  differs  expected 2030-01-01 12:00:00+00:00 (+-1s), got 2030-01-02 12:00:00+00:00, 1d later"
    )


def test_p15_a_wait_is_over_when_it_is_performed(noon, jobs, assert_performed, failure):
    Hello.set(wait=timedelta(minutes=5)).perform_later("five")
    Hello.set(wait=timedelta(minutes=2)).perform_later("two")
    jobs.drain()

    assert_performed(Hello, args=["five"], at=noon + timedelta(minutes=5))
    assert "at    differs" in failure(
        assert_performed, Hello, args=["two"], at=noon + timedelta(minutes=1)
    )


def test_p15_a_job_that_is_performed_before_its_time_began_when_it_did(
    noon, jobs, assert_performed
):
    Hello.set(at=TOMORROW).perform_later()
    jobs.perform(jobs.pending[0])

    assert assert_performed(Hello, at=noon).record.due_at == TOMORROW


# Arguments and other jobs


def test_p16_times_and_records_are_equal_after_the_round_trip(perform, assert_performed):
    values = {"at": [TOMORROW, (TOMORROW.date(), TOMORROW.time())], "for": timedelta(days=1)}
    where = perform(Hello, values, Person(5), keyword={"b": 2, "a": Person(6)})

    assert_performed(
        Hello, args=[values, Person(5)], kwargs={"keyword": {"a": Person(6), "b": 2}}, **where
    )


def test_p16_another_record_is_shown_as_it_was_found(perform, assert_performed, failure):
    where = perform(Hello, Person(5))

    assert failure(assert_performed, Hello, args=[Person(9)], **where).splitlines()[4:6] == [
        "Closest: #0 Hello(<Person 5>) performed",
        "  args  differs  names: expected (<Person 9>,), got (<Person 5>,)",
    ]


def test_p16_nothing_was_performed(jobs, assert_performed, failure):
    Hello.perform_later()

    assert failure(assert_performed, Log).splitlines()[1] == "but no job was performed."


def test_p16_other_jobs_are_named(jobs, assert_performed, failure):
    Hello.perform_later()
    jobs.drain()

    assert failure(assert_performed, Log).splitlines()[1] == (
        "but no Log was performed, only other jobs: 1 Hello."
    )


# Looking changes nothing


def test_p17_assertions_take_nothing_away(jobs, assert_performed):
    for name in ("one", "two"):
        with jobs.inline(), jobs.capture() as sent:
            Hello.perform_later(name)
        assert_performed(Hello, args=[name], within=sent)

    assert (len(jobs.pending), len(jobs.performed)) == (0, 2)
