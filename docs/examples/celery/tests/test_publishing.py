"""What a task enqueues, and each further step of a canvas, are jobs of their own."""

from __future__ import annotations

import pytest

from mailing.newsletter import archive, publish_page
from mailing.outside import Mail, Postman
from mailing.readers import Readers
from mailing.tasks import fetch_page, publish, send_issue, send_report
from pytest_jobs import Jobs
from pytest_jobs.errors import NotPerformedError
from pytest_jobs.types import AssertEnqueued, AssertPerformed

MAY = "https://example.org/may"


@pytest.fixture
def two_readers(all_readers: Readers) -> None:
    for name in ("ann", "bob"):
        all_readers.add(f"{name}@example.org").confirmed = True


@pytest.mark.usefixtures("two_readers")
def test_an_issue_goes_to_everyone_and_then_to_the_editor(jobs: Jobs, postman: Postman) -> None:
    publish_page(MAY)

    jobs.drain()

    assert postman.sent == [
        Mail("ann@example.org", "May"),
        Mail("bob@example.org", "May"),
        Mail("editor@example.org", "May: sent to 2"),
    ]


@pytest.mark.usefixtures("two_readers")
def test_the_steps_are_children(jobs: Jobs) -> None:
    publish_page(MAY)

    jobs.perform_due(children=False)
    assert [record.job for record in jobs.pending] == [publish]
    assert jobs.pending[0].args == ("May",)

    (fetched,) = jobs.performed
    assert [child.job for child in fetched.enqueued] == [publish]

    published = jobs.perform(jobs.pending[0])
    assert [child.job for child in published.enqueued] == [send_issue, send_issue]


@pytest.mark.usefixtures("two_readers")
def test_the_report_waits_for_the_last_mail(jobs: Jobs, postman: Postman) -> None:
    postman.busy = 1
    publish.delay("May")

    jobs.perform_due()
    assert len(jobs.scheduled) == 1
    assert len(postman.sent) == 1

    jobs.drain()
    assert postman.sent[-1] == Mail("editor@example.org", "May: sent to 2")


@pytest.mark.usefixtures("two_readers")
def test_a_result_is_there_once_its_task_was_performed(
    jobs: Jobs, assert_performed: AssertPerformed
) -> None:
    result = publish_page(MAY)

    with pytest.raises(NotPerformedError, match=r"jobs\.drain\(\)"):
        result.parent.get()

    jobs.drain()
    assert result.parent.get() == "May"
    assert assert_performed(send_report).result == 2


def test_a_page_that_is_gone_publishes_nothing(jobs: Jobs) -> None:
    publish_page("https://example.org/june")

    with pytest.raises(KeyError):
        jobs.drain()

    assert [record.job for record in jobs.enqueued] == [fetch_page]


def test_a_task_of_another_service_is_left_to_it(
    jobs: Jobs, assert_enqueued: AssertEnqueued
) -> None:
    publish_page(MAY)
    archive("May")

    jobs.drain(exclude="archive.keep")

    left = assert_enqueued("archive.keep", queue="archive")
    assert left.kwargs == {"title": "May"}
    assert jobs.pending == [left]
