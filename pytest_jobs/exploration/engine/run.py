"""One delivery of a history, as it went, and the effects that it has had."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from ...harness.records.delivery import Delivery
from .points import Origin, Point, Trail

T = TypeVar("T")

_REFUSED: Final = partial(ConnectionError, "refused: it did not happen")
_ANSWER_LOST: Final = partial(TimeoutError, "no answer: it has happened")


def never_busy(error: BaseException) -> bool:
    """Say of each error that no other delivery holds a lock."""
    return False


class Transaction(Hashable, Protocol):
    """A transaction of a database that takes everything back, without a trace, when its worker dies."""

    @property
    def is_open(self) -> bool:
        """Whether it is neither committed nor rolled back."""
        ...

    @property
    def excludes_others(self) -> bool:
        """Whether nobody else can write what it reads, or read what it writes, once it has changed something."""
        ...


@dataclass(frozen=True, slots=True)
class Act:
    """One effect of a job: something durable, or outside of the process."""

    #: The thing that it is done to, such as `gateway` or `sqlite`.
    kind: str
    #: The call or statement.
    text: str
    #: Whether the check compares how often it happened, because no state may show it.
    counts: bool = True
    #: The value that is compared; None for the text.
    value: object = None
    #: The idempotency key: a second effect with the same key does not count. None for no key.
    key: object = None
    #: The idempotency key that was sent, also if the receiver itself finds out which keys it knows.
    sent_key: object = None
    #: The place that is set, such as an attribute: only the last value of a place counts. None for other effects.
    slot: object = None
    #: The function of the project in whose place the test has put a double; empty for all other effects.
    stands_for: str = field(default="", compare=False)
    #: Returns whether an error means that another delivery holds a lock.
    busy: Callable[[BaseException], bool] = never_busy
    #: Makes the error of an effect that fails before it happens; None if it cannot fail.
    refused: Callable[[], Exception] | None = _REFUSED
    #: Makes the error of an effect whose reply is lost; None if it has no reply.
    answer_lost: Callable[[], Exception] | None = _ANSWER_LOST
    #: The transaction in which it happens, if nothing is left of it there before a commit.
    transaction: Transaction | None = field(default=None, compare=False)
    #: Whether a database of SQL is what it is done to.
    of_database: bool = field(default=False, compare=False)

    @property
    def is_commit(self) -> bool:
        return self.text.lower() == "commit"

    @property
    def tells_itself(self) -> bool:
        """Whether effects of this kind are counted, rather than only visible in the world's state."""
        return self.counts or self.value is not None

    def in_memory(self) -> Act:
        """Return this effect as one that cannot fail, since setting the memory of a process cannot."""
        return replace(self, refused=None, answer_lost=None)


class SourceState:
    """The state of effect sources: it lasts as long as a history, a search, or a session."""

    __slots__ = ("_ends", "_things", "lessons")

    def __init__(self) -> None:
        self._things: dict[object, Any] = {}
        self._ends: list[Callable[[], object]] = []
        #: How often something was learned here that changes which effects count.
        self.lessons = 0

    def of(self, owner: Hashable, make: Callable[[], T]) -> T:
        """Return what belongs to an owner; it is made when it is asked for the first time."""
        if owner not in self._things:
            self._things[owner] = make()
        return self._things[owner]  # type: ignore[no-any-return]

    def learn(self, known: set[str], lesson: str) -> None:
        """Add something to a set that is kept here. What was observed before is observed anew."""
        if lesson not in known:
            known.add(lesson)
            self.lessons += 1

    def undo_by(self, undo: Callable[[], object]) -> None:
        """Call a function in its turn when the history, the search or the session ends."""
        self._ends.append(undo)

    def end(self) -> None:
        """Undo everything, the newest first, and forget it."""
        while self._ends:
            self._ends.pop()()
        self._things.clear()


#: Whether this runs as a part of an effect that is compared by itself, as the call of a fake is: what it writes to
#: stores is a part of it.
within_compared: ContextVar[bool] = ContextVar("pytest_jobs_within_compared", default=False)


#: Receives the effects that are a part of the effect that runs here; None if nobody asks for them.
parts: ContextVar[list[Act] | None] = ContextVar("pytest_jobs_parts", default=None)


