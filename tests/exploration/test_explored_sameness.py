"""Clocks and random ids differ from run to run, and are no difference."""

import explored_jobs
import pytest
from explored_worlds import shop

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DivergedState, DuplicateEffect


def test_a_time_that_is_stored_is_no_difference():
    check_idempotent(explored_jobs.stamp, args=(1,), world=shop, histories="all")


def test_a_random_key_is_a_new_one_each_time():
    with pytest.raises(DuplicateEffect):
        check_idempotent(explored_jobs.charge_with_random_key, args=(1,), world=shop)


def test_a_token_that_is_sent_and_another_that_is_stored_are_a_difference():
    with pytest.raises(DivergedState, match="<random 1>"):
        check_idempotent(explored_jobs.token_sent_and_stored, args=(1,), world=shop)


def test_a_job_that_remembers_something_in_its_module_is_fresh_after_a_restart():
    check_idempotent(explored_jobs.remember, args=(1,), world=shop, histories="all")

    assert explored_jobs.cache == {}
    assert explored_jobs.seen == set()


def test_a_key_that_is_none_is_no_key():
    def charge(number):
        explored_jobs.gateway.charge(number, key=None)

    with pytest.raises(DuplicateEffect):
        check_idempotent(charge, args=(1,), world=shop, histories=["twice"])
