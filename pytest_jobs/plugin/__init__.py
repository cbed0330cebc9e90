"""The pytest plugin: options, markers, fixtures and hooks.

pytest loads this module, which collects what the files define. Read them in this order:

- `settings/`: what the command line, the ini file, markers and test cases say;
- `session`: the beginning of a session, which registers the plugins below when options ask for them, and its end;
- `fixtures` and `opening`: the harness of a test, and how it is opened;
- `outcome`: what fails a test after its body, and what its report shows;
- `guard`: the harness of the session, for wider fixtures;
- `exploring`: replay of one history, and the summary of what checks explored;
- `colours`: a failure on a terminal;
- `linting`: `--jobs-lint`;
- `adversary/`: `--jobs-twice` and `--jobs-crash`;
- `frames` (no frame of ours in a report) and `hookspecs` (what conftest files implement).

Loading imports nothing but these files; the harness is imported when the first test asks for it.
"""

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
    jobs_recurring,
    pytest_collection_modifyitems,
    session_jobs,
)
from .hookspecs import pytest_addhooks
from .outcome import pytest_runtest_call, pytest_runtest_makereport
from .session import (
    pytest_configure,
    pytest_report_collectionfinish,
    pytest_report_header,
    pytest_sessionfinish,
)
from .settings.declared import pytest_addoption

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
    "jobs_recurring",
    "pytest_addhooks",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_report_collectionfinish",
    "pytest_report_header",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_sessionfinish",
    "session_jobs",
]
