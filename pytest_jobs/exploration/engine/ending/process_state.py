"""What belongs to a whole process: its id, working directory, environment, settings and signal handlers."""

from __future__ import annotations

import _socket
import contextlib
import functools
import locale
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any, Final, NamedTuple

from ....harness.records.patches import Patches


class ProcessIds:
    """The ids of the worker processes of one history: each delivery has its own.

    They are above the highest id that an operating system gives, so that a dead one never belongs to a real
    process, and a signal that is sent to one never arrives anywhere.
    """

    _FIRST: Final = 738_204_001

    def __init__(self, note: Callable[[int], object]) -> None:
        self._note = note
        self._next = self._FIRST
        self._alive: set[int] = set()

    def begin(self) -> int:
        number, self._next = self._next, self._next + 1
        self._alive.add(number)
        self._note(number)
        return number

    def end_all_but(self, alive: Iterable[int | None]) -> None:
        self._alive.intersection_update(alive)

    def is_alive(self, number: int) -> bool | None:
        """Return whether a process is alive; None if its id is not one of these."""
        return number in self._alive if self._FIRST <= number < self._next else None


class ProcessState(NamedTuple):
    """The state of one process."""

    folder: str | None
    environment: dict[Any, Any]
    filters: Any
    rules: list[Any]
    #: The values of `_SETTINGS`.
    settings: list[Any]
    recursion_limit: int

    @classmethod
    def taken(cls) -> ProcessState:
        return cls(
            _folder(),
            dict(_raw_environment()),
            warnings.filters,
            list(warnings.filters),
            [get() for get, _ in _SETTINGS],
            sys.getrecursionlimit(),
        )

    def put_back(self, *, recursion_limit: bool = True) -> None:
        """Make the state of this process what it was.

        Args:
            recursion_limit: whether the limit is put back too. Hypothesis has one of its own for each example, so
                a state from before the examples does not know it.
        """
        if recursion_limit:
            put_recursion_limit(self.recursion_limit)
        # Compared in place: this is called several times in a history, and hardly ever has something to do.
        if self.folder is not None and _folder() != self.folder:
            os.chdir(self.folder)
        environment = _raw_environment()
        if environment != self.environment:
            self._put_back_environment(dict(environment))
        if warnings.filters is not self.filters or warnings.filters != self.rules:
            warnings.filters = self.filters
            self.filters[:] = self.rules
            # What was decided by other filters is remembered.
            getattr(warnings, "_filters_mutated", lambda: None)()
        for (get, put), value in zip(_SETTINGS, self.settings, strict=True):
            if get() != value:
                put(value)

    def _put_back_environment(self, now: dict[Any, Any]) -> None:
        zone = os.environ.get("TZ")
        # By name, so that the process outside of Python has it too.
        for name in now.keys() - self.environment.keys():
            del os.environ[os.fsdecode(name)]
        for name, value in self.environment.items():
            if now.get(name) != value:
                os.environ[os.fsdecode(name)] = os.fsdecode(value)
        if os.environ.get("TZ") != zone and hasattr(time, "tzset"):
            time.tzset()


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - a path object costs several times as much
    except OSError:
        return None


def _umask() -> int:
    # It can only be read by setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _root_logger() -> tuple[int, int, list[Any]]:
    root = logging.root
    return root.level, root.manager.disable, list(root.handlers)


def _put_root_logger(state: tuple[int, int, list[Any]]) -> None:
    level, disabled, handlers = state
    logging.root.setLevel(level)
    logging.disable(disabled)
    logging.root.handlers[:] = handlers


def _loggers() -> dict[Any, tuple[int, list[Any]]]:
    """Return the levels and handlers of the loggers that have their own."""
    return {
        logger: (logger.level, list(logger.handlers))
        for logger in list(logging.root.manager.loggerDict.values())
        if isinstance(logger, logging.Logger) and (logger.handlers or logger.level)
    }


def _put_loggers(state: dict[Any, tuple[int, list[Any]]]) -> None:
    for logger in {**_loggers(), **state}:
        level, handlers = state.get(logger, (logging.NOTSET, []))
        if logger.level != level:
            logger.setLevel(level)
        logger.handlers[:] = handlers


def _precision() -> tuple[Any, ...] | None:
    """Return the context of decimals, which deliveries share, and its values."""
    decimal = sys.modules.get("decimal")
    if decimal is None:
        return None
    context = decimal.getcontext()
    # By its own method, since `dict` would ask for each key.
    return context, context.prec, context.rounding, context.traps.copy()


