"""The text of every failed assertion. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Sequence


def expectation(
    count: str, job: str, outcome: str, criteria: Sequence[tuple[str, str]], *, inside: bool
) -> str:
    """Return what was expected.

    Args:
        count: how many.
        job: of which job.
        outcome: what they come to, as a participle.
        criteria: of each criterion its name and what it asks.
        inside: whether `within` was given.
    """
    head = f"Expected {count} {job} {outcome}{' inside `within`' if inside else ''}"
    if not criteria:
        return head
    width = max(len(name) for name, _ in criteria)
    lines = [f"  {name.ljust(width)}  {expected}" for name, expected in criteria]
    return "\n".join((f"{head} with", *lines))


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
        verdicts: of each criterion its name, `ok` or `differs`, and what to say about it.
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
    lines = [title, *(f"  {item}" for item in items)]
    if left_out:
        lines.append(f"  ... and {left_out} more")
    return "\n".join(lines)


def whole(parts: Sequence[str], hints: Sequence[str], next_step: str) -> str:
    """Return a whole message: what was expected and found, likely slips, what to do."""
    head, rest = parts[:2], [part for part in parts[2:] if part]
    blocks = ["\n".join(head), *rest]
    if hints:
        blocks.append("\n".join(f"Hint: {hint}" for hint in hints))
    blocks.append(f"Next: {next_step}")
    return "\n\n".join(blocks)


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


# What to do


NEXT_NOTHING_ENQUEUED = (
    "make sure that the code which enqueues it ran, inside the test, and enqueued it: a plain call and "
    "`perform_now` run a job and enqueue nothing."
)
NEXT_FOLLOWS = "perform what stands before it: call jobs.drain() before the assertion."
NEXT_OUTSIDE_WINDOW = "have `within` hold what is meant, or leave it out to look at the whole test."
NEXT_COMMIT = "call jobs.commit() where the application would commit: the transaction of a test case never does."
NEXT_SUBCLASS = "name the class that is enqueued, or enqueue the class that is named."
NEXT_NOT_PERFORMED = (
    "perform the jobs first; jobs.drain() performs all of them, whenever they are due."
)
NEXT_OTHER_OUTCOME = (
    "correct the job, or assert what became of it; jobs.deliveries shows every attempt."
)
NEXT_DIFFERS = "correct the code that enqueues it, or the expectation; drop a criterion that does not matter here."
NEXT_CAME_TO_ELSE = (
    "correct the job, or the expectation; drop a criterion that does not matter here."
)
NEXT_SEVERAL = (
    "write count=, at_least= or at_most= if several are right, or narrow it with another criterion."
)
NEXT_TOO_MANY = "correct the code or the number, or narrow it with another criterion."
NEXT_TOO_FEW = "look at jobs.enqueued and jobs.deliveries for what there is, or correct the number."
NEXT_UNEXPECTED = "keep the code from doing it, or narrow the assertion to what must not happen."


def left_alone(count: int, items: str, leave_out: str) -> str:
    """Return the text of a test that left jobs it never looked at."""
    jobs = "1 job" if count == 1 else f"{count} jobs"
    return (
        f"This test left {jobs} that it neither looked at nor performed:\n{items}\n\n"
        "Next: assert them (assert_enqueued), perform them (jobs.drain()), or "
        f"{leave_out} if they do not matter here."
    )
