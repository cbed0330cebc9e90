"""The patterns of background jobs: which of them fit a project, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from ...bridges.libraries.known import EVERY, Library
from ...harness.records.texts import counted
from .project.facts import Evidence, Facts

Fit: TypeAlias = Literal["applies", "later", "skip", "conflicts", "unknown"]

#: A longer job does something that could be a function of its own.
_LONG: Final = 30
_ASK: Final = "`pytest --jobs-lint` knows the jobs themselves."


class Advice(NamedTuple):
    """What is said about one pattern."""

    pattern: str
    fit: Fit
    why: str
    evidence: list[Evidence]


def advice(facts: Facts) -> list[Advice]:
    """Return what is said about each pattern; without a job library only which views wait for others."""
    return list(_advice(facts)) if facts.libraries else list(_waiting(facts))


def _advice(facts: Facts) -> Iterator[Advice]:
    names = f" {counted(len(facts.later), 'name')} of this kind." if facts.later else ""
    yield Advice(
        "_later twins", "applies", f"A convention of names, for every library.{names}", facts.later
    )
    yield _shallow(facts)
    ids = "For every library. `pytest --jobs-lint` names the calls that pass records (JOB201)."
    yield Advice("ids instead of records", "applies", ids, [])
    again = "Each job can be delivered twice. check_idempotent shows what happens then."
    yield Advice("idempotency", "applies", again, [])
    packages = {name: places for name, places in facts.locks.items() if "-" in name}
    yield _own("unique jobs", facts, lambda row: row.unique, packages)
    yield _own("limits of concurrency", facts, lambda row: row.limits, {})
    yield _recurring(facts)
    yield _bulk(facts)
    yield _context(facts)
    yield _after_commit(facts)
    yield _retries(facts)
    yield _logs(facts)
    yield _failures(facts)
    yield _queues(facts)
    yield from _waiting(facts)
    for name, why in INSTEAD.items():
        if name in facts.tests:
            yield Advice(f"tests: {name}", "conflicts", why, facts.tests[name])


def _shallow(facts: Facts) -> Advice:
    of = [one for one in facts.declared if one.statements]
    fat = [one.place for one in of if one.statements > _LONG]
    if not of:
        return Advice(
            "shallow jobs", "unknown", f"The text shows no function with a decorator. {_ASK}", []
        )
    are = f"Of {counted(len(of), 'function')} with a decorator, {len(fat)} have more than {_LONG} statements."
    if fat:
        return Advice("shallow jobs", "later", f"Use them for new jobs. {are}", fat)
    return Advice("shallow jobs", "applies", are, [])


def _own(
    pattern: str,
    facts: Facts,
    has: Callable[[Library], str],
    packages: Mapping[str, list[Evidence]],
) -> Advice:
    """Return what is said of what some libraries have themselves, and others need a package for."""
    if packages:
        return Advice(pattern, "applies", f"Use what is there: {_and(packages)}.", _all(packages))
    own = [
        f"{one.title} has {has(EVERY[one.name])}" for one in facts.libraries if has(EVERY[one.name])
    ]
    if own:
        return Advice(pattern, "applies", f"{_and(own)}.", [])
    why = "The library has none. It needs a package, or a lock of redis or of the database."
    return Advice(pattern, "later", why, _all(facts.locks))


def _recurring(facts: Facts) -> Advice:
    # A package and the code that uses it are one scheduler.
    found = {
        "Celery beat" if name in ("django-celery-beat", "RedBeat") else name
        for name in facts.schedulers
    }
    if len(found) > 1:
        why = f"There are {_and(sorted(found))}. A job that two of them have is fired twice."
        return Advice("recurring jobs", "conflicts", why, _all(facts.schedulers))
    if found:
        why = f"Use what is there: {_and(sorted(found))}."
        return Advice("recurring jobs", "applies", why, _all(facts.schedulers))
    usual = [row.recurring for row in _rows(facts) if row.recurring]
    why = f"No scheduler was found. Here it would be {' or '.join(usual) or 'cron'}."
    return Advice("recurring jobs", "later", why, [])


def _bulk(facts: Facts) -> Advice:
    loops = [one.place for one in facts.sent if one.in_loop]
    own, none = [], []
    for library in facts.libraries:
        row = EVERY[library.name]
        if row.bulk and library.needed:
            own.append(
                f"{library.title} has {row.bulk} in the versions that pytest-jobs takes ({library.needed})"
            )
        elif row.bulk:
            own.append(f"{library.title} has {row.bulk}")
        elif row.no_bulk:
            none.append(row.no_bulk)
    if not own:
        why = (
            f"{_and(none)}, so it gains nothing."
            if none
            else "The library enqueues one job at a time."
        )
        return Advice("bulk enqueueing", "skip", why, [])
    if loops:
        return Advice(
            "bulk enqueueing", "applies", f"{_and(own)}, and loops enqueue one by one.", loops
        )
    return Advice(
        "bulk enqueueing", "later", f"{_and(own)}. The text shows no loop that enqueues.", []
    )


def _context(facts: Facts) -> Advice:
    if facts.tenants:
        why = f"There are tenants ({_and(sorted(facts.tenants))}): a job must run for the one that enqueued it."
        return Advice("context of the tenant", "applies", why, _all(facts.tenants))
    return Advice("context of the tenant", "skip", "Nothing says that the project has tenants.", [])


def _after_commit(facts: Facts) -> Advice:
    pattern, early = "enqueue after commit", [one.place for one in facts.sent if one.in_transaction]
    if all(row.is_transactional for row in _rows(facts)):
        return Advice(
            pattern,
            "skip",
            "A job of the library waits for the transaction of the application.",
            [],
        )
    if early:
        return Advice(pattern, "applies", "Some calls enqueue inside a transaction.", early)
    if "on_commit" in facts.transactions:
        return Advice(
            pattern, "applies", "The project does it already.", facts.transactions["on_commit"]
        )
    if facts.transactions:
        why = f"The project uses {_and(sorted(facts.transactions))}."
        return Advice(pattern, "applies", why, _all(facts.transactions))
    return Advice(pattern, "skip", "Nothing says that the project has transactions.", [])


def _retries(facts: Facts) -> Advice:
    saying = [one.place for one in facts.declared if one.retries]
    if not any(row.retries for row in _rows(facts)):
        return Advice(
            "retries", "skip", "The library does not retry: a job that fails has failed.", []
        )
    if saying:
        why = f"Of {counted(len(facts.declared), 'declaration')} in the text, {len(saying)} name retries."
        return Advice("retries", "applies", why, saying)
    often = [
        f"{one.title} makes {row.attempts} attempts of a job that fails"
        for one in facts.libraries
        if (row := EVERY[one.name]).attempts > 1
    ]
    if len(often) == len(facts.libraries):
        return Advice("retries", "applies", f"{_and(often)}, where nothing else is said.", [])
    why = "No declaration in the text names retries. A wrapper may: jobs.simulate_retries shows it."
    return Advice("retries", "unknown", why, [])


def _logs(facts: Facts) -> Advice:
    of = [one for one in facts.declared if one.statements]
    logging = [one.place for one in of if one.logs]
    if not of:
        return Advice(
            "logs of jobs", "unknown", f"The text shows no function with a decorator. {_ASK}", []
        )
    why = f"Of {counted(len(of), 'function')} with a decorator, {len(logging)} log something."
    return Advice("logs of jobs", "applies" if logging else "later", why, logging)


def _failures(facts: Facts) -> Advice:
    if facts.failures:
        why = f"Somebody is told: {_and(sorted(facts.failures))}."
        return Advice("jobs that failed", "applies", why, _all(facts.failures))
    why = "Nothing says who is told of a job that failed. It needs a callback, or a service such as Sentry."
    return Advice("jobs that failed", "later", why, [])


def _queues(facts: Facts) -> Advice:
    pattern = "queues in an order"
    if "queues" in facts.files:
        return Advice(
            pattern, "applies", "pytest-jobs reads the file of the workers.", facts.files["queues"]
        )
    if facts.queues:
        why = "Commands start workers with these queues. Say the same order in jobs_queues."
        return Advice(pattern, "applies", why, _all(facts.queues))
    named = {one.queue: one.place for one in facts.declared if one.queue}
    if len(named) > 1:
        why = (
            f"Declarations name {len(named)} queues ({_and(sorted(named))}), and no command of a worker was found "
            "that does."
        )
        return Advice(pattern, "later", why, [*named.values()])
    if not any(row.has_queues for row in _rows(facts)):
        return Advice(pattern, "skip", "The library has one queue.", [])
    return Advice(
        pattern, "skip", "Neither declarations nor commands of workers name two queues.", []
    )


def _waiting(facts: Facts) -> Iterator[Advice]:
    if facts.waiting:
        why = "A view sends a mail or changes something elsewhere while its user waits. That could be a job."
        yield Advice("synchronous work", "later", why, facts.waiting)
    elif facts.libraries:
        why = "No view was seen that sends a mail or a request itself."
        yield Advice("synchronous work", "skip", why, [])


#: Older ways to run jobs in tests, and what is wrong with each.
INSTEAD: Final[Mapping[str, str]] = {
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


def _rows(facts: Facts) -> list[Library]:
    return [EVERY[library.name] for library in facts.libraries]


def _and(names: Mapping[str, object] | Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _all(found: Mapping[str, list[Evidence]]) -> list[Evidence]:
    return [place for places in found.values() for place in places]
