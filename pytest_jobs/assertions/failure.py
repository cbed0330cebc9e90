"""From a search that did not find what was expected to the text that says so."""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

from ..harness.records.record import PENDING
from ..harness.records.texts import duration, folding, is_readable, short_name
from . import advice, messages
from .commits import dropped, waiting_for_commit
from .follow_ups import pending_before
from .hints import hints, job_name, outside_window, retries, subclasses, telling_apart
from .question import Counts
from .search import Search
from .subjects import ENQUEUED
from .telling import told

T = TypeVar("T")


def missing(search: Search[T]) -> str:
    """Return the text of an assertion that found too few, or too many."""
    return told(lambda: _missing(search), search.jobs._reader)


def unexpected(search: Search[T]) -> str:
    """Return the text of an assertion that found what should not be there."""
    return told(lambda: _unexpected(search), search.jobs._reader)


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
    return messages.whole([head, listing], [], advice.UNEXPECTED)


def _wrong_number(search: Search[T], head: str) -> str:
    found = len(search.matches)
    listing = _listed(search, search.matches, messages.wrong_number(found))
    if found > search.counts.least:
        singular = search.counts.singular
        step = advice.SEVERAL if singular else advice.TOO_MANY
        return messages.whole([head, listing], telling_apart(search), step)
    others = [item for item in search.candidates if item not in search.matches]
    rest = (
        _listed(search, others, f"Other {job_name(search)} {search.subject.outcome}:")
        if others
        else ""
    )
    return messages.whole([head, listing, rest], hints(search), _about_too_few(search))


def _about_too_few(search: Search[T]) -> advice.Advice:
    if search.subject is not ENQUEUED and _pending_matches(search):
        return advice.NOT_PERFORMED
    return advice.KEPT_OUT if search.kept_out() else advice.TOO_FEW


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


def _about_differing(search: Search[T], nearest: T) -> advice.Advice:
    if any(retries(search)):
        return advice.ONLY_A_RETRY
    if any(outside_window(search)):
        return advice.OUTSIDE_WINDOW
    if search.kept_out():
        return advice.KEPT_OUT
    enqueued = search.subject is ENQUEUED
    if not enqueued and _pending_matches(search):
        return advice.NOT_PERFORMED
    if not is_readable(search.subject.record_of(nearest)):
        return advice.UNREADABLE
    kinds = {
        advice.BY_CRITERION[criterion.name]
        for criterion, fulfilled in search.judge(nearest)
        if fulfilled is False
    }
    if len(kinds) == 1:
        return kinds.pop()
    return advice.SEVERAL_DIFFER if enqueued else advice.CAME_TO_ELSE


def _first_step(search: Search[T]) -> advice.Advice:
    enqueued = [] if search.subject is ENQUEUED else search.enqueued()
    if enqueued and _pending_matches(search):
        return advice.NOT_PERFORMED
    waiting = waiting_for_commit(search)
    if waiting:
        by_verb = any(not callback.commits_itself for callback in waiting)
        return advice.WAITING_FOR_COMMIT if by_verb else advice.COMMITS_ITSELF
    if pending_before(search):
        return advice.FOLLOWS
    if any(outside_window(search)):
        return advice.OUTSIDE_WINDOW
    if any(subclasses(search)):
        return advice.SUBCLASS
    if any(record._state is PENDING for record in enqueued):
        return advice.NOT_PERFORMED
    if enqueued:
        return advice.OTHER_OUTCOME
    if search.kept_out():
        return advice.KEPT_OUT
    return advice.DROPPED if dropped(search) else advice.NOTHING_ENQUEUED


def _pending_matches(search: Search[T]) -> bool:
    pending = (record for record in search.enqueued() if record._state is PENDING)
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
