"""Expectations are compared from the left, so matchers work at any depth."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from unittest.mock import ANY

import pytest
from dirty_equals import Contains, IsDatetime, IsDict, IsInt, IsOneOf, IsPositive, IsStr

from pytest_jobs import Job, job


class Ship(Job):
    queue = "shipping"
    priority = 4

    def perform(self, order, weight=0.0):
        return {"order": order, "weight": weight}


ORDER = {"id": 7, "items": [{"sku": "a", "price": 0.1 + 0.2}, {"sku": "b", "price": 2.5}]}


@pytest.fixture
def shipped(jobs):
    Ship.perform_later(ORDER, 0.1 + 0.2)


@pytest.mark.parametrize(
    "criteria",
    [
        {"args": (ANY, ANY)},
        {"args": (ANY,), "kwargs": {"weight": pytest.approx(0.3)}},
        {"params": {"weight": pytest.approx(0.3)}},
        {"params": {"order": {"id": ANY, "items": ANY}}},
        {"params": {"order": {"id": 7, "items": [ANY, {"sku": "b", "price": 2.5}]}}},
        {"args": (IsDict(id=IsInt).settings(partial=True), ANY)},
        {"params": {"order": {"id": IsPositive, "items": Contains({"sku": "b", "price": 2.5})}}},
        {
            "params": {
                "order": {
                    "id": 7,
                    "items": [{"sku": IsStr, "price": pytest.approx(0.3)}, ANY],
                }
            }
        },
        {"queue": IsStr(regex="ship.*")},
        {"queue": IsOneOf("shipping", "mailers")},
        {"priority": IsOneOf(3, 4)},
        {"attempt": IsInt},
        {"at": ANY, "wait": ANY},
    ],
    ids=str,
)
def test_a_matcher_matches(shipped, assert_enqueued, criteria):
    assert_enqueued(Ship, **criteria)


@pytest.mark.parametrize(
    "criteria",
    [
        {"args": (ANY, pytest.approx(0.4))},
        {"params": {"weight": IsStr}},
        {"params": {"order": {"id": ANY}}},
        {"params": {"order": {"id": 7, "items": [ANY]}}},
        {"queue": IsStr(regex="mail.*")},
        {"priority": IsOneOf(1, 2)},
        {"at": IsDatetime},
    ],
    ids=str,
)
def test_a_matcher_that_does_not_match_does_not(shipped, assert_not_enqueued, criteria):
    assert_not_enqueued(Ship, **criteria)


def test_instants_can_be_matched(jobs, noon, assert_enqueued):
    Ship.set(wait=60).perform_later(ORDER)

    assert_enqueued(Ship, at=IsDatetime(approx=noon + timedelta(seconds=61), delta=2))


def test_results_can_be_matched(shipped, jobs, assert_performed):
    jobs.drain()

    assert_performed(Ship, result={"order": ANY, "weight": pytest.approx(0.3)})


def test_the_expectation_is_asked_first(jobs, assert_enqueued):
    asked = []

    class Asked:
        def __eq__(self, other):
            asked.append(other)
            return True

        __hash__ = None

    @job
    def send(when, amount):
        pass

    when, amount = datetime(2030, 1, 1, tzinfo=UTC), Decimal("1.5")
    send.perform_later([when], amount)
    assert_enqueued(send, args=([Asked()], Asked()))

    assert asked == [when, amount]


def test_a_matcher_is_shown_as_it_prints(shipped, assert_enqueued, failure):
    text = failure(
        assert_enqueued, Ship, params={"weight": IsInt, "order": ANY}, queue=IsStr(max_length=3)
    )

    assert text.splitlines()[:8] == [
        "Expected exactly 1 Ship enqueued with",
        "  params  weight=IsInt, order=<ANY>",
        "  queue   IsStr(max_length=3)",
        "but the only Ship enqueued does not match.",
        "",
        "Closest: #0 Ship({'id': 7, ...}, 0.30000000000000004) queue='shipping'",
        "  params  differs  weight: expected IsInt, got 0.30000000000000004",
        "  queue   differs  expected IsStr(max_length=3), got 'shipping'",
    ]
