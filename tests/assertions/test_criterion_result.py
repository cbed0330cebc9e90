"""`result` is what the job returned."""

import pytest

from pytest_jobs import Job, rescue_from


class Double(Job):
    def perform(self, value):
        return None if value is None else value * 2


class Rescued(Job):
    def perform(self):
        raise ValueError("no")

    @rescue_from(ValueError)
    def say(self, error):
        return f"rescued from {error}"


def test_the_result_matches(jobs, assert_performed, assert_not_performed):
    Double.perform_later(2)
    Double.perform_later(3)
    jobs.drain()

    assert assert_performed(Double, result=6).record.args == (3,)
    assert_not_performed(Double, result=5)


def test_none_is_a_real_expectation(jobs, assert_performed):
    Double.perform_later(2)
    Double.perform_later(None)
    jobs.drain()

    assert assert_performed(Double, result=None).record.args == (None,)


def test_the_result_of_a_rescue_matches(jobs, assert_performed):
    Rescued.perform_later()
    jobs.drain()

    assert_performed(Rescued, result="rescued from no")


def test_both_results_are_shown(jobs, assert_performed, failure):
    Double.perform_later(2)
    jobs.drain()

    assert failure(assert_performed, Double, result=5).splitlines()[1:6] == [
        "  result  5",
        "but the only Double performed does not match.",
        "",
        "Closest: #0 Double(2) performed",
        "  result  differs  expected 5, got 4",
    ]


@pytest.mark.parametrize("name", ["assert_enqueued", "assert_not_enqueued"])
def test_a_job_that_is_only_enqueued_has_none(jobs, request, refusal, name):
    assertion = request.getfixturevalue(name)

    assert refusal(assertion, Double, result=4) == (
        f"{name}() knows no criterion 'result', which only deliveries have: ask for it with assert_performed(), "
        "say."
    )
