"""What a callable is called by a reader, and where it was handed over."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from types import ModuleType
from typing import Any

from ...core.enqueueing.commits import WaitingJob
from ...core.foundation.options import ConfiguredJob
from ...core.foundation.protocols import CommitWait
from ...core.job import Job
from .texts import listed, short_name, short_repr, shortened

_WIDTH = 100
#: What libraries call the name of a task.
_NAMES = ("__qualname__", "name", "task_name")


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
    if owner is not None:
        with_options = isinstance(getattr(function, "__self__", None), ConfiguredJob)
        options = ".set(...)" if with_options else ""
        return f"{_name(owner)}{options}.{getattr(function, '__name__', '<method>')}"
    named = getattr(function, "__qualname__", None)
    return named if isinstance(named, str) else short_repr(function)


def callable_owner(function: Callable[..., Any]) -> object | None:
    """Return the object whose method is called in the end; None for a function."""
    while isinstance(function, functools.partial):
        function = function.func
    job = _waiting_job(function)
    if job is not None:
        return type(job)
    owner = getattr(function, "__self__", None)
    if isinstance(owner, ConfiguredJob):
        return owner._job_class
    return None if isinstance(owner, ModuleType) else owner


def commit_wait(function: Callable[..., Any]) -> CommitWait | None:
    """Return what waits when the callable enqueues a job after a commit."""
    called = function.func if isinstance(function, functools.partial) else function
    owner = getattr(called, "__self__", None)
    return owner if isinstance(owner, CommitWait) else None


def waiting_text(job: Job) -> str:
    """Return the call that made a job which waits for a commit."""
    shown = shortened(listed(job.args, job.kwargs), _WIDTH)
    return f"{short_name(type(job)._name)}.perform_later({shown})"


def calling_line(skipped: Collection[str]) -> str:
    """Return the file and line of the innermost call that is not made by one of these packages."""
    return line_text(*calling_place(skipped))


def calling_place(skipped: Collection[str]) -> tuple[str, int]:
    """Return the path and the line of the innermost call that is not made by one of these packages."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _package(frame.f_globals) in skipped:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def line_text(filename: str, line: int) -> str:
    """Return a line as it is shown, its file relative to where the program runs."""
    path = Path(filename)
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{shown}:{line}"


def _waiting_job(function: Callable[..., Any]) -> Job | None:
    wait = commit_wait(function)
    waiting = None if wait is None else wait.waiting
    return waiting.job if isinstance(waiting, WaitingJob) else None


def _package(module: dict[str, Any]) -> str:
    return str(module.get("__name__", "")).partition(".")[0]


def _name(owner: object) -> str:
    for attribute in _NAMES:
        name = getattr(owner, attribute, None)
        if isinstance(name, str):
            return short_name(name)
    return type(owner).__name__
