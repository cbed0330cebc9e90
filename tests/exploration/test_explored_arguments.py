"""Hypothesis searches the arguments, and nothing else."""

import functools
import queue
import threading
from typing import Protocol
from unittest.mock import create_autospec

import explored_jobs
import pytest
from explored_worlds import shop
from hypothesis import strategies as st
from tables import each_row

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, ExplorationError


def charge_some_twice(number, express):
    key = None if express and number == 2 else f"payment-{number}"
    explored_jobs.gateway.charge(number, key=key)


def test_every_argument_is_explored():
    explored = check_idempotent(
        explored_jobs.charge_with_key, kwargs={"number": st.sampled_from([1, 2])}, world=shop
    )

    tried = {tuple(one["kwargs"].items()) for one in explored.to_dict()["arguments"]}
    assert tried == {(("number", 1),), (("number", 2),)}


def test_the_arguments_that_fail_are_told():
    with pytest.raises(DuplicateEffect) as found:
        check_idempotent(
            charge_some_twice,
            kwargs={"number": st.integers(1, 3), "express": st.booleans()},
            world=shop,
        )

    assert str(found.value).startswith(
        "charge_some_twice(number=2, express=True) is not safe to deliver twice: DUPLICATE gateway.charge [twice]"
    )


def test_the_quick_histories_come_first_for_all_arguments():
    tried = []

    def note(number):
        tried.append(number)
        explored_jobs.charge_with_key(number)

    numbers = st.sampled_from([1, 2])
    check_idempotent(note, args=(numbers,), world=shop, histories=["twice", "crash"])

    # Three clean runs and a second delivery for each, before any of them is killed anywhere.
    assert {*tried[:12]} == {1, 2}


def test_arguments_that_come_again_are_explored_once():
    explored = check_idempotent(
        explored_jobs.charge_with_key, args=(st.sampled_from([1, 2]),), world=shop
    )

    assert len(explored.explorations) == 2


class Ledger(Protocol):
    def book(self, number: int) -> None: ...


class Pool:
    """A handle of a worker, as a pool of connections."""

    def __init__(self):
        self.lock = threading.Lock()


class Context:
    """An object of the project that has data, and a handle."""

    def __init__(self, number):
        self.pool, self.numbers, self.itself = Pool(), [number], self


def nothing():
    yield dict


def book(ledger, context):
    with context.pool.lock:
        ledger.book(context.numbers.pop())


def charge_all(context):
    for number in context.numbers:
        explored_jobs.charge_with_key(number)
    context.numbers.clear()


@pytest.mark.parametrize("in_a_dict", [False, True])
def test_what_cannot_be_copied_in_arguments_is_no_data(in_a_dict):
    def job(context):
        charge_all(context["of the worker"] if in_a_dict else context)

    context = Context(1)
    check_idempotent(job, args=({"of the worker": context} if in_a_dict else context,), world=shop)

    assert context.numbers == [1]


def test_a_mock_that_nobody_can_copy_is_the_outside_all_the_same():
    ledger = create_autospec(Ledger, instance=True)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mock\.book"):
        check_idempotent(book, args=(ledger, Context(1)), world=nothing)


@each_row("kind", [queue.Queue, queue.SimpleQueue])
def test_a_queue_in_memory_is_refused_since_nobody_sees_what_is_put_into_it(kind):
    def job(waiting):
        waiting.put_nowait(1)
        explored_jobs.charge_with_key(1)

    with pytest.raises(
        ExplorationError, match=rf"^The job gets a {kind.__name__} in its arguments"
    ):
        check_idempotent(job, args=(kind(),), world=shop)


class Bare:
    """A class of the test, which is not in the file of the job, whose method wraps one in C."""

    __module__ = "explored_worlds"
    shown = functools.wraps(str.upper)(lambda text: text)

    def __init__(self):
        self.number = 1


def test_a_method_that_wraps_one_in_c_is_a_method_like_others():
    check_idempotent(
        lambda of: explored_jobs.charge_with_key(of.number), args=(Bare(),), world=shop
    )


async def pay_in_a_worker(ctx, order): ...


def test_arguments_that_do_not_fit_are_refused_since_a_library_may_give_others_before_them():
    with pytest.raises(ExplorationError) as raised:
        check_idempotent(pay_in_a_worker, args=(1,), world=shop)

    assert str(raised.value) == (
        "pay_in_a_worker(1) cannot be called: pay_in_a_worker() missing 1 required positional argument: 'order'. "
        "It gets these arguments alone, as a plain function. If a job library calls it in production, import in "
        "the test what tells the library so, such as the worker settings of arq or SAQ, or name that by "
        "jobs_apps; otherwise give it all its arguments."
    )
