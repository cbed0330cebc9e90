"""Methods that a class body marks and that the class takes in when it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from ..errors import DeclarationError

if TYPE_CHECKING:
    from .job import Job

F = TypeVar("F", bound=Callable[..., Any])


class Declaration(Protocol):
    """What a marked method means to its class."""

    def declare(self, owner: type[Job], name: str) -> None:
        """Take effect on the class whose body holds the method under this name."""
        ...


class Marked:
    """Stands in a class body for a marked method until the class exists."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self._declarations: list[Declaration] = []

    def add(self, make: Callable[[Callable[..., Any]], Declaration]) -> None:
        """Mark the method once more."""
        self._declarations.append(make(self._method))

    def __set_name__(self, owner: type[Job], name: str) -> None:
        setattr(owner, name, self._method)
        if not hasattr(owner, "_declare_callback"):
            raise DeclarationError(
                f"{owner.__qualname__}.{name} is marked as a callback or handler of a job, and "
                f"{owner.__qualname__} is no job class: derive it from Job."
            )
        for declaration in self._declarations:
            declaration.declare(owner, name)


def mark(method: F, make: Callable[[Callable[..., Any]], Declaration]) -> F:
    """Mark a method of a job class with a declaration made from it.

    Raises:
        DeclarationError: when it is not a function defined in a class body.
    """
    marked = method if isinstance(method, Marked) else None
    if marked is None:
        if not callable(method) or isinstance(method, type):
            raise DeclarationError(
                f"{method!r} is no method: decorate a `def` in the body of a job class."
            )
        marked = Marked(method)
    marked.add(make)
    return cast(F, marked)
