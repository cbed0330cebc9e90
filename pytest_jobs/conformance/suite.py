"""The suite as a whole, and its tests of how jobs are known."""

from __future__ import annotations

import inspect

import pytest

from ..assertions.asserts import AssertEnqueued, AssertNotEnqueued
from ..errors import CriterionError
from ..harness.jobs import Jobs
from ..harness.records.bridge import Bridge
from . import bodies
from .case import CAPABILITIES, Case, Library, sent_record
from .checking import Checking
from .enqueueing import Enqueueing
from .installing import Installing
from .performing import Performing
from .retrying import Retrying


class Identifying(Case):
    """What is known of a job of the library, and of anything else."""

    def test_only_known_capabilities_are_named(self, bridge: Bridge) -> None:
        assert bridge.capabilities <= set(CAPABILITIES)

    def test_there_is_a_reason_for_each_capability_that_is_not_there(
        self, library: Library, bridge: Bridge
    ) -> None:
        assert set(library.lacks) == set(CAPABILITIES) - bridge.capabilities
        assert all(library.lacks.values())

    @pytest.mark.parametrize("other", [None, 7, print, object, "no.such.job"])
    def test_what_is_no_job_of_the_library_is_not_identified(
        self, bridge: Bridge, jobs: Jobs, other: object
    ) -> None:
        assert bridge.identify(other) is None

    def test_a_job_of_no_name_that_is_known_is_an_error_in_a_negative_assertion(
        self, jobs: Jobs
    ) -> None:
        with pytest.raises(CriterionError, match=r"no\.such\.job"):
            AssertNotEnqueued(lambda: jobs)("no.such.job")

    def test_a_job_is_found_by_its_name(self, library: Library, jobs: Jobs) -> None:
        record = sent_record(jobs, library, library.jobs.note, 7)

        assert AssertEnqueued(lambda: jobs)(record.name) is record

    def test_the_body_of_a_job_is_its_function(
        self, library: Library, bridge: Bridge, jobs: Jobs
    ) -> None:
        assert inspect.unwrap(bridge.resolve(library.jobs.note)).__code__ is bodies.note.__code__

    def test_the_signature_is_that_of_the_function(
        self, library: Library, bridge: Bridge, jobs: Jobs
    ) -> None:
        assert bridge.signature(library.jobs.note).names == ("value", "again")

    def test_what_a_failing_worker_means_is_said(
        self, library: Library, bridge: Bridge, jobs: Jobs
    ) -> None:
        semantics = bridge.delivery_semantics(library.jobs.note)

        assert semantics.acknowledged in ("before", "after")
        if semantics.acknowledged == "before":
            assert not semantics.redelivered_on_outage


class BridgeConformance(Enqueueing, Performing, Retrying, Identifying, Installing, Checking):
    """Derive a test class from this, with a fixture `library` that returns a `Library`."""
