"""`check_idempotent` without a world, where no library has anything that could be copied."""

from __future__ import annotations

import pytest

from pytest_jobs import check_idempotent, here, job
from pytest_jobs.errors import DuplicateEffect, ExplorationError


@job
def receipt():
    """Be enqueued."""


def test_what_a_job_enqueues_is_compared_without_any_world():
    with pytest.raises(DuplicateEffect, match="DUPLICATE enqueue"):
        check_idempotent(receipt.perform_later)


def do_nothing():
    return 1


def test_nothing_to_copy_is_an_error_with_what_to_write():
    with pytest.raises(ExplorationError) as refused:
        check_idempotent(do_nothing)

    assert str(refused.value) == (
        "One clean run of the job changes nothing that the check compares. There is no world=, so the check "
        "compares copies of what the test has: here (nothing was copied). Let the test prepare what the job needs "
        "before the check, for example with the fixture `db` of pytest-django. Or write a world that builds the "
        "rest, and name it: check_idempotent(job, world=shop)."
    )


def test_the_patterns_of_ignore_must_be_names():
    with pytest.raises(ExplorationError, match=r"ignore= names 7, which is not a name"):
        here(ignore=[7])
