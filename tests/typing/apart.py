"""Locks and limits keep the types of what they decorate, and take what they say they take."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from redis import Redis

from pytest_jobs import (
    Job,
    Jobs,
    MemoryStore,
    RedisStore,
    TestAdapter,
    configure,
    job,
    limits_concurrency,
    unique,
)


def by_owner(owner: str, size: int = 0) -> str:
    return owner


@limits_concurrency(to=2, key=by_owner, group="storage", duration=timedelta(minutes=5))
@unique(key=("owner", "size"), until="executing", ttl=60, on_conflict="replace")
class Materialize(Job):
    def perform(self, owner: str, size: int = 0) -> int:
        return size


@limits_concurrency(key="owner", on_conflict="discard")
@unique("owner", ttl=timedelta(hours=1), scope="crm")
@job
def refresh(owner: str) -> None: ...


@unique(
    until="until_and_while_executing",
    on_conflict={"enqueue": "replace", "perform": "reschedule"},
)
@job
def sync(owner: str) -> None: ...


def test(jobs: Jobs, client: Redis) -> None:
    assert_type(Materialize.perform_later("ann", 3), Job)
    assert_type(Materialize.perform_now("ann"), int)
    assert_type(sync.perform_later("ann").dropped_for, str | None)
    assert_type(jobs.locks[0].key, str)
    assert_type(len(jobs.blocked), int)
    configure(adapter=TestAdapter(), store=RedisStore(client, prefix="jobs:"))
    configure(adapter=TestAdapter(), store=MemoryStore())


# Refused

Materialize.perform_later(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
unique(until="until_executed")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
unique(on_conflict="ignore")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
unique(key=7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
unique(ttl="1h")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
limits_concurrency(to="2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
limits_concurrency(on_conflict="drop")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
configure(adapter=None, store={})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
