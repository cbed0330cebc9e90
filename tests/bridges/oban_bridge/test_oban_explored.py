"""A job is explored through its real path."""

import pytest

pytest.importorskip("oban")

from booked import Shop, books
from oban import job
from rendered import render, videos

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, HalfDone


@pytest.mark.parametrize("is_safe", [False, True])
def test_a_function_is_explored(jobs, is_safe):
    @job()
    def book(number):
        Shop.ledger.book(number, key=f"book-{number}" if is_safe else None)

    if is_safe:
        check_idempotent(book, args=(7,), world=books)
    else:
        with pytest.raises(DuplicateEffect):
            check_idempotent(book, args=(7,), world=books)


def test_as_configured_a_job_with_one_attempt_is_abandoned(jobs):
    once = job(max_attempts=1)(render)

    with pytest.raises(HalfDone, match=r"HALF_DONE video\.id=7\.status \[abandoned"):
        check_idempotent(once, args=(7,), world=videos, delivery="as configured")
