"""The text of every failed assertion. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..harness.records.texts import folding
from .advice import NO_SUCH_BATCH, OTHER_CHAIN, Advice, leaving_alone, leaving_waiting


def expectation(
    count: str,
    job: str,
    outcome: str,
    criteria: Sequence[tuple[str, str]],
    *,
    inside: bool,
    waiting: str,
) -> str:
    """Return what was expected.

    Args:
        count: how many.
        job: of which job.
        outcome: what they come to, as a participle.
        criteria: of each criterion its name and what it asks.
        inside: whether `within` was given.
        waiting: how long it was waited for at most; empty when it was not.
    """
    head = f"Expected {count} {job} {outcome}{' inside `within`' if inside else ''}"
    if waiting:
        head += f" (waiting up to {waiting})"
    if not criteria:
        return head
    width = max(len(name) for name, _ in criteria)
    shown = criteria[: folding().criteria]
    lines = [f"{name.ljust(width)}  {expected}" for name, expected in shown]
    return listing(f"{head} with", lines, len(criteria) - len(shown))


def nothing_at_all(outcome: str, *, inside: bool) -> str:
    """Return what was found: nothing of any job."""
    return f"but no job {_was(outcome)}{' there' if inside else ''}."


def none_of_this_job(job: str, outcome: str, others: str, *, inside: bool) -> str:
    """Return what was found: only other jobs."""
    return f"but no {job} {_was(outcome)}{' there' if inside else ''}, only other jobs: {others}."


def none_matched(candidates: int, job: str, outcome: str) -> str:
    """Return what was found: the job, but differently."""
    if candidates == 1:
        return f"but the only {job} {outcome} does not match."
    return f"but none of the {candidates} {job} {outcome} matches."


def wrong_number(found: int) -> str:
    """Return what was found: another number of matches."""
    return f"but {found} match:" if found != 1 else "but 1 matches:"


def unexpected(found: int, outcome: str) -> str:
    """Return what was found although it should not have been."""
    return f"but {found} {_was(outcome, found)}:"


def closest(item: str, verdicts: Sequence[tuple[str, str, Sequence[str]]]) -> str:
    """Return the nearest candidate, criterion by criterion.

    Args:
        item: the candidate in one line.
        verdicts: of each criterion its name, `ok`, `differs` or `skipped`, and what to say about it.
    """
    width = max((len(name) for name, _, _ in verdicts), default=0)
    lines = [f"Closest: {item}"]
    for name, verdict, details in verdicts:
        first, *rest = details or ("",)
        lines.append(f"  {name.ljust(width)}  {verdict:7}  {first}".rstrip())
        lines += [f"  {' ' * (width + 11)}{line}".rstrip() for line in rest]
    return "\n".join(lines)


def listing(title: str, items: Sequence[str], left_out: int) -> str:
    """Return items below a title."""
    if left_out and not items:
        return f"{title} {left_out}"
    lines = [title, *(f"  {item}" for item in items)]
    if left_out:
        lines.append(f"  ... and {left_out} more")
    return "\n".join(lines)


def in_order(count: int, *, inside: bool) -> str:
    """Return what was expected: a whole list."""
    jobs = "1 job" if count == 1 else f"{count} jobs"
    return f"Expected exactly {jobs} enqueued{' inside `within`' if inside else ''}, in this order"


def another_at(index: int) -> str:
    """Return what was found: another job at a place of the list."""
    return f"but at index {index} is another one."


def missing_at(index: int) -> str:
    """Return what was found: a list that ends too early."""
    return f"but at index {index} is none."


def too_many_from(index: int) -> str:
    """Return what was found: a list that goes on."""
    return f"but from index {index} on are more."


def numbered(title: str, items: Sequence[str], marked: int) -> str:
    """Return a list below a title, numbered from 0, with a mark at one place, and what stands near it."""
    room = max(folding().items, 1)
    begin = max(min(marked - room // 2, len(items) - room), 0)
    end = min(begin + room, len(items))
    lines = [
        f"{'>' if index == marked else ' '} {index:>3}  {items[index]}"
        for index in range(begin, end)
    ]
    if begin:
        lines.insert(0, f"  ... {begin} before")
    if end < len(items):
        lines.append(f"  ... and {len(items) - end} more")
    if marked >= len(items):
        lines.append(f"> {marked:>3}  (none)")
    return "\n".join([title, *lines])


def followed_by(job: str, expected: str, item: str, actual: str) -> str:
    """Return the whole text about another chain than the one expected."""
    lines = [
        f"Expected {job} to be followed by",
        f"  {expected or '(nothing)'}",
        f"but {item} is followed by",
        f"  {actual or '(nothing)'}",
    ]
    return whole(["\n".join(lines)], [], OTHER_CHAIN)


def batched(expected: str, found: int, batches: Sequence[str]) -> str:
    """Return the whole text about a batch that is not there, or is there more than once."""
    head = f"Expected exactly 1 batch enqueued, of\n  {expected}"
    if not batches:
        return whole([head, "but nothing was enqueued as a batch."], [], NO_SUCH_BATCH)
    such = f"but {found} are such:" if found else "but there is no such batch."
    shown = batches[: folding().items]
    listed = listing("Batches enqueued:", shown, len(batches) - len(shown))
    return whole([head, such, listed], [], NO_SUCH_BATCH)


def whole(parts: Sequence[str], hints: Sequence[str], advice: Advice) -> str:
    """Return a whole message: what was expected and found, likely slips, what to do."""
    head, rest = parts[:2], [part for part in parts[2:] if part]
    blocks = ["\n".join(head), *rest]
    if hints:
        blocks.append("\n".join(f"Hint: {hint}" for hint in hints))
    blocks.append(next_step(advice))
    return "\n\n".join(blocks)


NOT_ASKED = "asked only where everything else is as expected"


def _was(outcome: str, count: int = 1) -> str:
    if outcome == "failed":
        return outcome
    return f"{'was' if count == 1 else 'were'} {outcome}"


# Likely slips


def hint_subclass(item: str, subclass: str, job: str) -> str:
    """Say that a subclass was enqueued."""
    return f"{item} is a {subclass}, a subclass of {job}. The class is matched exactly: name the subclass."


def hint_outside_window(item: str) -> str:
    """Say that a match lies outside `within`."""
    return (
        f"{item} matches, but lies outside of `within`: was it enqueued before or after the window?"
    )


def hint_retry(item: str, attempt: int) -> str:
    """Say that only a retry matches."""
    return f"{item} matches, but is a retry: ask for retries with attempt={attempt}."


def hint_pending(item: str) -> str:
    """Say that the job waits to be performed."""
    return f"{item} is pending: nothing has performed it yet. Call jobs.perform_due() or jobs.drain() first."


def hint_scheduled(item: str, wait: str) -> str:
    """Say that the job is not due."""
    return f"{item} is due in {wait}: jobs.perform_due() leaves it, jobs.drain() or jobs.run_for(...) performs it."


def hint_other_outcome(item: str) -> str:
    """Say what became of the job instead."""
    return f"this became of it: {item}"


def hint_never_enqueued(job: str, *, inside: bool) -> str:
    """Say that there was nothing to perform."""
    return f"no {job} was enqueued{' there' if inside else ''} either."


def hint_waiting_for_commit(callbacks: Sequence[tuple[str, str]], left_out: int) -> str:
    """Say what would have run after a commit.

    Args:
        callbacks: of each that is shown its call, and where it was registered.
        left_out: how many are not shown.
    """
    count = len(callbacks) + left_out
    waits, them = ("callback waits", "it") if count == 1 else ("callbacks wait", "them")
    return f"{count} {waits} for commit: {_registered(callbacks, left_out)}. jobs.commit() runs {them}."


def hint_commits_itself(jobs: Sequence[tuple[str, str]], left_out: int) -> str:
    """Say what the application's own commit would enqueue; see `hint_waiting_for_commit`."""
    count = len(jobs) + left_out
    waits, them = ("job waits", "it") if count == 1 else ("jobs wait", "them")
    return f"{count} {waits} for commit: {_registered(jobs, left_out)}. The commit enqueues {them}."


