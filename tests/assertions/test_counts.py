"""Exactly one job matches, unless `count`, `at_least` or `at_most` says otherwise."""

import pytest

from pytest_jobs import Delivery, Job, JobRecord


class Pay(Job):
    def perform(self, payment_id):
        pass


def enqueue(number):
    for payment_id in range(number):
        Pay.perform_later(payment_id)


def test_one_match_is_returned_itself(jobs, assert_enqueued):
    enqueue(1)

    record = assert_enqueued(Pay)

    assert type(record) is JobRecord
    assert record is jobs.enqueued[0]


def test_one_delivery_is_returned_itself(jobs, assert_performed):
    enqueue(1)
    jobs.drain()

    delivery = assert_performed(Pay)

    assert type(delivery) is Delivery
    assert delivery is jobs.deliveries[0]


def test_no_match_fails(jobs, assert_enqueued):
    with pytest.raises(AssertionError):
        assert_enqueued(Pay)


def test_two_matches_fail_and_say_how_to_ask_for_more(jobs, assert_enqueued, failure):
    enqueue(2)

    assert failure(assert_enqueued, Pay).splitlines()[-2] == (
        "Next: write count=, at_least= or at_most= if several are right, or narrow it with another criterion."
    )


def test_counted_matches_are_returned_as_a_tuple_in_order(jobs, assert_enqueued):
    enqueue(3)

    records = assert_enqueued(Pay, count=3)

    assert type(records) is tuple
    assert records == tuple(jobs.enqueued)


@pytest.mark.parametrize("criteria", [{"count": 1}, {"at_least": 1}, {"at_most": 1}])
def test_one_counted_match_is_a_tuple_too(jobs, assert_enqueued, criteria):
    enqueue(1)

    assert assert_enqueued(Pay, **criteria) == (jobs.enqueued[0],)


@pytest.mark.parametrize("criteria", [{"count": 0}, {"at_least": 0}, {"at_most": 1}])
def test_no_match_can_be_right(jobs, assert_performed, criteria):
    assert assert_performed(Pay, **criteria) == ()


#: Which numbers of jobs are admitted.
PASSES = [
    ({"count": 3}, [3]),
    ({"count": 0}, [0]),
    ({"at_least": 2}, [2, 3, 4]),
    ({"at_least": 0}, [0, 1, 2, 3, 4]),
    ({"at_most": 2}, [0, 1, 2]),
    ({"at_most": 0}, [0]),
    ({"at_least": 1, "at_most": 3}, [1, 2, 3]),
]


@pytest.mark.parametrize("number", range(5))
def test_a_number_is_admitted_or_not(jobs, assert_enqueued, number):
    enqueue(number)
    for criteria, admitted in PASSES:
        try:
            found = assert_enqueued(Pay, **criteria)
        except AssertionError:
            found = None

        assert (found is not None) == (number in admitted), criteria
        assert found is None or len(found) == number


def test_criteria_are_counted_together(jobs, assert_enqueued):
    enqueue(3)
    Pay.set(queue="low").perform_later(9)

    assert len(assert_enqueued(Pay, queue="default", count=3)) == 3


@pytest.mark.parametrize(
    ("criteria", "text"),
    [
        ({}, "1"),
        ({"count": 4}, "4"),
        ({"at_least": 4}, "at least 4"),
        ({"at_most": 1}, "at most 1"),
        ({"at_least": 3, "at_most": 4}, "3 to 4"),
        ({"at_least": 3, "at_most": 3}, "3"),
        ({"at_least": 0, "at_most": 1}, "at most 1"),
    ],
)
def test_the_number_is_named(jobs, assert_enqueued, failure, criteria, text):
    enqueue(2)

    assert failure(assert_enqueued, Pay, **criteria).splitlines()[:2] == [
        f"2 Pay were enqueued, not {text}.",
        f"Expected {'exactly ' if text.isdecimal() else ''}{text} Pay enqueued",
    ]


@pytest.mark.parametrize("name", ["count", "at_least", "at_most"])
@pytest.mark.parametrize("value", [-1, 1.0, "2", True])
def test_what_is_no_number_of_jobs_is_refused(jobs, assert_enqueued, refusal, name, value):
    assert refusal(assert_enqueued, Pay, **{name: value}) == (
        f"{name}={value!r} is not a number of jobs: write an int of at least 0."
    )


@pytest.mark.parametrize("further", [{"at_least": 1}, {"at_most": 1}, {"at_least": 0}])
def test_a_count_and_a_bound_are_refused(jobs, assert_enqueued, refusal, further):
    assert refusal(assert_enqueued, Pay, count=1, **further) == (
        "count= says exactly how many: leave at_least= and at_most= out."
    )


def test_bounds_that_exclude_each_other_are_refused(jobs, assert_enqueued, refusal):
    assert refusal(assert_enqueued, Pay, at_least=3, at_most=2) == (
        "at_least=3 is more than at_most=2: no number of jobs is both, so swap them."
    )


@pytest.mark.parametrize("name", ["count", "at_least", "at_most"])
def test_a_negative_assertion_counts_nothing(jobs, assert_not_enqueued, refusal, name):
    assert refusal(assert_not_enqueued, Pay, **{name: 0}).startswith(
        f"assert_not_enqueued() knows no {name}=: it expects none"
    )


def test_of_very_many_jobs_the_last_ones_are_compared_and_the_failure_says_so(
    jobs, assert_enqueued
):
    enqueue(10_002)
    with pytest.raises(AssertionError, match=r"None of 10002 Pay is as asked") as caught:
        assert_enqueued(Pay, args=(-1,))

    assert "\nClosest of the last 10000: #2 " in str(caught.value)
