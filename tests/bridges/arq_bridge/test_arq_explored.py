"""A job is explored through its real path, and recorded payloads are performed by later code."""

import json

import pytest

pytest.importorskip("arq")

from arq import Retry, func
from arq.connections import ArqRedis
from booked import Shop, books

from pytest_jobs import check_idempotent, check_payloads
from pytest_jobs.errors import IncompatiblePayload, PayloadError


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


def as_bytes(value):
    return json.dumps(value).encode()


@pytest.fixture
def recorded(open_over, settings, run, tmp_path):
    """Return a function that records a job of a function, and returns the file."""
    client = ArqRedis(port=1, job_serializer=as_bytes, job_deserializer=json.loads)

    def recorded(jobs):
        run(client.enqueue_job("book", 7, _defer_by=60))
        (path,) = jobs.record_payloads(tmp_path)
        return path

    return recorded


def with_json(settings, function):
    serializers = {"job_serializer": staticmethod(as_bytes), "job_deserializer": json.loads}
    return settings(func(function, name="book"), **serializers)


async def note(ctx, number):
    return number


def test_a_job_is_recorded_as_text_and_performed_again(open_over, settings, recorded):
    with open_over(with_json(settings, note)) as jobs:
        path = recorded(jobs)
        content = json.loads(path.read_text("ascii"))

        assert content["payload"] == {
            "args": [7],
            "function": "book",
            "kwargs": {},
            "queue": "arq:queue",
        }
        assert check_payloads(path.parent, perform=True) == (path,)


def test_a_recorded_job_whose_function_is_gone_is_told(open_over, settings, recorded):
    with open_over(with_json(settings, note)) as jobs:
        path = recorded(jobs)
    with (
        open_over(settings(mail)),
        pytest.raises(IncompatiblePayload, match="No job has this name"),
    ):
        check_payloads(path.parent, perform=True)


def test_pickles_are_refused(jobs, client, run, tmp_path):
    run(client.enqueue_job("book", 7))

    with pytest.raises(PayloadError) as refused:
        jobs.record_payloads(tmp_path)

    assert str(refused.value) == (
        "A job of book cannot be recorded, since arq pickles its jobs, and a pickle is not text: give a "
        "`job_serializer` and a `job_deserializer` of JSON to create_pool(), and to the worker settings."
    )


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
