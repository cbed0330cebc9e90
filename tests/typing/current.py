"""Attributes are read and assigned on the class, with the types that they are annotated with."""

from __future__ import annotations

from typing import Any, assert_type

from pytest_jobs import CurrentAttributes, JobLog, JobMetrics, Jobs, attribute, hooks


class Account:
    id: int = 0


class Current(CurrentAttributes):
    account: Account | None = None
    user: str
    tags: list[str] = attribute(factory=list[str])
    retries: int = attribute(default=3, carried=False)
    request: object = attribute(carried=False)

    @classmethod
    def sign_in(cls, account: Account, user: str) -> None:
        cls.set(account=account, user=user)


class Client:
    def timing(self, metric: str, value: float, tags: list[str] | None = None) -> None: ...

    def increment(self, metric: str, value: float = 1, tags: list[str] | None = None) -> None: ...


def read_and_write(account: Account) -> None:
    assert_type(Current.user, str)
    assert_type(Current.tags, list[str])
    assert_type(Current.retries, int)
    Current.account = account
    with Current.set(account=account, user="ann"):
        Current.sign_in(account, "ann")
    assert_type(Current.attributes(), dict[str, Any])
    Current.reset()


def carried(jobs: Jobs) -> None:
    assert_type(Current.carried_by(jobs.enqueued[0]), dict[str, Any])
    assert_type([event.kind == "performed" for event in jobs.events], list[bool])
    assert_type(str(jobs.events[0]), str)


def instrument() -> None:
    hooks.register(JobLog())
    hooks.register(JobMetrics(Client(), prefix="shop"))
