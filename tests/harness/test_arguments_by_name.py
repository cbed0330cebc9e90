"""The arguments of a job and of a record by parameter name, and records as they were enqueued."""

import pytest

from pytest_jobs import Job, assert_enqueued, discard_on, reference
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.core.arguments.records import RecordReference
from pytest_jobs.errors import RecordNotFoundError

orders = {}
seen = []


@reference(id="number", find="find")
class Order:
    def __init__(self, number):
        self.number = number
        self.state = "new"
        orders[number] = self

    @classmethod
    def find(cls, number):
        return orders.get(number)

    def __eq__(self, other):
        return isinstance(other, Order) and vars(self) == vars(other)

    __hash__ = None


class Ship(Job):
    def perform(self, order, carrier="post"):
        order.state = "shipped"


@discard_on(ValueError, then=lambda job, error: seen.append(job.params))
class Refuse(Job):
    def perform(self, order_id, *, reason="none", **rest):
        raise ValueError


@pytest.fixture
def jobs():
    orders.clear()
    seen.clear()
    with open_jobs() as jobs:
        yield jobs


@pytest.mark.parametrize(("args", "kwargs"), [((7,), {}), ((), {"order_id": 7})])
def test_it_makes_no_difference_how_they_were_passed(jobs, args, kwargs):
    Refuse.perform_later(*args, **kwargs, extra=1)
    jobs.drain()

    assert jobs.enqueued[0].params == {"order_id": 7, "reason": "none", "extra": 1}
    assert seen == [{"order_id": 7, "reason": "none", "extra": 1}]


def test_a_record_is_what_was_enqueued_whatever_became_of_it(jobs):
    order = Order(5)
    Ship.perform_later(order)
    before = assert_enqueued(Ship, args=(order,))
    jobs.drain()

    assert orders[5].state == "shipped"
    assert assert_enqueued(Ship, args=(order,)) is before
    assert assert_enqueued(Ship, params={"order": Order(5)}) is before


def test_a_record_that_is_gone_is_still_what_was_enqueued(jobs):
    order = Order(5)
    Ship.perform_later(order)
    del orders[5]

    (argument,) = assert_enqueued(Ship, args=(order,)).args

    assert repr(argument) == "<Order 5>"
    assert (argument.cls, argument.id) == (Order, 5)
    with pytest.raises(RecordNotFoundError, match="The Order 5 does not exist any more"):
        argument.find()


def test_records_inside_of_others_are_compared_too(jobs):
    first, second = Order(1), Order(2)
    Ship.perform_later([first, {"other": second}], carrier=(second,))

    assert_enqueued(Ship, args=([first, {"other": second}],), kwargs={"carrier": (second,)})


def test_references_are_equal_by_class_and_id(jobs):
    Ship.perform_later(Order(5))
    Ship.perform_later(Order(5))
    Ship.perform_later(Order(6))
    one, same, other = (record.args[0] for record in jobs.enqueued)

    assert type(one) is RecordReference
    assert one == same == Order(5)
    assert hash(one) == hash(same)
    assert one not in (other, Order(6), 5)
    assert one.find() is orders[5]
