"""What a lock keeps out, and until when: the lifecycle of unique jobs."""

from datetime import timedelta

import pytest

from pytest_jobs import Job, discard_on, job, retry_on, unique


class Down(Exception): ...


class Gone(Exception): ...


@retry_on(Down, wait=10, attempts=2)
@discard_on(Gone)
class Sync(Job):
    """A base whose jobs note what is held while they run."""

    def perform(self, user_id, how="well"):
        held_in_runs.append([(lock.kind, lock.job_id == self.job_id) for lock in looks[0]()])
        if how != "well":
            raise {"down": Down, "gone": Gone, "broken": ValueError}[how]


held_in_runs = []
looks = []

KINDS = ["executed", "executing", "expired", "while_executing", "until_and_while_executing"]


@pytest.fixture(autouse=True)
def _looking(jobs):
    held_in_runs.clear()
    looks[:] = [lambda: jobs.locks]


def unique_sync(until):
    @unique(key="user_id", until=until, ttl=3600)
    class UniqueSync(Sync): ...

    return UniqueSync


def kinds_of(locks):
    return [lock.kind for lock in locks]


@pytest.mark.parametrize(
    ("until", "after_enqueue", "in_run", "after_success", "after_retry", "after_death"),
    [
        ("executed", ["unique"], ["unique"], [], ["unique"], []),
        ("executing", ["unique"], [], [], ["unique"], []),
        ("expired", ["unique"], ["unique"], ["unique"], ["unique"], []),
        ("while_executing", [], ["running"], [], [], []),
        ("until_and_while_executing", ["unique"], ["running"], [], ["unique"], []),
    ],
)
def test_what_each_kind_of_lock_holds_and_when(
    jobs, until, after_enqueue, in_run, after_success, after_retry, after_death
):
    sync = unique_sync(until)
    sync.perform_later(1)
    assert kinds_of(jobs.locks) == after_enqueue

    jobs.drain()
    assert held_in_runs == [[(kind, True) for kind in in_run]]
    assert kinds_of(jobs.locks) == after_success

    sync.perform_later(2, how="down")
    jobs.perform_due()
    of_second = [lock.kind for lock in jobs.locks if lock.key.endswith("[2]")]
    assert of_second == after_retry

    jobs.drain(raise_errors=False)
    assert held_in_runs[-1][-len(in_run) :] == [(kind, True) for kind in in_run]
    assert [lock.kind for lock in jobs.locks if lock.key.endswith("[2]")] == after_death


@pytest.mark.parametrize("until", KINDS)
@pytest.mark.parametrize("how", ["gone", "broken", "unreadable"])
def test_a_job_that_is_given_up_holds_nothing(jobs, until, how):
    payload = unique_sync(until).perform_later(1, how=how).payload
    if how == "unreadable":
        payload.arguments = "[["
    jobs.drain(raise_errors=False)

    assert len(jobs.dead) == 1
    assert jobs.locks == []


@pytest.mark.parametrize("until", ["executed", "executing", "expired", "until_and_while_executing"])
def test_a_second_job_is_dropped_for_the_first_and_one_of_another_key_is_not(jobs, until):
    sync = unique_sync(until)
    first, second, other = (sync.perform_later(key) for key in (1, 1, 2))

    assert second.dropped_for == first.job_id
    assert (second.enqueued, second.enqueue_error) == (False, None)
    assert first.dropped_for is None
    assert [record.job_id for record in jobs.enqueued] == [first.job_id, other.job_id]


def test_until_executed_keeps_out_what_comes_while_the_job_runs(jobs):
    seen = []

    @unique()
    @job
    def sync(n):
        seen.append(sync.perform_later(n).dropped_for)

    first = sync.perform_later(1)
    jobs.drain()

    assert seen == [first.job_id]
    assert len(jobs.deliveries) == 1
    assert sync.perform_later(1).enqueued


def test_until_executing_lets_one_in_while_the_job_runs(jobs):
    seen = []

    @unique(until="executing")
    @job
    def sync():
        if not seen:
            seen.extend([sync.perform_later().enqueued, sync.perform_later().enqueued])

    sync.perform_later()
    jobs.drain()

    assert seen == [True, False]
    assert len(jobs.performed) == 2


def test_a_retry_that_finds_its_lock_taken_runs_all_the_same(jobs):
    @retry_on(Down, wait=10, attempts=2)
    @unique(until="executing")
    class Again(Job):
        def perform(self):
            if self.job_id == first.job_id and self.attempt == 1:
                assert Again.perform_later().enqueued
                raise Down

    first = Again.perform_later()
    jobs.perform_due(children=False)
    assert [lock.job_id == first.job_id for lock in jobs.locks] == [False]

    jobs.drain()
    assert len(jobs.performed) == 2
    assert jobs.locks == []


