"""The text of every failed assertion. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..harness.records.texts import WHOLE, Folding, Reader, folded, folding


@dataclass(frozen=True, slots=True)
class Advice:
    """One kind of failure: the section of the reference about it, and what to do."""

    #: The heading of the section, as it stands behind the `#` of a link.
    anchor: str
    #: What to do, as a sentence.
    step: str


NOTHING_ENQUEUED: Final = Advice(
    "nothing-enqueued",
    "make sure that the code which enqueues it ran, inside the test, and enqueued it: a plain call and "
    "`perform_now` run a job and enqueue nothing.",
)
WAITING_FOR_COMMIT: Final = Advice(
    "waiting-for-commit",
    "call jobs.commit() where the application would commit: the transaction of a test case never does.",
)
COMMITS_ITSELF: Final = Advice(
    "waiting-for-a-commit-of-its-own",
    "commit as the application does, with session.commit() or at the end of its block; in a test too that "
    "enqueues the job.",
)
DROPPED: Final = Advice(
    "dropped-before-commit",
    "correct what rolled the transaction back or raised, or expect with assert_not_enqueued that nothing came.",
)
KEPT_OUT: Final = Advice(
    "kept-out-by-another-job",
    "expect the job that came first, or let it end before the second is enqueued: jobs.drain() performs it.",
)
FOLLOWS: Final = Advice(
    "a-step-before-it-is-pending",
    "perform what stands before it: call jobs.drain() before the assertion.",
)
OUTSIDE_WINDOW: Final = Advice(
    "outside-of-within",
    "have `within` hold what is meant, or leave it out to look at the whole test.",
)
SUBCLASS: Final = Advice(
    "only-a-subclass",
    "name the class that is enqueued, or enqueue the class that is named.",
)
NOT_PERFORMED: Final = Advice(
    "not-performed-yet",
    "perform the jobs first; jobs.drain() performs all of them, whenever they are due.",
)
OTHER_OUTCOME: Final = Advice(
    "another-outcome",
    "correct the job, or assert what became of it; jobs.deliveries shows every attempt.",
)
OTHER_ARGUMENTS: Final = Advice(
    "other-arguments",
    "correct the arguments that it is enqueued with, or the expectation; params={...} asks for some of them.",
)
OTHER_QUEUE: Final = Advice(
    "other-queue",
    "correct the queue of the job, or the one that is chosen when it is enqueued, or the expectation.",
)
OTHER_PRIORITY: Final = Advice(
    "other-priority",
    "correct the priority of the job, or the one that is chosen when it is enqueued, or the expectation.",
)
OTHER_TIME: Final = Advice(
    "other-time",
    "correct the time that the job or its retry is given, or the expectation; tolerance= says how far apart they "
    "may lie.",
)
OTHER_ATTEMPT: Final = Advice(
    "other-attempt",
    "let the attempt that is meant come, or correct its number; jobs.deliveries shows every attempt.",
)
WHERE_REFUSES: Final = Advice(
    "where-refuses",
    "correct the function that is given as where=, or what it looks at.",
)
OTHER_RESULT: Final = Advice(
    "other-result", "correct what the job returns, or what result= expects."
)
OTHER_ERROR: Final = Advice(
    "other-error",
    "correct what the job raises, or what error= expects: a class stands for its subclasses too.",
)
UNREADABLE: Final = Advice(
    "unreadable-arguments",
    "declare what the payload carries, so that its arguments can be read; a worker would fail here too.",
)
SEVERAL_DIFFER: Final = Advice(
    "several-criteria-differ",
    "correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.",
)
CAME_TO_ELSE: Final = Advice(
    "it-came-to-something-else",
    "correct the job, or the expectation; drop a criterion that does not matter here.",
)
ONLY_A_RETRY: Final = Advice(
    "only-a-retry",
    "ask for retries by their number, with attempt=, or expect what the first enqueue has.",
)
SEVERAL: Final = Advice(
    "several-match",
    "write count=, at_least= or at_most= if several are right, or narrow it with another criterion.",
)
TOO_MANY: Final = Advice(
    "too-many-match",
    "correct the code or the number, or narrow it with another criterion.",
)
TOO_FEW: Final = Advice(
    "too-few-match",
    "look at jobs.enqueued and jobs.deliveries for what there is, or correct the number.",
)
OTHER_ORDER: Final = Advice(
    "another-list",
    "correct the code that enqueues them, or the list; assert_enqueued looks for one job at any place.",
)
OTHER_CHAIN: Final = Advice(
    "another-chain",
    "correct the code that enqueues it, or the list; a list inside it stands for what begins together, a tuple "
    "inside that for a chain.",
)
NO_SUCH_BATCH: Final = Advice(
    "no-such-batch",
    "correct the code that enqueues it, or the list; narrow it with within=.",
)
UNEXPECTED: Final = Advice(
    "it-should-not-be-there",
    "keep the code from doing it, or narrow the assertion to what must not happen.",
)
MARKED_LENIENT: Final = "mark the test with @pytest.mark.jobs(strict=False)"


def leaving_alone(leave_out: str) -> Advice:
    """Return the advice about jobs that a test left.

    Args:
        leave_out: how a test is left out, as the advice says it.
    """
    return Advice(
        "left-alone",
        f"assert them (assert_enqueued), perform them (jobs.drain()), or {leave_out} if they do not matter here.",
    )


LEFT_ALONE: Final = leaving_alone(MARKED_LENIENT)


def leaving_waiting(leave_out: str) -> Advice:
    """Return the advice about jobs that a test left waiting for a commit; see `leaving_alone`."""
    return Advice(
        "left-waiting-for-a-commit",
        "commit, with jobs.commit() or as the application does, and assert what is enqueued then; look at "
        f"jobs.waiting_for_commit, or {leave_out} if they do not matter here.",
    )


LEFT_WAITING: Final = leaving_waiting(MARKED_LENIENT)


#: What to do when one criterion alone differs, by its name.
BY_CRITERION: Final = {
    "args": OTHER_ARGUMENTS,
    "params": OTHER_ARGUMENTS,
    "queue": OTHER_QUEUE,
    "priority": OTHER_PRIORITY,
    "at": OTHER_TIME,
    "wait": OTHER_TIME,
    "attempt": OTHER_ATTEMPT,
    "where": WHERE_REFUSES,
    "result": OTHER_RESULT,
    "status": OTHER_OUTCOME,
    "error": OTHER_ERROR,
}


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


#: More lines than these are read by nobody. One is kept for saying that something was left out.
_LINES: Final = 24
#: The first that is short enough is taken.
_FOLDINGS: Final = (
    Folding(),
    Folding(items=3, rows=17, lines=6, hints=2),
    Folding(items=2, rows=15, lines=3, hints=1, criteria=4),
)
_TIGHTEST: Final = Folding(items=0, rows=10, lines=1, hints=1, criteria=1)


def told(tell: Callable[[], str], reader: Reader | None) -> str:
    """Return the text of a failure as it is shown.

    Args:
        tell: returns it, the folding in force being looked at.
        reader: who reads it; None when nobody can ask for more.
    """
    if reader is None:
        return _printable(_brief(tell), ascii_only=False)
    text = _folded(tell, WHOLE)
    if not reader.verbose:
        brief = _brief(tell)
        text = brief if brief == text else _with_note(brief)
    return _printable(text, ascii_only=reader.ascii)


def _brief(tell: Callable[[], str]) -> str:
    for how in _FOLDINGS:
        text = _folded(tell, how)
        if text.count("\n") < _LINES:
            return text
    return _folded(tell, _TIGHTEST)


def _folded(tell: Callable[[], str], how: Folding) -> str:
    with folded(how):
        return tell()


def _with_note(text: str) -> str:
    """Put the note before the last line, which says where to read on."""
    above, _, last = text.rpartition("\n")
    return f"{above}\n{SHORTENED}\n{last}"


def _printable(text: str, *, ascii_only: bool) -> str:
    """Return the text without control characters, such as the colours in the message of an error."""
    shown = (
        char
        if char == "\n" or (char.isprintable() and (char.isascii() or not ascii_only))
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
    return "".join(shown)
