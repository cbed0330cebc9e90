"""More of `exceptions_test`: how long retries wait, and what runs when a job is given up."""

from datetime import timedelta

import pytest

from pytest_jobs import Job, after_discard, discard_on, polynomially_longer, retry_on
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import DeclarationError, WaitError


class FirstError(Exception):
    pass


class SecondError(Exception):
    pass


class Failing(Job):
    errors = (FirstError,)

    def perform(self):
        raise self.errors[(self.attempt - 1) % len(self.errors)]


@pytest.fixture
def chance(monkeypatch):
    """Return a function that says where in its range each wait lies."""
    return lambda share: monkeypatch.setattr(settings, "draw", lambda: share)


def waits(jobs, job):
    job.perform_later()
    jobs.drain(raise_errors=False)
    return [delivery.wait.total_seconds() for delivery in jobs.retried]


@pytest.mark.parametrize(
    ("wait", "expected"),
    [(3600, 3600 * 1.15), (timedelta(hours=1), 3600 * 1.15), (4.5, 4.5 * 1.15)],
)
def test_r8_chance_adds_its_share_to_a_fixed_wait(jobs, chance, wait, expected):
    @retry_on(FirstError, wait=wait, attempts=2, jitter=0.15)
    class Import(Failing): ...

    chance(1)

    assert waits(jobs, Import) == [pytest.approx(expected)]


def test_r9_chance_adds_its_share_to_the_power_of_a_polynomial_wait(jobs, chance):
    @retry_on(FirstError, wait=polynomially_longer, attempts=5, jitter=0.15)
    class Import(Failing): ...

    chance(0.5)

    assert waits(jobs, Import) == pytest.approx(
        [n**4 + 2 + 0.5 * 0.15 * n**4 for n in (1, 2, 3, 4)]
    )


def test_r9_without_chance_a_polynomial_wait_is_known(jobs):
    @retry_on(FirstError, wait=polynomially_longer, attempts=5)
    class Import(Failing): ...

    assert waits(jobs, Import) == [3, 18, 83, 258]


def test_r10_jitter_is_said_by_each_rule(jobs, chance):
    @retry_on(FirstError, wait=polynomially_longer, attempts=5, jitter=1)
    class Import(Failing):
        retry_jitter = 0.5

    chance(1)

    assert waits(jobs, Import) == [4, 34, 164, 514]


def test_r10_a_wait_of_three_seconds_is_longer_with_jitter(jobs, chance):
    @retry_on(FirstError, attempts=2, jitter=0.6)
    class Import(Failing): ...

    chance(0.5)

    assert waits(jobs, Import) == [3.9]


@pytest.mark.parametrize("jitter", [4.0, 1.2, -1.2])
def test_r10_jitter_beyond_the_wait_itself_is_refused(jitter):
    with pytest.raises(DeclarationError, match="write a number from 0 to 1"):
        retry_on(FirstError, jitter=jitter)


def test_r13_each_wait_counts_the_failures_by_its_own_rule(jobs):
    @retry_on(FirstError, wait=polynomially_longer, attempts=3)
    @retry_on(SecondError, wait=lambda failures: failures * 2, attempts=3)
    class Import(Failing):
        errors = (FirstError, SecondError)

    assert waits(jobs, Import) == [3, 2, 18, 4]


@pytest.mark.parametrize("wait", ["soon", None, True, "exponentially_longer"])
def test_r21_what_is_no_wait_is_refused_when_the_job_is_declared(wait):
    with pytest.raises(WaitError, match="which is no wait"):
        retry_on(FirstError, wait=wait)


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        (5, 5),
        (2.5, 2.5),
        (timedelta(minutes=1), 60),
        (polynomially_longer, 3),
        (lambda failures: failures * 9, 9),
        (lambda failures, error: len(str(error)), 5),
    ],
)
def test_r21_numbers_durations_backoffs_and_callables_are_waits(jobs, wait, seconds):
    @retry_on(FirstError, wait=wait, attempts=2)
    class Import(Failing): ...

    with jobs.fail(Import, raising=FirstError("12345")):
        assert waits(jobs, Import) == [seconds]


class Watched(Failing):
    log = []  # noqa: RUF012

    @after_discard
    def given_up(self, error):
        self.log.append(f"given up at {self.attempt}: {type(error).__name__}")


def told(job, error):
    job.log.append(f"told at {job.attempt}")


@pytest.fixture(autouse=True)
def log():
    Watched.log.clear()
    return Watched.log


def test_r20_after_discard_runs_for_an_error_without_a_rule(jobs, log):
    Watched.perform_later()

    with pytest.raises(FirstError):
        jobs.drain()
    assert log == ["given up at 1: FirstError"]
    assert jobs.dead[0].aftermath == ("given_up",)


def test_r20_after_discard_runs_after_then_of_the_last_attempt(jobs, log):
    @retry_on(FirstError, attempts=2, then=told)
    class Import(Watched): ...

    Import.perform_later()

    assert jobs.drain() == {"retried": 1, "exhausted": 1}
    assert log == ["told at 2", "given up at 2: FirstError"]
    assert jobs.dead[0].aftermath == ("told", "given_up")


def test_r20_after_discard_runs_once_though_parent_and_child_have_rules(jobs, log):
    @retry_on(FirstError, attempts=2)
    class Parent(Watched): ...

    @retry_on(FirstError, attempts=5)
    class Child(Parent): ...

    Child.perform_later()

    assert jobs.drain(raise_errors=False) == {"retried": 4, "exhausted": 1}
    assert log == ["given up at 5: FirstError"]


@pytest.mark.parametrize(("then", "first"), [(None, []), (told, ["told at 1"])])
def test_r20_after_discard_runs_for_a_discarded_job_after_then(jobs, log, then, first):
    @discard_on(FirstError, then=then)
    class Import(Watched): ...

    Import.perform_later()

    assert jobs.drain() == {"discarded": 1}
    assert log == [*first, "given up at 1: FirstError"]


def test_r22_an_after_discard_that_raises_does_not_stop_the_others(jobs, log):
    @discard_on(FirstError)
    class Import(Failing):
        @after_discard
        def shout(self, error):
            raise SecondError("shout")

        @after_discard
        def whisper(self, error):
            log.append("whisper")

    Import.perform_later()

    with pytest.raises(SecondError, match="shout"):
        jobs.drain()
    assert log == ["whisper"]
    assert jobs.dead[0].aftermath == ("shout", "whisper")
