"""Hypothesis searches the arguments, and nothing else."""

import explored_jobs
import pytest
from explored_worlds import shop
from hypothesis import strategies as st

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect


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
