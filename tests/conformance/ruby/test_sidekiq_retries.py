"""The cases of Sidekiq's `retry_test`, `retry_exhausted_test` and `dead_set_test`."""

from datetime import UTC, datetime, timedelta

import pytest

from pytest_jobs import Job, after_discard, discard_on, hookimpl, hooks, retry_on, sidekiq_backoff

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Down(Exception):
    pass


class Failing(Job):
    """Fails on the attempts that it is told."""

    log = []  # noqa: RUF012

    def perform(self, *attempts):
        if not attempts or self.attempt in attempts:
            raise Down(f"attempt {self.attempt}")


@pytest.fixture(autouse=True)
def log(monkeypatch):
    monkeypatch.setattr(Failing, "log", [])
    return Failing.log


def drained(jobs, job, *arguments):
    job.perform_later(*arguments)
    return dict(jobs.drain(raise_errors=False))


def test_d12_a_job_without_a_rule_is_not_retried_and_is_a_dead_letter(jobs, log):
    class Plain(Failing):
        @after_discard
        def given_up(self, error):
            log.append(str(error))

    assert drained(jobs, Plain) == {"failed": 1}
    assert log == ["attempt 1"]
    assert len(jobs.dead) == 1


def test_d12_two_retries_are_three_attempts(jobs):
    @retry_on(Down, attempts=3)
    class Twice(Failing): ...

    assert drained(jobs, Twice) == {"retried": 2, "exhausted": 1}


def test_d12_no_retry_is_one_attempt_and_a_dead_letter(jobs):
    @retry_on(Down, attempts=1)
    class Never(Failing): ...

    assert drained(jobs, Never) == {"exhausted": 1}
    assert jobs.dead[0].record.attempt == 1


def test_d12_retries_are_limited_by_attempts_and_not_by_time():
    with pytest.raises(TypeError, match="unexpected keyword argument 'retry_for'"):
        retry_on(Down, retry_for=3600)


def test_d12_a_limit_for_all_jobs_is_the_rule_of_a_base(jobs):
    @retry_on(Exception, attempts=2)
    class Base(Failing): ...

    class Import(Base): ...

    assert drained(jobs, Import) == {"retried": 1, "exhausted": 1}


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no message")


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (Unprintable(), "Unprintable: <its message cannot be told>"),
        (Down("caf\udce9\nsecond line"), "Down: caf\\udce9"),
    ],
    ids=["a message that raises", "a message that is no text"],
)
def test_d12_an_error_whose_message_cannot_be_told_is_dealt_with_and_shown(jobs, error, shown):
    @retry_on(Exception, attempts=2)
    class Import(Failing): ...

    jobs.fail(Import, raising=error)

    assert drained(jobs, Import) == {"retried": 1, "exhausted": 1}
    assert str(jobs.dead).splitlines()[-1].endswith(shown)
    assert repr(jobs.dead[0]).encode()
    assert str(jobs.simulate_retries(Import, raising=error)).splitlines()[-1].endswith(shown)


def test_d12_the_last_errors_keep_their_whole_traceback(jobs):
    for _ in range(10):
        drained(jobs, Failing)

    kept = [letter.error.__traceback__ is not None for letter in jobs.dead]
    assert kept == [False] * 2 + [True] * 8


def test_d12_each_failure_counts_one_more_and_says_when_it_was(jobs):
    @retry_on(Down, wait=60)
    class Import(Failing): ...

    jobs.clock.move_to(NOON)
    assert drained(jobs, Import, 1, 2) == {"retried": 2, "performed": 1}

    assert [(d.record.attempt, (d.at - NOON).seconds) for d in jobs.deliveries] == [
        (1, 0),
        (2, 60),
        (3, 120),
    ]
    assert [d.record.payload.failures for d in jobs.deliveries] == [
        None,
        {f"{__name__}.Down": 1},
        {f"{__name__}.Down": 2},
    ]


def test_d12_retries_can_have_a_queue_of_their_own(jobs):
    @retry_on(Down, attempts=3, queue="retries")
    class Import(Failing): ...

    drained(jobs, Import)

    assert [d.record.queue for d in jobs.deliveries] == ["default", "retries", "retries"]


