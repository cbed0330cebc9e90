"""A test that is wrong inside a job fails, whatever the job's rules say of errors."""

import pytest

from pytest_jobs import Job, assert_enqueued, current_jobs, discard_on, job
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import CriterionError, VerbInsideJobError


@pytest.fixture
def jobs():
    with open_jobs() as jobs:
        yield jobs


def test_a_verb_inside_a_job_is_not_discarded(jobs):
    @discard_on(Exception)
    @job
    def drains():
        current_jobs().drain()

    drains.perform_later()
    with pytest.raises(VerbInsideJobError):
        jobs.drain()

    assert jobs.deliveries[0].status == "discarded"


def test_a_wrong_criterion_inside_a_job_is_not_discarded(jobs):
    @discard_on(Exception)
    @job
    def asserts():
        assert_enqueued(asserts, quue="low")

    asserts.perform_later()
    with pytest.raises(CriterionError, match=r"did you mean queue=\?"):
        jobs.drain()


@pytest.mark.parametrize("verb", ["perform", "redeliver", "result_of"])
def test_a_delivery_is_no_record(jobs, verb):
    job(lambda: None).perform_later()
    jobs.drain()

    with pytest.raises(CriterionError, match=r"is given no record: pass delivery\.record\."):
        getattr(jobs, verb)(jobs.performed[0])
    with pytest.raises(CriterionError, match=r"pass a record, such as jobs\.pending\[0\]"):
        getattr(jobs, verb)(7)


def test_a_method_of_a_job_is_no_job(jobs):
    class Pay(Job):
        def perform(self):
            pass

    with pytest.raises(CriterionError, match="is a method of a job: name Pay itself"):
        assert_enqueued(Pay.perform_later)
