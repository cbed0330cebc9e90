"""What fails a test fails it inside a job too, whatever the library does with the error."""

import pytest

from pytest_jobs import Job, after_perform, discard_on, job, rescue_from, retry_on
from pytest_jobs.bridges.core.bridge import ReferenceBridge


class Outcome(BaseException):
    """As pytest.fail raises."""


@pytest.fixture
def jobs(sleepless, make_jobs):
    with make_jobs([ReferenceBridge()], outcomes=(AssertionError, Outcome)) as jobs:
        yield jobs


class Check(Job):
    def perform(self, error):
        raise {"assertion": AssertionError, "outcome": Outcome}[error]("not so")


@retry_on(Exception, wait=3, attempts=3)
class Retried(Check):
    pass


@discard_on(Exception)
class Discarded(Check):
    pass


class Rescued(Check):
    @rescue_from(Exception)
    def deal(self, error):
        return "dealt with"


class Coroutine(Job):
    async def perform(self, error):
        raise {"assertion": AssertionError, "outcome": Outcome}[error]("not so")


@retry_on(Exception, wait=3, attempts=3)
class RetriedCoroutine(Coroutine):
    pass


CLASSES = [Check, Retried, Discarded, Rescued, Coroutine, RetriedCoroutine]
VERBS = {
    "perform": lambda jobs: jobs.perform(jobs.pending[0]),
    "perform_due": lambda jobs: jobs.perform_due(),
    "perform_due, no errors": lambda jobs: jobs.perform_due(raise_errors=False),
    "drain": lambda jobs: jobs.drain(),
    "drain, no errors": lambda jobs: jobs.drain(raise_errors=False),
    "run_for": lambda jobs: jobs.run_for(1),
}
TWINS = {
    "aperform": lambda jobs: jobs.aperform(jobs.pending[0]),
    "aperform_due": lambda jobs: jobs.aperform_due(raise_errors=False),
    "adrain": lambda jobs: jobs.adrain(raise_errors=False),
    "arun_for": lambda jobs: jobs.arun_for(1, raise_errors=False),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", CLASSES)
def test_a_failed_assertion_always_comes_out_of_the_verb(jobs, kind, verb):
    kind.perform_later("assertion")
    with pytest.raises(AssertionError, match=r"^not so$") as caught:
        VERBS[verb](jobs)

    assert caught.traceback[-1].name == "perform"
    assert len(jobs.deliveries) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("verb", TWINS)
@pytest.mark.parametrize("kind", CLASSES)
async def test_a_failed_assertion_always_comes_out_of_the_twin(jobs, kind, verb):
    kind.perform_later("assertion")
    with pytest.raises(AssertionError, match=r"^not so$"):
        await TWINS[verb](jobs)

    assert len(jobs.deliveries) == 1


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", CLASSES)
def test_an_outcome_of_the_test_runner_always_comes_out_of_the_verb(jobs, kind, verb):
    kind.perform_later("outcome")
    with pytest.raises(Outcome, match=r"^not so$"):
        VERBS[verb](jobs)

    assert [delivery.status for delivery in jobs.deliveries] == ["failed"]
    assert isinstance(jobs.failed[0].error, Outcome)
    assert jobs.pending == []


@pytest.mark.asyncio
@pytest.mark.parametrize("verb", TWINS)
@pytest.mark.parametrize("kind", [Check, Coroutine])
async def test_an_outcome_of_the_test_runner_always_comes_out_of_the_twin(jobs, kind, verb):
    kind.perform_later("outcome")
    with pytest.raises(Outcome, match=r"^not so$"):
        await TWINS[verb](jobs)

    assert [delivery.status for delivery in jobs.deliveries] == ["failed"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [(Retried, "retried"), (Discarded, "discarded"), (Rescued, "performed"), (Check, "failed")],
)
def test_the_delivery_says_what_the_library_did_with_it(jobs, kind, status):
    kind.perform_later("assertion")
    with pytest.raises(AssertionError):
        jobs.drain()

    assert jobs.deliveries[0].status == status
    assert str(jobs.deliveries[0].error) == "not so"


def test_an_assertion_that_the_job_catches_itself_is_none(jobs):
    @job
    def catches():
        with pytest.raises(AssertionError):
            assert not True

    catches.perform_later()

    assert jobs.drain() == {"performed": 1}


def test_the_rest_stays_pending_after_a_failed_assertion(jobs):
    Retried.perform_later("assertion")
    Check.perform_later("assertion")
    with pytest.raises(AssertionError):
        jobs.drain()

    assert [record.job for record in jobs.pending] == [Check, Retried]


def test_a_failed_assertion_in_a_callback_fails_the_job_by_its_rules(jobs):
    class Careful(Job):
        def perform(self):
            pass

        @after_perform
        def check(self):
            raise AssertionError("in a callback")

    Careful.perform_later()
    with pytest.raises(AssertionError, match=r"^in a callback$"):
        jobs.drain()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_interrupts_pass_through_and_the_record_stays_pending(jobs, error, asynchronous):
    interrupts = [error]

    @retry_on(Exception)
    class Interrupted(Job):
        if asynchronous:

            async def perform(self):
                if interrupts:
                    raise interrupts.pop()
        else:

            def perform(self):
                if interrupts:
                    raise interrupts.pop()

    Interrupted.perform_later()
    with pytest.raises(error):
        jobs.drain()

    assert len(jobs.pending) == 1
    assert jobs.harness.ledger.deliveries == []
    assert jobs.drain() == {"performed": 1}
