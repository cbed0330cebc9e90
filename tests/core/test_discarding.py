"""`discard_on` drops the job."""

import pytest

from pytest_jobs import Job, discard_on, job


@pytest.mark.parametrize("error", [KeyError, LookupError], ids=["the class", "a base of it"])
def test_a_discarded_job_is_not_retried_and_its_error_is_dealt_with(adapter, error):
    @discard_on(error)
    @job
    def find(key):
        return {}[key]

    payload = find.perform_later("a").payload
    (execution,) = adapter.perform_due()

    assert (execution.status, execution.handled, execution.result) == ("discarded", True, None)
    assert type(execution.error) is KeyError
    assert adapter.pending == []
    (letter,) = adapter.dead
    assert (letter.payload, letter.status, letter.error) == (payload, "discarded", execution.error)


def test_then_is_called_with_the_job_and_the_error(adapter):
    calls = []

    @discard_on(KeyError, then=lambda *given: calls.append(given))
    class Find(Job):
        def perform(self, key):
            return {}[key]

    Find.perform_later("a")
    (execution,) = adapter.perform_due()

    ((job, error),) = calls
    assert (type(job), job.args, error) == (Find, ("a",), execution.error)


def test_an_error_of_then_fails_the_job(adapter):
    def then(job, error):
        raise ValueError("then") from error

    @discard_on(KeyError, then=then)
    @job
    def find(key):
        return {}[key]

    find.perform_later("a")
    (execution,) = adapter.perform_due()

    assert (execution.status, execution.handled, str(execution.error)) == ("failed", False, "then")