def test_d12_twenty_five_retries_take_twenty_days(jobs):
    @retry_on(Down, wait=sidekiq_backoff, attempts=26)
    class Import(Failing): ...

    jobs.clock.move_to(NOON)

    assert drained(jobs, Import) == {"retried": 25, "exhausted": 1}
    assert [d.wait.total_seconds() for d in jobs.retried][:5] == [15, 16, 31, 96, 271]
    assert jobs.dead[0].at - NOON == timedelta(seconds=1_763_395)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_d12_what_ends_the_worker_leaves_the_job_pending(jobs, stop):
    @retry_on(Exception)
    class Import(Failing): ...

    with jobs.fail(Import, raising=stop, times=1):
        Import.perform_later()
        with pytest.raises(stop):
            jobs.drain()

    assert [record.attempt for record in jobs.pending] == [1]
    assert jobs.deliveries == []


def test_d12_an_error_that_a_shutdown_caused_is_judged_by_itself(jobs):
    @retry_on(Down, attempts=2)
    class Import(Failing):
        def perform(self):
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt as stop:
                raise Down from stop

    assert drained(jobs, Import) == {"retried": 1, "exhausted": 1}


def test_d12_causes_that_go_in_a_circle_end(jobs):
    @discard_on(LookupError)
    class Import(Failing):
        def perform(self):
            first, second = Down("first"), ValueError("second")
            first.__cause__, second.__cause__ = second, first
            raise first

    assert drained(jobs, Import) == {"failed": 1}
    assert str(jobs.dead[0].error) == "first"


def told(job, error):
    job.log.append((job.attempt, str(error)))


@retry_on(Down, attempts=3, then=told)
class Told(Failing):
    pass


@pytest.mark.parametrize("failing", [(9,), (1,), (1, 2)], ids=["none", "the first", "all but one"])
def test_d14_the_hook_of_exhaustion_does_not_run_for_a_job_that_succeeds(jobs, log, failing):
    assert drained(jobs, Told, *failing)["performed"] == 1
    assert log == []
    assert jobs.dead == []


def test_d14_the_hook_of_exhaustion_gets_the_job_and_the_error(jobs, log):
    assert drained(jobs, Told, 1, 2, 3) == {"retried": 2, "exhausted": 1}
    assert log == [(3, "attempt 3")]
    assert [(letter.status, letter.aftermath) for letter in jobs.dead] == [("exhausted", ("told",))]


class DeathHandler:
    def __init__(self):
        self.dead = []

    @hookimpl
    def job_finished(self, job, execution):
        if execution.status in ("failed", "exhausted", "discarded"):
            self.dead.append((execution.status, str(execution.error), execution.aftermath))


def test_d14_a_lifecycle_plugin_hears_of_every_job_that_is_given_up_after_its_own_hooks(jobs, log):
    @discard_on(Down, then=told)
    class Discarded(Failing): ...

    handler = DeathHandler()
    with hooks.using(handler):
        for job in (Told, Discarded, Failing):
            drained(jobs, job)

    assert handler.dead == [
        ("exhausted", "attempt 3", ("told",)),
        ("discarded", "attempt 1", ("told",)),
        ("failed", "attempt 1", ()),
    ]


def test_d14_a_discarded_job_is_kept_too_and_can_be_told_apart(jobs):
    @discard_on(Down)
    class Dropped(Failing): ...

    drained(jobs, Dropped)
    drained(jobs, Told)

    assert [letter.status for letter in jobs.dead] == ["discarded", "exhausted"]


def test_d15_the_dead_letters_have_an_age(jobs):
    jobs.clock.move_to(NOON)
    jobs.limit_dead(age=timedelta(days=180))
    drained(jobs, Failing)
    jobs.clock.advance(timedelta(days=179))
    drained(jobs, Failing, 1)
    jobs.clock.advance(timedelta(days=1))

    assert [letter.record.args for letter in jobs.dead] == [(1,)]


def test_d15_the_dead_letters_have_a_number(jobs):
    jobs.limit_dead(size=3)
    for _ in range(5):
        drained(jobs, Failing)

    assert [letter.record.sequence for letter in jobs.dead] == [2, 3, 4]
