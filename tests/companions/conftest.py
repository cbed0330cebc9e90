"""The servers of the tests that need one, and the time that they have for an answer."""

import pytest
from servers import mysql_url, postgresql_url  # noqa: F401 - fixtures

from pytest_jobs.harness.time import loop


@pytest.fixture(autouse=True)
def _servers_may_be_busy(monkeypatch):
    """Let a server that shares its cores with other tests answer before a timeout of its driver passes."""
    monkeypatch.setattr(loop, "_GRACE_SECONDS", 2)
