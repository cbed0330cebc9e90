"""Every exception and warning of pytest-jobs. A docstring is the default message."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Protocol

    class ExplorationReport(Protocol):
        """What an exploration found."""

        def to_dict(self) -> dict[str, Any]:
            """Return it as plain values."""
            ...


class JobsError(Exception):
    """A job could not be handled."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(inspect.getdoc(type(self)) if message is None else message)


# Declaring


class DeclarationError(JobsError, TypeError):
    """A job class, job function or rule is declared wrongly."""


class ForeignNameError(JobsError, AttributeError):
    """Something was asked for a method that it has in another library."""


class ContextError(JobsError, AttributeError):
    """Current attributes were asked for a value that there is not, or that none of them has."""


# Enqueueing


class NoAdapterError(JobsError):
    """No adapter is configured, so this job has nowhere to go.

    In a test, ask for the `jobs` fixture, or set `jobs_mode = record` in the pytest
    configuration. In a program, write `pytest_jobs.configure(adapter=...)` first.
    """


class SignatureError(JobsError, TypeError):
    """The arguments do not fit the signature of the job."""


class SerializationError(JobsError, ValueError):
    """An argument cannot be written into a job's payload."""


class EnqueueError(JobsError):
    """The queue did not accept the job.

    Adapters raise it; `perform_later` catches it and keeps it as `job.enqueue_error`.
    """


class RolledBackError(JobsError):
    """The transaction for whose commit the job waited was not committed, so the job was dropped.

    It is kept as `job.enqueue_error`.
    """


class StoreError(JobsError):
    """The store of locks and limits cannot be reached."""


class NoStoreError(StoreError):
    """No store is configured, so nothing knows which jobs are unique, limited or in a batch.

    Write `pytest_jobs.configure(adapter=..., store=...)`: with `RedisStore` when several processes
    enqueue or perform, with `MemoryStore` in one process. In a test the harness brings one.
    """


class JobLockedError(JobsError):
    """Another job holds the lock of a unique job, or the last place of a limit.

    It is the error of a delivery that was refused for it.
    """


class BatchError(JobsError):
    """A batch cannot be what it is to be, or cannot take another job."""


class Halt(JobsError):
    """A callback stopped the job.

    Raise it in a `before_` or `around_` callback: the job is then not enqueued, or not
    performed, and neither retried nor discarded. The semantics are `throw :abort` of ActiveJob.
    """


class ScheduleError(JobsError, ValueError):
    """A schedule of recurring jobs has a mistake."""


class QueuesError(JobsError, ValueError):
    """A configuration of queues has a mistake."""


class LintSettingsError(JobsError, ValueError):
    """A setting of the lint has a mistake."""


class BaselineError(JobsError, ValueError):
    """A baseline of accepted findings cannot be read or written."""


class MessagesFileError(JobsError):
    """A file is none that `pytest --jobs-messages` has written, or nothing can be compared with it."""


# Performing


class DeserializationError(JobsError):
    """The arguments of a payload cannot be read back."""


class RecordNotFoundError(DeserializationError):
    """A record that a payload refers to does not exist any more."""


class RecordUnavailableError(JobsError):
    """A record that a payload refers to could not be looked up, so nobody knows whether it exists.

    It is no `DeserializationError`: a rule that drops jobs whose records are gone does not hold for it.
    """


class NoSessionError(JobsError):
    """No session is configured, so no model of SQLAlchemy can be looked up for a job.

    Write `pytest_jobs.configure(adapter=..., session=Session)`, with the sessionmaker, the
    async_sessionmaker or the scoped_session of the application.
    """


class UnknownJobError(JobsError, LookupError):
    """No job has the name that a payload carries."""


class AmbiguousJobError(JobsError):
    """Two job classes share one name, so a payload that carries it could run either."""


class CallbackError(JobsError):
    """A callback broke its contract."""


class WaitError(JobsError, TypeError):
    """A wait is neither a number of seconds nor a timedelta."""


# Driving


class NoHarnessError(JobsError):
    """No harness is open.

    Ask for the `jobs` fixture in this test, or open one with `with pytest_jobs.open_jobs():`.
    """


