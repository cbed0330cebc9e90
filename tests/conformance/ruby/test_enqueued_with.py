"""Group W: what ActiveJob's tests expect of looking for one job. Its arguments have a file of their own."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pytest
from dirty_equals import FunctionCheck

from pytest_jobs import Job
from pytest_jobs.errors import NaiveDatetimeError


class Hello(Job):
    def perform(self, name="David"):
        return f"{name} says hello"


class Many(Job):
    def perform(self, *args, **kwargs):
        pass


class Log(Job):
    def perform(self):
        pass


class Queues(StrEnum):
    DEFAULT = "default"


TOMORROW = datetime(2030, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(params=["in a window", "in the whole test"])
def enqueue(request, jobs):
    """Return a function that enqueues, and returns the criterion that says where to look."""

    def enqueue(configured, *args, **kwargs):
        with jobs.capture() as sent:
            configured.perform_later(*args, **kwargs)
        return {"within": sent} if request.param == "in a window" else {}

    return enqueue


# What is not asked may be anything


def test_w1_a_schedule_that_is_not_asked_is_no_difference(enqueue, assert_enqueued):
    where = enqueue(Hello.set(wait=timedelta(minutes=5)))

    assert_enqueued(Hello, queue="default", **where)
    assert_enqueued(Hello, queue=Queues.DEFAULT, **where)


# The job is returned


def test_w2_the_job_is_returned_with_its_time_and_queue(noon, enqueue, assert_enqueued):
    where = enqueue(Many.set(wait=timedelta(minutes=5)), 1, 2, 3, keyword=True)

    record = assert_enqueued(Many, **where)

    assert (record.job, record.queue) == (Many, "default")
    assert record.due_at == noon + timedelta(minutes=5)
    assert (record.args, record.kwargs) == ((1, 2, 3), {"keyword": True})


# Another job, another time to look


def test_w3_another_job_in_the_window_is_not_the_one(jobs, assert_enqueued, failure):
    with jobs.capture() as sent:
        Log.perform_later()

    assert failure(assert_enqueued, Hello, within=sent).splitlines()[:2] == [
        "Expected exactly 1 Hello enqueued inside `within`",
        "but no Hello was enqueued there, only other jobs: 1 Log.",
    ]


def test_w3_a_job_before_the_window_is_not_inside_it(jobs, assert_enqueued, failure):
    Hello.perform_later("before")
    with jobs.capture() as sent:
        pass

    assert failure(assert_enqueued, Hello, within=sent).splitlines()[1:4] == [
        "but no job was enqueued there.",
        "",
        (
            "Hint: #0 Hello('before') matches, but lies outside of `within`: was it enqueued before or "
            "after the window?"
        ),
    ]


# Another queue


def test_w4_another_queue_is_shown(jobs, assert_enqueued, failure):
    Hello.perform_later()

    assert failure(assert_enqueued, Hello, queue="low").splitlines() == [
        "Expected exactly 1 Hello enqueued with",
        "  queue  'low'",
        "but the only Hello enqueued does not match.",
        "",
        "Closest: #0 Hello() queue='default'",
        "  queue  differs  expected 'low', got 'default'",
        "",
        (
            "Next: correct the queue of the job, or the one that is chosen when it is enqueued, or the "
            "expectation."
        ),
        "See: docs/reference/messages.md#other-queue",
    ]


# A criterion that does not exist


@pytest.mark.parametrize("name", ["class", "job_class"])
def test_w5_an_unknown_criterion_is_refused(enqueue, assert_enqueued, refusal, name):
    where = enqueue(Hello)

    assert refusal(assert_enqueued, Hello, **{name: Hello}, **where).startswith(
        f"assert_enqueued() knows no criterion {name!r}"
    )


# A predicate for everything


@pytest.mark.parametrize("answer", [True, False])
@pytest.mark.parametrize("name", ["args", "params", "queue", "priority", "at"])
def test_w6_each_criterion_takes_a_matcher(noon, enqueue, assert_enqueued, failure, name, answer):
    where = enqueue(Hello.set(at=TOMORROW, priority=5), "Ann")
    asked = []

    def ask(value):
        asked.append(value)
        return answer

    matcher = FunctionCheck(ask)
    expected = {"args": [matcher], "params": {"name": matcher}}.get(name, matcher)

    if answer:
        assert_enqueued(Hello, **{name: expected}, **where)
    else:
        assert f"  {name}  differs" in failure(assert_enqueued, Hello, **{name: expected}, **where)
    actual = {"args": "Ann", "params": "Ann", "queue": "default", "priority": 5, "at": TOMORROW}
    assert set(asked) == {actual[name]}


def test_w6_a_matcher_of_the_time_sees_that_there_is_none(jobs, assert_enqueued):
    Hello.perform_later()

    assert_enqueued(Hello, at=FunctionCheck(lambda at: at is None))


def test_w6_a_predicate_of_everything_is_where(jobs, assert_enqueued, failure):
    Hello.perform_later("Ann")

    assert_enqueued(Hello, where=lambda record: record.job is Hello and record.args == ("Ann",))
    assert "where  differs" in failure(assert_enqueued, Hello, where=lambda record: record.kwargs)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("args", "args is a function made on the spot"),
        ("queue", "No job has queue=<function"),
        ("priority", "No job has priority=<function"),
        ("at", "at=<function"),
        ("wait", "wait=<function"),
    ],
)
def test_w6_a_bare_predicate_is_refused_elsewhere(jobs, assert_not_enqueued, refusal, name, said):
    Hello.perform_later("Ann")

    text = refusal(assert_not_enqueued, Hello, **{name: lambda value: value})

    assert text.startswith(said)


# When it is due


def test_w9_an_instant_is_the_one_that_was_asked_for(enqueue, assert_enqueued):
    where = enqueue(Hello.set(at=TOMORROW))

    assert_enqueued(Hello, at=TOMORROW, tolerance=timedelta(0), **where)


def test_w9_a_wait_is_an_instant_by_the_real_clock_too(enqueue, assert_enqueued):
    before = datetime.now(UTC)
    where = enqueue(Hello.set(wait=timedelta(minutes=5)))
    taken = datetime.now(UTC) - before

    assert_enqueued(Hello, at=before + timedelta(minutes=5), tolerance=taken, **where)
    assert_enqueued(Hello, wait=timedelta(minutes=5), tolerance=timedelta(0), **where)


# Only other jobs


def test_w12_other_jobs_are_named(jobs, assert_enqueued, failure):
    Hello.perform_later()
    Hello.perform_later()
    Log.perform_later()

    assert failure(assert_enqueued, Many).splitlines()[:2] == [
        "Expected exactly 1 Many enqueued",
        "but no Many was enqueued, only other jobs: 2 Hello, 1 Log.",
    ]


# Looking changes nothing


def test_w14_an_assertion_takes_no_job_away(jobs, assert_enqueued):
    Hello.perform_later("one")
    Hello.perform_later("two")

    assert_enqueued(Hello, args=["one"])
    assert_enqueued(Hello, count=2)

    assert [record.args for record in jobs.pending] == [("one",), ("two",)]


# One is performed, the other is looked for


@pytest.mark.parametrize("options", [{}, {"at": TOMORROW}])
def test_w15_what_was_left_out_is_still_enqueued(noon, jobs, assert_enqueued, options):
    with jobs.capture() as sent:
        Hello.set(**options).perform_later()
        Log.set(**options).perform_later()
        jobs.drain(only=Hello)

    assert_enqueued(Log, within=sent)
    assert [record.job for record in jobs.pending] == [Log]
    assert [delivery.record.job for delivery in jobs.performed] == [Hello]


# What ActiveJob lets through, or can never find


@pytest.mark.parametrize("off", [-0.9, 0, 0.9])
def test_w17_less_than_a_second_off_is_found(noon, jobs, assert_enqueued, off):
    Hello.set(at=TOMORROW).perform_later()

    assert_enqueued(Hello, at=TOMORROW + timedelta(seconds=off))


@pytest.mark.parametrize("off", [-1.5, 1.5])
def test_w17_more_than_a_second_off_is_not(noon, jobs, assert_not_enqueued, off):
    Hello.set(at=TOMORROW).perform_later()

    assert_not_enqueued(Hello, at=TOMORROW + timedelta(seconds=off))


@pytest.mark.parametrize(
    "at", [TOMORROW.timestamp(), int(TOMORROW.timestamp()), TOMORROW.date(), "2030-01-02"]
)
def test_w17_what_is_no_instant_is_refused(noon, jobs, assert_not_enqueued, refusal, at):
    Hello.set(at=TOMORROW).perform_later()

    assert refusal(assert_not_enqueued, Hello, at=at) == (
        f"at={at!r} is no instant: write an aware datetime, or wait= for a delay."
    )


def test_w17_an_instant_without_a_zone_is_refused(noon, jobs, assert_not_enqueued):
    Hello.set(at=TOMORROW).perform_later()

    with pytest.raises(NaiveDatetimeError):
        assert_not_enqueued(Hello, at=TOMORROW.replace(tzinfo=None))


def test_w17_none_is_an_expectation(jobs, assert_enqueued, failure):
    Hello.set(wait=5).perform_later()

    for name in ("at", "wait"):
        assert f"  {name}  differs  expected None" in failure(
            assert_enqueued, Hello, **{name: None}
        )
    assert_enqueued(Hello, priority=None)
