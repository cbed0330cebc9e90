"""Group W: what ActiveJob's tests expect of looking for one job by its arguments."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from dirty_equals import IsNow

from pytest_jobs import Job, reference


class Many(Job):
    def perform(self, *args, **kwargs):
        pass


class One(Job):
    def perform(self, name="David"):
        pass


class Greet(Job):
    def perform(self, person, *, tone=None, note=None):
        pass


@reference(id="id", find="find")
class Person:
    def __init__(self, id):
        self.id = id

    @classmethod
    def find(cls, id):
        return cls(id)


PARIS = ZoneInfo("Europe/Paris")
TIMES = {
    "zoned": datetime(2030, 1, 2, 12, 0, 0, 123456, tzinfo=PARIS),
    "utc": [datetime(2030, 1, 2, 12, tzinfo=UTC), time(12, 30, tzinfo=UTC)],
    "offset": (
        datetime(2030, 1, 2, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
        date(2030, 1, 2),
    ),
    "naive": {"local": datetime(2030, 1, 2, 12), "for": timedelta(days=1, microseconds=1)},  # noqa: DTZ001
}


@pytest.fixture(params=["in a window", "in the whole test"])
def enqueue(request, jobs):
    """Return a function that enqueues, and returns the criterion that says where to look."""

    def enqueue(job, *args, **kwargs):
        with jobs.capture() as sent:
            job.perform_later(*args, **kwargs)
        return {"within": sent} if request.param == "in a window" else {}

    return enqueue


# Times inside of arguments


def test_w8_times_are_equal_after_the_round_trip(enqueue, assert_enqueued):
    where = enqueue(Many, TIMES, times=[TIMES])

    assert_enqueued(Many, args=[TIMES], kwargs={"times": [TIMES]}, **where)


def test_w8_a_microsecond_is_a_difference(enqueue, assert_not_enqueued):
    where = enqueue(Many, {"at": [TIMES["zoned"]]})
    later = TIMES["zoned"] + timedelta(microseconds=1)

    assert_not_enqueued(Many, args=[{"at": [later]}], **where)


# The order of keywords


def test_w10_the_order_of_keywords_is_no_difference(enqueue, assert_enqueued):
    where = enqueue(Greet, "Ann", tone="calm", note={"a": 1, "b": {"c": 2, "d": 3}})

    note = {"b": {"d": 3, "c": 2}, "a": 1}
    assert_enqueued(Greet, args=["Ann"], kwargs={"note": note, "tone": "calm"}, **where)
    assert_enqueued(Greet, kwargs={"tone": "calm", "note": note, "person": "Ann"}, **where)
    assert_enqueued(Greet, params={"note": note}, **where)


def test_w10_the_order_of_keywords_is_none_where_perform_takes_any(enqueue, assert_enqueued):
    where = enqueue(Many, one=1, two={"b": 2, "a": 1})

    assert_enqueued(Many, kwargs={"two": {"a": 1, "b": 2}, "one": 1}, **where)


def test_w10_text_and_another_key_are_not_mixed_up(jobs, assert_not_enqueued):
    Many.perform_later({"1": "one"})

    assert_not_enqueued(Many, args=[{1: "one"}])


# Records as arguments


def test_w11_a_record_is_compared_by_its_class_and_id(enqueue, assert_enqueued):
    where = enqueue(Greet, Person(5), note=[{"of": Person(6)}])

    assert_enqueued(Greet, args=[Person(5)], kwargs={"note": [{"of": Person(6)}]}, **where)
    assert assert_enqueued(Greet, **where).args == (Person(5),)


def test_w11_another_record_is_shown_as_it_was_found(enqueue, assert_enqueued, failure):
    where = enqueue(Greet, Person(5))

    assert failure(assert_enqueued, Greet, args=[Person(9)], **where).splitlines()[1:6] == [
        "  args  (<Person 9>)",
        "but the only Greet enqueued does not match.",
        "",
        "Closest: #0 Greet(<Person 5>) queue='default'",
        "  args  differs  person: expected <Person 9>, got <Person 5>",
    ]


def test_w11_every_other_candidate_is_shown(jobs, assert_enqueued, failure):
    for number in (5, 6, 7):
        Greet.perform_later(Person(number))

    lines = failure(assert_enqueued, Greet, args=[Person(9)]).splitlines()

    assert lines[2] == "but none of the 3 Greet enqueued matches."
    assert lines[4] == "Closest: #0 Greet(<Person 5>) queue='default'"
    assert lines[7:10] == [
        "Other Greet enqueued:",
        "  #1  args (person=<Person 6>, tone=None, note=None)",
        "  #2  args (person=<Person 7>, tone=None, note=None)",
    ]


# What ActiveJob lets through, or can never find


def test_w17_no_arguments_are_an_expectation(jobs, assert_enqueued, assert_not_enqueued, refusal):
    One.perform_later(None)

    assert_enqueued(One, args=[None])
    assert_not_enqueued(One, args=[])
    assert refusal(assert_enqueued, One, args=None) == (
        "args=None is not a list or tuple of positional arguments."
    )


def test_w17_a_predicate_among_the_arguments_is_refused(jobs, assert_not_enqueued, refusal):
    Many.perform_later([1, 2])

    assert refusal(assert_not_enqueued, Many, args=[[1, lambda value: value == 2]]).startswith(
        "args[0][1] is a function made on the spot"
    )


def test_w17_a_matcher_among_the_arguments_is_asked_at_any_depth(jobs, assert_enqueued):
    Many.perform_later({"at": [datetime.now(UTC)]})

    assert_enqueued(Many, args=[{"at": [IsNow(tz=UTC, delta=timedelta(minutes=1))]}])
