"""The cases of ActiveJob's `exceptions_test` and `rescue_test`: which errors are retried, and for how long."""

import pytest

from pytest_jobs import (
    Job,
    RecordNotFoundError,
    before_enqueue,
    discard_on,
    hookimpl,
    hooks,
    reference,
    rescue_from,
    retry_on,
)
from pytest_jobs.errors import DeclarationError, DeserializationError


class FirstError(Exception):
    pass


class SecondError(Exception):
    pass


class Flaky(Job):
    """Raises one error after the other, then succeeds."""

    errors = ()
    log = []  # noqa: RUF012

    def perform(self, name="customer"):
        if self.attempt <= len(self.errors):
            raise self.errors[self.attempt - 1](f"attempt {self.attempt}")
        self.log.append(f"performed {name}")


@pytest.fixture(autouse=True)
def log():
    Flaky.log.clear()
    return Flaky.log


def note(job, error):
    job.log.append(f"{type(error).__name__} of {job.args}")


def test_r3_two_errors_of_one_rule_share_its_counter(jobs):
    @retry_on(FirstError, SecondError, attempts=4)
    class Import(Flaky):
        errors = (FirstError, FirstError, FirstError, SecondError)

    Import.perform_later()

    with pytest.raises(SecondError, match="attempt 4"):
        jobs.drain()
    assert [d.status for d in jobs.deliveries] == ["retried"] * 3 + ["exhausted"]


def test_r4_each_rule_has_a_counter_of_its_own(jobs, log):
    @retry_on(FirstError, attempts=5)
    @retry_on(SecondError, attempts=4)
    class Import(Flaky):
        errors = (FirstError,) * 4 + (SecondError,) * 3

    Import.perform_later()

    assert jobs.drain() == {"retried": 7, "performed": 1}
    assert log == ["performed customer"]


def test_r6_a_discarded_job_runs_once_and_raises_nothing(jobs, log):
    @discard_on(FirstError)
    @discard_on(SecondError, then=note)
    class Import(Flaky): ...

    for error in (FirstError, SecondError):
        with jobs.fail(Import, raising=error):
            Import.perform_later(error.__name__)
            assert jobs.drain() == {"discarded": 1}
    assert log == ["SecondError of ('SecondError',)"]


def test_r7_then_deals_with_the_last_error_and_sees_the_arguments(jobs, log):
    @retry_on(FirstError, attempts=2, then=note)
    class Import(Flaky):
        errors = (FirstError, FirstError)

    Import.perform_later("supplier")

    assert jobs.drain() == {"retried": 1, "exhausted": 1}
    assert log == ["FirstError of ('supplier',)"]


def test_r14_a_rule_holds_for_the_second_of_its_errors_too(jobs):
    @retry_on(KeyError, FirstError)
    class Retried(Flaky):
        errors = (FirstError,)

    @discard_on(KeyError, SecondError)
    class Discarded(Flaky):
        errors = (SecondError,)

    Retried.perform_later()
    Discarded.perform_later()

    assert jobs.drain() == {"retried": 1, "discarded": 1, "performed": 1}


def test_r15_arguments_that_cannot_be_read_are_retried_by_rule(jobs, log):
    @retry_on(DeserializationError, attempts=5, then=note)
    class Import(Flaky): ...

    Import.perform_later().payload.arguments = "?"

    assert jobs.drain() == {"retried": 4, "exhausted": 1}
    assert log == ["DeserializationError of ()"]


def test_r16_without_a_limit_of_attempts_it_goes_on(jobs, log):
    @retry_on(FirstError, attempts=None)
    class Import(Flaky):
        errors = (FirstError,) * 9

    Import.perform_later()

    assert jobs.drain() == {"retried": 9, "performed": 1}
    assert log == ["performed customer"]


def test_r18_a_retry_runs_no_enqueue_callbacks_that_could_fail_it(jobs, log):
    @retry_on(FirstError)
    class Import(Flaky):
        errors = (FirstError,)

        @before_enqueue
        def refuse_retries(self):
            self.log.append(f"enqueued attempt {self.attempt}")

    Import.perform_later()
    jobs.drain()

    assert log == ["enqueued attempt 1", "performed customer"]


