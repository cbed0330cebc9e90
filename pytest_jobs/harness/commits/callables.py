"""A callable in the words of the application, and the line that registered it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ...core.enqueueing.commits import WaitingJob
from ...core.foundation.base import JobBase
from ...core.foundation.protocols import CommitWait
from ...core.job import ConfiguredJob
from ..records.attributes import without_partials
from ..records.texts import listed, short_name, short_repr, shortened

_WIDTH = 100
#: The attributes in which libraries keep the name of a task.
_NAMES = ("__qualname__", "name", "task_name")
#: The packages whose frames lie between an application and the harness.
PASSING_ON: Final = frozenset(("asyncio", "contextlib", "functools", "pytest_jobs"))


def callable_text(function: Callable[..., Any]) -> str:
    """Return a callable as it would be written: `partial(send.delay, 7)` is `send.delay(7)`."""
    job = _waiting_job(function)
    if job is not None:
        return waiting_text(job)
    if isinstance(function, functools.partial):
        shown = [
            *map(short_repr, function.args),
            *(f"{name}={short_repr(value)}" for name, value in function.keywords.items()),
        ]
        return shortened(f"{callable_text(function.func)}({', '.join(shown)})", _WIDTH)
    owner = callable_owner(function)
    if owner is None:
        named = getattr(function, "__qualname__", None)
        return named if isinstance(named, str) else short_repr(function)
    found = (getattr(owner, attribute, None) for attribute in _NAMES)
    # A task that is defined in a function has the function in its qualified name, and its job has not.
    names = (name.rpartition("<locals>.")[2] for name in found if isinstance(name, str))
    name = next(map(short_name, names), type(owner).__name__)
    with_options = isinstance(getattr(function, "__self__", None), ConfiguredJob)
    options = ".set(...)" if with_options else ""
    return f"{name}{options}.{getattr(function, '__name__', '<method>')}"


def callable_owner(function: Callable[..., Any]) -> object | None:
    """Return the object whose method is called in the end; None for a function."""
    function = without_partials(function)
    job = _waiting_job(function)
    if job is not None:
        return type(job)
    owner = getattr(function, "__self__", None)
    if isinstance(owner, ConfiguredJob):
        return owner.target
    return None if isinstance(owner, ModuleType) else owner


def commit_wait(function: Callable[..., Any]) -> CommitWait | None:
    """Return the wait that the callable ends, when it enqueues a job after a commit; None otherwise."""
    called = function.func if isinstance(function, functools.partial) else function
    owner = getattr(called, "__self__", None)
    return owner if isinstance(owner, CommitWait) else None


def _waiting_job(function: Callable[..., Any]) -> JobBase | None:
    wait = commit_wait(function)
    return wait.waiting.job if wait is not None and isinstance(wait.waiting, WaitingJob) else None


def waiting_text(job: JobBase) -> str:
    """Return the call that made a job which waits for a commit."""
    shown = shortened(listed(job.args, job.kwargs), _WIDTH)
    return f"{short_name(job.__declaration__.name)}.perform_later({shown})"


def calling_place(skipped: Collection[str] = PASSING_ON) -> tuple[str, int]:
    """Return the path and the line of the innermost call outside some packages."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in skipped:
            break
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def calling_line(skipped: Collection[str] = PASSING_ON) -> str:
    """Return that place as text, as in `shop/orders.py:12`."""
    return line_text(*calling_place(skipped))


def line_text(filename: str, line: int) -> str:
    """Return a line as text, its file relative to the working directory."""
    path = Path(filename)
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{shown}:{line}"
