"""A dead delivery ends what it began, and a check leaves the process as it was."""

from __future__ import annotations

import random
import warnings
from contextlib import suppress

import explored_endings
import pytest
from fingerprint import fingerprint, left_behind

from pytest_jobs import check_idempotent
from pytest_jobs.errors import ExplorationError, NotIdempotent, PartialExploration
from pytest_jobs.exploration.engine.ending import signs

CUTS_OFF = ("crash",)
OVERTAKES = ("overlap", "late", "lease_expires")
#: In none of these a delivery waits for another one, or an effect in a block fails.
QUICK = ("twice", "restart", "crash", "late")


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(signs, "PATIENCE", 0.3)


def check(job, histories):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PartialExploration)
        with suppress(ExplorationError, NotIdempotent):
            check_idempotent(
                job,
                args=(1,),
                world=explored_endings.world,
                histories=histories,
                allow_partial=True,
                time_limit=20,
            )


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    "histories",
    [
        pytest.param(CUTS_OFF, id="crash"),
        pytest.param(OVERTAKES, id="overlap and late", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("share", range(5))
def test_a_check_leaves_the_process_as_it_was(share, histories):
    jobs = explored_endings.JOBS[share::5]
    # A fingerprint costs as much as a check. pytest itself changes the process between two items.
    before = fingerprint()
    for job in jobs:
        check(job, histories)
    if left_behind(before, fingerprint()):
        assert {job.__name__: left_by(job, histories) for job in jobs} == {}


def left_by(job, histories):
    before = fingerprint()
    check(job, histories)
    return left_behind(before, fingerprint())


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
def test_many_checks_in_any_order_leave_the_process_as_it_was():
    chance = random.Random(14)
    before = fingerprint()
    for _ in range(40):
        check(chance.choice(explored_endings.JOBS), [chance.choice(QUICK)])

    assert left_behind(before, fingerprint()) == []
