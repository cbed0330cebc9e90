"""A worker that really dies comes to the same verdicts as one that only seems to."""

from __future__ import annotations

import explored_jobs
import explored_worlds
import pytest
from dying_workers import dying_workers, needs_fork
from explored_worlds import files, shop

from pytest_jobs import check_idempotent
from pytest_jobs.errors import ExplorationError, NotIdempotent

pytestmark = [needs_fork, pytest.mark.slow]

on_sqlite = [
    explored_jobs.claim_and_forget,
    explored_jobs.overwrite,
    explored_jobs.insert_plainly,
    explored_jobs.stamp,
]


def _report(job, world):
    with pytest.raises(NotIdempotent) as found:
        # Which points stand for others depends on where the database is.
        check_idempotent(job, args=(1,), world=world, histories=["crash"], every_line=True)
    return str(found.value)


def test_both_backends_tell_the_same_story():
    with dying_workers(explored_worlds):
        told = _report(explored_jobs.claim_and_forget, shop)

    assert told == _report(explored_jobs.claim_and_forget, shop)


def _verdict(job, world):
    try:
        check_idempotent(job, args=(1,), world=world, histories=["crash", "late"], every_line=True)
    except NotIdempotent as error:
        return type(error).__name__, str(error).splitlines()[0].rpartition("  ")[2]
    return "safe", ""


@pytest.mark.parametrize("job", on_sqlite)
def test_both_backends_come_to_one_verdict_on_sqlite(job):
    with dying_workers(explored_worlds):
        really = _verdict(job, shop)

    assert really == _verdict(job, shop)


@pytest.mark.parametrize("job", [explored_jobs.append_to_file, explored_jobs.replace_file])
def test_both_backends_come_to_one_verdict_on_files(job):
    with dying_workers():
        really = _verdict(job, files)

    assert really == _verdict(job, files)


def test_a_job_that_uses_what_dies_with_its_process_is_refused():
    with (
        dying_workers(explored_worlds),
        pytest.raises(ExplorationError, match=r"known to its process alone"),
    ):
        check_idempotent(explored_jobs.charge_with_key, args=(1,), world=shop)
