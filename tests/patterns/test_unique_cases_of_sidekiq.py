"""The cases of sidekiq-unique-jobs that no other test answers; where we differ, `differences.md` says why."""

import time
from datetime import timedelta

import pytest

from pytest_jobs import job, perform_all_later, retry_on, unique
from pytest_jobs.errors import JobLockedError


def declared(until, **options):
    @unique(until=until, **options)
    @job
    def work(n=0): ...

    return work


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


def test_u6_a_payload_that_was_enqueued_before_the_declaration_runs(jobs):
    work = declared("until_and_while_executing")
    work.perform_later().payload.headers = None
    jobs.drain()

    assert len(jobs.performed) == 1


def test_u7_options_of_other_names_are_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'lock_args_method'"):
        unique(lock_args_method=lambda: 1)


def test_u8_replace_with_nothing_to_be_found_enqueues(jobs):
    work = declared("executed", on_conflict="replace")
    work.perform_later()
    jobs.perform_due(raise_errors=False)

    assert work.perform_later().enqueued


@pytest.mark.parametrize(
    ("on_conflict", "status", "wait", "attempts"),
    [("reschedule", "snoozed", 5, [1, 1, 1, 1]), ("raise", "retried", 10, [1, 2, 3])],
)
def test_u8_a_rescheduled_job_comes_again_in_five_seconds_or_by_a_rule_until_it_runs(
    jobs, on_conflict, status, wait, attempts
):
    @retry_on(JobLockedError, wait=10, attempts=None)
    @unique(until="while_executing", key=lambda n: 0, on_conflict=on_conflict)
    @job
    def rebuild(n):
        time.sleep(12)

    begin = jobs.clock.freeze()
    rebuild.perform_later(1)
    second = rebuild.perform_later(2)
    jobs.drain(workers=2)

    *before, last = [d for d in jobs.deliveries if d.record.job_id == second.job_id]
    assert last.status == "performed"
    assert {(d.status, d.wait) for d in before} == {(status, timedelta(seconds=wait))}
    assert [d.record.attempt for d in (*before, last)] == attempts
    assert (last.at - begin).total_seconds() == wait * len(before)
    assert jobs.locks == []


def test_u9_a_key_of_none_is_a_key(jobs):
    work = declared("executed", key=lambda *args: None)

    assert [work.perform_later(n).enqueued for n in (1, 2)] == [True, False]


@pytest.mark.parametrize("ttl", [5, 5.0, timedelta(seconds=5)])
def test_u11_a_ttl_is_a_number_or_a_timedelta(jobs, ttl):
    declared("executed", ttl=ttl).perform_later()

    assert jobs.locks[0].expires_at - jobs.enqueued[0].enqueued_at == timedelta(seconds=5)


def test_many_at_once_are_unique_among_themselves(jobs):
    work = declared("executed")
    first, second, other = perform_all_later([work.new(1), work.new(1), work.new(2)])

    assert (second.dropped_for, other.enqueued) == (first.job_id, True)
