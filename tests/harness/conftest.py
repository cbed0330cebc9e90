"""An open harness in which nothing can sleep for real, and records made by hand."""

from __future__ import annotations

import itertools
import selectors
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.harness.jobs import Jobs
from pytest_jobs.harness.ledger.ledger import Ledger
from pytest_jobs.harness.records.record import FIRST, JobRecord
from pytest_jobs.harness.time.clock import VirtualClock

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def real_sleeps(monkeypatch):
    """Take the place of the real `time.sleep` and return the list of what it was called with."""
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


@pytest.fixture
def sleepless(real_sleeps):
    """Fail the test when something slept for real."""
    yield
    assert real_sleeps == []


@pytest.fixture
def no_real_waiting(monkeypatch):
    """Fail the test when an event loop waits in real time, or spins."""
    select = selectors.DefaultSelector.select
    calls = itertools.count()

    def checked(self, timeout=None):
        assert next(calls) < 10_000, "an event loop spins"
        assert timeout is not None, "an event loop waited for ever"
        assert timeout <= 0, f"an event loop waited {timeout} s in real time"
        return select(self, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", checked)


@pytest.fixture
def jobs(sleepless):
    """Override the plugin's fixture: these tests need none of the plugin."""
    with open_jobs() as jobs:
        yield jobs


@pytest.fixture
def noon(jobs):
    """Let the clock of the harness stand at noon."""
    return jobs.clock.move_to(NOON)


class StubBridge:
    """A bridge whose jobs are only names."""

    name = "stub"
    capabilities = frozenset()

    def __init__(self, name="stub"):
        self.name = name
        self.calls = []
        self.decoded = 0

    def install(self, sink, draw):
        self.calls.append("install")

    def uninstall(self):
        self.calls.append("uninstall")

    def rank(self, priority):
        return priority or 0

    def identify(self, job):
        return job if isinstance(job, str) else None

    def matcher(self, job):
        return lambda record: True

    def job_of(self, record):
        return self

    def arguments_of(self, record):
        self.decoded += 1
        return (), {}


@pytest.fixture
def stub_bridge():
    return StubBridge


@pytest.fixture
def make_record():
    """Return a function that makes a record which no ledger knows yet. Times are nanoseconds."""
    bridge = StubBridge()

    def make(name="job", *, bridge=bridge, origin=FIRST, **envelope):
        fields = {
            "job_id": "an-id",
            "queue": "default",
            "priority": None,
            "headers": None,
            "attempt": 1,
            "enqueued_ns": 0,
            "due_ns": None,
            "expires_ns": None,
        }
        assert envelope.keys() <= fields.keys()
        return JobRecord(
            bridge, SimpleNamespace(name=name, **{**fields, **envelope}), "payload", origin
        )

    return make


@pytest.fixture
def ledger():
    """Return a ledger of its own, with a clock that no test moves."""
    return Ledger(VirtualClock())


@pytest.fixture
def make_jobs():
    """Return the class of harnesses, for those that need other bridges or outcomes."""
    return Jobs
