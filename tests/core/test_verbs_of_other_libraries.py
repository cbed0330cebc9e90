"""A job that is asked for the enqueueing method of another library says `perform_later`."""

from unittest.mock import create_autospec

import pytest
from tables import each_row

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


@each_row("verb", VERBS)
@each_row(
    ("asked", "called", "instead"),
    [
        (Pay, "Pay", "Pay.perform_later"),
        (send_receipt, "send_receipt", "send_receipt.perform_later"),
        (Pay.set(wait=60), "Pay.set(...)", "Pay.set(...).perform_later"),
        (Order.ship_later, "Order.ship_later", "record.ship_later"),
        (Order().ship_later, "record.ship_later", "record.ship_later"),
    ],
)
def test_each_form_of_a_job_names_its_own(asked, called, instead, verb):
    with pytest.raises(AttributeError) as caught:
        getattr(asked, verb)(7)

    assert type(caught.value) is ForeignNameError
    assert str(caught.value) == (
        f"{called}.{verb}(...) enqueues jobs of another library: write {instead}(...) for a job of pytest-jobs."
    )


def test_jobs_that_were_made_are_still_enqueued_by_their_method(jobs):
    Pay.new(7).enqueue()
    for made in map(Pay.enqueue, [Pay.new(8), Pay.new(9)]):
        assert made.enqueued

    assert [record.args for record in jobs.enqueued] == [(7,), (8,), (9,)]


class Delaying:
    @classmethod
    def delay(cls):
        return "its own"


@pytest.mark.parametrize(
    ("bases", "body"), [((Job, Delaying), {}), ((Job,), {"delay": Delaying.__dict__["delay"]})]
)
def test_a_job_class_may_have_such_a_method_of_its_own_or_of_another_base(bases, body):
    assert type("Delayed", bases, {"perform": print, **body}).delay() == "its own"


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
