"""The cases of sidekiq-unique-jobs, and our answers; where they differ, `differences.md` says why."""

import logging
import threading
import time
from datetime import timedelta

import pytest

from pytest_jobs import Job, job, perform_all_later, retry_on, unique
from pytest_jobs.core.execution import perform_to_end
from pytest_jobs.errors import DeclarationError, JobLockedError, SerializationError, WaitError


class Down(Exception): ...


def declared(until, *, wait=10, attempts=2, **options):
    """Return a job that fails while `fails` is set, and calls `inside` while it runs."""

    @retry_on(Down, wait=wait, attempts=attempts)
    @unique(until=until, **options)
    class Work(Job):
        fails = False
        inside = None

        def perform(self, n=0):
            inside, type(self).inside = type(self).inside, None
            if inside is not None:
                worker = threading.Thread(target=inside)
                worker.start()
                worker.join()
            if self.fails:
                raise Down

    return Work


def test_u1_until_executed_is_unlocked_after_the_run(jobs):
    work = declared("executed")
    work.perform_later()
    jobs.drain()

    assert jobs.locks == []


def test_u1_until_executed_keeps_its_lock_through_an_error_and_no_second_can_lock(jobs):
    work = declared("executed")
    work.fails = True
    first = work.perform_later()
    jobs.perform_due()

    assert work.perform_later().dropped_for == first.job_id


def test_u2_until_executing_is_unlocked_before_the_run_and_locked_again_on_error(jobs):
    work = declared("executing")
    seen = []
    work.inside = lambda: seen.append(len(jobs.locks))
    work.fails = True
    first = work.perform_later()
    jobs.perform_due()

    assert seen == [0]
    assert work.perform_later().dropped_for == first.job_id


@pytest.mark.parametrize("value", [None, False])
def test_u3_until_expired_is_still_locked_after_the_run_whatever_it_returns(jobs, value):
    @unique(until="expired", ttl=60)
    @job
    def work():
        return value

    jobs.clock.freeze()
    first = work.perform_later()
    jobs.drain()

    assert jobs.performed[0].result is value
    assert work.perform_later().dropped_for == first.job_id


def test_u3_a_job_whose_lock_went_to_another_runs_all_the_same(jobs):
    work = declared("expired", ttl=60)
    work.perform_later()
    jobs.clock.advance(60)
    work.perform_later()
    jobs.drain()

    assert len(jobs.performed) == 2


def test_u4_while_executing_never_locks_at_enqueue_and_one_runs_at_a_time(jobs):
    work = declared("while_executing")
    first, second = work.perform_later(), work.perform_later()
    assert (first.enqueued, second.enqueued, jobs.locks) == (True, True, [])

    statuses = []
    work.inside = lambda: statuses.append(perform_to_end(second.payload).status)
    jobs.perform(jobs.pending[0])
    assert statuses == ["halted"]


def test_u4_while_executing_is_unlocked_when_the_job_raises(jobs):
    work = declared("while_executing")
    work.fails = True
    work.perform_later()
    jobs.perform_due()

    assert jobs.locks == []


def overlapping(jobs, until, strategy):
    """Let a second job of the same key come while the first runs; return both, and what the second came to."""
    work = declared(until, on_conflict={"perform": strategy}, key=lambda n=0: "all")
    made = []

    def inside():
        second = work.perform_later(2)
        made.extend([second, perform_to_end(second.payload)])

    work.inside = inside
    first = work.perform_later(1)
    jobs.perform(jobs.pending[0])
    return first, *made


@pytest.mark.parametrize("until", ["while_executing", "until_and_while_executing"])
def test_u5_the_rejected_job_is_a_dead_letter(jobs, until):
    _, second, came_to = overlapping(jobs, until, "reject")

    assert (came_to.status, type(came_to.error)) == ("discarded", JobLockedError)
    jobs.drain()
    assert [d.status for d in jobs.deliveries if d.record.job_id != second.job_id] == ["performed"]


def test_u5_in_the_harness_too(jobs):
    @unique(until="while_executing", key=lambda n: 0, on_conflict="reject")
    @job
    def rebuild(n):
        time.sleep(5)

    rebuild.perform_later(1)
    second = rebuild.perform_later(2)
    jobs.drain(workers=2)

    assert [letter.record.job_id for letter in jobs.dead] == [second.job_id]


def test_u6_a_payload_is_not_changed_by_its_run(jobs):
    payload = declared("until_and_while_executing").perform_later(7).payload
    before = {name: getattr(payload, name) for name in payload.__slots__}
    jobs.drain()

    assert {name: getattr(payload, name) for name in payload.__slots__} == before


