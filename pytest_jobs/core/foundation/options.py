"""The options of one enqueue, and the checks that they share with declarations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from ...errors import DeclarationError, NaiveDatetimeError, SignatureError
from .waits import Seconds, seconds_of

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)


def to_ns(instant: datetime, what: str) -> int:
    """Return an instant in nanoseconds since the epoch.

    Raises:
        NaiveDatetimeError: when it has no timezone.
    """
    if not isinstance(instant, datetime):
        raise SignatureError(
            f"{what} must be a datetime such as datetime(..., tzinfo=UTC), got {instant!r}."
        )
    if instant.utcoffset() is None:  # Also where there is a timezone that knows no offset.
        raise NaiveDatetimeError(
            f"{what} must have a timezone, got {instant!r}: write {what}.replace(tzinfo=UTC), or "
            ".astimezone() when it is local time."
        )
    return (instant - _EPOCH) // _MICROSECOND * 1000


def duration_ns(seconds: float) -> int:
    """Return a duration in nanoseconds."""
    return round(seconds * 1_000_000_000)


def checked_queue(queue: object, where: str) -> str:
    """Return the name of a queue.

    Raises:
        DeclarationError: when it is not text, or empty.
    """
    if not isinstance(queue, str) or not queue:
        raise DeclarationError(
            f"{where} must be the name of a queue such as 'mailers', got {queue!r}."
        )
    # The value of a StrEnum, for which `str(queue)` may be another text.
    return str.__str__(queue)


def checked_priority(priority: object, where: str) -> int | None:
    """Return a priority; the lower number is performed first, and None counts as 0.

    Raises:
        DeclarationError: when it is not an int.
    """
    if priority is not None and type(priority) is not int:
        raise DeclarationError(f"{where} must be an int, lower first, got {priority!r}.")
    return priority


class Options:
    """The options of one enqueue, checked."""

    __slots__ = ("_at_ns", "_wait_ns", "priority", "queue")

    def __init__(
        self,
        *,
        wait: Seconds | None = None,
        at: datetime | None = None,
        queue: str | None = None,
        priority: int | None = None,
    ) -> None:
        if wait is not None and at is not None:
            raise SignatureError(
                f"Both wait={wait!r} and at={at!r} say when the job is due: give one of them."
            )
        self._wait_ns = None if wait is None else duration_ns(seconds_of(wait, "wait"))
        self._at_ns = None if at is None else to_ns(at, "at")
        self.queue = None if queue is None else checked_queue(queue, "queue")
        self.priority = checked_priority(priority, "priority")

    def due_ns(self, now_ns: int) -> int | None:
        """Return when a job enqueued now is due; None for at once."""
        return self._at_ns if self._wait_ns is None else now_ns + self._wait_ns

    def check_now(self, job_class: type, verb: str) -> None:
        """Refuse options that say that the job is due later.

        Raises:
            SignatureError: names the option that does.
        """
        if self._wait_ns is not None or self._at_ns is not None:
            option = "at" if self._wait_ns is None else "wait"
            raise SignatureError(
                f"{job_class.__qualname__}.set({option}=...).{verb}(...) says both later and now: leave "
                f"{option}= out, or write perform_later."
            )


def nearest(given: object, valid: Iterable[str]) -> str:
    """Return a question that names the valid value that was most likely meant, or a full stop."""
    import difflib

    found = difflib.get_close_matches(str(given), valid, n=1, cutoff=0.5)
    return f": did you mean {found[0]!r}?" if found else "."
