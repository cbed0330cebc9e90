"""The cases of Solid Queue on concurrency that no other test answers; `differences.md` has where we differ."""

from datetime import UTC, datetime

import pytest

from pytest_jobs import Job, job, limits_concurrency, perform_all_later, reference, retry_on


@pytest.fixture(autouse=True)
def _frozen(jobs):
    jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))


@reference(id="id", find="find")
class Account:
    def __init__(self, id):
        self.id = id

    @classmethod
    def find(cls, id):
        return cls(id)


@limits_concurrency(key="owner")
class Blocking(Job):
    def perform(self, owner, how="well"):
        if how == "broken":
            raise ValueError(how)


@limits_concurrency(key="owner", on_conflict="discard")
class Discarding(Job):
    def perform(self, owner): ...


def test_v1_a_job_without_a_limit_has_no_key(jobs):
    @job
    def free(): ...

    assert free.perform_later().payload.headers is None


def test_v2_a_key_names_the_class_or_a_group_and_the_record(jobs):
    @limits_concurrency(key="owner", group="MyGroup")
    @job
    def grouped(owner): ...

    plain, of_group = (
        kind.perform_later(Account(7)).payload.headers["limit"].partition(":")
        for kind in (Blocking, grouped)
    )

    assert (plain[0], of_group[0]) == (f"{__name__}.Blocking", "MyGroup")
    assert plain[2] == of_group[2]
    assert "Account" in plain[2]
    assert "7" in plain[2]


def test_v6_many_at_once_are_all_enqueued_ready_scheduled_or_blocked(jobs):
    later = [Blocking.set(wait=60).new(n) for n in (1, 2)]
    now = [Blocking.new(n) for n in (1, 2, 3, 4, 5, 1, 2)]

    assert all(each.enqueued for each in perform_all_later([*later, *now]))
    assert (len(jobs.pending), len(jobs.scheduled), len(jobs.blocked)) == (9, 2, 2)


def test_v6_many_at_once_that_discard_leave_out_what_is_beyond_the_limit(jobs):
    made = perform_all_later([Discarding.new(1), Discarding.new(1), Discarding.new(2)])

    assert [each.enqueued for each in made] == [True, False, True]
    assert made[1].dropped_for == made[0].job_id
    assert len(jobs.enqueued) == 2


def test_v8_eleven_jobs_of_one_key_all_run_failures_among_them_or_not(jobs):
    for n in range(11):
        Blocking.perform_later(1, how="broken" if n % 3 == 0 else "well")
    ready = []
    while jobs.pending:
        ready.append(len(jobs.pending) - len(jobs.blocked))
        jobs.perform(next(r for r in jobs.pending if r not in jobs.blocked))

    assert ready == [1] * 11
    assert (len(jobs.performed), len(jobs.failed)) == (7, 4)


def test_v10_a_job_whose_worker_is_shut_down_is_ready_again_and_not_blocked(jobs):
    @limits_concurrency(key="owner")
    class Stopping(Job):
        stops = True

        def perform(self, owner):
            if type(self).stops:
                type(self).stops = False
                raise SystemExit

    Stopping.perform_later(1)
    Stopping.perform_later(1)
    with pytest.raises(SystemExit):
        jobs.perform_due()
    assert [record.sequence for record in jobs.blocked] == [1]

    assert jobs.drain() == {"performed": 2}
    assert [d.record.sequence for d in jobs.performed] == [0, 1]


def test_v13_a_job_that_is_redriven_has_all_its_attempts_and_takes_a_place_again(jobs):
    @retry_on(ConnectionError, attempts=3)
    @limits_concurrency()
    @job
    def flaky(): ...

    with jobs.fail(flaky, raising=ConnectionError):
        flaky.perform_later()
        jobs.drain(raise_errors=False)
        assert jobs.locks == []
        jobs.redrive_all()
        jobs.drain(raise_errors=False)
    ends = ["retried", "retried", "exhausted"]
    assert [d.status for d in jobs.deliveries] == ends * 2
    assert [d.record.attempt for d in jobs.deliveries] == [1, 2, 3] * 2

    jobs.redrive_all()
    assert len(jobs.locks) == 1
    jobs.drain()
    assert (jobs.performed[0].record.attempt, jobs.locks) == (1, [])
