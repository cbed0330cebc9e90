"""The enqueues of a test that no queue has got."""

from __future__ import annotations

import dis
import inspect
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from ...assertions.options import APPS, IGNORE, Settings
from ...bridges.opening import open_jobs
from ...core.foundation.vocabulary import ENQUEUES
from ...exploration.effects.of_tests.enqueues import enqueues, method_of, stood_for_in
from ...exploration.effects.of_tests.places import Placed, in_force
from ...harness.open_harness import OpenHarness, open_harnesses, sandbox
from ...harness.records.attributes import without_partials
from ...harness.records.home import is_installed
from ...harness.records.mocks import mock_of, raises, swallowing_mock_of
from ...harness.records.patches import Patches
from ...harness.records.record import JobRecord
from .arrivals import Arrival


class Swallowed:
    """What a test has enqueued and no queue has got: it called a mock, or its transaction never commits.

    A mock is in the place of a job, or of a method that enqueues it. What it stands for is called with the same
    arguments at the end of the test, in a queue of its own: the bridge of the library says which job it is, and
    with which arguments.
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
        #: The patches that are in force, in the order in which they began.
        self._begun: list[Any] = []
        #: Of the patches that have ended in the test.
        self._ended: list[_Called] = []
        #: The calls that mocks of a wider scope had before the test, and how many.
        self._earlier: list[tuple[Sequence[Any], int]] = []

    def begin(self) -> None:
        """Begin a test, in which the mocks of a class or a module may have been called by others."""
        self._hear()
        self._ended.clear()
        self._earlier.clear()
        before = [mock.mock_calls for _, mock, _ in self._called(self._begun)]
        self._earlier += ((calls, len(calls)) for calls in before)

    def _hear(self) -> None:
        kind = getattr(sys.modules.get("unittest.mock"), "_patch", None)
        if kind is None or self._hears:
            return
        self._hears = True
        self._begun += kind._active_patches
        enter, leave = kind.__enter__, kind.__exit__

        def entered(patch: Any) -> Any:
            found = enter(patch)
            self._begun.append(patch)
            return found

        def left(patch: Any, *error: Any) -> Any:
            self._ended += self._called([patch])
            self._begun[:] = [one for one in self._begun if one is not patch]
            return leave(patch, *error)

        self._patches.set(kind, "__enter__", entered)
        self._patches.set(kind, "__exit__", left)

    def _called(self, putters: Sequence[Any]) -> list[_Called]:
        """Return the mocks that the test has called, and that raise nothing as for a broker that is down."""
        found = []
        for placed in in_force(putters):
            mock = swallowing_mock_of(placed.value)
            if mock is None or raises(mock):
                continue
            calls = mock.mock_calls
            earlier = next((count for known, count in self._earlier if known is calls), 0)
            if calls[earlier:]:
                found.append(_Called(placed, mock, calls[earlier:]))
        return found

    @contextmanager
    def arrivals(self, monkeypatch: Any) -> Generator[list[Arrival], None, None]:
        """Give a block the jobs that no queue has got. In it the methods are there that enqueue these jobs.

        Args:
            monkeypatch: that of the test; None if it has none.
        """
        putters = [*([] if monkeypatch is None else [monkeypatch]), *self._begun]
        called, callbacks = [*self._ended, *self._called(putters)], _callbacks()
        found: list[Arrival] = []
        with ExitStack() as stack:
            if called or callbacks:
                harness = open_harnesses.innermost_or_none()
                if harness is None:
                    options = self._options
                    opened = open_jobs(apps=options[APPS], ignore=options[IGNORE])
                    harness = stack.enter_context(opened).harness
                for callback in callbacks:
                    found += _enqueued_by(harness, callback)
                for one in called:
                    arrivals = _Calls(harness, one).enqueued()
                    placed, mock = one.placed, one.mock
                    is_method = not isinstance(placed.owner, ModuleType)
                    if arrivals and is_method and placed.value is mock:
                        stack.callback(placed.put(method_of(placed.owner, placed.name)))
                    found += arrivals
            yield found


class _Called(NamedTuple):
    """A mock that a test has called."""

    placed: Placed
    mock: Any
    calls: Sequence[Any]


def _callbacks() -> list[Callable[[], Any]]:
    """Return what the test has given to `on_commit` of Django in transactions that are still open.

    A `TestCase` rolls them back, so nobody calls it.
    """
    # A program may import Django and use none of it.
    settings = getattr(sys.modules.get("django.conf"), "settings", None)
    django = sys.modules.get("django.db") if settings is not None and settings.configured else None
    kept = () if django is None else django.connections.all(initialized_only=True)
    return [entry[1] for connection in kept for entry in connection.run_on_commit]


def _enqueued_by(harness: OpenHarness, callback: Callable[[], Any]) -> list[Arrival]:
    """Return the jobs that a callback enqueues; none if it may do something else, which the test would see."""
    function = without_partials(callback)
    try:
        only_enqueues = (
            _is_code_of_enqueues if isinstance(function, FunctionType) else _is_enqueue
        )(function)
    except Exception:
        # Of an object of the project that was asked for an attribute.
        return []
    if not only_enqueues:
        return []
    with sandbox(harness.bridges, harness.clock) as ledger:
        try:
            callback()
        except Exception:
            # Its library refuses it, and would refuse it after a commit.
            return []
        return [_swallowed(record) for record in ledger.pending()]


def _is_enqueue(function: Any) -> bool:
    """Say whether a function enqueues a job now: no mock is called, as the test may count its calls."""
    return mock_of(function) is None and enqueues(function, _is_of_project)


def _is_code_of_enqueues(function: FunctionType) -> bool:
    """Say whether a function such as `lambda: pay.delay(str(order.pk))` calls only enqueues and built-in types."""
    names = inspect.getclosurevars(function)
    known = {**names.builtins, **names.globals, **names.nonlocals}
    value: Any = None
    enqueued = converted = called = 0
    for one in dis.get_instructions(function):
        if one.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            value = getattr(value, one.argval, None)
            enqueued += callable(value) and _is_enqueue(value)
        elif one.opname.startswith("LOAD_"):
            value = known.get(one.argval)
            converted += one.argval in names.builtins and isinstance(value, type)
        called += one.opname in ("CALL", "CALL_KW", "CALL_FUNCTION_EX")
        if one.opname in ("STORE_ATTR", "STORE_SUBSCR", "STORE_GLOBAL", "STORE_DEREF"):
            return False
    return 0 < enqueued == called - converted


class _Calls:
    """The calls of one mock, and of what it has given for its attributes and its results."""

    def __init__(self, harness: OpenHarness, called: _Called) -> None:
        self._harness = harness
        self._placed = called.placed
        self._calls = called.calls
        #: What the calls have returned that were made again, by their paths, such as `s()`.
        self._made: dict[str, Any] = {}

    def enqueued(self) -> list[Arrival]:
        """Return the jobs that the calls enqueue, each once."""
        found: dict[str, Arrival] = {}
        for path, args, kwargs in self._calls:
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
