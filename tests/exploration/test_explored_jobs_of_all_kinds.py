"""Functions, coroutine functions and jobs of the core are explored alike."""

import asyncio
import sys

import explored_jobs
import pytest
from explored_worlds import Gateway, shop

from pytest_jobs import check_idempotent, fake, job, open_jobs
from pytest_jobs.errors import DuplicateEffect, ExplorationError, PoisonJob


def gateway():
    with fake(explored_jobs, "gateway", Gateway(), key="key") as made:
        yield lambda: {"charges": made.calls}


def test_a_job_class_with_retries():
    check_idempotent(explored_jobs.Pay, args=(1,), world=gateway, histories="all")


def test_a_job_function_that_enqueues():
    with pytest.raises(
        DuplicateEffect, match=r"DUPLICATE gateway\.charge \[crash, 1 failing point\]"
    ):
        check_idempotent(explored_jobs.fan_out, args=(1,), world=shop)


def test_inside_an_open_harness_whose_views_stay_as_they_are():
    with open_jobs() as jobs:
        explored_jobs.send_receipt.perform_later(7)
        before = jobs.clock.now()

        check_idempotent(explored_jobs.Pay, kwargs={"number": 1}, world=gateway)

        assert [record.args for record in jobs.enqueued] == [(7,)]
        assert len(jobs.deliveries) == 0
        assert not jobs.clock.frozen
        assert jobs.clock.now() >= before


def test_a_coroutine_function():
    with pytest.raises(DuplicateEffect, match=r"\[twice\]"):
        check_idempotent(explored_jobs.charge_in_a_coroutine, args=(1,), world=gateway)
    check_idempotent(
        explored_jobs.charge_with_key_in_a_coroutine, args=(1,), world=gateway, histories="all"
    )


def test_a_coroutine_job_of_the_core():
    declared = job(explored_jobs.charge_with_key_in_a_coroutine)

    explored = check_idempotent(declared, args=(1,), world=gateway)

    assert explored.to_dict()["arguments"][0]["points"] >= 5


def test_inside_a_running_event_loop():
    async def test():
        check_idempotent(explored_jobs.charge_with_key, args=(1,), world=shop)
        with pytest.raises(DuplicateEffect):
            check_idempotent(explored_jobs.charge_then_mark, args=(1,), world=shop)

    asyncio.run(test())


def test_a_function_of_the_test_itself():
    def charge(number):
        calls = explored_jobs.gateway
        calls.charge(number)
        calls.charge(number + 1)

    with pytest.raises(DuplicateEffect):
        check_idempotent(charge, args=(1,), world=gateway, histories=["crash"])


def test_a_method():
    class Shop:
        def pay(self, number):
            explored_jobs.gateway.charge(number, key=number)

    check_idempotent(Shop().pay, args=(1,), world=gateway, histories="all")


def test_a_job_that_never_ends_well_is_poison():
    runs = []

    def fragile(number):
        explored_jobs.gateway.charge(number, key=number)
        if runs:
            raise ValueError("there is one already")
        runs.append(number)

    def world():
        runs.clear()
        yield from gateway()

    with pytest.raises(PoisonJob, match="POISON ValueError"):
        check_idempotent(fragile, args=(1,), world=world, histories=["twice"])


def test_each_delivery_has_arguments_of_its_own():
    def change(numbers):
        numbers.append(len(numbers))
        explored_jobs.gateway.charge(tuple(numbers), key="one")

    check_idempotent(change, args=([],), world=gateway)


def test_a_world_that_enqueues_a_job_of_its_own():
    def world():
        explored_jobs.send_receipt.perform_later(7)
        with fake(explored_jobs, "gateway", Gateway(), key="key") as made:
            yield lambda: {"charges": made.calls}

    explored = check_idempotent(explored_jobs.Pay, args=(1,), world=world, histories=["twice"])

    assert explored.to_dict()["arguments"][0]["points"] > 1


def yields(number):
    explored_jobs.gateway.charge(number)
    yield number


async def yields_later(number):
    explored_jobs.gateway.charge(number)
    yield number


def returns_a_coroutine(number):
    async def charge():
        explored_jobs.gateway.charge(number)

    return charge()


def ends_its_worker(number):
    explored_jobs.gateway.charge(number)
    sys.exit(3)


YIELDS = (
    "The job is a function with `yield`, and nobody asks for what it yields, so it does nothing. Check a function "
    "that iterates over it."
)
COROUTINE = (
    "The job has returned a coroutine that nobody awaits, so it does nothing. Await it in a coroutine function, "
    "or call `asyncio.run` in the job."
)
EXIT = (
    "The job has raised SystemExit(3), which ends its worker and not only the job, so no history goes on. Let it "
    "return, or raise an error of the project."
)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (yields, YIELDS),
        (yields_later, YIELDS),
        (returns_a_coroutine, COROUTINE),
        (ends_its_worker, EXIT),
    ],
)
def test_a_function_that_is_no_job_is_named(function, says):
    with pytest.raises(ExplorationError) as raised:
        check_idempotent(function, args=(1,), world=gateway)

    assert str(raised.value) == says
