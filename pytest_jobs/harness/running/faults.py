"""Errors that the harness raises in a job's place."""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType
from typing import Self

from ...errors import CriterionError, UnusedFaultError
from ..records.record import JobRecord
from ..records.targets import Target

Raising = BaseException | type[BaseException]


class Fault:
    """Makes deliveries of one job fail, as `jobs.fail` sets up.

    It holds until the end of the test, or of its `with` block.
    """

    __slots__ = ("_active", "_after", "_met", "_on", "_raising", "_target", "_times", "hits")

    def __init__(
        self,
        target: Target,
        raising: Raising,
        *,
        times: int | None,
        on: Collection[int] | None,
        after: bool,
    ) -> None:
        self._target = target
        self._raising = checked_error(raising, "raising")
        if times is not None and on is not None:
            raise CriterionError(
                f"times={times!r} and on={on!r} both say which deliveries fail: give one."
            )
        if times is not None and (type(times) is not int or times < 1):
            raise CriterionError(
                f"times={times!r} is no number of deliveries: write an int of at least 1."
            )
        if on is not None and not _names_attempts(on):
            raise CriterionError(
                f"on={on!r} names no attempts: write their numbers, from 1, as in on=[1, 3]."
            )
        self._times = times
        self._on = on
        self._after = after
        self._active = True
        #: How many deliveries it made fail so far.
        self.hits = 0
        self._met: set[int] = set()

    @property
    def after(self) -> bool:
        """Whether the body runs before the error is raised."""
        return self._after

    def strikes(self, record: JobRecord) -> bool:
        """Say whether this delivery is to fail, and count it when it is."""
        if not self._active or not self._target.is_job_of(record):
            return False
        if self._times is not None and self.hits >= self._times:
            return False
        if self._on is not None and record.attempt not in self._on:
            return False
        self.hits += 1
        self._met.add(record.attempt)
        return True

    def _missed(self) -> str:
        if not self.hits:
            which = "" if self._on is None else f" on attempt {_numbers(self._on)}"
            return f"no delivery{which} ever met it"
        if self._times is not None and self.hits < self._times:
            return f"only {self.hits} of {self._times} deliveries met it"
        missed = set(self._on or ()) - self._met
        return f"no delivery on attempt {_numbers(missed)} met it" if missed else ""

    def error(self) -> BaseException:
        """Return the error to raise."""
        return fresh_error(self._raising)

    def stop(self) -> None:
        """Let the job alone from now on.

        Raises:
            UnusedFaultError: when the fault did not make all the deliveries fail that it was to.
        """
        self._active = False
        missed = self._missed()
        if missed:
            raise UnusedFaultError(
                f"jobs.fail({self._target.name}) was set up and {missed}, so the test shows less than it says: "
                "perform the job while the fault holds, or ask for no more than happens."
            )

    def __enter__(self) -> Self:
        """The fault holds already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the job alone from now on."""
        if error is None:
            self.stop()
        self._active = False

    def __repr__(self) -> str:
        return f"<Fault {self._target.name} {self._raising!r} hits={self.hits}>"

    @property
    def active(self) -> bool:
        """Whether the fault still holds."""
        return self._active


def _names_attempts(on: object) -> bool:
    return isinstance(on, Collection) and bool(on) and all(type(n) is int and n >= 1 for n in on)


def _numbers(attempts: Collection[int]) -> str:
    return ", ".join(map(str, sorted(attempts)))


def checked_error(raising: object, what: str) -> Raising:
    """Return an error that can be raised.

    Raises:
        CriterionError: when it is neither an exception nor an exception class, or a class of which none can
            be made without arguments.
    """
    if isinstance(raising, BaseException):
        return raising
    if isinstance(raising, type) and issubclass(raising, BaseException):
        try:
            raising()
        except Exception as error:
            name = raising.__name__
            raise CriterionError(
                f"{what}={name} cannot be made without arguments ({type(error).__name__}: {error}): write the "
                f"exception itself, as in {what}={name}(...)."
            ) from None
        return raising
    raise CriterionError(
        f"{what}={raising!r} is no error: write an exception such as TimeoutError()."
    )


def fresh_error(raising: Raising) -> BaseException:
    """Return the error without what clung to it when it was raised before; its cause is part of it."""
    if isinstance(raising, type):
        return raising()
    raising.__context__ = None
    return raising.with_traceback(None)