def test_u6_until_and_while_executing_lets_a_second_wait_while_one_runs(jobs):
    work = declared("until_and_while_executing")
    seen = []
    work.inside = lambda: seen.extend(
        [[lock.kind for lock in jobs.locks], work.perform_later().enqueued]
    )
    work.perform_later()
    jobs.drain()

    assert seen == [["running"], True]
    assert len(jobs.performed) == 2


def test_u6_the_second_does_not_run_meanwhile(jobs):
    first, second, came_to = overlapping(jobs, "until_and_while_executing", "drop")

    assert second.enqueued
    assert (came_to.status, first.job_id in str(came_to.error)) == ("halted", True)


def test_u6_the_lock_of_a_run_is_given_back_when_it_raises_and_the_other_taken_again(jobs):
    work = declared("until_and_while_executing")
    work.fails = True
    first = work.perform_later()
    jobs.perform_due()
    assert [lock.kind for lock in jobs.locks] == ["unique"]
    assert work.perform_later().dropped_for == first.job_id

    jobs.drain(raise_errors=False)
    assert (jobs.locks, [d.status for d in jobs.dead]) == ([], ["exhausted"])


def test_u6_a_job_whose_time_was_over_before_its_run_runs(jobs):
    work = declared("until_and_while_executing", ttl=5)
    work.perform_later()
    jobs.clock.advance(10)
    jobs.drain()

    assert len(jobs.performed) == 1


def test_u6_a_payload_that_was_enqueued_before_the_declaration_runs(jobs):
    work = declared("until_and_while_executing")
    work.perform_later().payload.headers = None
    jobs.drain()

    assert len(jobs.performed) == 1


def test_u6_jobs_in_sequence_run_once_each(jobs):
    work = declared("until_and_while_executing")
    for _ in range(3):
        work.perform_later()
        jobs.drain()

    assert len(jobs.performed) == 3
    assert jobs.locks == []


@pytest.mark.parametrize("strategy", ["raise", "reject", "reschedule"])
def test_u7_what_cannot_be_done_at_enqueue_is_refused(strategy):
    with pytest.raises(DeclarationError):
        unique(until="executed", on_conflict=strategy)


@pytest.mark.parametrize("until", ["executed", "executing", "until_and_while_executing"])
@pytest.mark.parametrize("strategy", ["drop", "log", "replace"])
def test_u7_what_can_be_done_at_enqueue_is_taken(jobs, until, strategy):
    work = declared(until, on_conflict={"enqueue": strategy})

    assert work.perform_later().enqueued


@pytest.mark.parametrize("until", ["while_executing", "until_and_while_executing"])
@pytest.mark.parametrize("strategy", ["drop", "log", "raise", "reschedule", "reject"])
def test_u7_what_can_be_done_when_a_job_is_to_run_is_taken(jobs, until, strategy):
    work = declared(until, on_conflict={"perform": strategy})

    assert work.perform_later().enqueued


def test_u7_replacing_a_job_that_runs_is_refused():
    with pytest.raises(DeclarationError):
        unique(until="while_executing", on_conflict="replace")


def test_u7_options_of_other_names_are_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'lock_args_method'"):
        unique(lock_args_method=lambda: 1)


def test_u8_replace_with_nothing_to_be_found_enqueues(jobs):
    work = declared("executed", on_conflict="replace")
    work.perform_later()
    jobs.perform_due(raise_errors=False)

    assert work.perform_later().enqueued


def test_u8_log_says_which_job_was_dropped_for_which(jobs, caplog):
    caplog.set_level(logging.INFO)
    work = declared("executed", on_conflict="log")
    first, second = work.perform_later(), work.perform_later()

    (line,) = [r for r in caplog.records if r.name == "pytest_jobs"]
    assert line.levelname == "INFO"
    name = work.__declaration__.name
    assert line.getMessage() == (
        f"Dropped at enqueue: {name} (job {second.job_id}) may not go on: unique:{name}:[0] is held by "
        f"job {first.job_id}."
    )


@pytest.mark.parametrize("where", ["queue", "schedule", "retry"])
def test_u8_replace_takes_the_first_out_of_queue_schedule_or_retry(jobs, where):
    work = declared("executed", on_conflict="replace")
    work.fails = where == "retry"
    first = work.set(wait=60 if where == "schedule" else None).perform_later()
    if where == "retry":
        jobs.perform_due()
    assert [record.job_id for record in jobs.pending] == [first.job_id]

    second = work.perform_later()
    assert (second.enqueued, [record.job_id for record in jobs.pending]) == (True, [second.job_id])


