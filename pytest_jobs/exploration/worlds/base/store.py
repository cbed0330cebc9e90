"""A store of the test, of which each history has its own, what is left out of it, and how long it may be kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from ...engine.acts import watcher
from ...engine.sameness.differences import PASSING
from ...stores.account import Ignore, accounts

K = TypeVar("K")
V = TypeVar("V")
#: Returns whether a thing is left out of the state, by its names. Errors name it by the first.
IsIgnored = Callable[..., bool]
#: Seconds that a server waits for what a transaction of a test or of a delivery keeps from a world. It may never
#: be released; PostgreSQL itself would wait for ever, and MySQL for a table a day.
PATIENCE: Final = 5


def limited_waiting(server: str) -> str:
    """Return the statement by which the own connection of a world waits no longer; "" for any other database."""
    limits = {
        "postgresql": f"SET lock_timeout = '{PATIENCE}s'",
        "mysql": f"SET lock_wait_timeout = {PATIENCE}, innodb_lock_wait_timeout = {PATIENCE}",
    }
    return limits.get(server, "")


class Building(NamedTuple):
    """The world of one history while it is built."""

    is_ignored: IsIgnored
    #: Whether `here` is the whole world. Where it is a part of one, the other part may have a redis.
    is_whole: bool


class Store(Protocol):
    """Something of the test that was taken once, and that each history finds as it was then."""

    def fresh(self, building: Building) -> AbstractContextManager[Callable[[], dict[str, Any]]]:
        """Return a block in which deliveries find it, and which yields what reads its state by name."""
        ...

    def described(self) -> str:
        """Return in a few words what was taken; "" for nothing."""
        ...


class UsedStores(dict[K, V]):
    """Stores that are taken when a delivery first uses them, by where the test has them."""

    def __init__(self) -> None:
        super().__init__()
        self._histories = 0
        self._shown: list[K] = []

    def begin_history(self) -> None:
        self._histories += 1
        if self._histories > 1 and not self._shown:
            self._shown = list(self)

    def is_shown(self, place: K) -> bool:
        """Return whether all of a store is shown, since it was known before the clean run."""
        return place in self._shown


def ignoring(patterns: Collection[str]) -> IsIgnored:
    """Return what says, by its names, whether a thing is left out of the world that is being built.

    In a check its own `ignore=` counts as well, and it knows in the end which names have left nothing out.
    """
    account = accounts.current
    if account is None:
        return Ignore(patterns).takes_copy
    account.ignore.add(patterns)
    return account.ignore.takes_copy


@contextmanager
def unwatched() -> Generator[None, None, None]:
    """Run a block within a delivery as a part of the world: nothing in it is an effect of the job."""
    account, token = accounts.current, watcher.set(None)
    try:
        with nullcontext() if account is None else account.during("world"):
            yield
    finally:
        watcher.reset(token)


def without_passing(
    name: str, noun: str, values: Mapping[str, Any], passing: Collection[str]
) -> dict[str, Any]:
    """Return a part of the state by its name, and beside it what expires by itself and is not compared."""
    account = accounts.current
    if account is not None:
        account.not_compared.update(dict.fromkeys(f"{noun} {key} (expires)" for key in passing))
    found: dict[str, Any] = {name: {key: values[key] for key in values if key not in passing}}
    if passing:
        found[f"{name}{PASSING}"] = {key: values[key] for key in passing}
    return found
