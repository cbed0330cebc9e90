"""What the core is told from outside."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import TracebackType

from ..errors import NoAdapterError, NoStoreError
from .adapter import Adapter
from .stores import Store


class Settings:
    """The adapter and the store in force, and where chance comes from."""

    __slots__ = ("_adapter", "_store", "draw")

    #: Returns where in its range of jitter a wait lies, from 0 up to 1.
    draw: Callable[[], float]

    def __init__(self) -> None:
        self._adapter: Adapter | None = None
        self._store: Store | None = None
        self.draw = random.random

    @property
    def adapter(self) -> Adapter:
        """The adapter.

        Raises:
            NoAdapterError: when none is configured.
        """
        if self._adapter is None:
            raise NoAdapterError
        return self._adapter

    @property
    def store(self) -> Store:
        """The store of locks and limits.

        Raises:
            NoStoreError: when none is configured.
        """
        if self._store is None:
            raise NoStoreError
        return self._store

    def replace(
        self,
        *,
        adapter: Adapter | None,
        store: Store | None = None,
        draw: Callable[[], float] | None = None,
    ) -> Restore:
        """Put another adapter and another store in force; the result undoes it."""
        restore = Restore(self, self._adapter, self._store, self.draw)
        self._adapter = adapter
        self._store = store
        self.draw = self.draw if draw is None else draw
        return restore


class Restore:
    """Undoes a change of settings, when called or at the end of its `with` block."""

    __slots__ = ("_adapter", "_draw", "_settings", "_store")

    def __init__(
        self,
        settings: Settings,
        adapter: Adapter | None,
        store: Store | None,
        draw: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._adapter = adapter
        self._store = store
        self._draw = draw

    def __call__(self) -> None:
        """Put the former settings back."""
        self._settings._adapter = self._adapter
        self._settings._store = self._store
        self._settings.draw = self._draw

    def __enter__(self) -> None:
        """The change is in force already."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the former settings back."""
        self()


#: The settings of the process.
settings = Settings()


def configure(*, adapter: Adapter | None, store: Store | None = None) -> Restore:
    """Say where jobs go.

    Args:
        adapter: takes every payload from now on; None for nowhere.
        store: keeps the locks of unique jobs and the places of limited ones; None when there are
            no such jobs, which are then refused.

    Returns:
        A context manager that puts the former adapter and store back; it need not be entered.
    """
    return settings.replace(adapter=adapter, store=store)
