"""A delivery whose body never ran is not a success, whatever its bridge says."""

import pytest

from pytest_jobs import Job, before_perform, job, rescue_from
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.errors import NothingPerformedError
from pytest_jobs.harness.jobs import Jobs
from pytest_jobs.harness.records.delivery import Delivery


class LyingBridge(ReferenceBridge):
    def perform(self, record, *, now_ns, around):
        return Delivery(record, now_ns, "performed", "done")


@job
def work():
    """Do nothing."""


def test_it_is_an_error():
    with Jobs([LyingBridge()]) as jobs:
        work.perform_later()

        with pytest.raises(NothingPerformedError) as raised:
            jobs.drain()

        assert str(raised.value) == (
            "work() was reported as performed, and its body never ran: the bridge of core is at fault, or "
            "something that the library calls around the body did not call it."
        )
        assert [delivery.status for delivery in jobs.deliveries] == ["failed"]


def test_a_simulation_finds_it_too():
    with Jobs([LyingBridge()]) as jobs:
        timeline = jobs.simulate_retries(work, raising=ValueError("simulated"))

        assert timeline.status == "failed"


def test_a_success_that_is_simulated_is_one():
    with Jobs([ReferenceBridge()]) as jobs:
        timeline = jobs.simulate_retries(work, raising=ValueError("simulated"), succeed_on=1)

        assert timeline.status == "performed"


def test_an_error_that_was_rescued_before_the_body_is_a_success(jobs):
    class Import(Job):
        @before_perform
        def look(self):
            raise LookupError

        @rescue_from(LookupError)
        def rescue(self, error):
            return "rescued"

        def perform(self): ...

    Import.perform_later()

    assert jobs.drain() == {"performed": 1}
    assert jobs.performed[0].result == "rescued"
