"""Transactions of no database: what waits is a list, and a block is open while a test says so."""

from __future__ import annotations

from contextlib import contextmanager

from pytest_jobs.harness.commits.transactions import CommitCallback


def callback(text, *, state="waiting", dropped="", owner=None, line=12):
    return CommitCallback(text, "default", f"shop/views.py:{line}", state, dropped, owner)


class StubTransactions:
    """Transactions that a test drives by hand."""

    name = "stub"

    def __init__(self, *callbacks, functions=()):
        self.calls = []
        self.block = None
        self.kept = list(callbacks)
        self.functions = list(functions)

    def install(self, commits, ended):
        self.calls.append("install")
        self.commits = commits
        self.ended = ended

    def uninstall(self):
        self.calls.append("uninstall")

    def open_here(self):
        return self.block

    def callbacks(self):
        return self.kept

    def commit(self):
        while self.functions:
            self.functions.pop(0)()

    async def acommit(self):
        self.commit()

    @contextmanager
    def transaction(self):
        self.block = "a transaction of 'stub'"
        try:
            yield
        finally:
            self.block = None
            self.ended()
