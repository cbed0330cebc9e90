"""Batches keep the types of the jobs that they get, and say what may be None."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import assert_type

from pytest_jobs import Batch, Job, batch_world, job, slices


class Load(Job):
    def perform(self, row: str) -> int:
        return len(row)


@job
def report(file_id: int) -> None: ...


batch = Batch("import-7", on_success=report.new(7), on_complete=report.set(queue="low").new(7))
assert_type(batch.enqueue([Load.new("ann")]), tuple[Job, ...])
assert_type(batch.enqueue(Load.new(row) for row in ("ann", "bob")), tuple[Job, ...])
assert_type(Batch.current(), Batch | None)
assert_type(Batch.find("import-7"), Batch | None)
assert_type(batch.id, str)
assert_type((batch.total, batch.pending, batch.failed), tuple[int, int, int])
assert_type(batch.finished, bool)
assert_type(slices("abc", 2), Iterator[list[str]])


@contextmanager
def world() -> Generator[int, None, None]:
    with batch_world(on_complete=report.new(7)) as made:
        assert_type(made, Batch)
        yield made.total
