"""Letters that come in are printed, and paid once."""

from __future__ import annotations

import pytest
from procrastinate.exceptions import AlreadyEnqueued

from conftest import FakeBank
from letters.service import accept
from letters.store import store
from letters.tasks import charge, print_letter
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertPerformed


def test_a_letter_is_printed_and_paid(
    jobs: Jobs,
    bank: FakeBank,
    assert_enqueued: AssertEnqueued,
    assert_performed: AssertPerformed,
) -> None:
    accept("to ann")
    assert_enqueued(print_letter, params={"letter": "to ann"}, queue="print")

    jobs.drain()

    assert_performed(charge, params={"letter": "to ann"})
    assert store.letters == {"to ann": "printed"}
    assert bank.charged == ["to ann"]


def test_a_charge_that_waits_is_not_deferred_twice(jobs: Jobs) -> None:
    deferrer = charge.configure(queueing_lock="charge-to ann")
    deferrer.defer(letter="to ann")

    with pytest.raises(AlreadyEnqueued):
        deferrer.defer(letter="to ann")

    assert jobs.kept_out[0].kept_out_by is jobs.enqueued[0]
