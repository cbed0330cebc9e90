"""The worlds in which they are delivered."""

from __future__ import annotations

import tempfile
from pathlib import Path

import explored_jobs

from pytest_jobs import fake, sqlite_world
from pytest_jobs.harness.records.patches import Patches

SCHEMA = """
create table payments (id integer primary key, status);
insert into payments values (1, 'pending'), (2, 'pending');
create table ledger (id integer unique);
"""


class Gateway:
    def __init__(self):
        self.known = []

    def charge(self, number, key=None):
        self.known.append(number)
        return len(self.known)

    def charged(self):
        return list(self.known)

    def busy(self):
        return ()


def shop():
    with (
        sqlite_world(SCHEMA, bind=(explored_jobs, "connect")) as rows,
        fake(explored_jobs, "gateway", Gateway(), key="key", reads={"charged", "busy"}) as gateway,
    ):
        yield lambda: {
            "payments": rows("payments"),
            "ledger": rows("ledger"),
            "charges": gateway.calls,
        }


def files():
    patches = Patches()
    with tempfile.TemporaryDirectory() as folder:
        patches.set(explored_jobs, "folder", Path(folder))
        try:
            yield lambda: {path.name: path.read_text() for path in Path(folder).iterdir()}
        finally:
            patches.restore()
