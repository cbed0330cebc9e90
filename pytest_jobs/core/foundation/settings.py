"""The settings of the core: the adapter, the store, and what knows transactions and sessions."""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar

from ...errors import DeclarationError, NoAdapterError, NoStoreError
from .protocols import Adapter, BatchStore, Store, TransactionSource
from .vocabulary import in_our_words

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def returns_coroutine(function: F) -> F:
    """Declare to `inspect` that what a function returns is to be awaited, as of an `async def`."""
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(function)
    return function


class _Values(NamedTuple):
    adapter: Adapter | None
    store: Store | None
    draw: Callable[[], float]
    transactions: Sequence[TransactionSource] | None = None
    session: Callable[[], object] | None = None


class Settings:
    """The settings in force: those that were configured, or those of the harness that took over."""

    __slots__ = ("_adapter", "_configured", "_store", "_taken", "draw", "when_made")

    #: Returns how much of its jitter a wait gets, from 0 up to 1.
    draw: Callable[[], float]

    def __init__(self) -> None:
        self._configured = _Values(None, None, random.random)
        self._taken: list[_Values] = []
        #: Of the harnesses that are open: the last is called with each coroutine that a caller is to await, and
        #: with the call that made it.
        self.when_made: list[Callable[[str, Coroutine[Any, Any, Any]], None]] = []
        self._put_in_force()

    def to_be_awaited(self, call: str, coroutine: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """Return a coroutine that a caller is to await, and let the harness know of it."""
        if self.when_made:
            self.when_made[-1](call, coroutine)
        return coroutine

    @property
    def has_adapter(self) -> bool:
        return self._adapter is not None

    @property
    def adapter(self) -> Adapter:
        """The adapter that takes payloads.

        Raises:
            NoAdapterError: when none is configured.
        """
        if self._adapter is None:
            raise NoAdapterError
        return self._adapter

    @property
    def transactions(self) -> Sequence[TransactionSource] | None:
        """The sources of transactions that were configured; None when nothing was said about them.

        A harness that has taken over does not change them.
        """
        return self._configured.transactions

    @property
    def session(self) -> Callable[[], object] | None:
        """Makes the sessions of SQLAlchemy, as configured; None when there is none.

        A harness that has taken over does not change it.
        """
        return self._configured.session

    @property
    def store(self) -> Store:
        """The store of locks and limits.

        Raises:
            NoStoreError: when none is configured.
        """
        if self._store is None:
            raise NoStoreError
        return self._store

    @property
    def batches(self) -> BatchStore:
        """The part of the store that keeps batches.

        Raises:
            NoStoreError: when no store is configured, or one that keeps none.
        """
        batches: BatchStore | None = getattr(self.store, "batches", None)
        if batches is None:
            raise NoStoreError(
                f"{type(self.store).__name__} keeps no batches: give it an attribute `batches`, which is a "
                "pytest_jobs.core.foundation.protocols.BatchStore, or use MemoryStore or RedisStore."
            )
        return batches

    def replace(
        self,
        *,
        adapter: Adapter | None,
        store: Store | None = None,
        draw: Callable[[], float] | None = None,
        transactions: Sequence[TransactionSource] | None = None,
        session: Callable[[], object] | None = None,
    ) -> Restore:
        """Configure other settings; the result undoes it. A harness that has taken over stays in force."""
        before = self._configured
        self._configure(
            _Values(adapter, store, before.draw if draw is None else draw, transactions, session)
        )
        return Restore(lambda: self._configure(before))

    def take_over(
        self, adapter: Adapter, store: Store, draw: Callable[[], float]
    ) -> Callable[[], None]:
        """Put an adapter and a store in force, whatever is configured now or later.

        Returns:
            A function that ends this.
        """
        taken = _Values(adapter, store, draw)
        self._taken.append(taken)
        self._put_in_force()

        def give_way() -> None:
            self._taken = [other for other in self._taken if other is not taken]
            self._put_in_force()

        return give_way

    def _configure(self, configured: _Values) -> None:
        self._configured = configured
        self._put_in_force()

    def _put_in_force(self) -> None:
        in_force = self._taken[-1] if self._taken else self._configured
        self._adapter, self._store, self.draw = in_force[:3]


class Restore:
    """Undoes a change, when it is called or at the end of its `with` block."""

    __slots__ = ("_undo",)

    def __init__(self, undo: Callable[[], None]) -> None:
        self._undo = undo

    def __call__(self) -> None:
        """Put back what was changed."""
        self._undo()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._undo()


#: The settings of the process.
settings = Settings()


@in_our_words(DeclarationError, by_position="adapter")
def configure(
    *,
    adapter: Adapter | None,
    store: Store | None = None,
    transactions: Sequence[TransactionSource] | None = None,
    session: Callable[[], object] | None = None,
) -> Restore:
    """Say where jobs go.

    Args:
        adapter: takes every payload from now on, while a harness is open once that is closed; None
            for nowhere.
        store: keeps the locks of unique jobs and the places of limited ones; None when there are
            no such jobs, which are then refused.
        transactions: know which transactions are open, for jobs that are enqueued after the commit.
            Those of Django and of SQLAlchemy's sessions are known besides. An empty list says that
            there need be none: such a job is then enqueued at once.
        session: makes the session of SQLAlchemy in which a job has its models: a `sessionmaker`, an
            `async_sessionmaker` for coroutine jobs, a `scoped_session`, or a function that returns a
            new session. It is committed when the job was performed.

    Returns:
        A context manager that puts the former settings back; it need not be entered.

    Raises:
        DeclarationError: when one of them is not what it is to be.
    """
    _check(
        "adapter",
        adapter,
        ("now_ns", "enqueue"),
        "RqAdapter(connection), CeleryAdapter(app) or InlineAdapter()",
    )
    _check("store", store, ("acquire", "release"), "RedisStore(client), or MemoryStore()")
    if transactions is not None and not isinstance(transactions, Sequence):
        raise DeclarationError(
            f"configure(transactions=...) is given {transactions!r}, which is not a list: write "
            "transactions=[...], "
            "with one for each library."
        )
    for source in transactions or ():
        _check("transactions", source, ("open_here",), "what has them, in a list")
    if session is not None and not callable(session):
        raise DeclarationError(
            f"configure(session=...) is given {session!r}, which makes no session: write the sessionmaker, "
            "async_sessionmaker or scoped_session of the application, or a function that returns a new session."
        )
    return settings.replace(
        adapter=adapter, store=store, transactions=transactions, session=session
    )


def _check(name: str, given: object, methods: Sequence[str], instead: str) -> None:
    if given is None:
        return
    if isinstance(given, type):
        raise DeclarationError(
            f"configure({name}=...) is given the class {given.__qualname__}, and takes what is made of it: write "
            f"{given.__qualname__}(...)."
        )
    missing = [method for method in methods if not callable(getattr(given, method, None))]
    if missing:
        raise DeclarationError(
            f"configure({name}=...) is given {given!r}, which has no {' and no '.join(missing)}: write {instead}."
        )