def _put_precision(state: tuple[Any, ...] | None) -> None:
    if state is not None:
        context, context.prec, context.rounding, context.traps = state


def put_recursion_limit(limit: int) -> None:
    if sys.getrecursionlimit() == limit:
        return
    # It may be too low for the functions that run now.
    with contextlib.suppress(RecursionError):
        sys.setrecursionlimit(limit)


def _attribute(owner: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], object]]:
    return functools.partial(getattr, owner, name), functools.partial(setattr, owner, name)


#: How a further part of the state is read, and how it is put back. Each was found to stay as a delivery that was
#: killed, or that ended with an error, had set it.
_SETTINGS: Final[Sequence[tuple[Callable[[], Any], Callable[[Any], object]]]] = (
    (_umask, os.umask),
    _attribute(sys, "stdout"),
    _attribute(sys, "stderr"),
    _attribute(sys, "excepthook"),
    _attribute(sys, "displayhook"),
    _attribute(threading, "excepthook"),
    _attribute(warnings, "showwarning"),
    (lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
    (lambda: list(sys.path), lambda path: sys.path.__setitem__(slice(None), path)),
    (_root_logger, _put_root_logger),
    (_loggers, _put_loggers),
    (_precision, _put_precision),
    # Of the module in C, which is small: `socket` takes long to import.
    (_socket.getdefaulttimeout, _socket.setdefaulttimeout),
    (sys.getswitchinterval, sys.setswitchinterval),
)


def _raw_environment() -> dict[Any, Any]:
    """Return the environment without decoding it, which takes longer than all else here."""
    return vars(os.environ).get("_data") or dict(os.environ)


class SignalHandlers:
    """The signal handlers that jobs set: they are taken back, and no alarm of a job goes off.

    A delivery may run in another thread, beside a suspended one, and is the main thread of its process there.
    So its handlers are only remembered.
    """

    def __init__(self, patches: Patches, is_in_delivery: Callable[[], bool]) -> None:
        self._is_in_delivery = is_in_delivery
        self._set = signal.signal
        #: The handlers that were replaced, by number.
        self._first: dict[int, Any] = {}
        self._only_remembered: dict[tuple[int, int], Any] = {}
        patches.set(signal, "signal", self._set_handler)
        patches.set(signal, "getsignal", self._looking_up(signal.getsignal))
        for name, nothing in (("alarm", 0), ("setitimer", (0.0, 0.0))):
            if hasattr(signal, name):
                patches.set(signal, name, self._unless_in_delivery(getattr(signal, name), nothing))

    def renew(self) -> None:
        """Put the handlers back that a delivery has replaced."""
        self._only_remembered.clear()
        if threading.current_thread() is threading.main_thread():
            while self._first:
                number, handler = self._first.popitem()
                if handler is not None:
                    self._set(number, handler)

    def _set_handler(self, number: int, handler: Any) -> Any:
        if not self._is_in_delivery():
            return self._set(number, handler)
        if threading.current_thread() is threading.main_thread():
            before = self._set(number, handler)
            self._first.setdefault(number, before)
            return before
        key = threading.get_ident(), number
        before = self._only_remembered.get(key, signal.getsignal(number))
        self._only_remembered[key] = handler
        return before

    def _looking_up(self, look_up: Callable[[int], Any]) -> Callable[[int], Any]:
        @functools.wraps(look_up)
        def looked_up(number: int, /) -> Any:
            return self._only_remembered.get((threading.get_ident(), number), look_up(number))

        return looked_up

    def _unless_in_delivery(self, function: Callable[..., Any], nothing: Any) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*args: Any) -> Any:
            return nothing if self._is_in_delivery() else function(*args)

        return called


def follow_imports(patches: Patches, imported: Callable[[ModuleType], object]) -> None:
    """Report each module whose code has just run, before anybody uses it."""
    # The loaders of files and of zips inherit it.
    owner: Any = next(kind for kind in SourceFileLoader.__mro__ if "exec_module" in vars(kind))
    genuine = owner.exec_module

    @functools.wraps(genuine)
    def exec_module(loader: Any, module: ModuleType) -> None:
        genuine(loader, module)
        imported(module)

    patches.set(owner, "exec_module", exec_module)
