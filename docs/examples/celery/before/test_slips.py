"""A mock takes whatever it is given. All of these tests pass, and all that they test is wrong."""

from __future__ import annotations

from unittest.mock import patch

import slips
from mailing.celery import app
from mailing.readers import Reader


def test_an_object_is_taken(ann: Reader) -> None:
    with patch("mailing.tasks.send_welcome.delay") as delay:
        slips.passes_an_object(ann)

    delay.assert_called_once_with(ann)


def test_a_wrong_name_is_taken(ann: Reader) -> None:
    with patch("mailing.tasks.send_welcome.delay") as delay:
        slips.passes_a_wrong_name(ann)

    delay.assert_called_once_with(reader=ann.id)


def test_a_task_that_no_worker_knows_is_taken(ann: Reader) -> None:
    with patch.object(app, "send_task") as send_task:
        slips.names_a_task_that_was_renamed(ann)

    send_task.assert_called_once_with("mailing.tasks.welcome", (ann.id,))
