"""The rows of the doctor: what is looked for, and the page about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

from ...bridges.libraries.known import EVERY, Library
from ...harness.records.texts import counted
from .facts import Facts

BROKER: Final = "broker"
RECURRING: Final = "recurring jobs"
TESTS: Final = "packages for tests"
INSTEAD: Final = "eager mode and doubles"
WORKERS: Final = "workers"
CONTEXT: Final = "context of a tenant"
_ACKNOWLEDGEMENT: Final = "acknowledgement"
_LIMITS: Final = "limits of concurrency"
_UNIQUE: Final = "unique jobs"
_BULK: Final = "bulk enqueueing"
_COMMIT: Final = "enqueue after commit"
QUEUES: Final = "queues"
_RETRIES: Final = "retries"

MOCKS: Final = "mocks in the place of enqueues"
#: What is said of a broker whose address the source does not have.
ENVIRONMENT: Final = "as the environment says"
#: What the doctor would say of every project, and the pages.
EVERYWHERE: Final = {
    "`_later` twins": "Structure jobs",
    "shallow jobs": "Structure jobs",
    "ids instead of records": "Structure jobs",
    "idempotency": "Make jobs idempotent",
    "logs": "Run and observe the core's jobs",
}
_EAGER: Final = "My suite uses an eager mode"
#: The pages that lead away from older ways to run jobs in tests.
AWAY: Final = {
    MOCKS: "I mock `.delay`",
    "task_always_eager": _EAGER,
    "a real worker in tests": _EAGER,
    "immediate mode of Huey": _EAGER,
    "is_async=False of RQ": _EAGER,
    "StubBroker": _EAGER,
}
#: Schemes of addresses, and what listens there. Addresses hold passwords, so only the kind is kept.
SCHEMES: Final = {
    "redis": "Redis", "rediss": "Redis", "amqp": "RabbitMQ", "amqps": "RabbitMQ", "pyamqp": "RabbitMQ",
    "sqs": "Amazon SQS", "kafka": "Kafka", "memory": "memory", "nats": "NATS",
    "postgresql": "PostgreSQL", "postgres": "PostgreSQL", "mongodb": "MongoDB", "sqlite": "sqlite",
}  # fmt: skip
_ADDRESS: Final = rf"\b({'|'.join(SCHEMES)})(?:\+\w+)?://"
#: Options that say something about retries.
_RETRYING: Final = frozenset(
    ("autoretry_for", "max_retries", "retries", "retry", "retry_on", "retry_on_error", "max_tries", "max_attempts",
     "retry_when")
)  # fmt: skip
#: What gets a value: by an assignment, as an item, a keyword or a key.
_SET: Final = r"[\"']?\]?[ \t]*(?::[^=\n]+)?[=:](?!=)[ \t]*"


class Sign(NamedTuple):
    """A text that shows something."""

    #: What it shows; what its first group has, if this is empty.
    what: str
    #: A regular expression. Only a file with one of the words is searched.
    pattern: str
    words: tuple[str, ...]
    #: The library without which it says nothing.
    library: str = ""
    #: Where it counts: in the Python of production, in that of tests too, in files of the deployment, or in these
    #: and production.
    where: Literal["code", "tests", "files", "all"] = "code"


class Row(NamedTuple):
    """One thing that is looked for."""

    name: str
    #: The title of the page about it.
    page: str = ""
    #: The packages that show it, and what is said of each; nothing for their own name.
    packages: Mapping[str, str] = {}
    signs: tuple[Sign, ...] = ()
    #: The further signs of each library.
    of: Callable[[Library], Iterator[Sign]] | None = None


def _addresses(library: Library) -> Iterator[Sign]:
    for name, kind in library.brokers.items():
        yield Sign(kind, rf"(?<!class )\b{name}\(", (name,))
    if library.has_address:
        words = ("broker", "BROKER", "Broker")
        yield Sign("", rf"(?i)broker\w*(?:{_SET}|\(\s*)[^\n#]*?{_ADDRESS}", words, where="all")
        yield Sign(
            ENVIRONMENT, rf"(?i)broker_url{_SET}[^\n]*\b(?:environ|getenv|env|config)\b", words
        )


def _workers(library: Library) -> Iterator[Sign]:
    if library.worker:
        # A command goes on in the next line, has texts, and `["celery", "worker"]` is one, too.
        rest = r"(?:\\\n|[\"'],[ \t]*[\"']|(?<=[ =])[\"'][^\n\"']*[\"']|[^\n;&|#`\"'])*"
        command = library.worker.replace(" ", r"(?:[\"', \t]|\\\n)+").replace(".*", f"{rest}?")
        yield Sign("", rf"((?:{command}){rest})", (), where="files")


def _acknowledging(library: Library) -> Iterator[Sign]:
    for name in library.acknowledging:
        yield Sign(name, rf"(?i){name}{_SET}True\b", (name, name.upper()))


def _failing(library: Library) -> Iterator[Sign]:
    for name in library.failing:
        end = "" if name.isupper() else r"(?:\(|[ \t]*=(?!=)|[\"'][ \t]*:|\.connect)"
        yield Sign(name, rf"\b{name}\b{end}", (name,))


def _doubles(library: Library) -> Iterator[Sign]:
    if library.test_broker:
        yield Sign(
            library.test_broker,
            rf"\b{library.test_broker}\(",
            (library.test_broker,),
            where="tests",
        )


def _feature(library: Library, has: str) -> Iterator[Sign]:
    """Yield the sign that a project uses something that a library has."""
    found = re.search(r"(\w+)(=|(?![\w.]))", has)
    if found is not None:
        # `lock=` is an option of calls that declare or enqueue, and `Queue.enqueue_many` is called itself.
        called = rf"(?<!def )\b{found[1]}(?:_async)?\("
        used = _option_of(library, found[1]) if found[2] else called
        yield Sign(f"{has} of {library.title}", used, (found[1],))


def _retries(library: Library) -> Iterator[Sign]:
    for name in sorted(_RETRYING & library.options):
        yield Sign(f"{name}= where jobs are enqueued", _option_of(library, name), (name,))


def _option_of(library: Library, name: str) -> str:
    """Return the pattern of an option in calls that declare or enqueue jobs of a library."""
    calls = "|".join(sorted({*library.calls, *library.decorating, "configure"}))
    return rf"\b(?:{calls})\((?:[^()]|\([^()]*\))*?\b{name}[ \t]*=(?!=)"


def _named(*packages: str) -> Mapping[str, str]:
    return dict.fromkeys(packages, "")


ROWS: Final = (
    Row(BROKER, of=_addresses),
    Row(WORKERS, of=_workers),
    Row(_ACKNOWLEDGEMENT, "Bridges", of=_acknowledging),
    Row(RECURRING, "Schedule recurring jobs, and configure queues", {
        "django-celery-beat": "Celery beat", "celery-redbeat": "Celery beat", "apscheduler": "APScheduler",
        "django-apscheduler": "APScheduler", **_named(
            "rq-scheduler", "django-crontab", "django-crontask", "taskiq-cron", "schedule", "croniter", "cronsim"
        ),
    }, (
        Sign("Celery beat", rf"(?i)beat_?schedule{_SET}", ("beat_schedule", "BEAT_SCHEDULE", "BEATSCHEDULE"),
             "celery"),
        Sign("the scheduler of RQ's workers", rf"\bwith_scheduler{_SET}True", ("with_scheduler",), "rq"),
        Sign("enqueue_at of RQ", r"\.enqueue_(?:at|in)\b", (".enqueue_",), "rq"),
        Sign("CronJobs of Kubernetes", r"^[ \t]*kind:[ \t]*CronJob\b", ("CronJob",), where="files"),
    )),
    Row(TESTS, packages=_named(
        "pytest", "pytest-django", "pytest-celery", "pytest-xdist", "pytest-jobs", "freezegun", "time-machine",
    )),
    Row(INSTEAD, _EAGER, signs=(
        Sign("task_always_eager", rf"(?i)always_eager(?:{_SET}|[\"'],[ \t]*)True",
             ("always_eager", "ALWAYS_EAGER"), "celery", "tests"),
        Sign("a real worker in tests", r"\bdef \w+\([^)]*\bcelery_(?:session_)?worker\b",
             ("celery_worker", "celery_session_worker"), "celery", "tests"),
        Sign("immediate mode of Huey", r"(?i)huey\w*\((?:[^()]|\([^()]*\))*\bimmediate[ \t]*=[ \t]*True|"
             r"(?:[\"']immediate[\"'][ \t]*:|huey\w*\.immediate[ \t]*=)[ \t]*True",
             ("immediate",), "huey", "tests"),
        Sign("is_async=False of RQ", r"(?i)queue\((?:[^()]|\([^()]*\))*\bis_async[ \t]*=[ \t]*False|"
             r"[\"']ASYNC[\"'][ \t]*:[ \t]*False", ("is_async", "ASYNC"), "rq", "tests"),
        Sign("a backend of tasks for tests", r"tasks\.backends\.(?:immediate|dummy)\.",
             ("backends",), "django", "tests"),
    ), of=_doubles),
    Row("who is told of a failed job", "Handle errors and dead letters", _named(
        "sentry-sdk", "rollbar", "bugsnag", "airbrake", "newrelic", "honeybadger", "elastic-apm",
    ), of=_failing),
    Row(CONTEXT, "Carry context", _named(
        "django-tenants", "django-tenant-schemas", "django-pgschemas", "django-multitenant", "django-scopes",
    )),
    Row(_LIMITS, "Limit how many run at once", _named(
        "python-redis-lock", "pottery", "django-pglocks", "sherlock", "django-concurrency",
    ), of=lambda row: _feature(row, row.limits)),
    Row(_UNIQUE, "Keep jobs unique, and limit how many run at once", _named("celery-once", "celery-singleton"),
        of=lambda row: _feature(row, row.unique)),
    Row(_BULK, "Work in batches", of=lambda row: _feature(row, row.bulk)),
    Row(_COMMIT, "Enqueue after the commit", signs=(
        Sign("on_commit", r"\b(?:delay_|apply_async_)?on_commit\(", ("on_commit(",)),
        Sign("enqueue_after_commit", rf"\benqueue_after_commit{_SET}True", ("enqueue_after_commit",)),
        Sign("ATOMIC_REQUESTS", rf"ATOMIC_REQUESTS{_SET}True", ("ATOMIC_REQUESTS",)),
        Sign("transaction.atomic", r"^[ \t]*(?:@|(?:async )?with\b)[^#\n]*\batomic\b", ("atomic",)),
        Sign("sessions of SQLAlchemy", r"^[ \t]*(?:async )?with\b[^#\n]*[sS]ession\w*(?:\.begin)?\(",
             ("sqlalchemy", "sqlmodel")),
    )),
    Row(QUEUES, "Configure queues"),
    Row(_RETRIES, "Test retries", signs=(
        Sign("a call of `retry`", r"\b(?:self|cls|\w*task\w*)\.retry\(", (".retry(",), "celery"),
        Sign("an error `Retry`", r"\braise Retry\(", ("raise Retry(",), "arq"),
    ), of=_retries),
)  # fmt: skip


def conclude(facts: Facts) -> None:
    """Add to the rows what only everything together says."""
    for library in facts.libraries:
        row, here = EVERY[library.name], library.places[:1]
        if row.acknowledges:
            facts.note(
                _ACKNOWLEDGEMENT, f"{row.acknowledges}, the default of {library.title}", here
            )
        if row.attempts > 1:
            facts.note(_RETRIES, f"{row.attempts} attempts, the default of {library.title}", here)
    for sent in facts.sent:
        row, there = EVERY[min(sent.libraries)], [sent.place]
        if sent.in_scheduler:
            facts.note(RECURRING, "a scheduler of its own", there)
        if sent.in_loop and (row.bulk or row.no_bulk):
            facts.note(
                _BULK, ", and ".join(filter(None, ["one by one in a loop", row.no_bulk])), there
            )
    _add_commits(facts)
    _add_declared(facts)


def _add_commits(facts: Facts) -> None:
    waiting = [one for one in facts.libraries if EVERY[one.name].is_transactional]
    early = [one.place for one in facts.sent if one.in_transaction]
    if waiting and len(waiting) == len(facts.libraries):
        # What else the project does with transactions needs no care there.
        facts.seen[_COMMIT] = {
            f"a job of {one.title} waits for the transaction": one.places[:1] for one in waiting
        }
    elif early:
        found = facts.seen.get(_COMMIT, {})
        facts.seen[_COMMIT] = {"enqueued inside a transaction": early, **found}


def _add_declared(facts: Facts) -> None:
    saying = [one for one in facts.declared if _RETRYING & one.options]
    if saying:
        what = f"named by {len(saying)} of {counted(len(facts.declared), 'declaration')}"
        facts.note(_RETRIES, what, [one.place for one in saying])
    for one in facts.declared:
        for name in () if _RETRYING & one.options else one.unread:
            facts.note(_RETRIES, f"options come from `**{name}`, which was not read", [one.place])
    for command, places in facts.seen.get(WORKERS, {}).items():
        # Those of RQ stand behind its command.
        found = re.search(
            r"(?:-Q|-q|--queues?)[ =]+([\w.,* -]+)|(?:rq ?worker)((?: [\w.-]+)+)$", command
        )
        if found is not None:
            names = re.split(r"[, ]+", re.split(r" -", found[1] or found[2])[0].strip())
            facts.note(QUEUES, ", ".join(names), places)
    served = {name for names in facts.seen.get(QUEUES, ()) for name in names.split(", ")}
    named = [one for one in facts.declared if one.queue and one.queue not in served]
    if named:
        alone = "no command of a worker, but by " if served else ""
        names = sorted({one.queue for one in named})
        what = f"{', '.join(names)} (named by {alone}declarations)"
        facts.note(QUEUES, what, [one.place for one in named])