def test_r19_a_lifecycle_plugin_is_told_the_errors_of_retries_and_discards(jobs):
    class Reporter:
        def __init__(self):
            self.reports = []

        @hookimpl
        def job_finished(self, job, execution):
            self.reports.append((execution.status, type(execution.error)))

    @retry_on(FirstError)
    @discard_on(SecondError)
    class Import(Flaky):
        errors = (FirstError, SecondError)

    reporter = Reporter()
    with hooks.using(reporter):
        Import.perform_later()
        jobs.drain()

    assert reporter.reports == [("retried", FirstError), ("discarded", SecondError)]


def test_r23_a_rescued_job_can_ask_for_its_next_attempt_itself(jobs):
    class Import(Flaky):
        errors = (FirstError,)

        @rescue_from(FirstError)
        def try_again(self, error):
            self.retry(wait=10, queue="rq", priority=7)

    Import.perform_later()
    jobs.perform_due()

    (copy,) = jobs.pending
    assert (copy.wait.seconds, copy.queue, copy.priority, copy.attempt) == (10, "rq", 7, 2)
    assert copy.payload.failures is None


def test_r24_a_rescued_retry_takes_the_arguments_as_they_were_sent(jobs):
    class Import(Job):
        def perform(self, names):
            names.append("changed")
            raise FirstError

        @rescue_from(FirstError)
        def try_again(self, error):
            self.args = (["other"],)
            self.retry()

    Import.perform_later(["a"])
    jobs.perform_due(children=False)

    assert jobs.pending[0].args == (["a"],)


def test_r24_an_error_that_no_rule_rescues_is_raised(jobs):
    class Import(Flaky):
        errors = (SecondError,)

        @rescue_from(FirstError)
        def rescue(self, error):
            self.log.append("rescued")

    Import.perform_later()

    with pytest.raises(SecondError):
        jobs.drain()
    assert jobs.dead[0].status == "failed"


def test_r24_what_is_no_exception_is_not_rescued(jobs):
    with pytest.raises(DeclarationError, match="ends the worker and is no error of the job"):
        rescue_from(KeyboardInterrupt)

    class Import(Flaky):
        errors = (KeyboardInterrupt,)

        @rescue_from(Exception)
        def rescue(self, error):
            self.log.append("rescued")

    Import.perform_later()
    with pytest.raises(KeyboardInterrupt):
        jobs.drain()
    assert len(jobs.pending) == 1


@reference(id="number", find="find")
class Person:
    def __init__(self, number):
        self.number = number

    @classmethod
    def find(cls, number):
        raise LookupError(f"no person {number}")


@pytest.mark.parametrize(
    "argument",
    [Person(7), [Person(7)], {"who": [{"is": Person(7)}]}],
    ids=["alone", "in a list", "deeper"],
)
def test_r24_a_missing_record_is_told_with_its_cause_at_any_depth(jobs, argument):
    class Import(Job):
        seen = []  # noqa: RUF012

        @rescue_from(DeserializationError)
        def look(self, error):
            self.seen.append(error)

        def perform(self, person): ...

    Import.perform_later(argument)
    jobs.drain()

    (error,) = Import.seen
    assert type(error) is RecordNotFoundError
    assert str(error.__cause__) == "no person 7"


def test_r25_the_cause_of_an_error_is_looked_at_too(jobs, log):
    @discard_on(SecondError, then=note)
    class Import(Job):
        log = Flaky.log

        def perform(self):
            raise FirstError from SecondError()

    Import.perform_later()

    assert jobs.drain() == {"discarded": 1}
    assert log == ["SecondError of ()"]
    assert type(jobs.discarded[0].error) is FirstError


def test_r26_the_rule_of_a_subclass_stands_before_an_inherited_one(jobs):
    @discard_on(FirstError)
    class Base(Flaky):
        errors = (FirstError,)

    @retry_on(FirstError)
    class Import(Base): ...

    Import.perform_later()
    Base.perform_later()

    assert jobs.drain() == {"retried": 1, "performed": 1, "discarded": 1}
