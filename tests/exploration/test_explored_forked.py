"""A worker that really dies, as the witness of the one that only seems to."""

from __future__ import annotations

import os

import explored_jobs
import pytest
from explored_worlds import files, shop

from pytest_jobs import check_idempotent
from pytest_jobs.errors import CriterionError, ExplorationError, NotIdempotent

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

on_sqlite = [
    explored_jobs.claim_and_forget,
    explored_jobs.overwrite,
    explored_jobs.insert_plainly,
    explored_jobs.stamp,
]


def _report(job, world, backend):
    with pytest.raises(NotIdempotent) as found:
        check_idempotent(job, args=(1,), world=world, histories=["crash"], crash_backend=backend)
    return str(found.value)


def test_both_backends_tell_the_same_story():
    told = _report(explored_jobs.claim_and_forget, shop, "fork")

    assert told == _report(explored_jobs.claim_and_forget, shop, "nested")


def _verdict(job, world, backend):
    try:
        check_idempotent(
            job, args=(1,), world=world, histories=["crash", "late"], crash_backend=backend
        )
    except NotIdempotent as error:
        return type(error).__name__, str(error).splitlines()[0].rpartition("  ")[2]
    return "safe", ""


@pytest.mark.parametrize("job", on_sqlite)
def test_both_backends_come_to_one_verdict_on_sqlite(job):
    assert _verdict(job, shop, "fork") == _verdict(job, shop, "nested")


@pytest.mark.parametrize("job", [explored_jobs.append_to_file, explored_jobs.replace_file])
def test_both_backends_come_to_one_verdict_on_files(job):
    assert _verdict(job, files, "fork") == _verdict(job, files, "nested")


def test_a_job_that_uses_what_dies_with_its_process_is_refused():
    with pytest.raises(ExplorationError, match=r"known to that process alone"):
        check_idempotent(explored_jobs.charge_with_key, args=(1,), world=shop, crash_backend="fork")


def test_a_backend_that_is_none_is_refused():
    with pytest.raises(CriterionError, match=r"crash_backend='spoon' is none"):
        check_idempotent(explored_jobs.overwrite, args=(1,), world=shop, crash_backend="spoon")
    with pytest.raises(CriterionError, match=r"leave depth=2 out"):
        check_idempotent(
            explored_jobs.overwrite, args=(1,), world=shop, crash_backend="fork", depth=2
        )
