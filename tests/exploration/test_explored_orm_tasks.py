"""Django tasks that use the ORM, delivered by their bridge."""

from __future__ import annotations

import pytest

pytest.importorskip("django", reason="Django is not installed")

import explored_models
from explored_models import databases, shop  # noqa: F401

from pytest_jobs import check_idempotent, open_jobs
from pytest_jobs.errors import DuplicateEffect, LostEffect


@pytest.fixture(autouse=True)
def _harness(databases):  # noqa: F811
    with open_jobs(apps=["django"]):
        yield


@pytest.mark.parametrize(
    "task", [explored_models.pay, pytest.param(explored_models.pay_later, marks=pytest.mark.wide)]
)
def test_a_charge_between_read_and_write_is_doubled_by_a_crash(task):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[crash"):
        check_idempotent(task, args=(1,), world=shop)


@pytest.mark.parametrize(
    "task",
    [
        explored_models.pay_with_key,
        pytest.param(explored_models.pay_with_key_later, marks=pytest.mark.wide),
    ],
)
def test_a_key_makes_it_safe(task):
    check_idempotent(task, args=(1,), world=shop, histories="all")


def test_a_task_that_is_enqueued_on_commit_may_come_again_if_it_is_idempotent():
    check_idempotent(explored_models.pay_and_enqueue, args=(1,), world=shop)


def test_a_worker_that_dies_between_commit_and_enqueueing_loses_the_task():
    with pytest.raises(LostEffect, match=r"LOST enqueue .*pay_with_key .*\[crash"):
        check_idempotent(explored_models.pay_once_and_enqueue, args=(1,), world=shop)
