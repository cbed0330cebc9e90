"""Of a coroutine job `perform_now` returns the result, and `aperform_now` what is awaited for it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, assert_type

from pytest_jobs import Job, job


class Fetch(Job):
    async def perform(self, page: int) -> bytes:
        return b"x" * page


class Plain(Job):
    def perform(self, page: int) -> bytes:
        return b"x" * page


@job
async def fetch(page: int) -> bytes:
    return b"x" * page


@job
def plain(page: int) -> bytes:
    return b"x" * page


# Accepted

assert_type(Fetch.perform_later(3), Job)
assert_type(Fetch.new(3), Job)
assert_type(Fetch.set(wait=3).perform_later(3), Job)
assert_type(Fetch.perform_now(3), bytes)
to_be_awaited: Coroutine[Any, Any, bytes] = fetch(3)
assert_type(fetch.perform_later(3), Job)
assert_type(fetch.perform_now(3), bytes)


async def awaited() -> None:
    assert_type(await Fetch.aperform_now(3), bytes)
    assert_type(await Plain.aperform_now(3), bytes)
    assert_type(await fetch(3), bytes)
    assert_type(await fetch.aperform_now(3), bytes)
    assert_type(await plain.aperform_now(3), bytes)


# Refused

Fetch.perform_later("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Fetch.perform_now("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
fetch.perform_later("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
fetch.perform_now("3")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


async def wrongly_awaited() -> None:
    await Fetch.aperform_now("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await Plain.aperform_now()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await fetch.aperform_now("3")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await Fetch.perform_later(3)  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    _text: str = await fetch.aperform_now(3)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
