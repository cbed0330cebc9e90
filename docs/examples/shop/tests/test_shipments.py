"""The lines of a shipment are booked side by side, and it is closed once, when all of them are."""

from __future__ import annotations

import pytest

from pytest_jobs import Batch, Jobs
from pytest_jobs.types import AssertEnqueued, AssertNotEnqueued, AssertPerformed
from shop import db
from shop.catalogue import Shipment
from shop.jobs import BookLines, BookShipment, CloseShipment


@pytest.fixture
def shipment(monkeypatch: pytest.MonkeyPatch) -> Shipment:
    """Three lines, in slices of two."""
    monkeypatch.setattr(Shipment, "SLICE_SIZE", 2)
    return Shipment.unload({"teapot-1": 3, "teapot-2": 40, "kettle": 500})


def test_one_job_cuts_the_shipment_into_slices(
    jobs: Jobs, shipment: Shipment, assert_enqueued: AssertEnqueued
) -> None:
    jobs.perform_due(only=BookShipment)

    slices = assert_enqueued(BookLines, count=2)
    assert [record.args for record in slices] == [([1, 2],), ([3],)]


def test_the_shipment_is_closed_after_the_last_slice(
    jobs: Jobs, shipment: Shipment, assert_not_enqueued: AssertNotEnqueued
) -> None:
    jobs.perform_due(only=BookShipment)
    first, last = jobs.pending

    jobs.perform(last)
    assert_not_enqueued(CloseShipment)
    jobs.perform(first)
    jobs.drain()

    assert Shipment.find(shipment.id).status == "booked"


def test_the_progress_can_be_looked_up(jobs: Jobs, shipment: Shipment) -> None:
    jobs.perform_due(only=BookShipment)
    jobs.perform(jobs.pending[0])

    batch = Batch.find(f"shipment-{shipment.id}")

    assert batch is not None
    assert (batch.total, batch.pending, batch.finished) == (2, 1, False)


def test_a_slice_that_fails_keeps_the_shipment_open_until_it_is_sent_once_more(
    jobs: Jobs, shipment: Shipment
) -> None:
    with jobs.fail(BookLines, raising=OSError("disk full"), times=1):
        jobs.drain(raise_errors=False)
    assert Shipment.find(shipment.id).status == "unloaded"

    jobs.redrive_all()
    jobs.drain()

    assert Shipment.find(shipment.id).status == "booked"


def test_a_shipment_that_is_delivered_twice_is_booked_once(
    jobs: Jobs, shipment: Shipment, assert_performed: AssertPerformed
) -> None:
    jobs.drain()

    for record in [*jobs.enqueued]:
        jobs.redeliver(record)
    jobs.drain()

    assert_performed(BookLines, at_least=4)
    assert db.rows("SELECT * FROM stock") == [
        {"sku": "teapot-1", "pieces": 3},
        {"sku": "teapot-2", "pieces": 40},
        {"sku": "kettle", "pieces": 500},
    ]


def test_workers_that_end_at_once_close_it_once(
    jobs: Jobs, shipment: Shipment, assert_enqueued: AssertEnqueued
) -> None:
    jobs.drain(workers=2)

    assert_enqueued(CloseShipment, args=[shipment.id])
