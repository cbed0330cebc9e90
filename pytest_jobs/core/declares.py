"""Decorators that stand above a job and declare something of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ..errors import DeclarationError

if TYPE_CHECKING:
    from .job import Job

T = TypeVar("T")


class Declares:
    """A decorator for job classes and job functions."""

    def __init__(self, name: str, declare: Callable[[type[Job]], None]) -> None:
        #: As which it is written.
        self.name = name
        self._declare = declare

    def __call__(self, target: T) -> T:
        """Declare it of a job class or a job function, and return that.

        Raises:
            DeclarationError: when it is put above something else.
        """
        job_class = getattr(target, "job_class", None)
        if job_class is None:
            raise DeclarationError(
                f"@{self.name} decorates {target!r}, which is no job: put it above a class derived from Job, or "
                "above @job."
            )
        self._declare(job_class)
        return target

    def __repr__(self) -> str:
        return f"@{self.name}(...)"
