"""Errors that the harness raises instead of a job."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Self

from ...errors import CriterionError, UnusedFaultError
from ..records.bridge import BodiesAsk
from ..records.record import JobRecord
from ..records.targets import Target
from ..records.texts import short_name

Raising = BaseException | type[BaseException]

#: What to write where a body decides about its retries.
RAISE_INSIDE: Final = "Let a fake of what the body calls raise the error, and drain."


class Fault:
    """Makes deliveries of one job fail; `jobs.fail` sets it up.

    It lasts until the end of the test, or of its `with` block.
    """

    __slots__ = (
        "_attempts_hit",
        "_on",
        "_raising",
        "_target",
        "_times",
        "active",
        "after",
        "hits",
    )

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
                f"times={times!r} is not a number of deliveries: write an int of at least 1."
            )
        if on is not None and not (
            isinstance(on, Collection) and on and all(type(n) is int and n >= 1 for n in on)
        ):
            raise CriterionError(
                f"on={on!r} names no attempts: write their numbers, from 1, as in on=[1, 3]."
            )
        self._times = times
        self._on = on
        #: Whether the body runs before the error is raised.
        self.after = after
        #: Whether it still makes deliveries fail.
        self.active = True
        #: How many deliveries it made fail so far.
        self.hits = 0
        self._attempts_hit: set[int] = set()

    def strikes(self, record: JobRecord) -> bool:
        """Return whether a delivery is to fail, and count it if so."""
        if not self.active or not self._target.is_job_of(record):
            return False
        if self._times is not None and self.hits >= self._times:
            return False
        if self._on is not None and record.attempt not in self._on:
            return False
        self.hits += 1
        self._attempts_hit.add(record.attempt)
        return True

    def error(self) -> BaseException:
        """Return the error, with a note where the body that it replaces asks for its retries itself."""
        error = fresh_error(self._raising)
        word = "" if self.after else skipped_word(self._target, self._raising)
        if word:
            name = short_name(self._target.name)
            note = (
                f"jobs.fail({name}) raised this in place of the body, which asks for its retries itself by "
                f"{word}: it did not run, so it asked for none. {RAISE_INSIDE}"
            )
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
        return error

    def stop(self) -> None:
        """Make no more deliveries fail.

        Raises:
            UnusedFaultError: when fewer deliveries have failed than the fault was set up for.
        """
        self.active = False
        missed = ""
        if not self.hits:
            which = "" if self._on is None else f" on attempt {_numbers(self._on)}"
            missed = f"no delivery{which} ever met it"
        elif self._times is not None and self.hits < self._times:
            missed = f"only {self.hits} of {self._times} deliveries met it"
        elif left := set(self._on or ()) - self._attempts_hit:
            missed = f"no delivery on attempt {_numbers(left)} met it"
        if missed:
            raise UnusedFaultError(
                f"jobs.fail({self._target.name}) was set up and {missed}, so the test shows less than it says: "
                "perform the job while the fault holds, or ask for no more than happens."
            )

    def __enter__(self) -> Self:
        """Return the fault, which is active already."""
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Stop the fault. After an error in the block it need not have met anything."""
        if error is None:
            self.stop()
        self.active = False

    def __repr__(self) -> str:
        return f"<Fault {self._target.name} {self._raising!r} hits={self.hits}>"


def _numbers(attempts: Collection[int]) -> str:
    return ", ".join(map(str, sorted(attempts)))


def checked_error(raising: object, name: str) -> Raising:
    """Return an error that can be raised.

    Raises:
        CriterionError: when it is neither an exception nor an exception class, or when the class cannot be
            made without arguments.
    """
    if isinstance(raising, BaseException):
        return raising
    if not (isinstance(raising, type) and issubclass(raising, BaseException)):
        raise CriterionError(
            f"{name}={raising!r} is not an error: write an exception such as TimeoutError()."
        )
    try:
        raising()
    except Exception as error:
        cls = raising.__name__
        raise CriterionError(
            f"{name}={cls} cannot be made without arguments ({type(error).__name__}: {error}): write the "
            f"exception itself, as in {name}={cls}(...)."
        ) from None
    return raising


def skipped_word(target: Target, raising: Raising) -> str:
    """Return how the body of a job asks for a retry; empty if it never does, or if the error in its place does."""
    bridge: object = target.bridge
    kind = raising if isinstance(raising, type) else type(raising)
    if not isinstance(bridge, BodiesAsk) or bridge.is_asking(kind):
        return ""
    return bridge.asks_for_retries(target.job)


def fresh_error(raising: Raising) -> BaseException:
    """Return the error without the traceback and context of an earlier raise; its cause is part of it."""
    if isinstance(raising, type):
        return raising()
    raising.__context__ = None
    return raising.with_traceback(None)
