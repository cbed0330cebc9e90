"""A rollback drops what was registered inside it, and the views say so."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest

pytest.importorskip("django")

from django.db import transaction

from pytest_jobs import job


@job
def send(number):
    pass


class Cancelled(Exception):
    pass


def later(number, using=None):
    transaction.on_commit(partial(send.perform_later, number), using=using)


def numbers(records):
    return [record.args[0] for record in records]


def dropped(jobs):
    return [found.text for found in jobs.dropped_by_rollback]


def test_a_block_that_fails_drops_its_own(jobs):
    later(1)
    with suppress(Cancelled), transaction.atomic():
        later(2)
        raise Cancelled
    later(3)

    assert dropped(jobs) == ["send.perform_later(2)"]
    assert numbers(jobs.commit()) == [1, 3]


def test_a_savepoint_that_fails_drops_its_own(jobs):
    with transaction.atomic():
        later(1)
        with suppress(Cancelled), transaction.atomic():
            later(2)
            raise Cancelled
        assert dropped(jobs) == ["send.perform_later(2)"]
        later(3)

    assert numbers(jobs.commit()) == [1, 3]


def test_an_outer_block_that_fails_drops_those_of_inner_ones(jobs):
    with suppress(Cancelled), transaction.atomic():
        with transaction.atomic():
            later(1)
        raise Cancelled

    assert dropped(jobs) == ["send.perform_later(1)"]
    assert jobs.commit() == ()


def test_a_block_without_a_savepoint_drops_its_own(jobs):
    with suppress(Cancelled), transaction.atomic(savepoint=False):
        later(1)
        raise Cancelled
    transaction.set_rollback(False)

    assert dropped(jobs) == ["send.perform_later(1)"]
    assert jobs.commit() == ()


def test_a_rollback_that_was_asked_for_drops_them(jobs):
    with transaction.atomic():
        later(1)
        transaction.set_rollback(True)

    assert dropped(jobs) == ["send.perform_later(1)"]


def test_databases_are_rolled_back_one_by_one(jobs):
    with transaction.atomic("default"), suppress(Cancelled), transaction.atomic("other"):
        later(1, "default")
        later(2, "other")
        raise Cancelled

    assert dropped(jobs) == ["send.perform_later(2)"]
    assert numbers(jobs.commit()) == [1]


def test_inline_nothing_of_it_runs(inline_jobs):
    with suppress(Cancelled), transaction.atomic():
        later(1)
        raise Cancelled

    assert inline_jobs.enqueued == []
    assert dropped(inline_jobs) == ["send.perform_later(1)"]


def test_inline_a_block_without_a_savepoint_runs_nothing(inline_jobs):
    with suppress(Cancelled), transaction.atomic(savepoint=False):
        later(1)
        raise Cancelled
    transaction.set_rollback(False)

    assert inline_jobs.enqueued == []
