"""The functions that the jobs of the suite run."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

#: What was noted in the test that runs.
noted: ContextVar[list[Any]] = ContextVar("pytest_jobs_conformance_noted")


class Flaky(Exception):
    """What `retries` raises, and is retried for."""


class Broken(Exception):
    """What `fails` raises, and nothing is retried for."""


class Killed(BaseException):
    """What no library takes for the failure of a job."""


def note(value: Any, again: Any = None) -> Any:
    """Note a value and return it."""
    noted.get().append(value)
    if isinstance(value, list):
        value.append("changed by the job")
    return value


def fails(value: Any) -> None:
    """Fail."""
    noted.get().append(value)
    raise Broken("it broke")


def retries(value: Any) -> None:
    """Fail in a way that passes."""
    noted.get().append(value)
    raise Flaky("not now")


def breaks() -> None:
    """Die."""
    raise Killed("killed")


def asserts() -> None:
    """Fail an assertion."""
    raise AssertionError("a test is wrong")


async def coroutine(value: Any) -> Any:
    """Note a value after a while, and return it."""
    import asyncio

    await asyncio.sleep(60)
    noted.get().append(value)
    return value
