"""The job that an application names, and the records of that job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from types import FunctionType
from typing import Any, Final

from ...core.foundation.registry import nearest_name
from ...errors import CriterionError
from .bridge import Bridge, TakesFunctions
from .mocks import mock_name, mock_of, mock_text, owners_of
from .record import JobRecord, KnowsNames

NONE_IS_NO_JOB: Final = (
    "None is not a job: the variable was never set, or the job was called, which runs it at once. Pass the job "
    "itself, a class, a function or a task."
)
#: What may have become of another value that was meant as a job.
_CALLED: Final = (
    " Was it called? A call runs a job at once and gives its result: name the job itself."
)


class Target:
    """One job of one bridge."""

    def __init__(self, bridge: Bridge, job: object, name: str) -> None:
        self.bridge = bridge
        self.job = job
        #: The name of its records.
        self.name = name
        #: The same function as a job of other libraries, if it was enqueued in none of them yet.
        self.others: Sequence[Target] = ()
        self._matches = bridge.matcher(job)

    @cached_property
    def owners(self) -> list[Any]:
        """The job, and the objects by which it is enqueued."""
        return owners_of(self.job)

    def is_job_of(self, record: JobRecord) -> bool:
        """Return whether the record is of this job; a subclass is another job."""
        is_own = (
            record.source.name == self.bridge.name
            and record.name == self.name
            and self._matches(record)
        )
        return is_own or any(other.is_job_of(record) for other in self.others)

    def is_same(self, other: Target | None) -> bool:
        return other is not None and (self.bridge, self.name) == (other.bridge, other.name)


class Targets:
    """Finds the jobs of all bridges of a harness."""

    __slots__ = ("_bridges", "asked")

    def __init__(self, bridges: Iterable[Bridge]) -> None:
        self._bridges = bridges
        #: The names of the jobs that a test asks for.
        self.asked: set[str] = set()

    def find(self, job: object) -> Target | None:
        """Return the job as a target, or None when no bridge knows it."""
        if isinstance(job, Target):
            return job
        for bridge in self._bridges:
            name = bridge.identify(job)
            if name is not None:
                return Target(bridge, job, name)
        return None

    def adopted(self, job: object) -> Target | None:
        """Return a function that was not enqueued as what it would be, in each library that takes functions."""
        found = [
            Target(bridge, job, name)
            for bridge in self._bridges
            if isinstance(bridge, TakesFunctions) and (name := bridge.adopt(job)) is not None
        ]
        if found:
            found[0].others = found[1:]
        return found[0] if found else None

    def get(self, job: Any) -> Target:
        """Return the job as a target.

        Raises:
            CriterionError: when no bridge knows the job.
        """
        # First, since a mock with the specification of a task passes for one.
        mock = mock_of(job)
        if mock is not None:
            raise CriterionError(
                f"The job is replaced by {mock_text(mock)}{mock_name(mock)}, so it is never enqueued: take the "
                "mock out. Under the harness a job is recorded, and nothing of it leaves the process."
            )
        target = self.find(job)
        if target is not None:
            self.asked.add(target.name)
            return target
        if job is None:
            raise CriterionError(NONE_IS_NO_JOB)
        owner = getattr(job, "__self__", None)
        if owner is not None and self.find(owner) is not None:
            name = getattr(owner, "__name__", owner)
            raise CriterionError(
                f"{name}.{getattr(job, '__name__', '...')} is a method of a job: name {name} itself."
            )
        adopted = self.adopted(job)
        if adopted is not None:
            self.asked.add(adopted.name)
            return adopted
        if isinstance(job, str):
            every = [
                name
                for bridge in self._bridges
                if isinstance(bridge, KnowsNames)
                for name in bridge.known_names()
            ]
            near = nearest_name(job, every)
            meant = f": did you mean {near!r}? Give" if near else ": give"
            # A task that returns a text was called, as in assert_enqueued(charge(7)).
            called = "" if near else ", without calling it"
            raise CriterionError(
                f"No job is named {job!r} here{meant} the full name, or the job itself{called}."
            )
        shown = (
            f"The function {job.__module__}.{job.__qualname__}"
            if isinstance(job, FunctionType)
            else repr(job)
        )
        raise CriterionError(
            f"{shown} is not a job: pass a task of a captured library, a class derived from Job, a function under "
            f"@job, or a `later` twin.{'' if callable(job) else _CALLED}"
        )
