"""`error` is what the job raised: a class, an exception, or a matcher."""

from unittest.mock import ANY

import pytest
from dirty_equals import HasAttributes, IsInstance

from pytest_jobs import Job, discard_on


class Refused(Exception):
    def __init__(self, code, reason="none"):
        super().__init__(code, reason)
        self.code = code


class Expired(Refused):
    pass


class Pay(Job):
    def perform(self, error_class, code):
        raise {"refused": Refused, "expired": Expired}[error_class](code)


@discard_on(Refused)
class Dropped(Pay):
    pass


def fail(jobs, *arguments, job=Pay):
    job.perform_later(*arguments)
    jobs.drain(raise_errors=False)


def test_a_class_matches_its_errors(jobs, assert_failed):
    fail(jobs, "refused", 5)

    assert assert_failed(Pay, error=Refused).error.code == 5


def test_a_class_matches_errors_of_subclasses(jobs, assert_failed):
    fail(jobs, "expired", 5)

    assert_failed(Pay, error=Refused)
    assert_failed(Pay, error=Exception)


def test_another_class_does_not_match(jobs, assert_failed, failure):
    fail(jobs, "refused", 5)

    assert failure(assert_failed, Pay, error=Expired).splitlines()[1:6] == [
        "  error  Expired",
        "but the only Pay failed does not match.",
        "",
        "Closest: #0 Pay('refused', 5) failed: Refused: (5, 'none')",
        "  error  differs  expected Expired, got Refused: (5, 'none')",
    ]


def test_an_exception_matches_one_of_its_class_and_arguments(jobs, assert_failed):
    fail(jobs, "refused", 5)

    assert_failed(Pay, error=Refused(5))


@pytest.mark.parametrize("error", [Refused(6), Expired(5), Refused(5, "other")])
def test_an_exception_of_another_class_or_arguments_does_not_match(jobs, assert_failed, error):
    fail(jobs, "refused", 5)

    with pytest.raises(AssertionError):
        assert_failed(Pay, error=error)


def test_a_matcher_is_compared(jobs, assert_failed):
    fail(jobs, "refused", 5)

    assert_failed(Pay, error=ANY)
    assert_failed(Pay, error=IsInstance(Refused))
    assert_failed(Pay, error=IsInstance(Refused) & HasAttributes(code=5))


def test_none_is_a_delivery_without_an_error(jobs, assert_performed, assert_not_performed):
    class Ping(Job):
        def perform(self):
            pass

    Ping.perform_later()
    jobs.drain()

    assert_performed(Ping, error=None)
    assert_not_performed(Ping, error=ValueError)
    assert_not_performed(Ping, error=ValueError("x"))


def test_a_delivery_without_an_error_says_none(jobs, assert_performed, failure):
    class Ping(Job):
        def perform(self):
            pass

    Ping.perform_later()
    jobs.drain()

    assert failure(assert_performed, Ping, error=ValueError).splitlines()[5] == (
        "  error  differs  expected ValueError, got None"
    )


def test_a_discarded_job_has_its_error(jobs, assert_discarded):
    fail(jobs, "refused", 5, job=Dropped)

    assert_discarded(Dropped, error=Refused(5))


@pytest.mark.parametrize("error", [int, "no such payment", 404, (Refused, Expired)])
def test_what_is_no_exception_is_refused(jobs, assert_failed, refusal, error):
    assert refusal(assert_failed, Pay, error=error) == (
        f"error={error!r} is not an exception: write a class such as ValueError, an exception, or a matcher."
    )
