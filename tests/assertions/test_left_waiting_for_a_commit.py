"""A job that waits for a commit at the end of a strict test was left, unless the test has seen that it waits."""

from dataclasses import replace

import pytest
from stub_transactions import StubTransactions, callback

from pytest_jobs import Job, job
from pytest_jobs.assertions.remaining import check_nothing_left
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.harness.jobs import Jobs


class Pay(Job):
    def perform(self, payment_id):
        pass


@job
def send_receipt(payment_id):
    pass


WAITING = callback("Pay.perform_later(7)", owner=Pay)


def _opened(*callbacks):
    return Jobs([ReferenceBridge()], transactions=[StubTransactions(*callbacks)])


def _told(jobs):
    with pytest.raises(AssertionError) as caught:
        check_nothing_left(jobs)
    return str(caught.value)


@pytest.mark.parametrize("look", [list, lambda view: view[0], lambda view: view == []])
def test_what_the_test_has_seen_is_not_left(look):
    with _opened(WAITING) as jobs:
        look(jobs.waiting_for_commit)

        check_nothing_left(jobs)


def test_counting_is_not_seeing():
    with _opened(WAITING) as jobs:
        assert len(jobs.waiting_for_commit) == 1

        assert _told(jobs).startswith("This test left 1 job that waits for a commit, and never")


def test_each_is_seen_by_itself():
    with _opened(WAITING, replace(WAITING, text="Pay.perform_later(8)")) as jobs:
        assert jobs.waiting_for_commit[0].text == "Pay.perform_later(7)"

        assert "Pay.perform_later(8)" in _told(jobs)
        assert "Pay.perform_later(7)" not in _told(jobs)


def test_one_that_the_application_commits_by_itself_is_left_too():
    with _opened(replace(WAITING, commits_itself=True)) as jobs:
        assert "Pay.perform_later(7)" in _told(jobs)


@pytest.mark.parametrize(
    "other",
    [
        callback("clear_cache"),
        callback("cache.clear", owner={}),
        replace(WAITING, state="ran"),
        replace(WAITING, state="dropped"),
    ],
)
def test_what_is_no_job_or_waits_no_more_is_not_left(other):
    with _opened(other) as jobs:
        check_nothing_left(jobs)


def test_what_was_enqueued_and_left_is_told_first():
    with _opened(WAITING) as jobs:
        Pay.perform_later(8)

        assert _told(jobs).startswith("This test left Pay(8) that it neither looked at nor")
