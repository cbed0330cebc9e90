"""What failed assertions have in common: what to do (`Advice`), how a message is laid out, and what is left out.

Each `Advice` is a section of `docs/reference/messages.md`, in this order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..harness.records.texts import WHOLE, Folding, Reader, folded, folding


@dataclass(frozen=True, slots=True)
class Advice:
    """One kind of failure: its section in the reference, and what to do."""

    #: The anchor of the section in a link.
    anchor: str
    #: What to do, as a sentence.
    step: str

    @property
    def text(self) -> str:
        """The end of a message."""
        return f"Next: {self.step}\nSee: python -m pytest_jobs explain {self.anchor}"


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
MOCKED: Final = Advice(
    "a-mock-enqueues-nothing",
    "take the mock out: under the harness the job is recorded, and nothing of it leaves the process.",
)
MAY_FOLLOW: Final = Advice(
    "a-pending-job-may-enqueue-it",
    "perform what is pending, whose code runs only then: call jobs.drain() before the assertion.",
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
    """Return the advice about jobs that a test left; `leave_out` says how a test is left out."""
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


def draining_nothing(leave_out: str) -> Advice:
    """Return the advice about a drain that had nothing to perform; see `leaving_alone`."""
    return Advice(
        "nothing-to-drain",
        "enqueue the job before the drain, or take the drain out; write jobs.drain(at_least=0) where there may be "
        f"nothing, or {leave_out}.",
    )


NOTHING_TO_DRAIN: Final = draining_nothing(MARKED_LENIENT)


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


# Layout

#: The name of a criterion; `ok`, `differs` or `skipped`; and what to say about it.
Verdict: TypeAlias = tuple[str, str, Sequence[str]]


def closest(item: str, verdicts: Sequence[Verdict], of_last: int | None = None) -> str:
    """Return the nearest candidate, in one line and then criterion by criterion.

    Args:
        item: the candidate, in one line.
        verdicts: how it fares by each criterion.
        of_last: how many of the last candidates were compared; None for all.
    """
    width = max((len(name) for name, _, _ in verdicts), default=0)
    lines = [f"Closest{'' if of_last is None else f' of the last {of_last}'}: {item}"]
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


def whole(parts: Sequence[str], hints: Sequence[str], advice: Advice) -> str:
    """Return a whole message: the verdict, what was expected and found, likely slips, what to do.

    The verdict is its first line, which a short summary shows. The two parts below it stand together with it.
    """
    head, rest = filter(None, parts[:3]), filter(None, parts[3:])
    blocks = ["\n".join(head), *rest]
    if hints:
        blocks.append("\n".join(f"Hint: {hint}" for hint in hints))
    blocks.append(advice.text)
    return "\n\n".join(blocks)


# What is left out

SHORTENED: Final = "Shortened: -v shows everything."
#: Nobody reads more lines than these. One is kept for saying that something was left out.
_LINES: Final = 24
#: The first of them that makes a message short enough is taken, or else the last.
_FOLDINGS: Final = (
    Folding(),
    Folding(items=3, rows=17, lines=6, hints=2),
    Folding(items=2, rows=15, lines=3, hints=1, criteria=4),
    Folding(items=0, rows=10, lines=1, hints=1, criteria=1),
)


def render(text: Callable[[], str], reader: Reader | None) -> str:
    """Return the text of a failure as it is shown.

    Args:
        text: returns the text, by the folding in force.
        reader: who reads it; None when nobody can ask for more.
    """
    brief = ""
    for how in _FOLDINGS:
        with folded(how):
            brief = text()
        if brief.count("\n") < _LINES:
            break
    if reader is not None:
        with folded(WHOLE):
            complete = text()
        if reader.verbose:
            brief = complete
        elif brief != complete:
            # The last line says where to read on.
            above, _, last = brief.rpartition("\n")
            brief = f"{above}\n{SHORTENED}\n{last}"
    return shown_to(reader, brief)


def shown_to(reader: Reader | None, text: str) -> str:
    """Return a text without control characters, such as the colours in the message of an error."""
    only_ascii = reader is not None and reader.ascii
    return "".join(
        char
        if char == "\n" or (char.isprintable() and (char.isascii() or not only_ascii))
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
