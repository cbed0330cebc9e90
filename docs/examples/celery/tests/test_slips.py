"""Slips are found where they are made, or where a worker would stumble over them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from kombu.exceptions import EncodeError

import slips
from mailing.readers import Reader
from mailing.tasks import send_reminder
from pytest_jobs import Jobs
from pytest_jobs.errors import UnknownJobError
from pytest_jobs.types import AssertEnqueued


@pytest.mark.usefixtures("jobs")
def test_an_object_is_refused(ann: Reader) -> None:
    with pytest.raises(EncodeError):
        slips.passes_an_object(ann)


@pytest.mark.usefixtures("jobs")
def test_a_wrong_name_is_refused(ann: Reader) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'reader'"):
        slips.passes_a_wrong_name(ann)


def test_a_renamed_task_cannot_be_performed(jobs: Jobs, ann: Reader) -> None:
    slips.names_a_task_that_was_renamed(ann)

    with pytest.raises(UnknownJobError, match=r"No task named 'mailing\.tasks\.welcome'"):
        jobs.drain()


def test_three_seconds_are_not_three_days(assert_enqueued: AssertEnqueued, ann: Reader) -> None:
    slips.waits_three_seconds_instead_of_days(ann)

    with pytest.raises(AssertionError, match=r"expected 3d .*, got 3s"):
        assert_enqueued(send_reminder, wait=timedelta(days=3))
