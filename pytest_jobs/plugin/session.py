"""A session: its beginning and its end, and what happens to its tests.

Every session pays for this module, also one without jobs. What only some need is imported where it is used.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from typing import Any, Final, cast

import pytest

from ..assertions.options import AUDIT, IGNORE, REPLAY, STRICT, Settings, is_annotating
from .exploring import Explorations, Replay
from .fixtures import ANSWERED, CLOSED, JOBS
from .settings.declared import MARKER, WRONG_MARKER, is_anything_said, is_jobs_case

#: Is imported by whoever performs a job.
_HARNESS: Final = "pytest_jobs.harness.open_harness"


def pytest_configure(config: pytest.Config) -> None:
    """Check the options, and register the plugins that they ask for."""
    config.addinivalue_line("markers", MARKER)
    register = config.pluginmanager.register
    explorations = Explorations(config)
    register(explorations, "pytest_jobs_explorations")
    options = None
    if is_anything_said(config):
        from .settings.options import session_options

        options = session_options(config)
        if options.opens:
            from .guard import SessionGuard

            register(SessionGuard(config), "pytest_jobs_guard")
        if options[REPLAY] is not None:
            register(Replay(config, explorations), "pytest_jobs_replay")
    if options is not None or is_annotating():
        from .registering import register_insight

        register_insight(config, options or Settings({}), explorations)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Show how far long tests have come, on a terminal; those that run again take long enough for a log, too."""
    config = session.config
    repeats = False
    if is_anything_said(config):
        from .settings.options import session_options

        options = session_options(config)
        repeats = options[AUDIT]
    if repeats or (sys.__stdout__ is not None and sys.__stdout__.isatty()):
        from .progress import show_progress

        show_progress(config, in_logs=repeats)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is in force, where it is not the default."""
    if not is_anything_said(config):
        return None
    from .settings.options import described_options, session_options

    return described_options(session_options(config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have the harness opened before all other fixtures, where options or a marker want one."""
    marks = {mark.name for item in items for mark in item.iter_markers()}
    if any(name[:1] in "jJ" and name != "jobs" for name in marks):
        from .settings.misspelt import check_marker_names

        check_marker_names(items)
    is_said = is_anything_said(config)
    if not is_said and "jobs" not in marks and not any(map(is_jobs_case, items)):
        return
    from .settings.options import configure_case, item_options, session_options

    always = session_options(config).always
    for item in items:
        names = getattr(item, "fixturenames", None)
        is_case = is_jobs_case(item)
        if is_case:
            configure_case(item)
        if names is None or not (always or is_case or item.get_closest_marker("jobs")):
            continue
        # A test case whose mode is off gets the fixture too, which refuses: the case cannot do without a harness.
        if is_case or item_options(item).opens:
            definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
            wider = [
                name
                for name in names
                if name in definitions and definitions[name][-1].scope != "function"
            ]
            others = [name for name in names if name not in wider]
            # A new list: all items of a parametrised test share the old one.
            cast(Any, item).fixturenames = [*wider, "job_harness", *others]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Have the bridges of the hook asked for by whoever opens a harness: fixtures, test cases and checks."""
    config = session.config
    if config.hook.pytest_jobs_bridges.get_hookimpls():
        from .opening import bring_in_bridges_of_hook

        bring_in_bridges_of_hook(config)


def pytest_report_collectionfinish(
    config: pytest.Config, items: Sequence[pytest.Item]
) -> list[str]:
    """Say which libraries are captured, when there are tests with a harness and their modules are imported."""
    if not any("job_harness" in getattr(item, "fixturenames", ()) for item in items):
        return []
    from ..bridges.libraries.capture import described_libraries
    from .settings.options import session_options

    return [f"jobs: {line}" for line in described_libraries(session_options(config)[IGNORE])]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose marker is wrong, and leave all others alone."""
    if WRONG_MARKER in item.stash:
        pytest.fail(item.stash[WRONG_MARKER], pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test for errors of its jobs that nobody saw, and for jobs it left alone."""
    if _HARNESS not in sys.modules:
        return (yield)
    from .worker import process_of

    with process_of(item):
        result = yield
    harness = item.stash.get(JOBS, None)
    if harness is not None:
        from .outcome import check_jobs
        from .settings.options import item_options

        check_jobs(harness, strict=item_options(item)[STRICT])
        item.stash[ANSWERED] = True
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """End the report of a test that failed with its jobs."""
    report = yield
    harness = item.stash.get(JOBS, None)
    if call.when == "teardown":
        harness = item.stash.get(CLOSED, None)
        item.stash[CLOSED] = None
    if harness is not None and report.failed:
        from .outcome import sections

        report.sections += sections(harness, None if call.excinfo is None else call.excinfo.value)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Paint the failures: reports in files are written by now, and the terminal shows them next."""
    terminal: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or not terminal.hasmarkup:
        return
    reports = [*terminal.stats.get("failed", ()), *terminal.stats.get("error", ())]
    if reports:
        # Its patterns take a millisecond.
        from .colours import paint

        paint(reports, session.config.get_terminal_writer().markup)
