"""What a killed worker held stays, and explorations see it so."""

import sys
from contextlib import contextmanager

import pytest

from pytest_jobs import Job, check_idempotent, fake, job, unique
from pytest_jobs.errors import DuplicateEffect, LostEffect


@unique(until="while_executing", ttl=60)
class Import(Job):
    killed = True

    def perform(self, n):
        if n == 1 and Import.killed:
            raise SystemExit


@pytest.fixture
def killed(jobs):
    """The record of a job whose worker was killed while it ran."""
    Import.killed = True
    Import.perform_later(1)
    with pytest.raises(SystemExit):
        jobs.drain()
    return jobs.pending[0]


@pytest.mark.parametrize("comes_again", [True, False])
def test_the_lock_of_a_killed_job_stays_until_its_time_is_over_or_it_comes_again(
    jobs, killed, comes_again
):
    assert [lock.kind for lock in jobs.locks] == ["running"]

    if comes_again:
        Import.killed = False
        assert jobs.perform(killed).status == "performed"
    else:
        jobs.clock.advance(60)
    assert jobs.locks == []


def test_another_job_is_kept_out_meanwhile(jobs):
    @unique(until="while_executing", ttl=60, key=lambda how: 0)
    @job
    def load(how):
        if how == "killed":
            raise SystemExit

    load.perform_later("killed")
    with pytest.raises(SystemExit):
        jobs.drain()
    load.perform_later("well")
    assert jobs.perform(jobs.pending[1]).status == "halted"

    jobs.clock.advance(60)
    load.perform_later("well")
    assert jobs.perform(jobs.pending[1]).status == "performed"


# In explorations

mail = None


class Mail:
    def __init__(self):
        self.sent = []

    def send(self, to):
        self.sent.append(to)


@contextmanager
def post():
    with fake(sys.modules[__name__], "mail", Mail()) as mailbox:
        yield lambda: {"sent": mailbox.calls}


@job
def remind(name):
    mail.send(name)


@unique()
@job
def remind_once(name):
    mail.send(name)


@job
def close_account(name):
    remind.perform_later(name)


@job
def close_account_once(name):
    remind_once.perform_later(name)


@unique(until="until_and_while_executing", ttl=60)
@job
def send(name):
    mail.send(name)


def test_a_follow_up_is_enqueued_twice_by_a_job_that_is_killed_after_it():
    with pytest.raises(DuplicateEffect):
        check_idempotent(close_account, args=("ann",), world=post)


def test_a_unique_follow_up_is_enqueued_once_when_the_job_is_delivered_twice():
    check_idempotent(close_account_once, args=("ann",), world=post, histories=["twice"])


@unique(on_conflict="replace")
@job
def remind_of_the_latest(name):
    mail.send(name)


@job
def close_account_and_replace(name):
    remind_of_the_latest.set(wait=60).perform_later(name)


@pytest.mark.parametrize("history", ["twice", "restart", "crash"])
def test_a_follow_up_that_takes_the_place_of_the_first_is_enqueued_once(history):
    check_idempotent(close_account_and_replace, args=("ann",), world=post, histories=[history])


def test_two_that_overlap_between_lock_and_enqueue_are_both_enqueued():
    with pytest.raises(DuplicateEffect, match=r"paused here, before enqueue: remind_of_the_latest"):
        check_idempotent(
            close_account_and_replace, args=("ann",), world=post, histories=["overlap"]
        )


def test_a_worker_that_dies_between_lock_and_enqueue_leaves_a_lock_that_keeps_the_job_out():
    with pytest.raises(LostEffect) as caught:
        check_idempotent(close_account_once, args=("ann",), world=post, histories=["crash"])

    assert "x  worker killed here, before enqueue: remind_once('ann')" in str(caught.value)


def test_a_lock_does_not_make_a_job_idempotent():
    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(send, args=("ann",), world=post)

    assert "twice" in str(caught.value)


def test_each_history_has_locks_of_its_own(jobs):
    remind_once.perform_later("ann")
    check_idempotent(close_account_once, args=("ann",), world=post, histories=["twice"])

    assert [lock.record for lock in jobs.locks] == [jobs.enqueued[0]]
