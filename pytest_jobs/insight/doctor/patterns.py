"""The patterns of background jobs: which of them fit a project, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from ...bridges.libraries.known import EVERY
from .project.facts import Evidence, Facts

Fit: TypeAlias = Literal["applies", "later", "skip", "conflicts", "unknown"]


class Advice(NamedTuple):
    """What is said about one pattern."""

    pattern: str
    fit: Fit
    why: str
    evidence: list[Evidence]


def advice(facts: Facts) -> list[Advice]:
    """Return what is said about each pattern; nothing when the project has no job library."""
    return list(_advice(facts)) if facts.libraries else []


def _advice(facts: Facts) -> Iterator[Advice]:
    names = {library.name: library.title for library in facts.libraries}
    yield Advice(
        "_later twins",
        "applies",
        "A convention of names, for every library."
        + (f" {len(facts.later)} of its names are there." if facts.later else ""),
        facts.later,
    )
    if facts.fat:
        yield Advice(
            "shallow jobs",
            "later",
            "Use them for new jobs. Long jobs can be split one by one.",
            facts.fat,
        )
    else:
        yield _about_all(
            "shallow jobs", facts, "No job is long.", "Those that were found are short."
        )
    if facts.records:
        yield Advice("ids instead of records", "applies", "Some calls pass records.", facts.records)
    else:
        passed = "Calls that were resolved pass none."
        yield _about_all("ids instead of records", facts, "No call passes a record.", passed)
    yield Advice(
        "idempotency",
        "applies",
        "Some jobs have an effect that a second delivery repeats."
        if facts.unguarded
        else "Each job can be delivered twice. check_idempotent shows what happens then.",
        facts.unguarded,
    )
    yield _unique(facts, names)
    yield _limits(names)
    yield _recurring(facts, names)
    yield _bulk(facts, names)
    yield _context(facts)
    yield _after_commit(facts, names)
    yield _errors(facts, names)
    yield _queues(facts)
    yield from _tests(facts)


def _about_all(pattern: str, facts: Facts, all_of_them: str, some: str) -> Advice:
    """Return what is said of all jobs, or where some are not known, of those that are."""
    unknown = facts.handoffs.unknown
    if unknown:
        return Advice(pattern, "unknown", f"{some} {unknown}", [])
    return Advice(pattern, "applies", all_of_them, [])


def _unique(facts: Facts, names: Mapping[str, str]) -> Advice:
    packages = {name: places for name, places in facts.locks.items() if "-" in name}
    own = [
        f"{title} has {EVERY[name].unique}" for name, title in names.items() if EVERY[name].unique
    ]
    if packages:
        return Advice(
            "unique jobs", "applies", f"Use what is there: {_and(packages)}.", _all(packages)
        )
    if own:
        return Advice("unique jobs", "applies", f"{_and(own)}.", [])
    return Advice(
        "unique jobs",
        "later",
        "The library has none. It needs a package, or a lock of the database.",
        _all(facts.locks),
    )


def _limits(names: Mapping[str, str]) -> Advice:
    own = [
        f"{title} has {EVERY[name].limits}" for name, title in names.items() if EVERY[name].limits
    ]
    if own:
        return Advice("limits of concurrency", "applies", f"{_and(own)}.", [])
    return Advice(
        "limits of concurrency",
        "conflicts",
        "The library has no limits by key: they belong to Solid Queue and its like. A lock of redis or of the "
        "database does the same.",
        [],
    )


def _recurring(facts: Facts, names: Mapping[str, str]) -> Advice:
    found = facts.schedulers
    # A package and the code that uses it are one scheduler.
    kinds = {_scheduler(name) for name in found}
    if len(kinds) > 1:
        return Advice(
            "recurring jobs",
            "conflicts",
            f"There are {len(kinds)} schedulers: {_and(sorted(kinds))}. Choose one, or a job is fired twice.",
            _all(found),
        )
    if found:
        return Advice(
            "recurring jobs", "applies", f"Use what is there: {_and(sorted(found))}.", _all(found)
        )
    usual = [EVERY[name].recurring for name in names if EVERY[name].recurring]
    return Advice(
        "recurring jobs", "later", f"There is no scheduler. Here it would be {_or(usual)}.", []
    )


def _scheduler(name: str) -> str:
    if name in ("Celery beat", "django-celery-beat", "RedBeat"):
        return "Celery beat"
    return name


def _bulk(facts: Facts, names: Mapping[str, str]) -> Advice:
    own = [f"{title} has {EVERY[name].bulk}" for name, title in names.items() if EVERY[name].bulk]
    if not own:
        return Advice("bulk enqueueing", "skip", "The library enqueues one job at a time.", [])
    if facts.loops:
        return Advice(
            "bulk enqueueing", "applies", f"{_and(own)}, and loops enqueue one by one.", facts.loops
        )
    return Advice("bulk enqueueing", "later", f"{_and(own)}. No loop enqueues today.", [])


def _context(facts: Facts) -> Advice:
    if facts.tenants:
        return Advice(
            "context of the tenant",
            "applies",
            f"The project has tenants ({_and(sorted(facts.tenants))}): a job must run for the one that "
            "enqueued it.",
            _all(facts.tenants),
        )
    return Advice("context of the tenant", "skip", "Nothing says that the project has tenants.", [])


def _after_commit(facts: Facts, names: Mapping[str, str]) -> Advice:
    inside = {name: places for name, places in facts.transactions.items() if name != "on_commit"}
    if all(EVERY[name].is_transactional for name in names):
        return Advice(
            "enqueue after commit",
            "skip",
            "The library enqueues in the transaction itself.",
            [],
        )
    if facts.early:
        return Advice(
            "enqueue after commit",
            "applies",
            "Some jobs are enqueued inside a transaction.",
            facts.early,
        )
    if "on_commit" in facts.transactions:
        return Advice(
            "enqueue after commit",
            "applies",
            "The project does it already.",
            facts.transactions["on_commit"],
        )
    if inside:
        return Advice(
            "enqueue after commit",
            "applies",
            f"The project uses {_and(sorted(inside))}.",
            _all(inside),
        )
    return Advice(
        "enqueue after commit", "skip", "Nothing says that the project has transactions.", []
    )


def _errors(facts: Facts, names: Mapping[str, str]) -> Advice:
    if not any(EVERY[name].retries for name in names):
        return Advice(
            "retries",
            "skip",
            "The library does not retry: a job that fails has failed.",
            [],
        )
    if facts.retries:
        return Advice(
            "retries",
            "applies",
            "1 job declares retries."
            if len(facts.retries) == 1
            else f"{len(facts.retries)} jobs declare retries.",
            facts.retries,
        )
    if facts.handoffs.unseen:
        return Advice("retries", "unknown", facts.handoffs.unknown, [])
    if all(EVERY[name].attempts > 1 for name in names):
        by_default = _and(
            [
                f"{title} makes {EVERY[name].attempts} attempts of a job that fails"
                for name, title in names.items()
            ]
        )
        return Advice("retries", "applies", f"{by_default}, and no job says otherwise.", [])
    return Advice(
        "retries", "later", "No job declares retries: an outage loses what it interrupts.", []
    )


def _queues(facts: Facts) -> Advice:
    if "queues" in facts.files:
        return Advice(
            "queues in an order",
            "applies",
            "pytest-jobs reads the file of the workers.",
            facts.files["queues"],
        )
    return Advice("queues in an order", "later", "No file of workers was found.", [])


def _tests(facts: Facts) -> Iterator[Advice]:
    for name, why in _INSTEAD.items():
        if name in facts.tests:
            yield Advice(f"tests: {name}", "conflicts", why, facts.tests[name])


_INSTEAD: Final[Mapping[str, str]] = {
    "task_always_eager": "Eager mode loses delays and runs retries inside each other. A harness records "
    "instead.",
    "immediate mode of Huey": "Immediate mode serialises nothing and never retries later. A harness "
    "records instead.",
    "is_async=False of RQ": "RQ never retries in this mode. A harness records instead.",
    "a backend of tasks for tests": "It runs tasks at once, or never. A harness records, and performs later.",
    "mocks in the place of enqueues": "A mock takes whatever it is given. A harness checks names and "
    "arguments.",
    "a real worker in tests": "A worker thread takes seconds and sees other transactions. A harness "
    "performs in the test.",
    "StubBroker": "It needs threads and real waiting. A harness performs in the test.",
    "InMemoryBroker": "It runs tasks at once and ignores delays. A harness records, and performs later.",
    "InMemoryConnector": "It does not write arguments as JSON. A harness does.",
    "MemoryHuey": "It keeps jobs in memory for real workers. A harness records and performs.",
}


def _and(names: Mapping[str, object] | list[str]) -> str:
    return (
        " and ".join(names) if len(names) < 3 else ", ".join([*names][:-1]) + f" and {[*names][-1]}"
    )


def _or(names: list[str]) -> str:
    return " or ".join(names) or "cron"


def _all(found: Mapping[str, list[Evidence]]) -> list[Evidence]:
    return [place for places in found.values() for place in places]
