"""Coroutines that use Django's ORM, and code that goes from threads to loops and back."""

from __future__ import annotations

import contextvars

import pytest

pytest.importorskip("django", reason="Django is not installed")

import explored_models
from asgiref.sync import SyncToAsync
from explored_models import databases, shop  # noqa: F401

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, StuckJob


def points(explored):
    return [str(point) for point in explored.explorations[0].points]


def test_a_charge_between_read_and_write_is_doubled_by_a_crash():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[crash"):
        check_idempotent(explored_models.charge_then_mark_later, args=(1,), world=shop)


def test_a_key_makes_it_safe():
    check_idempotent(explored_models.charge_with_key_later, args=(1,), world=shop, histories="all")


def test_two_coroutines_that_overlap_have_connections_of_their_own():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[overlap"):
        check_idempotent(
            explored_models.charge_then_mark_later, args=(1,), world=shop, histories=["overlap"]
        )


@pytest.mark.slow
def test_synchronous_parts_are_interrupted_at_every_line():
    explored = check_idempotent(
        explored_models.book_off_the_loop, args=(1,), world=shop, histories="all"
    )

    assert any("of book_in_one_transaction" in point for point in points(explored))
    assert "after django: COMMIT" in points(explored)
    with pytest.raises(StuckJob, match=r"STUCK Payment .*\[crash"):
        check_idempotent(explored_models.book_in_two_off_the_loop, args=(1,), world=shop)


@pytest.mark.parametrize(
    "job",
    [
        explored_models.charge_in_any_thread,
        explored_models.charge_on_a_loop,
        explored_models.there_and_back,
    ],
)
def test_what_runs_in_other_threads_is_interrupted(job):
    explored = check_idempotent(job, args=(1,), world=shop, histories=["twice", "crash"])

    assert any("before gateway: charge(1" in point for point in points(explored))


def test_what_is_done_twice_there_is_found():
    async def charge_in_any_thread(number):
        await explored_models.sync_to_async(explored_models.charge, thread_sensitive=False)(number)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[twice"):
        check_idempotent(charge_in_any_thread, args=(1,), world=shop)


@pytest.mark.parametrize("thread_sensitive", [True, False])
def test_a_context_of_its_own_does_not_hide_what_runs_in_it(thread_sensitive):
    async def charge_in_a_context(number):
        call = SyncToAsync(
            explored_models.charge,
            thread_sensitive=thread_sensitive,
            context=contextvars.Context(),
        )
        await call(number)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[twice"):
        check_idempotent(charge_in_a_context, args=(1,), world=shop)


def test_nothing_stays_patched():
    before = SyncToAsync.__call__

    check_idempotent(explored_models.book_off_the_loop, args=(1,), world=shop, histories=["twice"])

    assert SyncToAsync.__call__ is before
