"""`assert_failed` asks for deliveries with which a job ended in failure."""

import pytest

from pytest_jobs import Job, discard_on, retry_on


def give_up(job, error):
    pass


@retry_on(TimeoutError, wait=3, attempts=2)
@retry_on(ConnectionError, wait=3, attempts=1, then=give_up)
@discard_on(KeyError)
class Sync(Job):
    def perform(self, error):
        if error:
            raise {e.__name__: e for e in (TimeoutError, ConnectionError, KeyError, ValueError)}[
                error
            ]("down")


def test_a_job_whose_error_no_rule_knows_failed(jobs, assert_failed):
    Sync.perform_later("ValueError")
    jobs.drain(raise_errors=False)

    delivery = assert_failed(Sync)

    assert (delivery.status, delivery.handled) == ("failed", False)


def test_a_job_that_is_out_of_attempts_failed(jobs, assert_failed):
    Sync.perform_later("TimeoutError")
    jobs.drain(raise_errors=False)

    delivery = assert_failed(Sync, error=TimeoutError("down"))

    assert (delivery.status, delivery.record.attempt) == ("exhausted", 2)


def test_one_that_is_dealt_with_at_the_end_failed_all_the_same(jobs, assert_failed):
    Sync.perform_later("ConnectionError")
    jobs.drain()

    assert assert_failed(Sync).handled


@pytest.mark.parametrize("error", ["KeyError", ""])
def test_a_job_that_was_discarded_or_performed_did_not_fail(jobs, assert_failed, error):
    Sync.perform_later(error)
    jobs.drain()

    assert assert_failed(Sync, count=0) == ()
