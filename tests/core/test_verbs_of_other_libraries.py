"""A job that is asked for the enqueueing method of another library says `perform_later`."""

from unittest.mock import create_autospec

import pytest

from pytest_jobs import Job, job, later, reference
from pytest_jobs.errors import ForeignNameError

VERBS = ["apply_async", "delay", "enqueue", "kiq", "perform_async"]


class Pay(Job):
    def perform(self, payment_id):
        pass


@job
def send_receipt(order_id):
    pass


@reference(id="number", find="find")
class Order:
    number = 5

    @classmethod
    def find(cls, number):
        return cls()

    def ship(self):
        pass

    ship_later = later(ship)


def named(asked):
    """Return the name of a test for one form of a job."""
    return type(asked).__name__


@pytest.mark.parametrize("verb", VERBS)
def test_a_job_class_names_its_own(verb):
    with pytest.raises(AttributeError) as caught:
        getattr(Pay, verb)(7)

    assert type(caught.value) is ForeignNameError
    assert str(caught.value) == (
        f"Pay.{verb}(...) enqueues jobs of another library: write Pay.perform_later(...) for a job of pytest-jobs."
    )


@pytest.mark.parametrize(
    ("asked", "called", "instead"),
    [
        (send_receipt, "send_receipt", "send_receipt.perform_later"),
        (Pay.set(wait=60), "Pay.set(...)", "Pay.set(...).perform_later"),
        (Order.ship_later, "Order.ship_later", "record.ship_later"),
        (Order().ship_later, "record.ship_later", "record.ship_later"),
    ],
    ids=["job_function", "with_options", "twin", "twin_of_a_record"],
)
def test_so_does_each_other_form_of_a_job(asked, called, instead):
    with pytest.raises(ForeignNameError) as caught:
        asked.delay(7)

    assert str(caught.value) == (
        f"{called}.delay(...) enqueues jobs of another library: write {instead}(...) for a job of pytest-jobs."
    )


def test_a_job_that_was_made_is_still_enqueued(jobs):
    Pay.new(7).enqueue()

    assert [record.args for record in jobs.enqueued] == [(7,)]


def test_a_job_class_may_have_such_a_method_of_its_own():
    class Delayed(Job):
        def perform(self):
            pass

        @classmethod
        def delay(cls):
            return "its own"

    assert Delayed.delay() == "its own"


def test_it_may_inherit_one_from_another_base():
    class Delaying:
        @classmethod
        def delay(cls):
            return cls.__name__

    class Delayed(Job, Delaying):
        def perform(self):
            pass

    assert Delayed.delay() == "Delayed"


def test_jobs_that_were_made_are_still_enqueued_by_the_method_of_the_class(jobs):
    for made in map(Pay.enqueue, [Pay.new(7), Pay.new(8)]):
        assert made.enqueued


@pytest.mark.parametrize(
    "asked", [Pay, send_receipt, Pay.set(wait=60), Order.ship_later, Order().ship_later], ids=named
)
def test_it_has_no_such_attribute(asked):
    # A job that was made has `enqueue`, and so its class has the function.
    assert {verb for verb in VERBS if hasattr(asked, verb)} - {"enqueue"} == set()


@pytest.mark.parametrize(
    "asked", [send_receipt, Pay.set(wait=60), Order.ship_later, Order().ship_later], ids=named
)
def test_any_other_name_is_missing_as_usual(asked):
    with pytest.raises(AttributeError) as caught:
        asked.perfrom_later  # noqa: B018

    assert str(caught.value) == (
        f"{type(asked).__name__!r} object has no attribute 'perfrom_later'"
    )
    assert (caught.value.name, caught.value.obj) == ("perfrom_later", asked)


def test_a_job_class_can_be_specified_for_a_mock():
    assert create_autospec(Pay).perform_later(7) is not None
