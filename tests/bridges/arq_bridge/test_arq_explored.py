"""A job is explored through its real path, and a dead one is enqueued anew."""

import pytest

pytest.importorskip("arq")

from arq import Retry, func
from booked import Shop, books

from pytest_jobs import check_idempotent


async def book(ctx, number):
    Shop.ledger.book(number)


async def book_once(ctx, number):
    try:
        Shop.ledger.book(number, key=f"book-{number}")
    except ConnectionError as error:
        raise Retry(defer=5) from error


async def book_and_mail_once(ctx, number):
    Shop.ledger.book(number, key=f"book-{number}")
    await ctx["redis"].enqueue_job("mail", number, _job_id=f"mail-{number}")


async def mail(ctx, number):
    """Be enqueued."""


@pytest.fixture
def jobs(open_over, settings):
    with open_over(settings(book, book_once, book_and_mail_once, mail)) as jobs:
        yield jobs


def test_an_id_of_its_own_makes_an_enqueue_safe(jobs):
    check_idempotent(book_and_mail_once, args=(7,), world=books)


def test_a_dead_job_is_enqueued_anew_under_an_id_of_its_own(open_over, settings, client, run):
    async def fails_once(ctx, number):
        if ctx["job_id"] == "one":
            raise ValueError(number)

    with open_over(settings(func(fails_once, name="fails"))) as jobs:
        run(client.enqueue_job("fails", 7, _job_id="one"))
        jobs.drain(raise_errors=False)

        again = jobs.redrive(jobs.dead[0])

        assert (again.args, again.attempt, again.job_id != "one") == ((7,), 1, True)
        assert jobs.drain() == {"performed": 1}
        assert jobs.locks == []