@dataclass(eq=False)
class Run:
    """One delivery of a history, as it went."""

    number: int
    #: When it began, in nanoseconds of the virtual clock.
    at_ns: int = 0
    points: Trail = field(default_factory=Trail)
    #: For each point, the effect that it comes before or after; None at lines and awaits.
    point_acts: list[Act | None] = field(default_factory=list)
    #: The effects that count and have happened.
    acts: list[Act] = field(default_factory=list)
    #: How often it has committed, in whatever database.
    commits: int = 0
    #: The points of each callback that waited for a commit, and of each receiver of a signal.
    callbacks: list[range] = field(default_factory=list)
    #: The points after calls that had no effect, such as one with a known idempotency key, by their index.
    without_effect: set[int] = field(default_factory=set)
    #: How often it has done something outside of its memory, and how often it may have looked at something there.
    acted: int = 0
    looked: int = 0
    #: How often it has done so in a transaction that excluded all others before.
    excluded: int = 0
    #: The transactions that may be open, each with how often it has done something in it.
    pending: dict[Transaction, int] = field(default_factory=dict)
    #: The index of the point at which it was killed; None if it came to its end.
    stopped: int | None = None
    #: Whether its library has set it a time limit.
    has_limit: bool = False
    delivery: Delivery | None = None
    error: BaseException | None = None
    #: The lines of the project through which the error went, the innermost last.
    trace: tuple[Origin, ...] = ()
    acknowledged: bool = False
    #: Whether it ended with an error with which a delivery may end.
    accepted: bool = False
    #: Whether it was given up, since it waited without end.
    spinning: bool = False
    #: Whether the library, as configured, would never deliver the job again.
    dropped: bool = False
    #: Whether it failed by accident: with an error of its own, after an effect had failed.
    failed_otherwise: bool = False
    #: Whether it changed files after its death, while it ended what it had begun.
    changed_files_at_its_end: bool = False
    #: Whether it has let other threads do a part of it.
    hands_over: bool = False
    #: What it did in threads that could not be interrupted.
    elsewhere: list[str] = field(default_factory=list)
    #: What the job has returned to be awaited; None as soon as somebody awaits it.
    awaitable: Any = None
    #: The tasks and timers that it started and the callbacks that it scheduled, which had not ended when it ended.
    unfinished: list[str] = field(default_factory=list)

    @property
    def stopped_at(self) -> Point | None:
        """The point at which it was killed; None if it came to its end."""
        return None if self.stopped is None else self.points[self.stopped]

    @property
    def origin(self) -> Origin | None:
        """The line of the project that raised the error; None if there is no such line."""
        return self.trace[-1] if self.trace else None

    @property
    def lasting(self) -> int:
        """How often it has done something that outlives its worker."""
        self.settle()
        return self.acted - sum(self.pending.values())

    def settle(self) -> None:
        """Forget the transactions that have ended: what was done in them may last."""
        for transaction in [one for one in self.pending if not one.is_open]:
            del self.pending[transaction]

    def is_alone_in(self, transaction: Transaction | None) -> bool:
        """Return whether it has changed something in a transaction, which excludes all others since then."""
        self.settle()
        return transaction in self.pending and transaction.excludes_others

    @property
    def asks_again(self) -> bool:
        """Whether the job asked its library to deliver it again, and is not simply failing."""
        return self.delivery is not None and self.delivery.next is not None

    @property
    def asks_by_name(self) -> bool:
        """Whether the job asked for another delivery in words of its library, such as `raise Retry`.

        A library raises errors of its own for that, or reports a delivery without an error, or one that snoozes. A
        rule that delivers again after any error of the project, such as `autoretry_for`, is none of that.
        """
        ended = self.delivery
        if ended is None or ended.next is None:
            return False
        # An error of the library itself.
        package = type(self.error).__module__.partition(".")[0]
        is_word = isinstance(self.error, Exception) and package == ended.record.source.name
        return self.error is None or ended.status == "snoozed" or is_word

    @property
    def failed(self) -> bool:
        """Whether it ended with an error with which no delivery may end that nothing disturbs."""
        if self.error is None or self.accepted or self.asks_by_name:
            return False
        ended = self.delivery
        is_exhausted = ended is not None and ended.status == "exhausted" and not ended.handled
        return self.asks_again or not self.acknowledged or is_exhausted

    @property
    def is_left_to_library(self) -> bool:
        """Whether it ended with an error that no rule of the job takes up."""
        return self.error is not None and not self.acknowledged and not self.asks_again

    @property
    def used_up_retries(self) -> bool:
        """Whether the job failed in each of its attempts, so that its library delivers it no more."""
        ended = self.delivery
        if ended is None or ended.status != "exhausted":
            return False
        return ended.record.retry_of is not None and not self.accepted
