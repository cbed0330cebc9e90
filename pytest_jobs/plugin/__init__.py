"""The pytest plugin: options, markers, fixtures and hooks. What they do is done elsewhere."""

from __future__ import annotations

from .fixtures import (
    assert_batched,
    assert_delivered,
    assert_discarded,
    assert_enqueued,
    assert_enqueued_in_order,
    assert_failed,
    assert_followed_by,
    assert_not_enqueued,
    assert_not_performed,
    assert_performed,
    assert_retried,
    job_harness,
    jobs,
    jobs_apps,
    jobs_clock,
    session_jobs,
)
from .hookspecs import pytest_addhooks
from .items import pytest_collection_modifyitems
from .options import pytest_addoption, pytest_configure, pytest_report_header
from .outcome import pytest_runtest_call, pytest_runtest_makereport

__all__ = [
    "assert_batched",
    "assert_delivered",
    "assert_discarded",
    "assert_enqueued",
    "assert_enqueued_in_order",
    "assert_failed",
    "assert_followed_by",
    "assert_not_enqueued",
    "assert_not_performed",
    "assert_performed",
    "assert_retried",
    "job_harness",
    "jobs",
    "jobs_apps",
    "jobs_clock",
    "pytest_addhooks",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_report_header",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "session_jobs",
]
