"""The patterns of background jobs: which of them fit a project, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from ...bridges.libraries.known import EVERY, Library
from ...harness.records.texts import counted
from .facts import Evidence, Facts

Fit: TypeAlias = Literal["applies", "later", "skip", "conflicts", "unknown"]

#: A longer job does something that could be a function of its own.
_LONG: Final = 30
_IDS: Final = "For every library. `pytest --jobs-lint` names the calls that pass records (JOB201)."
_AGAIN: Final = "Each job can be delivered twice. check_idempotent shows what happens then."
_ASK: Final = "`pytest --jobs-lint` knows the jobs themselves."


#: How a pattern fits, why, and the places that show it.
_Said: TypeAlias = tuple[Fit, str, Sequence[Evidence]]


class Advice(NamedTuple):
    """What is said about one pattern."""

    pattern: str
    fit: Fit
    why: str
    evidence: Sequence[Evidence]


def advice(facts: Facts) -> list[Advice]:
    """Return what is said about each pattern; without a job library only which views wait for others."""
    conflicts = [
        Advice(f"tests: {name}", "conflicts", why, facts.tests[name])
        for name, why in INSTEAD.items()
        if name in facts.tests
    ]
    if facts.libraries:
        return [*(Advice(name, *said(facts)) for name, said in _PATTERNS.items()), *conflicts]
    return [Advice("synchronous work", *_waiting(facts))] if facts.waiting else []


def _later(facts: Facts) -> _Said:
    names = f" {counted(len(facts.later), 'name')} of this kind." if facts.later else ""
    return "applies", f"A convention of names, for every library.{names}", facts.later


def _shallow(facts: Facts) -> _Said:
    of = [one for one in facts.declared if one.statements]
    fat = [one.place for one in of if one.statements > _LONG]
    if not of:
        return "unknown", f"The text shows no function with a decorator. {_ASK}", []
    are = f"Of {counted(len(of), 'function')} with a decorator, {len(fat)} have more than {_LONG} statements."
    return ("later", f"Use them for new jobs. {are}", fat) if fat else ("applies", are, [])


def _unique(facts: Facts) -> _Said:
    packages = {name: places for name, places in facts.locks.items() if "-" in name}
    if packages:
        return "applies", f"Use what is there: {_and(packages)}.", _all(packages)
    return _own(facts, lambda row: row.unique)


def _own(facts: Facts, has: Callable[[Library], str]) -> _Said:
    """Return what is said of what some libraries have themselves, and others need a package for."""
    own = [
        f"{one.title} has {has(EVERY[one.name])}" for one in facts.libraries if has(EVERY[one.name])
    ]
    if own:
        return "applies", f"{_and(own)}.", []
    why = "The library has none. It needs a package, or a lock of redis or of the database."
    return "later", why, _all(facts.locks)


def _recurring(facts: Facts) -> _Said:
    # A package and the code that uses it are one scheduler.
    found = sorted(
        {
            "Celery beat" if name in ("django-celery-beat", "RedBeat") else name
            for name in facts.schedulers
        }
    )
    places = _all(facts.schedulers)
    if len(found) > 1:
        why = f"There are {_and(found)}. A job that two of them have is fired twice."
        return "conflicts", why, places
    if found:
        return "applies", f"Use what is there: {_and(found)}.", places
    usual = [row.recurring for row in _rows(facts) if row.recurring]
    return "later", f"No scheduler was found. Here it would be {' or '.join(usual) or 'cron'}.", []


def _bulk(facts: Facts) -> _Said:
    loops = [one.place for one in facts.sent if one.in_loop]
    own, none = [], []
    for library in facts.libraries:
        row = EVERY[library.name]
        since = (
            f" in the versions that pytest-jobs takes ({library.needed})" if library.needed else ""
        )
        if row.bulk:
            own.append(f"{library.title} has {row.bulk}{since}")
        elif row.no_bulk:
            none.append(row.no_bulk)
    if own and loops:
        return "applies", f"{_and(own)}, and loops enqueue one by one.", loops
    if own:
        return "later", f"{_and(own)}. The text shows no loop that enqueues.", []
    gains_nothing = f"{_and(none)}, so it gains nothing." if none else ""
    return "skip", gains_nothing or "The library enqueues one job at a time.", []


def _context(facts: Facts) -> _Said:
    if facts.tenants:
        why = f"There are tenants ({_and(sorted(facts.tenants))}): a job must run for the one that enqueued it."
        return "applies", why, _all(facts.tenants)
    return "skip", "Nothing says that the project has tenants.", []


def _after_commit(facts: Facts) -> _Said:
    early = [one.place for one in facts.sent if one.in_transaction]
    if all(row.is_transactional for row in _rows(facts)):
        return "skip", "A job of the library waits for the transaction of the application.", []
    if early:
        return "applies", "Some calls enqueue inside a transaction.", early
    if "on_commit" in facts.transactions:
        return "applies", "The project does it already.", facts.transactions["on_commit"]
    if facts.transactions:
        why = f"The project uses {_and(sorted(facts.transactions))}."
        return "applies", why, _all(facts.transactions)
    return "skip", "Nothing says that the project has transactions.", []


def _retries(facts: Facts) -> _Said:
    saying = [one.place for one in facts.declared if one.retries]
    if not any(row.retries for row in _rows(facts)):
        return "skip", "The library does not retry: a job that fails has failed.", []
    if saying:
        why = f"Of {counted(len(facts.declared), 'declaration')} in the text, {len(saying)} name retries."
        return "applies", why, saying
    often = [
        f"{one.title} makes {row.attempts} attempts of a job that fails"
        for one in facts.libraries
        if (row := EVERY[one.name]).attempts > 1
    ]
    if len(often) == len(facts.libraries):
        return "applies", f"{_and(often)}, where nothing else is said.", []
    why = "No declaration in the text names retries. A wrapper may: jobs.simulate_retries shows it."
    return "unknown", why, []


def _logs(facts: Facts) -> _Said:
    of = [one for one in facts.declared if one.statements]
    logging = [one.place for one in of if one.logs]
    if not of:
        return "unknown", f"The text shows no function with a decorator. {_ASK}", []
    why = f"Of {counted(len(of), 'function')} with a decorator, {len(logging)} log something."
    return "applies" if logging else "later", why, logging


def _failures(facts: Facts) -> _Said:
    if facts.failures:
        why = f"Somebody is told: {_and(sorted(facts.failures))}."
        return "applies", why, _all(facts.failures)
    why = "Nothing says who is told of a job that failed. It needs a callback, or a service such as Sentry."
    return "later", why, []


def _queues(facts: Facts) -> _Said:
    if "queues" in facts.files:
        return "applies", "pytest-jobs reads the file of the workers.", facts.files["queues"]
    if facts.queues:
        why = "Commands start workers with these queues. Say the same order in jobs_queues."
        return "applies", why, _all(facts.queues)
    named = {one.queue: one.place for one in facts.declared if one.queue}
    if len(named) > 1:
        why = (
            f"Declarations name {len(named)} queues ({_and(sorted(named))}), and no command of a worker was found "
            "that does."
        )
        return "later", why, [*named.values()]
    if not any(row.has_queues for row in _rows(facts)):
        return "skip", "The library has one queue.", []
    return "skip", "Neither declarations nor commands of workers name two queues.", []


def _waiting(facts: Facts) -> _Said:
    if facts.waiting:
        why = "A view sends a mail or changes something elsewhere while its user waits. That could be a job."
        return "later", why, facts.waiting
    return "skip", "No view was seen that sends a mail or a request itself.", []


_PATTERNS: Final[Mapping[str, Callable[[Facts], _Said]]] = {
    "_later twins": _later,
    "shallow jobs": _shallow,
    "ids instead of records": lambda facts: ("applies", _IDS, []),
    "idempotency": lambda facts: ("applies", _AGAIN, []),
    "unique jobs": _unique,
    "limits of concurrency": lambda facts: _own(facts, lambda row: row.limits),
    "recurring jobs": _recurring,
    "bulk enqueueing": _bulk,
    "context of the tenant": _context,
    "enqueue after commit": _after_commit,
    "retries": _retries,
    "logs of jobs": _logs,
    "jobs that failed": _failures,
    "queues in an order": _queues,
    "synchronous work": _waiting,
}
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
