"""Killing a worker for good: the delivery runs in a process that really dies."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, NoReturn, TypeVar

from ...errors import ExplorationError

T = TypeVar("T")

#: Whether what a world builds has to outlive the process that uses it.
must_outlive: ContextVar[bool] = ContextVar("pytest_jobs_must_outlive", default=False)
#: Whether this is the process that is to be killed.
_doomed: ContextVar[bool] = ContextVar("pytest_jobs_doomed", default=False)

_KILLED: Final = 91
_ENDED: Final = 92
_IN_MEMORY: Final = 93


def check_available() -> None:
    """Raise unless processes can be forked here.

    Raises:
        ExplorationError: on a platform without fork.
    """
    if not hasattr(os, "fork"):
        raise ExplorationError(
            "crash_backend='fork' needs os.fork, which this platform has not: leave it out."
        )


def killed_at(reach: Callable[[Callable[[], NoReturn]], T], deliver: Callable[[T], object]) -> bool:
    """Make a delivery in a process that is killed at a point.

    Args:
        reach: makes what calls a function at the point.
        deliver: makes the delivery.

    Returns:
        Whether it came to the point.

    Raises:
        ExplorationError: when it used what dies with its process.
    """
    with warnings.catch_warnings():
        # Other threads, such as those of pytest-xdist, do nothing that the child needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _die_in(lambda: deliver(reach(_die)))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == _IN_MEMORY:
        raise ExplorationError(
            "With crash_backend='fork' the worker is a process that really dies, and what the job did is known to "
            "that process alone: it called a fake, enqueued a job, or did what no store of the world keeps. Use a "
            "stand-in outside of the process, or leave crash_backend= out."
        )
    return code == _KILLED


def lives_in_memory() -> None:
    """Say that something is used which dies with its process."""
    if _doomed.get():
        os._exit(_IN_MEMORY)


def _die() -> NoReturn:
    os._exit(_KILLED)


def _die_in(run: Callable[[], object]) -> NoReturn:
    _doomed.set(True)
    try:
        run()
    finally:
        os._exit(_ENDED)
