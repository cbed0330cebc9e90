"""How each job library looks in a text, and which patterns it has itself: what the doctor asks beside `known`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Row:
    """One job library. Words in one text are separated by blanks."""

    #: The last names of decorators that declare jobs, and of base classes.
    decorators: str = ""
    bases: str = ""
    #: The methods of a job that enqueue it.
    methods: str = ""
    #: The functions, and the methods of queues and schedulers, that enqueue a job.
    functions: str = ""
    #: The names of lists in which workers find their jobs.
    lists: str = ""
    #: The calls and decorators that make `recurring` of it.
    schedules: str = ""
    #: Further words of a file that has to do with it, its broker for tests, and whether settings name its broker.
    words: str = ""
    test_broker: str = ""
    has_address: bool = False
    #: What it sends through, if it is always the same.
    broker: str = ""
    #: Its own ways to keep a job unique, to limit how many run at once, to fire jobs again and again, and to
    #: enqueue many at once.
    unique: str = ""
    limits: str = ""
    recurring: str = ""
    bulk: str = ""
    #: How it enqueues many where that is no gain.
    no_bulk: str = ""
    #: Whether a declaration can ask for retries, and how often it tries again where nothing is said.
    can_retry: bool = True
    attempts: int = 1
    #: Whether it enqueues in the transaction of the application.
    is_transactional: bool = False
    #: Whether a test simulates its jobs without an application, a queue or settings at hand.
    is_simple: bool = False
    #: Whether its workers take queues in an order that is told to them.
    has_queues: bool = True


ROWS: Final[Mapping[str, Row]] = {
    "core": Row(
        words="def perform (Job)",
        decorators="job",
        bases="Job",
        methods="perform_later",
        unique="@unique",
        limits="@limits_concurrency",
        recurring="config/recurring.yml",
        bulk="perform_all_later",
        is_simple=True,
    ),
    "celery": Row(
        words="beat_schedule BEAT_SCHEDULE BEATSCHEDULE roker= "
        "always_eager ALWAYS_EAGER celery_worker celery_app celery_session_",
        has_address=True,
        decorators="task shared_task periodic_task",
        bases="Task",
        methods="delay apply_async delay_on_commit apply_async_on_commit",
        functions="send_task",
        recurring="Celery beat",
        schedules="add_periodic_task",
        no_bulk="group(...) of Celery publishes one message for each job",
        is_simple=True,
    ),
    "django": Row(
        words="backends.dummy backends.immediate",
        decorators="task",
        methods="enqueue aenqueue",
        recurring="cron and a command",
        can_retry=False,
    ),
    "taskiq": Row(
        words="Broker",
        test_broker="InMemoryBroker",
        has_address=True,
        decorators="task",
        methods="kiq",
        recurring="TaskiqScheduler",
        schedules="TaskiqScheduler",
        is_simple=True,
        has_queues=False,
    ),
    "rq": Row(
        words="is_async with_scheduler",
        decorators="job",
        methods="delay",
        functions="enqueue enqueue_call enqueue_in enqueue_at enqueue_many enqueue_job",
        broker="Redis",
        unique="unique=True with a job_id",
        recurring="`rq cron`",
        schedules="CronScheduler",
        bulk="Queue.enqueue_many",
        is_simple=True,
    ),
    "dramatiq": Row(
        words="Broker",
        test_broker="StubBroker",
        has_address=True,
        decorators="actor",
        methods="send send_with_options",
        limits="ConcurrentRateLimiter",
        recurring="APScheduler beside it",
        no_bulk="group(...) of Dramatiq publishes one message for each job",
        attempts=21,
        is_simple=True,
    ),
    "huey": Row(
        words="immediate Huey(",
        test_broker="MemoryHuey",
        decorators="task db_task periodic_task db_periodic_task context_task",
        methods="schedule",
        limits="lock_task",
        recurring="periodic tasks of Huey",
        schedules="periodic_task db_periodic_task",
        is_simple=True,
        has_queues=False,
    ),
    "procrastinate": Row(
        words="Connector",
        test_broker="InMemoryConnector",
        decorators="task periodic",
        methods="defer defer_async batch_defer batch_defer_async",
        broker="PostgreSQL",
        unique="queueing_lock",
        limits="lock=",
        recurring="periodic tasks of Procrastinate",
        schedules="periodic",
        bulk="batch_defer",
        is_transactional=True,
    ),
    "arq": Row(
        functions="enqueue_job",
        lists="functions cron_jobs",
        broker="Redis",
        unique="_job_id",
        recurring="cron jobs of the worker",
        schedules="cron",
    ),
    "saq": Row(
        functions="enqueue",
        lists="functions cron_jobs tasks scheduled_tasks",
        unique="key=",
        recurring="cron jobs of the worker",
        schedules="CronJob",
    ),
    "oban": Row(
        decorators="job worker",
        methods="enqueue aenqueue",
        functions="enqueue_many",
        limits="the limit of a queue",
        recurring="cron= of Oban's workers",
        bulk="enqueue_many",
        attempts=20,
        is_transactional=True,
    ),
    "django_q": Row(
        functions="async_task async_iter AsyncTask Iter Chain schedule",
        recurring="schedules of Django-Q2",
        schedules="schedule create get_or_create update_or_create",
        has_queues=False,
    ),
    "apscheduler": Row(
        decorators="scheduled_job",
        functions="add_job",
        recurring="APScheduler",
        schedules="add_job scheduled_job BackgroundScheduler BlockingScheduler AsyncIOScheduler",
        can_retry=False,
        has_queues=False,
    ),
    "background_tasks": Row(functions="add_task BackgroundTask", can_retry=False, has_queues=False),
}
#: Of a library that is known by its name alone.
_NOTHING: Final = Row()


def row_of(library: str) -> Row:
    return ROWS.get(library, _NOTHING)


def libraries_by_word(kind: str, libraries: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the libraries that have each word of a kind."""
    found: dict[str, frozenset[str]] = {}
    for library in libraries:
        for word in str(getattr(row_of(library), kind)).split():
            found[word] = found.get(word, frozenset()) | {library}
    return found
