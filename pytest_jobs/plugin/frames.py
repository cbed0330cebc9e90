"""Failures end in the line of the test or of the job: the package's own frames are cut out of every report.

`--full-trace` and `--tb=native` show every frame. Cutting a frame out of `ExceptionInfo.traceback` does not do:
pytest goes back to the raw entries when it filters a traceback itself. So the raw chain of `__traceback__` is cut
and the ExceptionInfo made anew.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType

import pytest


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Shorten what a phase of a test raised.

    This is not a wrapper, so that it runs after the hook of pytest's `unittest` support, which puts the error
    into `call.excinfo`, and before pytest's own, which describes it.
    """
    if call.excinfo is not None:
        call.excinfo = _shortened(call.excinfo, item.config)


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
        report.longrepr = collector.repr_failure(_shortened(excinfo, collector.config))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Shorten what the import of a conftest file raised: pytest prints it without making a report."""
    try:
        yield
    except Exception as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, BaseException) and not early_config.known_args_namespace.fulltrace:
            cause.__traceback__ = _without_ours(cause.__traceback__) or cause.__traceback__
        raise


_PACKAGE = Path(__file__).parent.parent
_OURS = f"{_PACKAGE}{os.sep}"
#: The suite consists of tests and jobs, whose lines are what its user wants to see.
_CONFORMANCE = f"{_PACKAGE / 'conformance'}{os.sep}"


def _shortened(
    excinfo: pytest.ExceptionInfo[BaseException], config: pytest.Config
) -> pytest.ExceptionInfo[BaseException]:
    """Return what was raised with its tracebacks shortened, unless options ask for every frame."""
    if config.getoption("fulltrace") or config.getoption("tbstyle") == "native":
        return excinfo
    whole = excinfo.value.__traceback__
    for error in _family(excinfo.value):
        error.__traceback__ = _without_ours(error.__traceback__)
    if excinfo.value.__traceback__ is None:
        # pytest cannot describe an error that has no frame at all.
        excinfo.value.__traceback__ = whole
    return pytest.ExceptionInfo.from_exception(excinfo.value)


def _family(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its causes, its contexts and the parts of its groups, each once."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop()
        if id(found) not in seen:
            seen.add(id(found))
            yield found
            parts = found.exceptions if isinstance(found, BaseExceptionGroup) else ()
            related = (found.__cause__, found.__context__, *parts)
            waiting += [other for other in related if other is not None]


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of the package; None if it has no others."""
    kept = []
    while traceback is not None:
        if not _is_ours(traceback.tb_frame.f_code.co_filename):
            kept.append(traceback)
        traceback = traceback.tb_next
    rest = None
    for entry in reversed(kept):
        # What runs between two lines, or was made without any, has no number.
        line = entry.tb_lineno or entry.tb_frame.f_code.co_firstlineno
        rest = TracebackType(rest, entry.tb_frame, entry.tb_lasti, line)
    return rest


def _is_ours(filename: str) -> bool:
    return filename.startswith(_OURS) and not filename.startswith(_CONFORMANCE)
