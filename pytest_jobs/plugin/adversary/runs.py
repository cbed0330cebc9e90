"""Running a test several times, and reporting one of the runs.

pytest runs an item once, and offers no other way. So this repeats what its protocol does before and after a run:
it resets private attributes of the item (`_begin`, `_end`), and ends wider fixtures itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import pytest

from ...harness.open_harness import open_harnesses
from ...harness.running.calls import CallAdversary, direct_calls
from ...harness.running.performer import Adversary
from ...harness.running.twice import HasLedger

if TYPE_CHECKING:
    from ...bridges.calls import DirectCallCapture


class Attacker(Adversary, CallAdversary, Protocol):
    """Makes the deliveries of a test, and its direct calls."""

    harness: Callable[[], HasLedger | None]


def runs_nothing(config: pytest.Config) -> bool:
    """Say whether no body of a test runs in a session."""
    names = ("collectonly", "setuponly", "setupplan")
    return any(getattr(config.option, name, False) for name in names)


Phase = Literal["setup", "call", "teardown"]


class Run:
    """One run of a test, from set-up to teardown. Nothing is reported before `report`."""

    def __init__(self) -> None:
        self.reports: list[pytest.TestReport] = []
        self._calls: list[pytest.CallInfo[None]] = []

    @property
    def failed(self) -> bool:
        """Whether a phase failed, and was not expected to."""
        return any(report.failed for report in self.reports)

    @property
    def failure(self) -> pytest.TestReport:
        """The report of the first phase that failed."""
        return next(report for report in self.reports if report.failed)

    def phase(self, item: pytest.Item, when: Phase, **arguments: Any) -> bool:
        """Run one phase and keep its report; return whether it passed."""
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
        report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
        self.reports.append(report)
        self._calls.append(call)
        return report.passed

    def end_wider_fixtures(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """End the fixtures that the next test does not use, and keep a report if that fails."""
        # `pytest_runtest_teardown` expects a test that is set up.
        state = cast(Any, item.session)._setupstate
        call = pytest.CallInfo.from_call(lambda: state.teardown_exact(nextitem), when="teardown")
        if call.excinfo is not None:
            self.reports.append(pytest.TestReport.from_item_and_call(item, call))
            self._calls.append(call)

    def report(self, item: pytest.Item) -> None:
        """Report the run to everybody, as the only one of its test."""
        for report, call in zip(self.reports, self._calls, strict=True):
            item.ihook.pytest_runtest_logreport(report=report)
            if report.failed and call.excinfo is not None:
                item.ihook.pytest_exception_interact(node=item, call=call, report=report)


class Runs:
    """The runs of one test."""

    def __init__(
        self,
        item: pytest.Item,
        nextitem: pytest.Item | None,
        calls: DirectCallCapture | None = None,
    ) -> None:
        """Begin without a run.

        Args:
            item: the test.
            nextitem: the test that follows.
            calls: captures direct calls; None if they are not attacked.
        """
        self._calls = calls
        self._item = item
        self._nextitem = nextitem
        self._properties = list(item.user_properties)
        self._torn_down = True

    def once(
        self, adversary: Attacker | None, *, last: Callable[[Run], bool] = lambda run: False
    ) -> Run:
        """Run the test, its function-scoped fixtures included.

        Args:
            adversary: makes the deliveries; None for plain ones.
            last: says, before the teardown, whether this is the last run.
        """
        item, run = self._item, Run()
        self._begin()
        before, open_harnesses.adversary = open_harnesses.adversary, adversary
        try:
            if run.phase(item, "setup"):
                with direct_calls.made_by(self._caller_of(adversary)):
                    run.phase(item, "call")
            ends = last(run) or bool(item.session.shouldfail or item.session.shouldstop)
            # The fixtures of a wider scope live on between two runs.
            following = self._nextitem if ends else item.parent
            run.phase(item, "teardown", nextitem=following)
        finally:
            open_harnesses.adversary = before
        self._torn_down = ends
        self._end()
        return run

    def _caller_of(self, adversary: Attacker | None) -> Attacker | None:
        """Return the adversary if it makes direct calls too."""
        if adversary is None or self._calls is None:
            return None
        self._calls.catch_up()
        adversary.harness = open_harnesses.innermost_or_none
        return adversary

    def report(self, run: Run) -> None:
        """Report one of the runs; the fixtures of a wider scope end now."""
        if not self._torn_down:
            self._torn_down = True
            session = self._item.session
            stops = session.shouldfail or session.shouldstop
            run.end_wider_fixtures(self._item, None if stops else self._nextitem)
        run.report(self._item)

    def _begin(self) -> None:
        """Make the test as it was before it ran, as pytest's own protocol does."""
        item = cast(Any, self._item)
        item.user_properties[:] = self._properties
        item._report_sections.clear()
        if hasattr(item, "_request") and not item._request:
            item._initrequest()

    def _end(self) -> None:
        item = cast(Any, self._item)
        if hasattr(item, "_request"):
            item._request = False
            item.funcargs = None
