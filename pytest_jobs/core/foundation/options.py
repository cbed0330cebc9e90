"""What one enqueue asks for beyond the job's own declarations."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec

from ...errors import DeclarationError, NaiveDatetimeError, SignatureError
from .waits import Seconds, seconds_of

if TYPE_CHECKING:
    from ..job import Job

P = ParamSpec("P")

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)


def to_ns(instant: datetime, what: str) -> int:
    """Return an instant in nanoseconds since the epoch.

    Raises:
        NaiveDatetimeError: when it has no timezone.
    """
    if not isinstance(instant, datetime):
        raise SignatureError(
            f"{what} is {instant!r}, which is no datetime: write datetime(..., tzinfo=UTC)."
        )
    if instant.utcoffset() is None:  # A timezone may know none either.
        raise NaiveDatetimeError(
            f"{what} is {instant!r}, a datetime without a timezone, which names no instant: write "
            f"{what}.replace(tzinfo=UTC), or .astimezone() when it is local time."
        )
    return (instant - _EPOCH) // _MICROSECOND * 1000


def duration_ns(seconds: float) -> int:
    """Return a duration in nanoseconds."""
    return round(seconds * 1_000_000_000)


def checked_queue(queue: object, where: str) -> str:
    """Return the name of a queue.

    Raises:
        DeclarationError: when it is no text, or empty.
    """
    if not isinstance(queue, str) or not queue:
        raise DeclarationError(
            f"{where} is {queue!r}, which names no queue: write a text such as 'mailers'."
        )
    # A StrEnum is its value, which `str` alone would not give for every enum.
    return str.__str__(queue)


def checked_priority(priority: object, where: str) -> int | None:
    """Return a priority; the lower number is performed first, and None counts as 0.

    Raises:
        DeclarationError: when it is no int.
    """
    if priority is not None and type(priority) is not int:
        raise DeclarationError(
            f"{where} is {priority!r}, which is no priority: write an int, lower first."
        )
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

    def check_now(self, job_class: type[Job], verb: str) -> None:
        """Raise when they say that the job is due later.

        Raises:
            SignatureError: names the option that does.
        """
        if self._wait_ns is not None or self._at_ns is not None:
            option = "at" if self._wait_ns is None else "wait"
            raise SignatureError(
                f"{job_class.__qualname__}.set({option}=...).{verb}(...) says both later and now: leave "
                f"{option}= out, or write perform_later."
            )


class ConfiguredJob(Generic[P]):
    """A job class together with the options of the next enqueue, as `set` returns it."""

    __slots__ = ("_job_class", "_options")

    def __init__(self, job_class: type[Job], options: Options) -> None:
        self._job_class = job_class
        self._options = options

    def new(self, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Return a job with these arguments and options, not enqueued yet."""
        return self._job_class._build(args, kwargs, self._options)

    def perform_later(self, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Enqueue a job with these arguments and options; see `Job.perform_later`."""
        return self._job_class._build(args, kwargs, self._options).enqueue()

    def perform_now(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Perform a job with these arguments here; a retry goes where the options say.

        Raises:
            SignatureError: when the options say when the job is due.
        """
        self._options.check_now(self._job_class, "perform_now")
        return self._job_class._build(args, kwargs, self._options)._perform_now()

    async def aperform_now(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Perform a job with these arguments on the running event loop; see `perform_now`."""
        self._options.check_now(self._job_class, "aperform_now")
        return await self._job_class._build(args, kwargs, self._options)._aperform_now()

    def __repr__(self) -> str:
        return f"<{self._job_class.__qualname__} with options>"