def hint_dropped(callbacks: Sequence[tuple[str, str]], left_out: int, by: str) -> str:
    """Say what will never run, and what dropped it; see `hint_waiting_for_commit`."""
    count = len(callbacks) + left_out
    was = "callback was" if count == 1 else "callbacks were"
    return f"{count} {was} dropped {by}: {_registered(callbacks, left_out)}."


def _registered(callbacks: Sequence[tuple[str, str]], left_out: int) -> str:
    shown = [
        f"{text}, registered {f'at {place}' if place else 'before the harness was opened'}"
        for text, place in callbacks
    ]
    return "; ".join([*shown, *([f"and {left_out} more"] if left_out else [])])


def hint_kept_out(job: str, holder: str, left_out: int) -> str:
    """Say that a match was dropped for another job, and how many more were."""
    more = f", and {left_out} more like it" if left_out else ""
    return f"{job} was kept out by {holder}{more}: see jobs.kept_out and jobs.locks."


def hint_follows(job: str, before: str) -> str:
    """Say that the job comes when another has been performed."""
    return (
        f"{job} follows upon {before}, which is pending: it is enqueued when that has been performed. Call "
        "jobs.drain() first."
    )


def hint_never_follows(job: str, before: str) -> str:
    """Say that the job would have come after another, which did not succeed."""
    return f"{job} follows upon a success only, and this became of what stands before it: {before}"


def hint_telling_apart(fields: str) -> str:
    """Say in what several matches differ."""
    return f"they differ in {fields}."


def hint_alike(outcome: str) -> str:
    """Say that several matches do not differ."""
    return f"they are all alike: the same job may have been {outcome} more than once by mistake."


# What is said at the end

_PAGE: Final = "docs/reference/messages.md"
SHORTENED: Final = "Shortened: -v shows everything."


def next_step(advice: Advice) -> str:
    """Return what to do, and where the reference says more."""
    return f"Next: {advice.step}\nSee: {_PAGE}#{advice.anchor}"


def left_alone(count: int, items: str, leave_out: str) -> str:
    """Return the text of a test that left jobs it never looked at."""
    jobs = "1 job" if count == 1 else f"{count} jobs"
    head = f"This test left {jobs} that it neither looked at nor performed:"
    return f"{head}\n{items}\n\n{next_step(leaving_alone(leave_out))}"


def left_waiting(count: int, items: str, leave_out: str) -> str:
    """Return the text of a test that left jobs which wait for a commit."""
    jobs, them = ("1 job that waits", "it") if count == 1 else (f"{count} jobs that wait", "them")
    head = f"This test left {jobs} for a commit, and never looked at {them}:"
    return f"{head}\n{items}\n\n{next_step(leaving_waiting(leave_out))}"
