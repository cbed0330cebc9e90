"""`assert_not_performed` fails when a delivery of such a job succeeded; without a job, of any."""

from pytest_jobs import Job


class Pay(Job):
    def perform(self, payment_id):
        if payment_id < 0:
            raise ValueError(payment_id)
        return payment_id * 2


def test_it_returns_nothing(jobs, assert_not_performed):
    assert assert_not_performed(Pay) is None
    assert assert_not_performed() is None


def test_a_pending_job_was_not_performed(jobs, assert_not_performed):
    Pay.perform_later(7)

    assert_not_performed(Pay)


def test_a_failed_job_was_not_performed(jobs, assert_not_performed):
    Pay.perform_later(-1)
    jobs.drain(raise_errors=False)

    assert_not_performed(Pay)
    assert_not_performed()


def test_a_delivery_that_succeeded_is_shown(jobs, assert_not_performed, failure):
    Pay.perform_later(7)
    jobs.drain()

    assert failure(assert_not_performed, Pay).startswith(
        "Pay(7) was performed, and none was expected.\nExpected no Pay performed\nbut 1 was "
    )
    assert failure(assert_not_performed).splitlines()[1] == "Expected no job performed"


def test_criteria_narrow_it(jobs, noon, assert_not_performed, failure):
    Pay.perform_later(7)
    jobs.drain()

    assert_not_performed(Pay, result=15)
    assert_not_performed(Pay, error=ValueError)
    assert failure(assert_not_performed, Pay, result=14, at=noon).splitlines()[1:6] == [
        "Expected no Pay performed with",
        "  at      2030-01-01 12:00:00+00:00 (+-1s)",
        "  result  14",
        "but 1 was performed:",
        "  #0 Pay(7) performed",
    ]
