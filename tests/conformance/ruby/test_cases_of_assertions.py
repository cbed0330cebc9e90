"""What the tests of ActiveJob and of the matchers for RSpec ask of assertions, and no other test of ours.

The cases that other tests of ours answer are in `cases.md`.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import pytest
from dirty_equals import HasAttributes
from tables import each_row

import pytest_jobs
from pytest_jobs import InlineAdapter, Job, TestAdapter, configure, reference
from pytest_jobs.errors import NoHarnessError


class Hello(Job):
    def perform(self, *args, **kwargs):
        return args


class Note(Job):
    def perform(self):
        pass


class Queues(StrEnum):
    LOW = "low"


@reference(id="id", find="find")
class Account:
    def __init__(self, id):
        self.id = id

    @classmethod
    def find(cls, id):
        return cls(id)


@each_row("adapter", [InlineAdapter, TestAdapter])
@each_row("name", ["enqueued", "not_enqueued", "performed", "retried", "failed"])
def test_p20_an_assertion_needs_a_harness_whatever_the_adapter(adapter, name):
    assertion = getattr(pytest_jobs, f"assert_{name}")

    with configure(adapter=adapter()), pytest.raises(NoHarnessError, match="No harness is open"):
        assertion(Hello)


def test_e7_e10_all_but_a_job_in_a_queue_are_told_by_where(jobs, assert_not_enqueued, failure):
    for queue in ("some", "other"):
        Hello.set(queue=queue).perform_later()
    Note.set(queue="some").perform_later()

    assert_not_enqueued(where=lambda record: record.job not in (Hello, Note))
    assert failure(
        assert_not_enqueued, queue="some", where=lambda record: record.job is not Note
    ).splitlines()[4:6] == ["but 1 was enqueued:", "  #0 Hello() queue='some'"]


def test_e11_w1_m7_p14_d7_a_queue_may_be_named_by_an_enum(jobs, assert_enqueued, assert_performed):
    Hello.set(queue=Queues.LOW).perform_later()
    Hello.perform_later()

    assert assert_enqueued(Hello, queue=Queues.LOW) is assert_enqueued(Hello, queue="low")
    assert jobs.drain(queue=Queues.LOW) == {"performed": 1}
    assert assert_performed(Hello, queue=Queues.LOW).record.queue == "low"
    assert [type(record.queue) for record in jobs.enqueued] == [str, str]


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
def test_w6_a_bare_predicate_is_refused(jobs, assert_not_enqueued, refusal, name, said):
    Hello.perform_later("Ann")

    text = refusal(assert_not_enqueued, Hello, **{name: lambda value: value})

    assert text.startswith(said)


def test_w8_a_microsecond_inside_of_arguments_is_a_difference(jobs, assert_not_enqueued):
    at = datetime(2030, 1, 2, 12, 0, 0, 123456, tzinfo=ZoneInfo("Europe/Paris"))
    Hello.perform_later({"at": [at]})

    assert_not_enqueued(Hello, args=[{"at": [at + timedelta(microseconds=1)]}])


def test_w9_a_wait_is_an_instant_by_the_real_clock_too(jobs, assert_enqueued):
    before = datetime.now(UTC)
    Hello.set(wait=timedelta(minutes=5)).perform_later()
    taken = datetime.now(UTC) - before

    assert_enqueued(Hello, at=before + timedelta(minutes=5), tolerance=taken)
    assert_enqueued(Hello, wait=timedelta(minutes=5), tolerance=timedelta(0))


def test_w10_text_and_another_key_are_not_mixed_up(jobs, assert_not_enqueued):
    Hello.perform_later({"1": "one"})

    assert_not_enqueued(Hello, args=[{1: "one"}])


def test_w14_p17_assertions_take_no_job_away(jobs, assert_enqueued, assert_performed):
    for name in ("one", "two"):
        Hello.perform_later(name)
    assert_enqueued(Hello, args=["one"])
    assert_enqueued(Hello, count=2)
    assert len(jobs.pending) == 2

    jobs.drain()
    assert_performed(Hello, args=["one"])
    assert_performed(Hello, count=2)
    assert len(jobs.performed) == 2


def test_m2_the_same_job_enqueued_twice_counts_twice(jobs, assert_enqueued):
    hello = Hello.new(1)
    hello.enqueue()
    hello.enqueue()

    first, second = assert_enqueued(Hello, count=2)
    assert first.job_id == second.job_id
    assert first.sequence < second.sequence


def test_m9_a_matcher_sees_what_a_record_is_named_by(jobs, assert_enqueued):
    Hello.perform_later(Account(7))

    assert_enqueued(Hello, args=[HasAttributes(cls=Account)])


def test_m9_d16_a_list_is_not_its_elements(jobs, assert_enqueued, assert_not_enqueued):
    Hello.perform_later([1, 2])
    assert_not_enqueued(Hello, args=[1, 2])

    Hello.perform_later(1, 2)
    assert assert_enqueued(Hello, args=[1, 2]).sequence == 1


def test_m12_m15_the_failure_of_a_function_that_asserts_is_shown(
    jobs, assert_enqueued, assert_performed
):
    Hello.perform_later("asdf")
    jobs.drain()

    def check(found):
        assert found is None, "no qwer"

    for assertion in (assert_enqueued, assert_performed):
        with pytest.raises(AssertionError, match="no qwer"):
            assertion(Hello, where=check)


def test_d16_an_interval_is_elapsed_time_also_over_a_change_of_the_clocks(jobs, assert_enqueued):
    warsaw = ZoneInfo("Europe/Warsaw")
    night = jobs.clock.move_to(datetime(2030, 3, 30, 12, tzinfo=warsaw))
    Hello.set(wait=timedelta(days=1)).perform_later(1)

    record = assert_enqueued(Hello, wait=timedelta(days=1), tolerance=timedelta(0))
    assert record.due_at == night + timedelta(hours=24)
    assert record.due_at.astimezone(warsaw).hour == 13
