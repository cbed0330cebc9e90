"""A fingerprint of this process: what a check has to leave as it was."""

from __future__ import annotations

import asyncio
import collections
import decimal
import gc
import locale
import logging
import os
import queue
import signal
import socket
import sys
import sysconfig
import threading
import warnings
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from pytest_jobs.harness.records.attributes import attributes_of, is_one_of

_PLAIN = (int, float, str, bytes, bool, type(None))
_LOCKS = (type(threading.Lock()), type(threading.RLock()))
_INSTALLED = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib"))
#: Modules that keep what they have computed, or what a test run changes at any time.
_CACHES = (
    "__main__", "_pytest", "pytest", "sys", "pytest_jobs", "hypothesis", "coverage", "linecache", "re",
    "tokenize", "asyncio.coroutines", "importlib",
    "zoneinfo", "encodings", "fingerprint", "fakeredis", "sqlalchemy", "celery", "kombu", "tempfile", "time",
    "django.utils", "redis",
)  # fmt: skip


def fingerprint() -> dict[Hashable, object]:
    """Return everything of this process that a job may put in force and a check has to take back."""
    for thread in threading.enumerate():
        # The thread of a timer that was cancelled ends a moment later.
        if isinstance(thread, threading.Timer) and thread.finished.is_set():
            thread.join()
    if any(not task.done() for task in _tasks()):
        # Those of earlier tests are collected at any time.
        gc.collect()
    found: dict[Hashable, object] = {
        "working directory": Path.cwd(),
        "environment": _without(os.environ, "PYTEST_CURRENT_TEST"),
        "warnings": ([str(each) for each in warnings.filters], id(warnings.showwarning)),
        "locale": locale.setlocale(locale.LC_ALL),
        "umask": _umask(),
        "timer": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "tasks": sum(not task.done() for task in _tasks()),
        "hooks": [
            id(getattr(sys, name)) for name in ("excepthook", "unraisablehook", "displayhook")
        ],
        "streams": [id(sys.stdout), id(sys.stderr)],
        "tracing": (sys.gettrace() is None, sys.getprofile() is None),
        "limits": (sys.getrecursionlimit(), sys.getswitchinterval()),
        "path": list(sys.path),
        "logging": (logging.root.level, logging.root.manager.disable, len(logging.root.handlers)),
        "garbage": gc.isenabled(),
        "timeout of sockets": socket.getdefaulttimeout(),
        "decimal": (decimal.getcontext().prec, decimal.getcontext().rounding),
    }
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        found["signal", int(number)] = handler if isinstance(handler, int) else id(handler)
    for name in _descriptors():
        found["descriptor", name] = True
    for owner, names in _namespaces():
        for name, value in list(names.items()):
            # Logging lists the handlers that are alive, and those of earlier tests die at any time.
            if not (isinstance(name, str) and name.startswith(("__", "@py", "_handlerList"))):
                found["value", owner, name] = _shown(value)
    return found


def left_behind(before: Mapping[Hashable, object], after: Mapping[Hashable, object]) -> list[str]:
    """Return what differs between two fingerprints, in words. A new name is an import or a cache."""
    found = []
    for key in {**before, **after}:
        was, now = before.get(key), after.get(key)
        if was == now or (isinstance(key, tuple) and key[0] == "value" and was in (None, "None")):
            continue
        if isinstance(key, tuple) and key[0] == "descriptor" and key not in after:
            continue
        found.append(f"{key}: {was} is now {now}")
    return found


def _without(names: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in names.items() if key != name}


def _tasks() -> list[Any]:
    # Python 3.12 has given the set another name.
    return list(
        getattr(asyncio.tasks, "_scheduled_tasks", getattr(asyncio.tasks, "_all_tasks", ()))
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _descriptors() -> Iterator[str]:
    places = Path("/proc/self/fd")
    if not places.is_dir():
        return
    for place in list(places.iterdir()):
        try:
            yield f"{place.name} {place.readlink()}"
        except OSError:
            continue  # The one by which the folder was read.


def _namespaces() -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield the names of modules, and of the classes, objects and dictionaries in those of the project."""
    for name, module in list(sys.modules.items()):
        if not is_one_of((ModuleType,), module) or name.startswith(_CACHES):
            continue
        yield name, attributes_of(module)
        if not _is_of_project(module):
            continue
        for word, value in list(attributes_of(module).items()):
            if word.startswith("__"):
                continue
            if is_one_of((type,), value):
                if value.__module__ == name:
                    yield f"{name}.{word}", vars(value)
            elif is_one_of((dict,), value):
                yield f"{name}.{word}", value
            elif not is_one_of((ModuleType, FunctionType), value) and attributes_of(value):
                yield f"{name}.{word}", attributes_of(value)


def _is_of_project(module: ModuleType) -> bool:
    file = attributes_of(module).get("__file__") or ""
    return bool(file) and not file.startswith(_INSTALLED) and "site-packages" not in file


def _shown(value: object) -> object:
    if is_one_of(_PLAIN, value):
        return repr(value)
    if is_one_of(_LOCKS, value):
        return "held" if _is_held(value) else "free"
    if is_one_of((threading.Semaphore,), value):
        return ("semaphore", value._value)
    if is_one_of((threading.Condition,), value):
        return "held" if _is_held(value._lock) else "free"
    if is_one_of((threading.Event,), value):
        return ("event", value.is_set())
    if is_one_of((queue.Queue,), value):
        return ("queue", value.qsize())
    if is_one_of((asyncio.Lock, asyncio.Semaphore), value):
        return "held" if value.locked() else "free"
    if is_one_of((collections.deque, list, set), value):
        return (type(value).__name__, len(value))
    return id(value)


def _is_held(lock: Any) -> bool:
    return bool(lock.locked() if hasattr(lock, "locked") else lock._is_owned())