def test_until_expired_lets_the_next_in_when_the_time_has_passed(jobs):
    sync = unique_sync("expired")
    jobs.clock.freeze()
    sync.perform_later(1)
    jobs.drain()
    assert not sync.perform_later(1).enqueued

    jobs.clock.advance(3599)
    assert not sync.perform_later(1).enqueued

    jobs.clock.advance(1)
    assert jobs.locks == []
    assert sync.perform_later(1).enqueued


@pytest.mark.parametrize("until", ["executed", "executing", "until_and_while_executing"])
def test_a_retry_that_waits_for_longer_than_the_time_of_its_lock_keeps_others_out(jobs, until):
    @retry_on(Down, wait=3600, attempts=2)
    @unique(until=until, ttl=60)
    @job
    def sync(): ...

    jobs.clock.freeze()
    jobs.fail(sync, raising=Down, times=1)
    first = sync.perform_later()
    jobs.perform_due()
    jobs.clock.advance(3000)

    assert sync.perform_later().dropped_for == first.job_id
    assert jobs.locks[0].expires_at == jobs.pending[0].due_at + timedelta(seconds=60)


def test_the_time_of_a_lock_counts_from_when_the_job_is_due(jobs):
    sync = unique_sync("executed")
    first = sync.set(wait=7200).perform_later(1)

    (lock,) = jobs.locks
    assert lock.expires_at - jobs.enqueued[0].enqueued_at == timedelta(hours=3)
    assert (lock.job_id, lock.record) == (first.job_id, jobs.enqueued[0])
    assert lock.key.endswith("UniqueSync:[1]")


def test_a_job_whose_lock_has_expired_runs_all_the_same(jobs):
    sync = unique_sync("executed")
    sync.perform_later(1)
    jobs.clock.advance(3600)
    sync.perform_later(1)
    jobs.drain()

    assert len(jobs.performed) == 2
    assert jobs.locks == []


def test_a_lock_without_ttl_outlives_everything_but_its_job(jobs):
    @unique()
    class Once(Job):
        def perform(self): ...

    Once.perform_later()
    jobs.clock.advance(timedelta(days=10_000))

    assert jobs.locks[0].expires_at is None
    assert not Once.perform_later().enqueued


@pytest.mark.parametrize("until", KINDS)
def test_a_second_delivery_of_the_same_job_passes_its_own_lock(jobs, until):
    unique_sync(until).perform_later(1)
    jobs.drain()
    jobs.perform(jobs.redeliver(jobs.enqueued[0]))

    assert [delivery.status for delivery in jobs.deliveries] == ["performed", "performed"]
    assert kinds_of(jobs.locks) == (["unique"] if until == "expired" else [])


def test_a_job_that_is_enqueued_again_passes_its_own_lock(jobs):
    first = unique_sync("executed").perform_later(1)
    first.enqueue()

    assert first.enqueued
    assert len(jobs.pending) == 2


def test_performing_now_asks_for_no_lock(jobs):
    sync = unique_sync("until_and_while_executing")
    sync.perform_later(1)
    sync.perform_now(1)

    assert held_in_runs == [[("unique", False)]]
    assert kinds_of(jobs.locks) == ["unique"]


def test_a_coroutine_job_is_unique_too(jobs):
    held = []

    @unique(until="until_and_while_executing")
    @job
    async def sync(n):
        held.extend(kinds_of(jobs.locks))

    sync.perform_later(1)
    assert not sync.perform_later(1).enqueued

    jobs.drain()
    assert held == ["running"]
    assert jobs.locks == []


def test_nothing_leaks_from_one_harness_into_the_next(pytester):
    pytester.makepyfile(
        """
        import pytest
        from pytest_jobs import job, unique

        @unique()
        @job
        def sync(): ...

        @pytest.mark.parametrize("n", [1, 2])
        def test_first(jobs, n):
            assert jobs.locks == []
            assert sync.perform_later().enqueued
            assert not sync.perform_later().enqueued
        """
    )

    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_retries_are_simulated_with_locks_of_their_own(jobs):
    sync = unique_sync("executed")
    sync.perform_later(1)
    timeline = jobs.simulate_retries(sync, args=(1,), raising=Down)

    assert timeline.wait_seconds == [10]
    assert kinds_of(jobs.locks) == ["unique"]


def test_locks_print_as_a_table(jobs):
    jobs.clock.move_to(jobs.clock.now() + timedelta(hours=1))
    unique_sync("executed").perform_later(1)
    until = str(jobs.locks[0].expires_at.replace(microsecond=0))

    header, names, row = str(jobs.locks).splitlines()
    assert header == "locks: 1"
    assert names.split() == ["lock", "key", "held", "by", "until"]
    assert row.split()[:3] == ["unique", "UniqueSync:[1]", "#0"]
    assert row.split("#0")[1].strip().startswith(until[:19])
