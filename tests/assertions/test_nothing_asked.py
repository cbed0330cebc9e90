"""A criterion that is not given asks nothing; None, () and {} are real expectations."""

import pytest

from pytest_jobs import Job


class Pay(Job):
    queue = "payments"
    priority = 3

    def perform(self, payment_id=None):
        pass


def test_without_criteria_any_job_of_the_class_matches(jobs, assert_enqueued):
    Pay.set(wait=60, queue="low").perform_later(7)

    assert assert_enqueued(Pay).args == (7,)


@pytest.mark.parametrize(
    "criteria",
    [
        {"args": ()},
        {"args": (None,)},
        {"kwargs": {}},
        {"kwargs": {"payment_id": None}},
        {"params": {"payment_id": None}},
        {"queue": None},
        {"priority": None},
        {"at": None},
        {"wait": None},
        {"within": ()},
        {"within": []},
    ],
    ids=str,
)
def test_nothing_is_a_real_expectation(jobs, assert_not_enqueued, criteria):
    Pay.set(wait=60).perform_later(7)

    assert_not_enqueued(Pay, **criteria)


@pytest.mark.parametrize(
    "criteria",
    [
        {"args": ()},
        {"args": (None,)},
        {"kwargs": {}},
        {"params": {"payment_id": None}},
        {"at": None},
        {"wait": None},
        {"within": None},
        {"count": None},
        {"at_least": None, "at_most": None},
    ],
    ids=str,
)
def test_nothing_matches_nothing(jobs, assert_enqueued, criteria):
    Pay.perform_later()

    assert assert_enqueued(Pay, **criteria).sequence == 0
