"""Retries wait on a virtual clock, and the real wrapper of Celery decides on them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailing.outside import Mail, NotReady, Postman, ServerBusy, Web
from mailing.readers import Reader
from mailing.tasks import fetch_page, send_issue, send_welcome
from pytest_jobs import Jobs
from pytest_jobs.types import AssertFailed, AssertPerformed, AssertRetried


def test_a_busy_server_is_tried_again(
    jobs: Jobs, ann: Reader, postman: Postman, assert_retried: AssertRetried
) -> None:
    postman.busy = 2
    send_issue.delay(ann.id, "May")

    jobs.drain()

    assert_retried(send_issue, attempt=1, error=ServerBusy, wait=60)
    assert_retried(send_issue, attempt=2, error=ServerBusy, wait=120)
    assert postman.sent == [Mail("ann@example.org", "May")]


def test_between_two_attempts_time_can_stand_still(
    jobs: Jobs, ann: Reader, postman: Postman
) -> None:
    postman.busy = 1
    send_issue.delay(ann.id, "May")

    first = jobs.perform(jobs.pending[0])
    assert (first.status, first.wait) == ("retried", timedelta(minutes=1))
    assert jobs.perform_due() == {}

    jobs.run_for(60)
    assert len(postman.sent) == 1


def test_the_schedule_of_an_issue(jobs: Jobs) -> None:
    timeline = jobs.simulate_retries(send_issue, raising=ServerBusy)

    assert timeline.wait_seconds == [60, 120, 240]
    assert timeline.status == "exhausted"


def test_jitter_is_none_and_its_bounds_are_known(jobs: Jobs) -> None:
    timeline = jobs.simulate_retries(send_welcome, raising=ServerBusy)

    longest = [attempt.bounds[1] for attempt in timeline.attempts if attempt.bounds]
    assert timeline.wait_seconds == [0, 0, 0]
    assert longest == [timedelta(minutes=minutes) for minutes in (1, 2, 4)]


def test_in_the_end_an_issue_is_given_up(
    jobs: Jobs, ann: Reader, assert_failed: AssertFailed
) -> None:
    jobs.fail(send_issue, raising=ServerBusy)
    send_issue.delay(ann.id, "May")

    with pytest.raises(ServerBusy):
        jobs.drain()

    assert assert_failed(send_issue).record.attempt == 4


def test_a_page_is_given_the_time_that_it_asks_for(
    jobs: Jobs, web: Web, assert_performed: AssertPerformed
) -> None:
    web.waits = [30, 600]
    fetch_page.delay("https://example.org/may")

    jobs.drain()

    assert [retry.wait for retry in jobs.retried] == [timedelta(seconds=30), timedelta(minutes=10)]
    assert assert_performed(fetch_page, attempt=3).result == "May"


def test_a_body_alone_can_be_called(web: Web) -> None:
    web.waits = [30]

    with pytest.raises(NotReady):
        fetch_page("https://example.org/may")
