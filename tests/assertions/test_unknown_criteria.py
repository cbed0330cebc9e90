"""A criterion that an assertion does not know is refused, and the likely one named."""

import pytest
from asserting import NEGATIVE, POSITIVE

from pytest_jobs import Job


class Pay(Job):
    def perform(self):
        pass


RECORD = "args, at, attempt, kwargs, params, priority, queue, tolerance, wait, where, within"


def test_the_likely_one_is_named(jobs, assert_enqueued, refusal):
    assert refusal(assert_enqueued, Pay, queu="low") == (
        "assert_enqueued() knows no criterion 'queu'; did you mean queue=? It knows args, at, at_least, "
        "at_most, attempt, count, kwargs, params, priority, queue, timeout, tolerance, wait, where, within."
    )


def test_without_a_likely_one_all_are_named(jobs, assert_enqueued, refusal):
    assert refusal(assert_enqueued, Pay, colour="red") == (
        "assert_enqueued() knows no criterion 'colour'. It knows args, at, at_least, at_most, attempt, "
        "count, kwargs, params, priority, queue, timeout, tolerance, wait, where, within."
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("countdown", "wait"),
        ("delay", "wait"),
        ("eta", "at"),
        ("run_at", "at"),
        ("wait_until", "at"),
        ("queue_name", "queue"),
        ("times", "count"),
    ],
)
def test_the_word_of_another_library_is_understood(jobs, assert_enqueued, refusal, name, meant):
    assert refusal(assert_enqueued, Pay, **{name: 60}).startswith(
        f"assert_enqueued() knows no criterion {name!r}; did you mean {meant}=? It knows args, at, "
    )


def test_a_parameter_is_no_criterion_and_the_message_says_how_to_ask_for_it(
    jobs, assert_enqueued, assert_not_performed, refusal
):
    class Refund(Job):
        def perform(self, payment_id):
            pass

    assert refusal(assert_enqueued, Refund, payment_id=7) == (
        "assert_enqueued() knows no criterion 'payment_id', a parameter of Refund: ask for it with "
        "params={'payment_id': ...}."
    )
    assert refusal(assert_not_performed, Refund, payment_id=7).startswith(
        "assert_not_performed() knows no criterion 'payment_id', a parameter of Refund"
    )


def test_an_assertion_about_deliveries_knows_two_more(jobs, assert_failed, refusal):
    assert refusal(assert_failed, Pay, errors=ValueError) == (
        "assert_failed() knows no criterion 'errors'; did you mean error=? It knows args, at, at_least, "
        "at_most, attempt, count, error, kwargs, params, priority, queue, result, tolerance, wait, where, "
        "within."
    )


def test_a_negative_assertion_knows_no_numbers(
    jobs, assert_not_enqueued, assert_not_performed, refusal
):
    assert refusal(assert_not_enqueued, Pay, count=0) == (
        "assert_not_enqueued() knows no count=: it expects none, so there is nothing to count. Leave it out."
    )
    assert refusal(assert_not_performed, Pay, at_most=2) == (
        "assert_not_performed() knows no at_most=: it expects none, so there is nothing to count. Leave it out."
    )


@pytest.mark.parametrize("name", [*POSITIVE, *NEGATIVE])
def test_the_refusal_names_the_assertion(jobs, request, refusal, name):
    assert refusal(request.getfixturevalue(name), Pay, colour="red").startswith(
        f"{name}() knows no criterion 'colour'. It knows args, at, "
    )


def test_a_wrong_call_is_refused_although_no_job_would_match(jobs, assert_not_enqueued, refusal):
    assert refusal(assert_not_enqueued, Pay, queu="low").startswith("assert_not_enqueued() knows")
