"""From a search that did not find what was expected to the text that says so."""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

from ..harness.describe import duration, short_name
from ..harness.record import PENDING
from . import messages
from .commits import waiting_for_commit
from .follow_ups import pending_before
from .hints import hints, job_name, outside_window, subclasses, telling_apart
from .question import Counts
from .search import Search
from .subjects import ENQUEUED

T = TypeVar("T")

_ITEMS_SHOWN = 5


def missing(search: Search[T]) -> str:
    """Return the text of an assertion that found too few, or too many."""
    head = _expectation(search, _count_text(search.counts))
    if search.matches:
        return _wrong_number(search, head)
    if search.candidates:
        return _none_matched(search, head)
    return _no_candidate(search, head)


def unexpected(search: Search[T]) -> str:
    """Return the text of an assertion that found what should not be there."""
    parts = [
        _expectation(search, "no"),
        messages.unexpected(len(search.matches), search.subject.outcome),
        _listed(search, search.matches, ""),
    ]
    head, found, listing = parts
    return messages.whole([head, f"{found}\n{listing}"], [], messages.NEXT_UNEXPECTED)


def _wrong_number(search: Search[T], head: str) -> str:
    found = len(search.matches)
    listing = f"{messages.wrong_number(found)}\n{_listed(search, search.matches, '')}"
    if found > search.counts.least:
        singular = search.counts.singular
        step = messages.NEXT_SEVERAL if singular else messages.NEXT_TOO_MANY
        return messages.whole([head, listing], telling_apart(search), step)
    others = [item for item in search.candidates if item not in search.matches]
    rest = (
        _listed(search, others, f"Other {job_name(search)} {search.subject.outcome}:")
        if others
        else ""
    )
    return messages.whole([head, listing, rest], hints(search), messages.NEXT_TOO_FEW)


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
    enqueued = search.subject is ENQUEUED
    step = messages.NEXT_DIFFERS if enqueued else messages.NEXT_CAME_TO_ELSE
    return messages.whole(parts, hints(search), step)


def _no_candidate(search: Search[T], head: str) -> str:
    everything = search.everything()
    outcome, inside = search.subject.outcome, search.window is not None
    if everything:
        others = _counted(search, everything)
        found = messages.none_of_this_job(job_name(search), outcome, others, inside=inside)
    else:
        found = messages.nothing_at_all(outcome, inside=inside)
    return messages.whole([head, found], hints(search), _first_step(search))


def _first_step(search: Search[T]) -> str:
    enqueued = [] if search.subject is ENQUEUED else search.enqueued()
    pending = [record for record in enqueued if record._state is PENDING]
    if any(map(search.would_match, pending)):
        return messages.NEXT_NOT_PERFORMED
    if waiting_for_commit(search):
        return messages.NEXT_COMMIT
    if pending_before(search):
        return messages.NEXT_FOLLOWS
    if any(outside_window(search)):
        return messages.NEXT_OUTSIDE_WINDOW
    if any(subclasses(search)):
        return messages.NEXT_SUBCLASS
    if pending:
        return messages.NEXT_NOT_PERFORMED
    return messages.NEXT_OTHER_OUTCOME if enqueued else messages.NEXT_NOTHING_ENQUEUED


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
    shown = [search.subject.line(item) for item in items[:_ITEMS_SHOWN]]
    text = messages.listing(title, shown, len(items) - len(shown))
    return text.removeprefix("\n")


def _listed_by_criteria(search: Search[T], items: list[T], title: str) -> str:
    shown = []
    for item in items[:_ITEMS_SHOWN]:
        judged = search.judge(item)
        fields = ", ".join(f"{c.name} {c.actual(item)}" for c, ok in judged if ok is not None)
        shown.append(f"#{search.subject.record_of(item).sequence}  {fields}")
    return messages.listing(title, shown, len(items) - len(shown))


def _counted(search: Search[T], items: list[T]) -> str:
    counts = Counter(short_name(search.subject.record_of(item).name) for item in items)
    named = [f"{count} {name}" for name, count in counts.most_common(_ITEMS_SHOWN)]
    rest = len(counts) - len(named)
    return ", ".join(named) + (f" and {rest} more kinds" if rest else "")
