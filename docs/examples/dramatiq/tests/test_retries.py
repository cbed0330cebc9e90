"""Minutes of retries take no time."""

from __future__ import annotations

import pytest

from conftest import FakeGateway
from pytest_jobs import Jobs
from tickets.actors import charge
from tickets.office import GatewayDown, office


def test_a_gateway_that_comes_back_is_asked_again(jobs: Jobs, gateway: FakeGateway) -> None:
    office.prices["A1"] = 30
    jobs.fail(charge, raising=GatewayDown, times=2)
    charge.send("A1")

    assert jobs.drain(only=charge) == {"retried": 2, "performed": 1}
    assert gateway.charges == [("A1", 30)]


def test_a_gateway_that_stays_away_is_given_up(jobs: Jobs) -> None:
    jobs.fail(charge, raising=GatewayDown, times=4)
    charge.send("A1")

    with pytest.raises(GatewayDown):
        jobs.drain()

    assert jobs.dead[0].record.attempt == 4


def test_the_schedule_can_be_read(jobs: Jobs) -> None:
    timeline = jobs.simulate_retries(charge, raising=GatewayDown())

    assert timeline.wait_seconds == [60, 120, 240]
    assert timeline.status == "exhausted"
