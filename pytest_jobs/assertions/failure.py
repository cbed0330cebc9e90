"""From a search that did not find what was expected to the text that says so, with its likely causes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Generic, TypeVar

from ..errors import JobsError
from ..harness.commits.transactions import CommitCallback
from ..harness.jobs import Jobs, current_jobs
from ..harness.records.bridge import NamesSenders
from ..harness.records.delivery import delivery_line, own_traceback
from ..harness.records.mocks import mock_text, mocked_methods, mocks_named
from ..harness.records.record import PENDING, REDELIVERY, JobRecord, call_text, is_readable
from ..harness.records.texts import duration, folding, short_name
from . import messages
from .criteria import in_one_line
from .messages import Advice, render
from .parents import likely_parents
from .search import COMPARED, ENQUEUED, Search

T = TypeVar("T")

#: How a hint begins that says what the deliveries of a job came to.
_BECAME: Final = "this became of it: "


class Assertion:
    """A callable of the test, which finds the harness when it is called."""

    _name: str

    def __init__(self, find_jobs: Callable[[], Jobs] = current_jobs) -> None:
        self._find_jobs = find_jobs

    def __repr__(self) -> str:
        return f"<{self._name}>"


def hide_ours(error: Exception) -> None:
    """Cut our frames off, so that the last line shown is the call, or a line of a function given as `where`.

    Under pytest the plugin does so for every error; unittest leaves our frames out of AssertionErrors only.
    """
    error.__traceback__ = None if isinstance(error, JobsError) else own_traceback(error)


def missing(search: Search[T]) -> str:
    """Return the text of an assertion that found too few matches, or too many."""
    return render(lambda: Failure(search).missing(), search.harness.reader)


def unexpected(search: Search[T]) -> str:
    """Return the text of an assertion that found what should not be there."""
    return render(lambda: Failure(search).unexpected(), search.harness.reader)


class Failure(Generic[T]):
    """A search that failed. What its texts leave out depends on the folding in force."""

    def __init__(self, search: Search[T]) -> None:
        self._search = search
        self._target = search.target
        self._job = "job" if search.target is None else short_name(search.target.name)
        self._outcome = search.subject.outcome
        self._was = "failed" if self._outcome == "failed" else f"was {self._outcome}"
        #: Whether records are looked for, and not deliveries of them.
        self._of_records = search.subject is ENQUEUED
        self._there = "" if search.window is None else " there"

    def missing(self) -> str:
        """Say that there are too few matches, or too many."""
        counts = self._search.counts
        if counts.most is None:
            number = f"at least {counts.least}"
        elif counts.least == counts.most:
            number = f"exactly {counts.least}"
        else:
            number = (
                f"{counts.least} to {counts.most}" if counts.least else f"at most {counts.most}"
            )
        head = self._expectation(number)
        if self._search.matches:
            return self._wrong_number(head, number)
        return self._none_matched(head) if self._search.candidates else self._none_at_all(head)

    def unexpected(self) -> str:
        """Say that there are matches, although none was expected."""
        matches = self._search.matches
        found = self._found(matches)
        listing = self._listing(matches, f"but {len(matches)} {self._were(len(matches))}:")
        return messages.whole(
            [f"{found}, and none was expected.", self._expectation("no"), listing],
            [],
            messages.UNEXPECTED,
        )

    def _were(self, count: int) -> str:
        return self._was if count == 1 else self._was.replace("was", "were")

    def _found(self, items: Sequence[T]) -> str:
        """Return what became of some items: one by its call, several by their number."""
        if len(items) == 1:
            return f"{call_text(self._search.subject.record_of(items[0]))} {self._was}{self._there}"
        return f"{len(items)} {self._job} {self._were(len(items))}{self._there}"

    def _expectation(self, number: str) -> str:
        search = self._search
        inside = " inside `within`" if search.window is not None else ""
        head = f"Expected {number} {self._job} {self._outcome}{inside}"
        if search.timeout is not None:
            head += f" (waiting up to {duration(search.timeout)})"
        if not search.criteria:
            return head
        width = max(len(criterion.name) for criterion in search.criteria)
        shown = search.criteria[: folding().criteria]
        lines = [f"{criterion.name.ljust(width)}  {criterion.expected}" for criterion in shown]
        return messages.listing(f"{head} with", lines, len(search.criteria) - len(shown))

    def _wrong_number(self, head: str, number: str) -> str:
        search, found = self._search, len(self._search.matches)
        asked = f"{self._there} as asked" if search.criteria else self._there
        wanted = number.removeprefix("exactly ")
        verdict = f"{found} {self._job} {self._were(found)}{asked}, not {wanted}."
        listing = self._listing(
            search.matches, "but 1 matches:" if found == 1 else f"but {found} match:"
        )
        if found > search.counts.least:
            advice = messages.SEVERAL if search.counts.singular else messages.TOO_MANY
            return messages.whole([verdict, head, listing], self._differences(), advice)
        others = [item for item in search.candidates if item not in search.matches]
        rest = self._listing(others, f"Other {self._job} {self._outcome}:") if others else ""
        advice = messages.TOO_FEW
        if search.kept_out():
            advice = messages.KEPT_OUT
        elif any(self._parents()):
            advice = messages.MAY_FOLLOW
        if self._may_be_performed():
            advice = messages.NOT_PERFORMED
        return messages.whole([verdict, head, listing, rest], self._hints(), advice)

    def _none_matched(self, head: str) -> str:
        search = self._search
        nearest, count = search.nearest(), len(search.candidates)
        verdicts: list[messages.Verdict] = []
        briefs = []
        for criterion, fulfilled in search.judge(nearest):
            if fulfilled:
                verdicts.append((criterion.name, "ok", []))
            elif fulfilled is None:
                not_asked = "asked only where everything else is as expected"
                verdicts.append((criterion.name, "skipped", [not_asked]))
            else:
                verdicts.append((criterion.name, "differs", criterion.explain(nearest)))
                briefs.append(criterion.in_brief(nearest))
        verdict = f"{self._found([nearest])} with {in_one_line(briefs)}."
        if count > 1:
            verdict = f"None of {count} {self._job} is as asked. The nearest: {verdict}"
        closest = messages.closest(
            search.subject.line(nearest), verdicts, of_last=COMPARED if count > COMPARED else None
        )
        others = [item for item in search.candidates if item is not nearest]
        lines = []
        for item in others[: folding().items]:
            fields = ", ".join(
                f"{c.name} {c.actual(item)}" for c, ok in search.judge(item) if ok is not None
            )
            lines.append(f"#{search.subject.record_of(item).sequence}  {fields}")
        title = f"Other {self._job} {self._outcome}:"
        rest = messages.listing(title, lines, len(others) - len(lines)) if others else ""
        return messages.whole(
            [verdict, head, "", closest, rest], self._hints(), self._advice_for(nearest)
        )

    def _none_at_all(self, head: str) -> str:
        everything, hints = self._search.everything(), self._hints()
        nothing = "Nothing" if self._target is None else f"No {self._job}"
        verdict = f"{nothing} {self._was}{self._there}"
        if not everything and hints:
            # Of the whole message, the summary of pytest and CI show the first line alone.
            verdict += f": {hints.pop(0).removeprefix(_BECAME)}"
            verdict += "" if verdict.endswith((".", "?")) else "."
        elif not everything:
            verdict += "." if self._target is None else ", and no other job."
        else:
            record_of = self._search.subject.record_of
            names = [record_of(item).name for item in everything]
            wanted = "" if self._search.target is None else self._search.target.name
            counts = Counter(
                f"of another {self._job}" if name == wanted else short_name(name) for name in names
            )
            named = counts.most_common(max(folding().items, 1))
            others = ", ".join(f"{count} {name}" for name, count in named)
            rest = len(counts) - len(named)
            others += f" and {rest} more kinds" if rest else ""
            verdict = f"No {self._job} {self._was}{self._there}, only other jobs: {others}."
        return messages.whole([verdict, head], hints, self._first_step())

    def _listing(self, items: Sequence[T], title: str) -> str:
        shown = [self._search.subject.line(item) for item in items[: folding().items]]
        return messages.listing(title, shown, len(items) - len(shown))

    # What to do

    def _advice_for(self, nearest: T) -> Advice:
        """Return what to do where the job is there, and differs."""
        search = self._search
        if any(self._retries()):
            return messages.ONLY_A_RETRY
        if any(self._outside_window()):
            return messages.OUTSIDE_WINDOW
        if search.kept_out():
            return messages.KEPT_OUT
        if self._may_be_performed():
            return messages.NOT_PERFORMED
        if not is_readable(search.subject.record_of(nearest)):
            return messages.UNREADABLE
        kinds = {
            messages.BY_CRITERION[criterion.name]
            for criterion, fulfilled in search.judge(nearest)
            if fulfilled is False
        }
        if len(kinds) == 1:
            return kinds.pop()
        return messages.SEVERAL_DIFFER if self._of_records else messages.CAME_TO_ELSE

    def _first_step(self) -> Advice:
        """Return what to do where nothing of the job is there."""
        search = self._search
        if any(self._mocks()):
            return messages.MOCKED
        enqueued = [] if self._of_records else search.enqueued()
        if self._may_be_performed():
            return messages.NOT_PERFORMED
        waiting = self._may_enqueue(search.harness.transactions.callbacks("waiting"))
        if waiting:
            by_verb = any(not callback.commits_itself for callback in waiting)
            return messages.WAITING_FOR_COMMIT if by_verb else messages.COMMITS_ITSELF
        if self._pending_before():
            return messages.FOLLOWS
        if any(self._outside_window()):
            return messages.OUTSIDE_WINDOW
        if any(self._subclasses()):
            return messages.SUBCLASS
        if any(self._parents()):
            return messages.MAY_FOLLOW
        if any(record.state is PENDING for record in enqueued):
            return messages.NOT_PERFORMED
        if enqueued:
            return messages.OTHER_OUTCOME
        if search.kept_out():
            return messages.KEPT_OUT
        dropped = self._may_enqueue(search.jobs.dropped_by_rollback.peek())
        return messages.DROPPED if dropped else messages.NOTHING_ENQUEUED

    def _may_be_performed(self) -> bool:
        """Say whether a delivery is missed, and a record is pending that would match."""
        return not self._of_records and any(
            record.state is PENDING and self._search.would_match(record)
            for record in self._search.enqueued()
        )

    # Likely slips

    def _hints(self) -> list[str]:
        """Return the likely slips behind a search that found too little."""
        found = [
            *self._mocks(),
            *self._commits(),
            *self._kept_out(),
            *self._taken_over(),
            *self._outside_window(),
            *self._retries(),
        ]
        if not self._search.candidates:
            found += [*self._follow_ups(), *self._subclasses()]
        if self._search.matches or not self._search.candidates:
            found += self._parents()
        if not self._of_records:
            found += self._not_delivered()
            if not found and not self._search.enqueued():
                found.append(f"no {self._job} was enqueued{self._there} either.")
        return found[: folding().hints]

    def _differences(self) -> list[str]:
        """Say in what several matches differ, so that a criterion can be added."""
        records = [self._search.subject.record_of(item) for item in self._search.matches]
        getters: dict[str, Callable[[JobRecord], str]] = {
            "args": call_text,
            "queue": lambda record: repr(record.queue),
            "priority": lambda record: repr(record.priority),
            "wait": lambda record: repr(record.wait),
            "attempt": lambda record: repr(record.attempt),
        }
        differing = [
            name for name, get in getters.items() if len({get(record) for record in records}) > 1
        ]
        if differing:
            return [f"they differ in {', '.join(differing)}."]
        if len(records) == 1:
            return []
        return [
            f"they are all alike: the same job may have been {self._outcome} more than once by mistake."
        ]

    def _commits(self) -> Iterator[str]:
        """Name the calls that wait for a commit, and those that were dropped, unless they are of another job."""
        waiting = self._may_enqueue(self._search.harness.transactions.callbacks("waiting"))
        of_a_verb = [callback for callback in waiting if not callback.commits_itself]
        if of_a_verb:
            waits, them = (
                ("callback waits", "it") if len(of_a_verb) == 1 else ("callbacks wait", "them")
            )
            shown = _registered(of_a_verb)
            yield f"{len(of_a_verb)} {waits} for commit: {shown}. jobs.commit() runs {them}."
        others = [callback for callback in waiting if callback.commits_itself]
        if others:
            waits, them = ("job waits", "it") if len(others) == 1 else ("jobs wait", "them")
            shown = _registered(others)
            yield f"{len(others)} {waits} for commit: {shown}. The commit enqueues {them}."
        dropped = self._may_enqueue(self._search.jobs.dropped_by_rollback.peek())
        rows = [callback for callback in dropped if callback.is_row]
        if rows:
            was = "job was" if len(rows) == 1 else "jobs were"
            shown = _registered(rows)
            yield f"{len(rows)} {was} enqueued in a transaction that was rolled back: {shown}."
        dropped = [callback for callback in dropped if not callback.is_row]
        for by in dict.fromkeys(callback.dropped for callback in dropped):
            same = [callback for callback in dropped if callback.dropped == by]
            was = "callback was" if len(same) == 1 else "callbacks were"
            yield f"{len(same)} {was} dropped {by}: {_registered(same)}."

    def _may_enqueue(self, callbacks: Sequence[CommitCallback]) -> list[CommitCallback]:
        """Return the callbacks that may enqueue the job: all but the methods of other jobs."""
        if self._target is None:
            return [*callbacks]
        found, targets = [], self._search.harness.targets
        for callback in callbacks:
            owner = None if callback.owner is None else targets.find(callback.owner)
            if owner is None or owner.name == self._target.name:
                found.append(callback)
        return found

    def _kept_out(self) -> Iterator[str]:
        """Name a job that would match if no other job had kept it out."""
        if self._search.kept_out():
            first, *others = self._search.kept_out()
            more = f", and {len(others)} more like it" if others else ""
            yield f"{first} was kept out by {first.holder}{more}: see jobs.kept_out and jobs.locks."

    def _taken_over(self) -> Iterator[str]:
        """Name the application that sent the job in the place of the one of the project."""
        records = [self._search.subject.record_of(item) for item in self._search.candidates]
        told = {
            source.taken_over(record)
            for record in records
            if isinstance(source := record.source, NamesSenders)
        }
        yield from sorted(told - {""})

    def _outside_window(self) -> Iterator[str]:
        """Name what would match if it lay inside `within`."""
        search = self._search
        if search.window is None:
            return
        for item in search.of_job:
            if (
                not search.is_inside(item)
                and search.subject.is_first(item)
                and search.fulfils(item)
            ):
                yield (
                    f"{self._named(item)} matches, but lies outside of `within`: was it enqueued before or after "
                    "the window?"
                )

    def _retries(self) -> Iterator[str]:
        """Name the retries that would match if they were asked for."""
        search = self._search
        for item in search.of_job:
            if (
                search.is_inside(item)
                and not search.subject.is_first(item)
                and search.fulfils(item)
            ):
                attempt = search.subject.record_of(item).attempt
                yield (
                    f"{self._named(item)} matches, but is a retry: ask for retries with attempt={attempt}."
                )

    def _subclasses(self) -> Iterator[str]:
        """Name jobs of classes derived from the one that is named."""
        job = None if self._target is None else self._target.job
        if not isinstance(job, type):
            return
        seen: set[object] = {job}
        for item in self._search.everything():
            other = self._search.subject.record_of(item).job
            if isinstance(other, type) and other not in seen and issubclass(other, job):
                seen.add(other)
                name = other.__qualname__.rpartition("<locals>.")[2]
                yield (
                    f"{self._named(item)} is a {name}, a subclass of {job.__name__}. The class is matched "
                    "exactly: name the subclass."
                )

    def _named(self, item: T) -> str:
        record = self._search.subject.record_of(item)
        return f"#{record.sequence} {call_text(record)}"

    def _mocks(self) -> Iterator[str]:
        """Name the mocks that stand for the job, or for a method that enqueues it."""
        if self._target is None:
            return
        called = short_name(self._target.name)
        for name, mock in mocked_methods(self._target.job):
            yield f"{called}.{name} is {mock_text(mock)}: it enqueues nothing."
        for name, mock in self._search.harness.swallowed_calls(self._target):
            yield f"{called}.{name} was {mock_text(mock)}: it enqueued nothing."
        for place, mock in mocks_named(self._target.name.rpartition(".")[2]):
            yield f"{place} is {mock_text(mock)}: if it stands for {called}, it enqueues nothing."

    def _parents(self) -> Iterator[str]:
        """Name the pending jobs that may enqueue the job when they are performed."""
        if self._target is None:
            return
        for record, before in likely_parents(self._search.harness.ledger, self._target):
            why = (
                f"since its code mentions {self._job}"
                if before is None
                else f"as #{before.sequence} {call_text(before)} did"
            )
            named = f"#{record.sequence} {call_text(record)}"
            yield f"{named} is pending and may enqueue it, {why}. Call jobs.drain() first."

    def _follow_ups(self) -> Iterator[str]:
        """Name what has to succeed before the library enqueues the job, and has not."""
        for record in self._pending_before():
            yield (
                f"{self._job} follows upon #{record.sequence} {call_text(record)}, which is pending: it is "
                "enqueued when that has been performed. Call jobs.drain() first."
            )
        for delivery in self._search.harness.ledger.deliveries:
            ended_badly = delivery.status != "performed" and delivery.next is None
            if ended_badly and self._comes_before(delivery.record):
                yield (
                    f"{self._job} follows upon a success only, and this became of what stands before it: "
                    f"{delivery_line(delivery)}"
                )

    def _pending_before(self) -> list[JobRecord]:
        return [
            record
            for record in self._search.harness.ledger.records
            if record.state is PENDING and self._comes_before(record)
        ]

    def _comes_before(self, record: JobRecord) -> bool:
        """Say whether the library enqueues the job once this record has succeeded."""
        return (
            self._target is not None
            and record.source.name == self._target.bridge.name
            and self._target.name in record.source.follow_ups(record)
        )

    def _not_delivered(self) -> Iterator[str]:
        """Say what became of the records that would match if they had come to what was expected."""
        search = self._search
        if self._target is None:
            return
        delivered = {
            delivery.record.sequence: delivery for delivery in search.harness.ledger.deliveries
        }
        counted = {search.subject.record_of(item).job_id for item in search.candidates}
        now = search.harness.clock.now()
        for record in search.enqueued():
            if (
                record.job_id in counted
                or record.origin is REDELIVERY
                or not search.would_match(record)
            ):
                continue
            named = f"#{record.sequence} {call_text(record)}"
            if record.sequence in delivered:
                yield f"{_BECAME}{delivery_line(delivered[record.sequence])}"
            elif record.state is not PENDING:
                continue
            elif record.due_at is None or record.due_at <= now:
                yield (
                    f"{named} is pending: nothing has performed it yet. Call jobs.perform_due() or jobs.drain() "
                    "first."
                )
            else:
                seconds = (record.due_at - now).total_seconds()
                wait = duration(round(seconds) if seconds >= 1 else seconds)
                yield (
                    f"{named} is due in {wait}: jobs.perform_due() leaves it, jobs.drain() or jobs.run_for(...) "
                    "performs it."
                )


def _registered(callbacks: Sequence[CommitCallback]) -> str:
    shown = [
        f"{callback.text}, {'enqueued' if callback.is_row else 'registered'} "
        f"{f'at {callback.registered_at}' if callback.registered_at else 'before the harness was opened'}"
        for callback in callbacks[: folding().hints]
    ]
    left_out = len(callbacks) - len(shown)
    return "; ".join([*shown, *([f"and {left_out} more"] if left_out else [])])
