"""`where` is a callable that takes the record, or the delivery."""

import operator
from functools import partial

import pytest

from pytest_jobs import Job


class Pay(Job):
    def perform(self, amount):
        return amount * 2


def large(record):
    return record.args[0] > 100


def test_it_is_asked_with_the_record(jobs, assert_enqueued):
    Pay.perform_later(7)
    Pay.perform_later(700)

    assert assert_enqueued(Pay, where=large).args == (700,)


def test_it_is_asked_with_the_delivery(jobs, assert_performed):
    Pay.perform_later(7)
    Pay.perform_later(700)
    jobs.drain()

    assert assert_performed(Pay, where=lambda delivery: delivery.result > 100).result == 1400


def test_anything_true_will_do(jobs, assert_enqueued, assert_not_enqueued):
    Pay.perform_later(7)

    assert_enqueued(Pay, where=lambda record: record.args)
    assert_not_enqueued(Pay, where=lambda record: record.kwargs)


def test_it_is_not_asked_where_another_criterion_fails(jobs, assert_not_enqueued):
    Pay.perform_later("a text")

    assert_not_enqueued(Pay, params={"amount": 7}, where=large)


def test_it_is_not_asked_for_a_message_either(jobs, assert_enqueued, failure):
    Pay.set(queue="low").perform_later("a text")
    Pay.set(queue="low").perform_later("another")

    assert failure(assert_enqueued, Pay, queue="high", where=large).splitlines()[3:12] == [
        "but none of the 2 Pay enqueued matches.",
        "",
        "Closest: #0 Pay('a text') queue='low'",
        "  queue  differs  expected 'high', got 'low'",
        "  where  skipped  asked only where everything else is as expected",
        "",
        "Other Pay enqueued:",
        "  #1  queue 'low'",
        "",
    ]


def test_what_fails_by_it_alone_is_nearer_than_what_it_is_not_asked_of(
    jobs, assert_enqueued, failure
):
    Pay.set(queue="low").perform_later(700)
    Pay.set(queue="high").perform_later(7)

    assert "Closest: #1 Pay(7) queue='high'" in failure(
        assert_enqueued, Pay, queue="high", where=large
    )


@pytest.mark.parametrize("criteria", [{"result": "high"}, {"error": ValueError}])
def test_it_is_asked_after_what_only_deliveries_have(jobs, assert_not_performed, criteria):
    Pay.perform_later("a text")
    jobs.drain()

    assert_not_performed(Pay, where=lambda delivery: delivery.result > 100, **criteria)


def test_its_error_is_raised(jobs, assert_enqueued):
    Pay.perform_later("a text")

    with pytest.raises(TypeError, match="'>' not supported"):
        assert_enqueued(Pay, where=large)


def test_it_is_named_in_the_message(jobs, assert_enqueued, failure):
    Pay.perform_later(7)

    assert failure(assert_enqueued, Pay, where=large).splitlines()[1:6] == [
        "  where  large",
        "but the only Pay enqueued does not match.",
        "",
        "Closest: #0 Pay(7) queue='default'",
        "  where  differs  large returned False",
    ]


def test_one_without_a_name_is_printed(jobs, assert_enqueued, failure):
    Pay.perform_later(7)

    assert failure(assert_enqueued, Pay, where=partial(operator.is_, 7)).splitlines()[1] == (
        "  where  functools.partial(<built-in function is_>, 7)"
    )


@pytest.mark.parametrize("where", [3, "large", None])
def test_what_cannot_be_called_is_refused(jobs, assert_enqueued, refusal, where):
    assert refusal(assert_enqueued, Pay, where=where) == (
        f"where={where!r} is not callable: write a function that takes the record."
    )


def test_a_coroutine_function_is_refused(jobs, assert_enqueued, refusal):
    async def is_large(record):
        return record.args[0] > 100

    assert refusal(assert_enqueued, Pay, where=is_large) == (
        "where=is_large is a coroutine function, and nothing awaits it: write a plain one."
    )
