"""Mocks in a machine: the name of a mock decides what its calls are, unless the machine says otherwise."""

from types import SimpleNamespace
from unittest.mock import patch

import pytest
from hypothesis import Phase, settings

from pytest_jobs import JobMachine
from pytest_jobs.errors import CriterionError, ExplorationError

shop = SimpleNamespace(orders=None, done=None)


def complete(number):
    shop.orders.get_paid(number)
    shop.done.append(number)


def world():
    shop.done = []
    with patch.object(shop, "orders"):
        yield lambda: {"done": list(shop.done)}


class Orders(JobMachine):
    world = world
    jobs = {complete: {"number": 1}}  # noqa: RUF012 - as users write it

    def settled(self):
        assert set(self.state["done"]) <= {1}


class Declared(Orders):
    mocks = {"*.get_paid": "effect"}  # noqa: RUF012


class Misspelt(Orders):
    mocks = {"*.get_payed": "effect"}  # noqa: RUF012


class Wrong(Orders):
    mocks = {"*.get_paid": "write"}  # noqa: RUF012


FEW = settings(
    max_examples=20,
    stateful_step_count=5,
    phases=(Phase.generate,),
    derandomize=True,
    database=None,
    deadline=None,
)
for machine in (Declared, Misspelt):
    machine.TestCase.settings = FEW


def fail_at_the_mock(machine):
    with machine() as state:
        state.enqueue("complete", number=1)
        state.effect_fails(
            "complete#1", at="test_job_machine_mocks.shop.orders: get_paid(1) in complete"
        )


def test_a_call_that_looks_like_a_look_up_is_no_effect_that_could_fail():
    with pytest.raises(ExplorationError, match="did not come to"):
        fail_at_the_mock(Orders)


@pytest.mark.wide
def test_a_call_that_the_machine_declares_an_effect_fails():
    fail_at_the_mock(Declared)


@pytest.mark.wide
def test_a_search_with_declared_mocks():
    Declared.TestCase("runTest").runTest()


@pytest.mark.wide
def test_a_name_of_no_mock_is_an_error():
    with pytest.raises(
        ExplorationError, match=r"mocks= names '\*\.get_payed', and the job calls no double"
    ):
        Misspelt.TestCase("runTest").runTest()


def test_a_kind_that_is_none_is_an_error():
    with pytest.raises(CriterionError, match=r"must be one of"):
        Wrong()
