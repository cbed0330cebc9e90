"""The functions that a library declares as its jobs, for the suite."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

#: What jobs have noted in the running test.
noted: ContextVar[list[Any]] = ContextVar("pytest_jobs_conformance_noted")


class Flaky(Exception):
    """The error of `retries`, for which it is retried."""


class Broken(Exception):
    """The error of `fails`, for which nothing is retried."""


class Killed(BaseException):
    """An error that passes through every library: it does not derive from Exception."""


def keep(value: Any) -> None:
    """Note a value in the list of the test. It is the one effect of the jobs."""
    noted.get().append(value)


def note(value: Any, again: Any = None) -> Any:
    """Note a value and return it."""
    keep(value)
    if isinstance(value, list):
        value.append("changed by the job")
    return value


def fails(value: Any) -> None:
    """Fail."""
    keep(value)
    raise Broken("it broke")


def retries(value: Any) -> None:
    """Fail, with an error that is worth a retry."""
    keep(value)
    raise Flaky("not now")


def breaks() -> None:
    """Raise an error that passes through the library."""
    raise Killed("killed")


def asserts() -> None:
    """Fail an assertion."""
    raise AssertionError("a test is wrong")


async def coroutine(value: Any) -> Any:
    """Sleep for a minute, then note a value and return it."""
    import asyncio

    await asyncio.sleep(60)
    keep(value)
    return value
