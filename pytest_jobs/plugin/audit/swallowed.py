"""The enqueues of a test that its mocks have kept from the queue."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

from ...assertions.options import APPS, IGNORE, Settings
from ...bridges.opening import open_jobs
from ...core.foundation.vocabulary import ENQUEUES
from ...exploration.effects.placed.enqueues import enqueues, method_of, stood_for_in
from ...exploration.effects.placed.places import Placed, in_force
from ...harness.open_harness import OpenHarness, open_harnesses, sandbox
from ...harness.records.home import is_installed
from ...harness.records.mocks import mock_of, raises, swallowing_mock_of
from ...harness.records.patches import Patches
from ...harness.records.record import JobRecord
from .arrivals import Arrival


class Swallowed:
    """The mocks of a test that have been called: in the place of a job, or of a method that enqueues it.

    A call of such a mock is an enqueue. What the mock stands for is called with the same arguments at the end of
    the test, in a queue of its own: the bridge of the library says which job it is, and with which arguments.
    """

    def __init__(self, patches: Patches, options: Settings) -> None:
        """Hear of no patch yet.

        Args:
            patches: put everything back.
            options: the settings of the session.
        """
        self._patches = patches
        self._options = options
        self._hears = False
        #: Of the patches that have ended in the test.
        self._ended: list[tuple[Placed, Any]] = []

    def begin(self) -> None:
        self._ended.clear()
        kind = getattr(sys.modules.get("unittest.mock"), "_patch", None)
        if kind is None or self._hears:
            return
        self._hears = True
        leave = kind.__exit__

        def left(patch: Any, *error: Any) -> Any:
            self._ended += _called_mocks([patch])
            return leave(patch, *error)

        self._patches.set(kind, "__exit__", left)

    @contextmanager
    def arrivals(self, monkeypatch: Any) -> Generator[list[Arrival], None, None]:
        """Give a block the jobs that mocks have swallowed. In it the methods are there that enqueue these jobs.

        Args:
            monkeypatch: that of the test; None if it has none.
        """
        kind = getattr(sys.modules.get("unittest.mock"), "_patch", None)
        putters = [
            *([] if monkeypatch is None else [monkeypatch]),
            *getattr(kind, "_active_patches", ()),
        ]
        called = _called_mocks(putters)
        found: list[Arrival] = []
        with ExitStack() as stack:
            if self._ended or called:
                harness = open_harnesses.innermost_or_none()
                if harness is None:
                    options = self._options
                    opened = open_jobs(apps=options[APPS], ignore=options[IGNORE])
                    harness = stack.enter_context(opened).harness
                for placed, mock in (*self._ended, *called):
                    arrivals = _Calls(harness, placed, mock).enqueued()
                    is_method = not isinstance(placed.owner, ModuleType)
                    if arrivals and is_method and placed.value is mock:
                        stack.callback(placed.put(method_of(placed.owner, placed.name)))
                    found += arrivals
            yield found


def _called_mocks(putters: Sequence[Any]) -> list[tuple[Placed, Any]]:
    """Return the mocks in some places that were called, and raise nothing as for a broker that is down."""
    found = ((placed, swallowing_mock_of(placed.value)) for placed in in_force(putters))
    return [
        (placed, mock)
        for placed, mock in found
        if mock is not None and mock.mock_calls and not raises(mock)
    ]


class _Calls:
    """The calls of one mock, and of what it has given for its attributes and its results."""

    def __init__(self, harness: OpenHarness, placed: Placed, mock: Any) -> None:
        self._harness = harness
        self._placed = placed
        self._mock = mock
        #: What the calls have returned that were made again, by their paths, such as `s()`.
        self._made: dict[str, Any] = {}

    def enqueued(self) -> list[Arrival]:
        """Return the jobs that the calls enqueue, each once."""
        found: dict[str, Arrival] = {}
        for path, args, kwargs in self._mock.mock_calls:
            for arrival in self._enqueued_by(path, args, kwargs):
                found.setdefault(f"{arrival.name}({arrival.shape})", arrival)
        return list(found.values())

    def _enqueued_by(
        self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> list[Arrival]:
        function = self._stands_at(path)
        if function is None or not enqueues(function, _is_of_project):
            return []
        with sandbox(self._harness.bridges, self._harness.clock) as ledger:
            try:
                made = function(*args, **kwargs)
                if inspect.isawaitable(made):
                    made = self._harness.performer.run(made)
            except Exception as error:
                return self._unreadable(function, error)
            self._made[f"{path}()"] = made
            return [_swallowed(record) for record in ledger.pending()]

    def _stands_at(self, path: str) -> Any:
        """Return what a mock stands for: the one of this place, or one that it has given."""
        placed = self._placed
        if not path:
            return stood_for_in(placed)
        if path.endswith("()"):
            return self._made.get(path)
        before, _, name = path.rpartition(".")
        owner = placed.original if not before else self._stands_at(before)
        found = None if owner is None else getattr(owner, name, None)
        return method_of(owner, name) if mock_of(found) is not None else found

    def _unreadable(self, function: Any, error: Exception) -> list[Arrival]:
        """Return the job of a call that its library refuses, such as one with a mock among its arguments."""
        target = self._harness.targets.find(getattr(function, "__self__", None))
        if target is None:
            return []
        return [Arrival(target.name, "mocked", target.job, _raising(error))]


def _raising(error: Exception) -> Callable[[], Any]:
    def given() -> Any:
        raise error

    return given


def _swallowed(record: JobRecord) -> Arrival:
    arrival = Arrival.of_record(record, "mocked")
    # Now, since the queue of the record is gone when somebody asks.
    try:
        args, kwargs = record.arguments()
    except Exception as error:
        arrival.given = _raising(error)
    else:
        arrival.given = lambda: (args, kwargs)
    return arrival


def _is_of_project(function: Any) -> bool:
    """Say whether a method is one of the project that enqueues nothing, as far as its name says."""
    module = sys.modules.get(str(getattr(function, "__module__", "")))
    is_project = module is not None and not is_installed(module)
    return is_project and getattr(function, "__name__", "") not in ENQUEUES
