"""What the core is told from outside."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import TracebackType

from ..errors import NoAdapterError
from .adapter import Adapter


class Settings:
    """The adapter in force, and where chance comes from."""

    __slots__ = ("_adapter", "draw")

    #: Returns where in its range of jitter a wait lies, from 0 up to 1.
    draw: Callable[[], float]

    def __init__(self) -> None:
        self._adapter: Adapter | None = None
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

    def replace(
        self, *, adapter: Adapter | None, draw: Callable[[], float] | None = None
    ) -> Restore:
        """Put another adapter in force; the result undoes it."""
        restore = Restore(self, self._adapter, self.draw)
        self._adapter = adapter
        self.draw = self.draw if draw is None else draw
        return restore


class Restore:
    """Undoes a change of settings, when called or at the end of its `with` block."""

    __slots__ = ("_adapter", "_draw", "_settings")

    def __init__(
        self, settings: Settings, adapter: Adapter | None, draw: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._adapter = adapter
        self._draw = draw

    def __call__(self) -> None:
        """Put the former settings back."""
        self._settings._adapter = self._adapter
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


def configure(*, adapter: Adapter | None) -> Restore:
    """Say where jobs go.

    Args:
        adapter: takes every payload from now on; None for nowhere.

    Returns:
        A context manager that puts the former adapter back; it need not be entered.
    """
    return settings.replace(adapter=adapter)
