"""Running a test once more, which nobody hears of, and looking at one before it is torn down.

pytest runs an item once, and offers no other way. So this does by itself what its protocol does around a run: it
resets private attributes of the item, and ends wider fixtures.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Literal, cast

import pytest

from ...harness.records.texts import error_text

_Phase = Literal["setup", "call", "teardown"]


@contextmanager
def ended_as_by_ctrl_c() -> Generator[None, None, None]:
    """Let SIGTERM, by which a CI ends a long session, end a block as Ctrl-C does: what was found is printed."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    process = os.getpid()

    def end(number: int, frame: object) -> None:
        if os.getpid() == process:
            raise KeyboardInterrupt
        # A child, to which this means nothing else than before.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def runs_nothing(config: pytest.Config) -> bool:
    """Say whether no body of a test runs in a session."""
    names = ("collectonly", "setuponly", "setupplan")
    return any(getattr(config.option, name, False) for name in names)


def run_again(item: pytest.Item) -> str:
    """Run a test, its function-scoped fixtures included, and report nothing.

    Returns:
        The error that ended it; empty if it came to its end.
    """
    untyped = cast(Any, item)
    untyped._report_sections.clear()
    if hasattr(item, "_request") and not untyped._request:
        untyped._initrequest()
    error = _error_in(item, "setup") or _error_in(item, "call")
    _error_in(item, "teardown", nextitem=None)
    if hasattr(item, "_request"):
        untyped._request = False
        untyped.funcargs = None
    return error


def _error_in(item: pytest.Item, when: _Phase, **arguments: Any) -> str:
    """Run one phase, and return its error; empty if there is none. Its report is made: fixtures may look at it."""
    hooks = {
        "setup": item.ihook.pytest_runtest_setup,
        "call": item.ihook.pytest_runtest_call,
        "teardown": item.ihook.pytest_runtest_teardown,
    }
    stops: tuple[type[BaseException], ...] = (pytest.exit.Exception,)
    if not item.config.getoption("usepdb", False):
        stops += (KeyboardInterrupt,)
    call = pytest.CallInfo.from_call(
        lambda: hooks[when](item=item, **arguments), when=when, reraise=stops
    )
    item.ihook.pytest_runtest_makereport(item=item, call=call)
    # As text, since an error keeps the functions in which it was raised, with all that they have.
    return "" if call.excinfo is None else error_text(call.excinfo.value)


def looks_before_tear_down(item: pytest.Item, look: Callable[[], object]) -> bool:
    """Have a function called when the method of a `TestCase` has passed; say whether it will be.

    The call phase of such a test is all of unittest: `setUp`, the method, `tearDown`, the clean-ups, and what
    Django rolls back. unittest has one place for its method, coroutine methods too, which is outside of a loop.
    """
    case: Any = getattr(item, "instance", None)
    if not hasattr(case, "_callTestMethod"):
        return False
    genuine = case._callTestMethod

    def called(method: Callable[[], Any]) -> None:
        genuine(method)
        look()

    # The case lives as long as this run of the test.
    case._callTestMethod = called
    return True


def end_wider_fixtures(item: pytest.Item) -> None:
    """End the fixtures of a wider scope than a test, and report it as an error of the last test if that fails."""
    # `pytest_runtest_teardown` expects a test that is set up.
    state = cast(Any, item.session)._setupstate
    call = pytest.CallInfo.from_call(lambda: state.teardown_exact(None), when="teardown")
    if call.excinfo is None:
        return
    report = pytest.TestReport.from_item_and_call(item, call)
    item.ihook.pytest_runtest_logreport(report=report)
    if report.failed:
        item.ihook.pytest_exception_interact(node=item, call=call, report=report)
