"""What the core is told from outside."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias

from ..errors import NoAdapterError
from .adapter import Adapter

_Draw: TypeAlias = Callable[[], float]


class Settings:
    """The adapter in force, and where chance comes from."""

    __slots__ = ("_adapter", "_configured", "_taken", "draw")

    #: Returns where in its range of jitter a wait lies, from 0 up to 1.
    draw: _Draw

    def __init__(self) -> None:
        self._configured: tuple[Adapter | None, _Draw] = (None, random.random)
        self._taken: list[tuple[Adapter, _Draw]] = []
        self._put_in_force()

    @property
    def adapter(self) -> Adapter:
        """The adapter.

        Raises:
            NoAdapterError: when none is configured.
        """
        if self._adapter is None:
            raise NoAdapterError
        return self._adapter

    def replace(self, *, adapter: Adapter | None, draw: _Draw | None = None) -> Restore:
        """Configure another adapter; the result undoes it. What has taken over stays in force."""
        restore = Restore(self, *self._configured)
        self._configure(adapter, self._configured[1] if draw is None else draw)
        return restore

    def take_over(self, adapter: Adapter, draw: _Draw) -> Callable[[], None]:
        """Put an adapter in force over whatever is configured, also later; return what gives way again."""
        taken = (adapter, draw)
        self._taken.append(taken)
        self._put_in_force()

        def give_way() -> None:
            self._taken.remove(taken)
            self._put_in_force()

        return give_way

    def _configure(self, adapter: Adapter | None, draw: _Draw) -> None:
        self._configured = (adapter, draw)
        self._put_in_force()

    def _put_in_force(self) -> None:
        self._adapter, self.draw = self._taken[-1] if self._taken else self._configured


class Restore:
    """Undoes a change of settings, when called or at the end of its `with` block."""

    __slots__ = ("_adapter", "_draw", "_settings")

    def __init__(self, settings: Settings, adapter: Adapter | None, draw: _Draw) -> None:
        self._settings = settings
        self._adapter = adapter
        self._draw = draw

    def __call__(self) -> None:
        """Put the former settings back."""
        self._settings._configure(self._adapter, self._draw)

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
        adapter: takes every payload from now on, while a harness is open once that is closed; None
            for nowhere.

    Returns:
        A context manager that puts the former adapter back; it need not be entered.
    """
    return settings.replace(adapter=adapter)
