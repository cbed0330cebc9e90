"""The pytest plugin: options, markers, fixtures and hooks.

pytest loads this module, which collects what the files define. Every session pays for `session` (its beginning and
its end), `fixtures`, `settings/declared` (flags, ini lines, the marker), `exploring` (the audience of checks),
`frames` (no frame of ours in a report) and `hookspecs`. The others are imported where they are needed:

- `settings/options`: what the command line, the ini file, markers and test cases say;
- `opening`: how a harness is opened; `guard`: the harness of the session, for wider fixtures;
- `outcome`: what fails a test after its body, and what its report shows;
- `explored`: the summary of checks;
- `progress`: the line that says how far a long test has come;
- `colours`: a failure on a terminal;
- `registering`: registers what looks at the jobs of a session, and what writes reports; `found`: failures and
  findings, in files and for GitHub;
- `insight/`: `--jobs-lint`, `--jobs-report`, `--jobs-messages`, and what a session sees of its jobs;
- `audit/`: `--jobs-audit`.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_PACKAGE = __name__.partition(".")[0]


class _OwnModules:
    """Finds our modules as Python does, in front of the finder with which pytest rewrites assertions.

    pytest rewrites all modules of a plugin, and ours have assertions only in the conformance suite. With
    `PYTHONDONTWRITEBYTECODE` it does so in every session, and leaves aside what pip has compiled.
    """

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parts = name.split(".", 2)
        if parts[0] != _PACKAGE or len(parts) == 1 or parts[1] == "conformance":
            return None
        return PathFinder.find_spec(name, path, target)


sys.meta_path.insert(0, _OwnModules)

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
    jobs_worker,
    session_jobs,
)
from .hookspecs import pytest_addhooks
from .session import (
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_report_collectionfinish,
    pytest_report_header,
    pytest_runtest_call,
    pytest_runtest_makereport,
    pytest_runtest_setup,
    pytest_sessionfinish,
    pytest_sessionstart,
)
from .settings.declared import pytest_addoption, pytest_load_initial_conftests

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
    "jobs_worker",
    "pytest_addhooks",
    "pytest_addoption",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_load_initial_conftests",
    "pytest_report_collectionfinish",
    "pytest_report_header",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "session_jobs",
]