class VerbInsideJobError(JobsError):
    """A verb that performs jobs was called by a job while it ran."""


class RunningLoopError(JobsError):
    """A coroutine job cannot be performed by a synchronous verb inside a running event loop."""


class LoopLimitError(JobsError):
    """A verb went on for longer than its limit, most likely because a job enqueues itself."""


class NothingMatchedError(JobsError):
    """A filter matches no job, so the verb would have done nothing."""


class UnservedQueueError(JobsError):
    """A job is pending in a queue that no worker serves, so it would wait for ever."""


class TooFewPerformedError(JobsError, AssertionError):
    """A verb made fewer deliveries than it was told to make at least."""


class NotPerformedError(JobsError):
    """The job has not been performed yet, so it has no result. Drain first."""


class NoSuchItemError(JobsError, IndexError):
    """A view has no item at this place."""


class NotDeadError(JobsError):
    """The job is not among the dead letters, so it cannot be redriven."""


class UnusedFaultError(JobsError):
    """A fault was set up and no delivery ever met it."""


class ForgottenCallError(JobsError):
    """A call was made that does nothing until it is awaited, or entered by `with`, and it never was."""


class CommitError(JobsError):
    """A commit cannot come here, so nothing that waits for one can run."""


class UnfinishedJobsError(JobsError):
    """Jobs that were started inside a running event loop had not ended when the test did."""


class NothingPerformedError(JobsError):
    """A delivery was reported as performed, and the body of the job never ran."""


# Bridging


class BridgeError(JobsError):
    """A job library cannot be brought into the harness."""


class UnknownVersionError(BridgeError):
    """The installed version of a job library lacks something that pytest-jobs patches or calls."""


class RefusedEnqueueError(BridgeError):
    """A job library that cannot be captured would have sent a job to a real queue, unseen by the test."""


class ApplicationError(BridgeError):
    """An application that `jobs_apps` names cannot be loaded."""


# Time


class ClockError(JobsError):
    """The virtual clock cannot do that."""


class NaiveDatetimeError(ClockError, ValueError):
    """A datetime must have a timezone."""


class ClockConflictError(ClockError):
    """Another library took hold of the time that the virtual clock drives."""


# Asserting


class CriterionError(JobsError, TypeError):
    """An assertion about jobs was asked something that cannot be true of any job."""


# Exploring


class ExplorationError(JobsError):
    """An exploration could not be carried out, so it shows nothing."""

    #: The last line of a job that changes nothing which the check compares, as `shop.py:7`; empty by default.
    idle_at: str = ""


class ReusedKeyError(JobsError, ValueError):
    """An idempotency key belongs to another call, so the service refuses this one."""


class NotIdempotent(JobsError, AssertionError):
    """A job that was delivered more than once, or a call that was cut off, did not end as one clean run."""

    #: What was found: `str()` of it is the message, `to_dict()` has it as plain values. None by default.
    report: ExplorationReport | None = None


class DuplicateEffect(NotIdempotent):
    """Something was done more often than in one clean run."""


class LostEffect(NotIdempotent):
    """Something that one clean run does was never done."""


class DivergedState(NotIdempotent):
    """The state at the end is another than after one clean run."""


class PoisonJob(NotIdempotent):
    """The job fails whenever it is delivered again, and is never done."""


class StuckJob(NotIdempotent):
    """The job says that it is done, and its work is not."""


class HalfDone(NotIdempotent):
    """A part of the work is done, and nothing does the rest."""


# Warnings


class JobsWarning(UserWarning):
    """The base class of the warnings of pytest-jobs."""


class RealSleepWarning(JobsWarning):
    """A performed job slept in real time, on an event loop that is not ours."""


class LeftTaskWarning(JobsWarning):
    """A job has left a task on its event loop, which had failed or had not ended when the test ended."""


class EnqueuedInTransactionWarning(JobsWarning):
    """A job was enqueued inside an open transaction: a worker may be there before the commit."""


class PartialExploration(JobsWarning):
    """A check passed, and something that it was asked to explore was left out."""
