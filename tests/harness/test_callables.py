"""A callable is shown as a reader would write it."""

from __future__ import annotations

from functools import partial

from tables import each_row

from pytest_jobs import Job, job
from pytest_jobs.harness.commits.callables import callable_owner, callable_text, calling_line


class Pay(Job):
    def perform(self, payment_id):
        pass


@job
def send(number):
    pass


class Task:
    """As job libraries have them: a name, and methods that enqueue."""

    def __init__(self, name):
        self.name = name

    def delay(self, *args, **kwargs):
        pass


class Order:
    def ship(self):
        pass


class Nameless:
    def __call__(self):
        pass

    def __repr__(self):
        return "<Nameless>"


def ship_all():
    pass


@each_row(
    ("function", "text"),
    [
        (ship_all, "ship_all"),
        (Order.ship, "Order.ship"),
        (Order().ship, "Order.ship"),
        (Pay.perform_later, "Pay.perform_later"),
        (partial(Pay.set(wait=3).perform_later, 7), "Pay.set(...).perform_later(7)"),
        (partial(send.set(wait=3).perform_later, 7), "send.set(...).perform_later(7)"),
        (partial(send.perform_later, number=7), "send.perform_later(number=7)"),
        (partial(partial(send.perform_later, 7), 8), "send.perform_later(7, 8)"),
        (partial(Task("shop.tasks.send").delay, 7), "send.delay(7)"),
        (Nameless(), "<Nameless>"),
        (partial(Nameless(), 7), "<Nameless>(7)"),
        (print, "print"),
    ],
)
def test_in_words(function, text):
    assert callable_text(function) == text


def test_a_long_call_is_cut():
    text = callable_text(partial(print, *["a long text " * 3] * 6))

    assert len(text) <= 100
    assert text.startswith("print('a long text")


def test_the_owner_is_what_the_method_belongs_to():
    assert callable_owner(partial(partial(send.perform_later, 7))) is send
    assert callable_owner(Pay.set(wait=3).perform_later) is Pay
    assert callable_owner(ship_all) is None
    assert callable_owner(print) is None


def test_the_line_is_that_of_the_innermost_call_that_is_not_skipped():
    def call():
        return calling_line({"pytest_jobs"})

    line = call.__code__.co_firstlineno + 1
    assert call().endswith(f"test_callables.py:{line}")
    assert "test_callables" not in calling_line({__name__, "pytest_jobs"})
