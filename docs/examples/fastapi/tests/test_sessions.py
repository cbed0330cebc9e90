"""A task that uses the session of its request fails in the test, as it does in production."""

from __future__ import annotations

import sqlite3

import pytest
from fastapi.testclient import TestClient

from cinema.tasks import remind
from pytest_jobs.types import AssertFailed


def test_a_reminder_uses_a_session_that_is_closed(
    client: TestClient, assert_failed: AssertFailed
) -> None:
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        client.post("/bookings/1/reminder")

    assert_failed(remind, error=sqlite3.ProgrammingError)


def test_the_answer_does_not_show_it() -> None:
    from cinema.app import app

    client = TestClient(app, raise_server_exceptions=False)

    assert client.post("/bookings/1/reminder").status_code == 200
