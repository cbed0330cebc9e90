"""Failures end in the line of the test or of the job: the package's own frames are cut out of every report.

`--full-trace` and `--tb=native` show every frame. `tracebacks`, which cuts, is imported when something has failed.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Shorten what a phase of a test raised.

    This is not a wrapper, so that it runs after the hook of pytest's `unittest` support, which puts the error
    into `call.excinfo`, and before pytest's own, which describes it.
    """
    if call.excinfo is not None:
        from .tracebacks import shortened

        call.excinfo = shortened(call.excinfo, item.config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Describe anew what the import of a test module raised, such as a wrong declaration."""
    report = yield
    excinfo = getattr(getattr(report, "call", None), "excinfo", None)
    if (
        report.failed
        and excinfo is not None
        and not isinstance(excinfo.value, collector.CollectError)
    ):
        from .tracebacks import shortened

        report.longrepr = collector.repr_failure(shortened(excinfo, collector.config))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Shorten what the import of a conftest file raised: pytest prints it without making a report."""
    try:
        yield
    except Exception as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, BaseException) and not early_config.known_args_namespace.fulltrace:
            from .tracebacks import without_ours

            cause.__traceback__ = without_ours(cause.__traceback__) or cause.__traceback__
        raise
