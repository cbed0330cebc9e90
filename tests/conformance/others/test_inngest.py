"""What the test engines of Inngest and the mocks of Hatchet do."""

import asyncio

import pytest
from others_payments import billing, notify_a_stranger
from others_shop import Charge, fetch, rest

from pytest_jobs import check_idempotent
from pytest_jobs.errors import ExplorationError, RunningLoopError


def test_an_outside_act_that_nothing_stands_in_for_is_an_error():
    with pytest.raises(ExplorationError, match="connect"):
        check_idempotent(notify_a_stranger, args=(1,), world=billing)


def test_sleeps_are_skipped(jobs):
    rest.perform_later(7 * 86_400)

    assert jobs.drain() == {"performed": 1}


def test_a_run_says_status_output_and_error(jobs):
    Charge.perform_later(1)
    Charge.perform_later(2, error="broken")
    jobs.drain(raise_errors=False)

    assert [(d.status, d.result, type(d.error)) for d in jobs.deliveries] == [
        ("performed", "attempt 1", type(None)),
        ("failed", None, LookupError),
    ]


def test_each_attempt_is_a_delivery_with_a_number(jobs):
    Charge.perform_later(1, error="slow")
    jobs.drain(raise_errors=False)

    assert [d.record.attempt for d in jobs.deliveries] == [1, 2, 3]


def test_a_dependency_fails_on_chosen_attempts(jobs):
    jobs.fail(Charge, raising=TimeoutError, on=[1, 2])
    Charge.perform_later(1)
    jobs.drain()

    assert [d.status for d in jobs.deliveries] == ["retried", "retried", "performed"]


def test_the_wrong_variant_names_the_other(jobs):
    fetch.perform_later(1)

    async def run():
        jobs.drain()

    with pytest.raises(RunningLoopError, match=r"await jobs\.adrain\(\)"):
        asyncio.run(run())
