"""From a search that did not find what was expected to the text that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from ..errors import JobsError
from ..harness.commits.transactions import CommitCallback
from ..harness.records.delivery import delivery_line, own_traceback
from ..harness.records.record import PENDING, REDELIVERY, JobRecord, call_text, is_readable
from ..harness.records.texts import duration, folding, short_name
from . import messages
from .messages import told
from .question import Counts
from .search import ENQUEUED, Search


def hide_ours(error: Exception) -> None:
    """Let the last line shown be the call, or a line of what the test passed as a criterion."""
    error.__traceback__ = None if isinstance(error, JobsError) else own_traceback(error)


T = TypeVar("T")


def commit_hints(search: Search[T]) -> Iterator[str]:
    """Return what waits for a commit, and what was dropped, unless it is of another job."""
    waiting = waiting_for_commit(search)
    of_a_verb = [callback for callback in waiting if not callback.commits_itself]
    if of_a_verb:
        yield messages.hint_waiting_for_commit(*_shown(of_a_verb))
    others = [callback for callback in waiting if callback.commits_itself]
    if others:
        yield messages.hint_commits_itself(*_shown(others))
    gone = dropped(search)
    for by in dict.fromkeys(callback.dropped for callback in gone):
        same = [callback for callback in gone if callback.dropped == by]
        yield messages.hint_dropped(*_shown(same), by)


def waiting_for_commit(search: Search[T]) -> list[CommitCallback]:
    """Return what waits for a commit and may enqueue the job that is looked for."""
    return _of_this_job(search, search.jobs.waiting_for_commit.peek())


def dropped(search: Search[T]) -> list[CommitCallback]:
    """Return what will never run and might have enqueued the job that is looked for."""
    return _of_this_job(search, search.jobs.dropped_by_rollback.peek())


def _of_this_job(search: Search[T], callbacks: Sequence[CommitCallback]) -> list[CommitCallback]:
    return [callback for callback in callbacks if _may_be_of_job(search, callback)]


def _may_be_of_job(search: Search[T], callback: CommitCallback) -> bool:
    """Say whether a callback may enqueue the job: only one that is a method of another job may not."""
    if callback.owner is None or search.target is None:
        return True
    found = search.jobs.targets.find(callback.owner)
    return found is None or found.name == search.target.name


def _shown(callbacks: Sequence[CommitCallback]) -> tuple[list[tuple[str, str]], int]:
    shown = callbacks[: folding().hints]
    described = [(callback.text, callback.registered_at) for callback in shown]
    return described, len(callbacks) - len(shown)


def follow_up_hints(search: Search[T]) -> Iterator[str]:
    """Say upon what the job follows, where that has not succeeded."""
    if search.target is None:
        return
    job = short_name(search.target.name)
    for record in pending_before(search):
        yield messages.hint_follows(job, f"#{record.sequence} {call_text(record)}")
    for delivery in search.jobs.ledger.deliveries:
        ended_badly = delivery.status != "performed" and delivery.next is None
        if ended_badly and _is_before(search, delivery.record):
            yield messages.hint_never_follows(job, delivery_line(delivery))


def pending_before(search: Search[T]) -> list[JobRecord]:
    """Return the pending records upon whose success the job follows."""
    every = search.jobs.ledger.records
    return [record for record in every if record.state is PENDING and _is_before(search, record)]


def _is_before(search: Search[T], record: JobRecord) -> bool:
    target = search.target
    return (
        target is not None
        and record.source.name == target.bridge.name
        and target.name in record.source.follow_ups(record)
    )


def hints(search: Search[T]) -> list[str]:
    """Return the likely slips behind a search that found too little."""
    found = [*commit_hints(search), *kept_out(search), *outside_window(search), *retries(search)]
    if not search.candidates:
        found += [*follow_up_hints(search), *subclasses(search)]
    if search.subject is not ENQUEUED:
        found += _not_delivered(search)
        if not found and not search.enqueued():
            inside = search.window is not None
            found.append(messages.hint_never_enqueued(job_name(search), inside=inside))
    return found[: folding().hints]


def telling_apart(search: Search[T]) -> list[str]:
    """Say in what several matches differ, so that a criterion can be added."""
    records = [search.subject.record_of(item) for item in search.matches]
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
        return [messages.hint_telling_apart(", ".join(differing))]
    return [messages.hint_alike(search.subject.outcome)] if len(records) > 1 else []


def kept_out(search: Search[T]) -> Iterator[str]:
    """Return what would match if no other job had kept it out."""
    if search.kept_out():
        first, *others = search.kept_out()
        yield messages.hint_kept_out(str(first), first.holder, len(others))


def outside_window(search: Search[T]) -> Iterator[str]:
    """Return what would match if it lay inside `within`."""
    for item in search.of_job():
        if not search.is_inside(item) and search.subject.first(item) and search.fulfils(item):
            yield messages.hint_outside_window(_item(search, item))


def retries(search: Search[T]) -> Iterator[str]:
    """Return the retries that would match if they were asked for."""
    for item in search.of_job():
        if search.is_inside(item) and not search.subject.first(item) and search.fulfils(item):
            yield messages.hint_retry(_item(search, item), search.subject.record_of(item).attempt)


def subclasses(search: Search[T]) -> Iterator[str]:
    """Return jobs of classes derived from the one that is named."""
    target = search.target
    job = None if target is None else target.job
    if not isinstance(job, type):
        return
    told: set[type] = set()
    for item in search.everything():
        other = search.subject.record_of(item).job
        if not isinstance(other, type) or other is job or other in told:
            continue
        if issubclass(other, job):
            told.add(other)
            yield messages.hint_subclass(
                _item(search, item), other.__qualname__.rpartition("<locals>.")[2], job.__name__
            )


def _not_delivered(search: Search[T]) -> Iterator[str]:
    """Say what became of the records that would match, had they come to what was expected."""
    if search.target is None:
        return
    delivered = {delivery.record.sequence: delivery for delivery in search.jobs.ledger.deliveries}
    counted = {search.subject.record_of(item).job_id for item in search.candidates}
    for record in search.enqueued():
        if (
            record.job_id in counted
            or record.origin is REDELIVERY
            or not search.would_match(record)
        ):
            continue
        if record.sequence in delivered:
            yield messages.hint_other_outcome(delivery_line(delivered[record.sequence]))
        elif record.state is PENDING:
            yield _pending(search, record)


def _pending(search: Search[T], record: JobRecord) -> str:
    item = f"#{record.sequence} {call_text(record)}"
    now = search.jobs.clock.now()
    if record.due_at is None or record.due_at <= now:
        return messages.hint_pending(item)
    seconds = (record.due_at - now).total_seconds()
    return messages.hint_scheduled(item, duration(round(seconds) if seconds >= 1 else seconds))


def _item(search: Search[T], item: T) -> str:
    record = search.subject.record_of(item)
    return f"#{record.sequence} {call_text(record)}"


def job_name(search: Search[T]) -> str:
    """Return the job in messages."""
    return "job" if search.target is None else short_name(search.target.name)


def missing(search: Search[T]) -> str:
    """Return the text of an assertion that found too few, or too many."""
    return told(lambda: _missing(search), search.jobs.reader)


def unexpected(search: Search[T]) -> str:
    """Return the text of an assertion that found what should not be there."""
    return told(lambda: _unexpected(search), search.jobs.reader)


def _missing(search: Search[T]) -> str:
    head = _expectation(search, _count_text(search.counts))
    if search.matches:
        return _wrong_number(search, head)
    if search.candidates:
        return _none_matched(search, head)
    return _no_candidate(search, head)


def _unexpected(search: Search[T]) -> str:
    head = _expectation(search, "no")
    found = messages.unexpected(len(search.matches), search.subject.outcome)
    listing = _listed(search, search.matches, found)
    return messages.whole([head, listing], [], messages.UNEXPECTED)


def _wrong_number(search: Search[T], head: str) -> str:
    found = len(search.matches)
    listing = _listed(search, search.matches, messages.wrong_number(found))
    if found > search.counts.least:
        singular = search.counts.singular
        step = messages.SEVERAL if singular else messages.TOO_MANY
        return messages.whole([head, listing], telling_apart(search), step)
    others = [item for item in search.candidates if item not in search.matches]
    rest = (
        _listed(search, others, f"Other {job_name(search)} {search.subject.outcome}:")
        if others
        else ""
    )
    return messages.whole([head, listing, rest], hints(search), _about_too_few(search))


def _about_too_few(search: Search[T]) -> messages.Advice:
    if search.subject is not ENQUEUED and _pending_matches(search):
        return messages.NOT_PERFORMED
    return messages.KEPT_OUT if search.kept_out() else messages.TOO_FEW


def _none_matched(search: Search[T], head: str) -> str:
    nearest = search.nearest()
    others = [item for item in search.candidates if item is not nearest]
    name, outcome = job_name(search), search.subject.outcome
    parts = [
        head,
        messages.none_matched(len(search.candidates), name, outcome),
        messages.closest(search.subject.line(nearest), _verdicts(search, nearest)),
        _listed_by_criteria(search, others, f"Other {name} {outcome}:") if others else "",
    ]
    return messages.whole(parts, hints(search), _about_differing(search, nearest))


def _no_candidate(search: Search[T], head: str) -> str:
    everything = search.everything()
    outcome, inside = search.subject.outcome, search.window is not None
    if everything:
        others = _counted(search, everything)
        found = messages.none_of_this_job(job_name(search), outcome, others, inside=inside)
    else:
        found = messages.nothing_at_all(outcome, inside=inside)
    return messages.whole([head, found], hints(search), _first_step(search))


def _about_differing(search: Search[T], nearest: T) -> messages.Advice:
    if any(retries(search)):
        return messages.ONLY_A_RETRY
    if any(outside_window(search)):
        return messages.OUTSIDE_WINDOW
    if search.kept_out():
        return messages.KEPT_OUT
    enqueued = search.subject is ENQUEUED
    if not enqueued and _pending_matches(search):
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
    return messages.SEVERAL_DIFFER if enqueued else messages.CAME_TO_ELSE


def _first_step(search: Search[T]) -> messages.Advice:
    enqueued = [] if search.subject is ENQUEUED else search.enqueued()
    if enqueued and _pending_matches(search):
        return messages.NOT_PERFORMED
    waiting = waiting_for_commit(search)
    if waiting:
        by_verb = any(not callback.commits_itself for callback in waiting)
        return messages.WAITING_FOR_COMMIT if by_verb else messages.COMMITS_ITSELF
    if pending_before(search):
        return messages.FOLLOWS
    if any(outside_window(search)):
        return messages.OUTSIDE_WINDOW
    if any(subclasses(search)):
        return messages.SUBCLASS
    if any(record.state is PENDING for record in enqueued):
        return messages.NOT_PERFORMED
    if enqueued:
        return messages.OTHER_OUTCOME
    if search.kept_out():
        return messages.KEPT_OUT
    return messages.DROPPED if dropped(search) else messages.NOTHING_ENQUEUED


def _pending_matches(search: Search[T]) -> bool:
    pending = (record for record in search.enqueued() if record.state is PENDING)
    return any(map(search.would_match, pending))


def _expectation(search: Search[T], count: str) -> str:
    criteria = [(criterion.name, criterion.expected) for criterion in search.criteria]
    return messages.expectation(
        count,
        job_name(search),
        search.subject.outcome,
        criteria,
        inside=search.window is not None,
        waiting="" if search.timeout is None else duration(search.timeout),
    )


def _count_text(counts: Counts) -> str:
    if counts.most is None:
        return f"at least {counts.least}"
    if counts.least == counts.most:
        return f"exactly {counts.least}"
    return f"{counts.least} to {counts.most}" if counts.least else f"at most {counts.most}"


def _verdicts(search: Search[T], item: T) -> list[tuple[str, str, list[str]]]:
    verdicts: list[tuple[str, str, list[str]]] = []
    for criterion, fulfilled in search.judge(item):
        if fulfilled:
            verdicts.append((criterion.name, "ok", []))
        elif fulfilled is None:
            verdicts.append((criterion.name, "skipped", [messages.NOT_ASKED]))
        else:
            verdicts.append((criterion.name, "differs", criterion.explain(item)))
    return verdicts


def _listed(search: Search[T], items: list[T], title: str) -> str:
    shown = [search.subject.line(item) for item in items[: folding().items]]
    return messages.listing(title, shown, len(items) - len(shown))


def _listed_by_criteria(search: Search[T], items: list[T], title: str) -> str:
    shown = []
    for item in items[: folding().items]:
        judged = search.judge(item)
        fields = ", ".join(f"{c.name} {c.actual(item)}" for c, ok in judged if ok is not None)
        shown.append(f"#{search.subject.record_of(item).sequence}  {fields}")
    return messages.listing(title, shown, len(items) - len(shown))


def _counted(search: Search[T], items: list[T]) -> str:
    counts = Counter(short_name(search.subject.record_of(item).name) for item in items)
    named = [f"{count} {name}" for name, count in counts.most_common(max(folding().items, 1))]
    rest = len(counts) - len(named)
    return ", ".join(named) + (f" and {rest} more kinds" if rest else "")
