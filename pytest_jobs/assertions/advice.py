"""What to do about a failed assertion, and where the reference says more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


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
