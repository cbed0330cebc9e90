"""`assert_not_enqueued` fails when there is such a job; without a job, when there is any."""

from pytest_jobs import Job, retry_on


@retry_on(TimeoutError, wait=3)
class Pay(Job):
    def perform(self, payment_id):
        if self.attempt == 1:
            raise TimeoutError


class Other(Job):
    def perform(self):
        pass


def test_it_returns_nothing(jobs, assert_not_enqueued):
    assert assert_not_enqueued(Pay) is None
    assert assert_not_enqueued() is None


def test_another_job_does_not_matter(jobs, assert_not_enqueued):
    Other.perform_later()

    assert_not_enqueued(Pay)


def test_a_job_that_was_performed_was_enqueued(jobs, assert_not_enqueued, failure):
    Pay.perform_later(7)
    jobs.drain()

    assert failure(assert_not_enqueued, Pay).startswith(
        "Pay(7) was enqueued, and none was expected.\nExpected no Pay enqueued\nbut 1 was "
    )


def test_without_a_job_no_job_may_be_enqueued(jobs, assert_not_enqueued, failure):
    Other.perform_later()

    assert failure(assert_not_enqueued).splitlines()[1:4] == [
        "Expected no job enqueued",
        "but 1 was enqueued:",
        "  #0 Other() queue='default'",
    ]


def test_criteria_narrow_it(jobs, assert_not_enqueued, failure):
    Pay.perform_later(7)

    assert_not_enqueued(Pay, params={"payment_id": 8})
    assert failure(assert_not_enqueued, Pay, params={"payment_id": 7}).splitlines()[1:4] == [
        "Expected no Pay enqueued with",
        "  params  payment_id=7",
        "but 1 was enqueued:",
    ]


def test_retries_count_when_an_attempt_is_asked(jobs, assert_not_enqueued, failure):
    Pay.perform_later(7)
    jobs.drain()

    assert_not_enqueued(Pay, wait=3)
    assert failure(assert_not_enqueued, Pay, attempt=2).splitlines()[3:5] == [
        "but 1 was enqueued:",
        "  #1 Pay(7) queue='default' wait=3s attempt=2",
    ]


def test_it_is_no_look_at_the_other_jobs(jobs, assert_not_enqueued):
    Other.perform_later()
    assert_not_enqueued(Pay)

    assert not jobs.harness.ledger.records[0].seen
