"""Descriptors that carry the parameters of `perform` to the methods that enqueue it.

Type checkers see them; at run time the methods are ordinary class methods.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from .foundation.options import ConfiguredJob
    from .job import Job

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
J = TypeVar("J", bound="Job")


class Performs(Protocol[P, R_co]):
    """Anything with a `perform`."""

    def perform(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Do the work."""
        ...


class SetOptions(Protocol[P]):
    """The type of `set`."""

    def __call__(
        self,
        *,
        wait: float | timedelta | None = None,
        at: datetime | None = None,
        queue: str | None = None,
        priority: int | None = None,
    ) -> ConfiguredJob[P]:
        """See `Job.set`."""
        ...


class MakesJob(Protocol):
    """The type of `perform_later` and of `new`."""

    def __get__(self, instance: object, owner: Callable[..., Performs[P, Any]]) -> Callable[P, Job]:
        """Return a callable with the parameters of `perform`."""
        ...


class PerformsNow(Protocol):
    """The type of `perform_now`."""

    @overload
    def __get__(
        self, instance: object, owner: Callable[..., Performs[P, Coroutine[Any, Any, R]]]
    ) -> Callable[P, R]: ...
    @overload
    def __get__(self, instance: object, owner: Callable[..., Performs[P, R]]) -> Callable[P, R]: ...
    def __get__(self, instance: object, owner: Any) -> Any:
        """Return a callable with the parameters and the result of `perform`."""
        ...


class APerformsNow(Protocol):
    """The type of `aperform_now`."""

    @overload
    def __get__(
        self, instance: object, owner: Callable[..., Performs[P, Coroutine[Any, Any, R]]]
    ) -> Callable[P, Coroutine[Any, Any, R]]: ...
    @overload
    def __get__(
        self, instance: object, owner: Callable[..., Performs[P, R]]
    ) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, instance: object, owner: Any) -> Any:
        """Return a callable with the parameters and the result of `perform`."""
        ...


class SetsOptions(Protocol):
    """The type of the attribute `set`."""

    def __get__(self, instance: object, owner: Callable[..., Performs[P, Any]]) -> SetOptions[P]:
        """Return a callable whose result takes the parameters of `perform`."""
        ...
