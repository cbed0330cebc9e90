"""`params` are some of the arguments, by parameter name."""

import pytest

from pytest_jobs import Job, job


class Pay(Job):
    def perform(self, payment_id, currency="EUR"):
        pass


class Log(Job):
    def perform(self, *lines, **fields):
        pass


def test_the_other_arguments_do_not_matter(jobs, assert_enqueued):
    Pay.perform_later(7, currency="USD")
    Pay.perform_later(8, currency="USD")

    assert assert_enqueued(Pay, params={"payment_id": 7}).args == (7,)


def test_how_an_argument_was_passed_is_no_difference(jobs, assert_enqueued):
    Pay.perform_later(7, "USD")
    Pay.perform_later(currency="USD", payment_id=7)

    assert len(assert_enqueued(Pay, params={"currency": "USD", "payment_id": 7}, count=2)) == 2


def test_a_default_that_was_not_passed_counts(jobs, assert_enqueued):
    Pay.perform_later(7)

    assert_enqueued(Pay, params={"currency": "EUR"})


def test_no_parameters_match_any_job(jobs, assert_enqueued):
    Pay.perform_later(7)

    assert_enqueued(Pay, params={})


def test_params_and_args_can_both_be_asked(jobs, assert_enqueued, assert_not_enqueued):
    Pay.perform_later(7, "USD")

    assert_enqueued(Pay, args=(7, "USD"), params={"currency": "USD"})
    assert_not_enqueued(Pay, args=(7, "USD"), params={"currency": "EUR"})


def test_a_further_keyword_has_its_own_name(jobs, assert_enqueued, assert_not_enqueued):
    Log.perform_later("a", "b", level=3)

    assert_enqueued(Log, params={"level": 3})
    assert_enqueued(Log, params={"lines": ("a", "b")})
    assert_not_enqueued(Log, params={"level": 4})
    assert_not_enqueued(Log, params={"size": None})


def test_a_further_keyword_that_was_not_given_says_so(jobs, assert_enqueued, failure):
    Log.perform_later(level=3)
    Log.perform_later(level=4)

    assert failure(assert_enqueued, Log, params={"size": 1}).splitlines()[:9] == [
        "Expected exactly 1 Log enqueued with",
        "  params  size=1",
        "but none of the 2 Log enqueued matches.",
        "",
        "Closest: #0 Log(level=3) queue='default'",
        "  params  differs  size: expected 1, not given",
        "",
        "Other Log enqueued:",
        "  #1  params not given",
    ]


def test_an_unknown_parameter_is_refused(jobs, assert_enqueued, refusal):
    assert refusal(assert_enqueued, Pay, params={"payment": 7}) == (
        "Pay has no parameter 'payment', so params={'payment': ...} can match nothing: name the parameters "
        "as `perform` does."
    )


def test_an_unknown_parameter_is_refused_in_a_negative_assertion_too(
    jobs, assert_not_performed, refusal
):
    @job
    def send(to):
        pass

    assert refusal(assert_not_performed, send, params={"from": "ann"}) == (
        "send has no parameter 'from', so params={'from': ...} can match nothing: name the parameters "
        "as `perform` does."
    )


@pytest.mark.parametrize("params", [7, "abc", ["payment_id"], None])
def test_params_that_are_no_mapping_are_refused(jobs, assert_enqueued, refusal, params):
    assert refusal(assert_enqueued, Pay, params=params) == (
        f"params={params!r} is not a dict of arguments by parameter name."
    )
