"""Django's TestCase rolls back before its test has answered for its jobs: what waited until then was left."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest

pytest.importorskip("django")

from django.db import transaction

from pytest_jobs import job
from pytest_jobs.assertions.remaining import check_nothing_left
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.harness.jobs import Jobs
from pytest_jobs.integrations.django.transactions import transactions


@job
def send(number):
    pass


@job(enqueue_after_commit=True)
def notify(number):
    pass


@pytest.fixture
def jobs(databases):
    with Jobs([ReferenceBridge()], transactions=[transactions()]) as jobs:
        yield jobs


def later(number):
    transaction.on_commit(partial(send.perform_later, number))


def left(jobs):
    try:
        check_nothing_left(jobs)
    except AssertionError as error:
        return [
            line.split("  ")[0] for line in str(error).splitlines() if line.endswith("  waiting")
        ]
    return []


def test_what_waited_to_the_end_of_the_test_case_was_left(jobs, begin_test_case):
    with begin_test_case():
        later(1)
        with transaction.atomic():
            job = notify.perform_later(2)
        assert len(jobs.waiting_for_commit) == 2

    assert left(jobs) == ["send.perform_later(1)", "notify.perform_later(2)"]
    assert [callback.dropped for callback in jobs.dropped_by_rollback] == [
        "with its test case, before any commit"
    ] * 2
    assert job.enqueue_error is None


def test_what_the_test_has_seen_was_not(jobs, begin_test_case):
    with begin_test_case():
        later(1)
        later(2)
        assert jobs.waiting_for_commit[0].text == "send.perform_later(1)"

    assert left(jobs) == ["send.perform_later(2)"]


def test_what_was_committed_or_rolled_back_was_not(jobs, begin_test_case):
    with begin_test_case():
        later(1)
        list(jobs.commit())
        jobs.drain()
        with suppress(ValueError), transaction.atomic():
            later(2)
            raise ValueError
    assert left(jobs) == []


def test_what_no_job_is_known_of_was_not(jobs, begin_test_case):
    with begin_test_case():
        transaction.on_commit(lambda: send.perform_later(1))
        transaction.on_commit(print)

    assert left(jobs) == []