def test_u8_raise_fails_the_job_that_may_not_run(jobs):
    first, _, came_to = overlapping(jobs, "while_executing", "raise")

    assert (came_to.status, type(came_to.error)) == ("failed", JobLockedError)
    assert f"is held by job {first.job_id}" in str(came_to.error)


def test_u8_a_rescheduled_job_comes_again_in_five_seconds_as_often_as_it_must_and_then_runs(jobs):
    @unique(until="while_executing", key=lambda n: 0, on_conflict="reschedule")
    @job
    def rebuild(n):
        time.sleep(12)

    rebuild.perform_later(1)
    second = rebuild.perform_later(2)
    jobs.drain(workers=2)

    came_to = [d for d in jobs.deliveries if d.record.job_id == second.job_id]
    assert [d.status for d in came_to] == ["snoozed"] * 3 + ["performed"]
    assert [d.wait for d in came_to[:3]] == [timedelta(seconds=5)] * 3
    assert {d.record.attempt for d in came_to} == {1}
    assert jobs.locks == []


def test_u8_another_wait_is_that_of_a_rule(jobs):
    @retry_on(JobLockedError, wait=10, attempts=None)
    @unique(until="while_executing", key=lambda n: 0, on_conflict="raise")
    @job
    def rebuild(n):
        time.sleep(12)

    rebuild.perform_later(1)
    second = rebuild.perform_later(2)
    jobs.drain(workers=2)

    came_to = [d for d in jobs.deliveries if d.record.job_id == second.job_id]
    assert [(d.status, d.record.attempt) for d in came_to] == [
        ("retried", 1),
        ("retried", 2),
        ("performed", 3),
    ]
    assert came_to[0].wait == timedelta(seconds=10)


def test_u9_without_a_key_all_arguments_count(jobs):
    work = declared("executed")

    assert [work.perform_later(n).enqueued for n in (1, 2, 1)] == [True, True, False]


def test_u9_a_callable_or_a_name_says_which_count(jobs):
    for key in (lambda n, how: n % 2, "n"):
        work = unique(key=key)(job(needs_two))

        assert [work.perform_later(n, how).enqueued for n, how in [(1, 1), (2, 1), (1, 2)]] == [
            True,
            True,
            False,
        ]
        jobs.drain()


def needs_two(n, how): ...


def test_u9_a_name_that_means_nothing_is_refused_instead_of_counting_all():
    with pytest.raises(DeclarationError, match=r"key='lock_args'\) names no parameter"):
        unique("lock_args")(job(needs_one))


def test_u9_a_callable_of_the_wrong_arity_is_refused_when_it_is_declared():
    with pytest.raises(DeclarationError, match="too many positional arguments"):
        unique(lambda: 1)(job(needs_one))


def needs_one(n): ...


def test_u9_a_key_of_none_is_a_key(jobs):
    work = declared("executed", key=lambda *args: None)

    assert [work.perform_later(n).enqueued for n in (1, 2)] == [True, False]


def test_u9_a_key_that_cannot_be_compared_is_refused(jobs):
    with pytest.raises(SerializationError):
        declared("executed", key=lambda *args: object()).perform_later()


@pytest.mark.parametrize("ttl", [5, 5.0, timedelta(seconds=5)])
def test_u11_a_ttl_is_a_number_or_a_timedelta(jobs, ttl):
    declared("executed", ttl=ttl).perform_later()

    assert jobs.locks[0].expires_at - jobs.enqueued[0].enqueued_at == timedelta(seconds=5)


@pytest.mark.parametrize("ttl", ["5", "soon", lambda: 5])
def test_u11_neither_texts_nor_callables_are(ttl):
    with pytest.raises(WaitError):
        unique(ttl=ttl)


def test_u11_no_ttl_is_for_ever_and_a_scheduled_job_adds_its_wait(jobs):
    declared("executed").perform_later(1)
    declared("executed", ttl=5).set(wait=60).perform_later(2)

    assert [
        lock.expires_at and lock.expires_at - jobs.enqueued[1].enqueued_at for lock in jobs.locks
    ] == [
        None,
        timedelta(seconds=65),
    ]


def test_many_at_once_are_unique_among_themselves(jobs):
    work = declared("executed")
    first, second, other = perform_all_later([work.new(1), work.new(1), work.new(2)])

    assert (second.dropped_for, other.enqueued) == (first.job_id, True)
