"""Arguments that cannot be read never match, and messages say so."""

import pytest

from pytest_jobs import Job, Payload
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import DeserializationError


class Pay(Job):
    def perform(self, payment_id):
        pass


class Ship(Job):
    def perform(self, order):
        pass


@pytest.fixture
def shipped(jobs):
    """Enqueue a job about a record whose class is none any more."""
    enqueue_text('{"tagged":[[{"~":"record","v":5,"t":"shop.Order"}],{}]}', Ship)


def enqueue_text(arguments, job=Pay):
    name = f"{__name__}.{job.__name__}"
    settings.adapter.enqueue(
        Payload(job, name, "1" * 32, "default", None, arguments, 1, None, 10**18, None)
    )


def test_they_do_not_matter_when_they_are_not_asked(shipped, assert_enqueued):
    assert_enqueued(Ship, queue="default")


@pytest.mark.parametrize("criteria", [{"args": (None,)}, {"params": {"order": None}}])
def test_they_never_match(shipped, assert_not_enqueued, criteria):
    assert_not_enqueued(Ship, **criteria)


@pytest.mark.parametrize(("name", "value"), [("args", (7,)), ("params", {"order": 7})])
def test_the_message_says_so(shipped, assert_enqueued, failure, name, value):
    lines = failure(assert_enqueued, Ship, **{name: value}).splitlines()

    assert lines[4:6] == [
        "Closest: #0 Ship(unreadable: DeserializationError) queue='default'",
        (
            f"  {name}  differs  the arguments cannot be read: DeserializationError: The payload refers to a "
            "shop.Order, and nothing says how to find it: it is not a model of SQLAlchemy or Django that can be "
            "imported here, and no `@reference(id=..., find=...)` declares it."
        ),
    ]


def test_the_listing_of_others_says_so(shipped, jobs, assert_enqueued, failure):
    Ship.set(queue="low").perform_later(7)

    assert failure(assert_enqueued, Ship, args=(9,), queue="low").splitlines()[9:11] == [
        "Other Ship enqueued:",
        "  #0  args unreadable, queue 'default'",
    ]
    assert "  #0  params unreadable, queue 'default'" in failure(
        assert_enqueued, Ship, params={"order": 9}, queue="low"
    )


@pytest.mark.parametrize("arguments", ["no JSON", "[[1,2],{}]", '[[],{"colour":"red"}]'])
def test_arguments_that_do_not_fit_never_match(
    jobs, assert_enqueued, assert_not_enqueued, failure, arguments
):
    enqueue_text(arguments)

    assert_not_enqueued(Pay, args=(1,))
    assert "the arguments cannot be read" in failure(assert_enqueued, Pay, args=(1,))
    assert "the arguments cannot be read" in failure(assert_enqueued, Pay, params={"payment_id": 1})


def test_a_delivery_with_them_can_be_found(shipped, jobs, assert_failed):
    jobs.drain(raise_errors=False)

    assert type(assert_failed(Ship).error) is DeserializationError
