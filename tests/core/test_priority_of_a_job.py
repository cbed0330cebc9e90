"""The priority is a number, or is asked of the job's arguments."""

import pytest

from pytest_jobs import Job, before_enqueue, job, later, reference
from pytest_jobs.errors import DeclarationError


def _by_amount(amount):
    return 1 if amount > 100 else None


class ByFunction(Job):
    priority = _by_amount

    def perform(self, amount):
        pass


class ByStaticMethod(Job):
    @staticmethod
    def priority(amount):
        return _by_amount(amount)

    def perform(self, amount):
        pass


class ByMethod(Job):
    def priority(self, amount):
        return _by_amount(*self.args)

    def perform(self, amount):
        pass


class Inherited(ByFunction):
    pass


@job(priority=_by_amount)
def by_option(amount):
    pass


@job(base=ByMethod)
def by_base(amount):
    pass


@pytest.mark.parametrize(
    "job", [ByFunction, ByStaticMethod, ByMethod, Inherited, by_option, by_base]
)
def test_a_priority_is_asked_of_the_arguments_unless_the_enqueue_says_it(adapter, job):
    for amount in (700, 7):
        job.perform_later(amount)
    job.set(priority=0).perform_later("not to be compared")

    assert [payload.priority for payload in adapter.enqueued] == [1, None, 0]


def test_a_twin_asks_for_it_with_the_record(adapter):
    @reference(id="number", find="find")
    class Account:
        def __init__(self, number):
            self.number = number

        @classmethod
        def find(cls, number):
            return cls(number)

        def close(self, amount): ...

        close_later = later(close, priority=lambda record, amount: record.number + amount)

    Account(7).close_later(3)

    assert adapter.enqueued[0].priority == 10


def test_a_priority_sees_the_arguments_that_before_enqueue_left(adapter):
    class Pay(Job):
        priority = lambda amount: amount  # noqa: E731

        @before_enqueue
        def double(self):
            self.args = (self.args[0] * 2,)

        def perform(self, amount):
            pass

    assert Pay.perform_later(3).payload.priority == 6


@pytest.mark.parametrize("result", ["high", 1.5, True])
def test_a_priority_that_comes_to_no_int_is_refused_at_enqueue(adapter, result):
    pay = type("Pay", (Job,), {"priority": lambda: result, "perform": staticmethod(lambda: None)})

    with pytest.raises(DeclarationError) as raised:
        pay.perform_later()

    assert str(raised.value) == (
        f"the result of Pay.priority must be an int, lower first, got {result!r}."
    )
    assert adapter.enqueued == []


def test_a_retry_keeps_the_priority(adapter, drain):
    class Pay(Job):
        calls = 0

        @staticmethod
        def priority(amount):
            Pay.calls += 1
            return amount

        def perform(self, amount):
            if self.attempt == 1:
                self.retry()

    Pay.perform_later(3)
    drain()

    assert [payload.priority for payload in adapter.enqueued] == [3, 3]
    assert Pay.calls == 1
