"""Jobs that others keep out can be seen by a test that did not enqueue them itself."""

import json
import logging

import pytest

from pytest_jobs import (
    Batch,
    Job,
    JobLog,
    assert_enqueued,
    assert_performed,
    check_idempotent,
    hookimpl,
    hooks,
    limits_concurrency,
    unique,
)
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.core.foundation.settings import settings


@unique(key="user_id", ttl=3600)
class Sync(Job):
    def perform(self, user_id, full=False):
        pass


@limits_concurrency(to=1, duration=60, on_conflict="discard")
class Import(Job):
    def perform(self, number):
        pass


def sign_in(user_id):
    Sync.perform_later(user_id)
    return Sync.perform_later(user_id, full=True)


def test_nothing_is_kept_out_by_another_key_or_by_a_job_that_has_ended(jobs):
    Sync.perform_later(1)
    Sync.perform_later(2)
    jobs.drain()
    Sync.perform_later(1)

    assert jobs.kept_out == []
    assert str(jobs.kept_out) == "kept out: none"


def test_what_a_lock_kept_out_tells_what_it_was_and_by_what(jobs):
    second = sign_in(7)

    (kept_out,) = jobs.kept_out
    assert (kept_out.job, kept_out.args, kept_out.kwargs) == (Sync, (7,), {"full": True})
    assert kept_out.kept_out_by is jobs.enqueued[0]
    assert kept_out.dropped_for == jobs.enqueued[0].job_id
    assert kept_out.job_id == second.job_id
    assert repr(kept_out) == "<Sync(7, full=True) kept out by #0 Sync(7)>"


def test_what_a_limit_discarded_is_kept_out_too(jobs):
    Import.perform_later(1)
    Import.perform_later(2)

    assert str(jobs.kept_out) == "kept out: 1\njob        kept out by\nImport(2)  #0 Import(1)"


def test_a_failed_assertion_looks_once_for_what_was_kept_out(jobs, monkeypatch):
    looks = []
    kept_out_of = ReferenceBridge.kept_out

    def kept_out(bridge):
        looks.append(bridge)
        return kept_out_of(bridge)

    monkeypatch.setattr(ReferenceBridge, "kept_out", kept_out)
    sign_in(7)

    with pytest.raises(AssertionError, match="was kept out by"):
        assert_enqueued(Sync, params={"full": True})

    assert len(looks) == 1


def test_a_job_that_this_harness_never_saw_is_named_by_its_id(jobs):
    Sync.perform_later(7)
    key = jobs.locks[0].key
    jobs.drain()
    settings.store.acquire(f"unique:{key}", "f" * 32, now_ns=settings.adapter.now_ns(), ttl_ns=None)
    Sync.perform_later(7)

    (kept_out,) = jobs.kept_out
    assert (kept_out.kept_out_by, kept_out.dropped_for) == (None, "f" * 32)
    assert repr(kept_out) == "<Sync(7) kept out by job ffffffff>"


def test_an_exploration_leaves_nothing_among_them(jobs):
    def world():
        yield lambda: {"nothing": None}

    sign_in(7)
    check_idempotent(sign_in, args=[8], world=world, histories=["twice"])

    assert [kept_out.args for kept_out in jobs.kept_out] == [(7,)]


# What a failed assertion says


def hints(caught):
    return [line for line in str(caught.value).splitlines() if line.startswith("Hint:")]


@pytest.mark.parametrize(
    ("times", "criteria", "said"),
    [
        (2, {"count": 2}, "Sync(7) was kept out by #0 Sync(7):"),
        (4, {"count": 4}, "Sync(7) was kept out by #0 Sync(7), and 2 more like it:"),
        (2, {"args": (8,)}, None),
        (2, {"queue": "low"}, None),
    ],
    ids=["one", "three", "other arguments", "another queue"],
)
def test_a_failed_assertion_says_what_was_kept_out_and_would_match(jobs, times, criteria, said):
    for _ in range(times):
        Sync.perform_later(7)

    with pytest.raises(AssertionError) as caught:
        assert_enqueued(Sync, **criteria)

    hint = [f"Hint: {said} see jobs.kept_out and jobs.locks."] * (said is not None)
    assert hints(caught) == hint


def test_it_says_so_where_a_job_of_another_class_has_the_lock(jobs):
    @unique(key="user_id", scope="users")
    class Export(Job):
        def perform(self, user_id):
            pass

    @unique(key="user_id", scope="users")
    class Erase(Job):
        def perform(self, user_id):
            pass

    Export.perform_later(7)
    Erase.perform_later(7)

    with pytest.raises(AssertionError) as caught:
        assert_enqueued(Erase)
    assert hints(caught) == [
        "Hint: Erase(7) was kept out by #0 Export(7): see jobs.kept_out and jobs.locks."
    ]
    assert "Next: expect the job that came first, or let it end before" in str(caught.value)


# What lifecycle plugins hear


def test_lifecycle_plugins_hear_of_it_and_it_is_logged(jobs, caplog):
    caplog.set_level(logging.INFO, "pytest_jobs")
    heard = []

    class Plugin:
        @hookimpl
        def job_not_enqueued(self, job):
            heard.append((job.args, job.enqueue_error, job.dropped_for))

    with hooks.using(Plugin()), hooks.using(JobLog()):
        second = sign_in(7)

    assert heard == [((7,), None, jobs.enqueued[0].job_id)]
    assert json.loads(caplog.messages[-1]) == {
        "event": "job_kept_out",
        "job_class": second.payload.name,
        "job_id": second.job_id,
        "queue": "default",
        "attempt": 1,
        "dropped_for": second.dropped_for,
    }


def test_a_batch_goes_on_without_it(jobs):
    Sync.perform_later(7)
    Batch("syncs", on_complete=Import.new(1)).enqueue([Sync.new(7), Sync.new(8)])
    jobs.drain()

    assert [kept_out.args for kept_out in jobs.kept_out] == [(7,)]
    assert_performed(Import)
