"""The job libraries that are known: one row has all that pytest-jobs takes for granted of one of them.

Bridges, doctor, lint and coverage read it. What only running code can tell is asked of a bridge.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, Literal

from ..seam import Seam

#: The methods that only make a message: what is sent is decided elsewhere.
ONLY_MADE: Final = frozenset(("new", "s", "si", "signature", "message", "message_with_options"))


@dataclass(frozen=True)
class Library:
    """A job library."""

    #: Its name in `jobs_apps` and in `jobs_ignore`.
    name: str
    #: Its name in sentences.
    title: str
    #: Its modules after whose import it can be captured; one of them is enough.
    modules: tuple[str, ...]
    #: The methods that put a job into a real queue, as "module:Class.method". A version may lack some of them.
    enqueues: tuple[str, ...] = ()
    _: KW_ONLY
    #: Whether pytest-jobs has a bridge to it, which is the module of its name in `bridges`.
    is_bridged: bool = False
    #: What it calls an application; None for a library that has exactly one, which its bridge finds.
    application: str | None = "app"
    #: Whether an application is a class or dictionary of the project, which `is_settings` of the bridge knows.
    has_settings: bool = False
    #: Where its enqueues are refused.
    seam: Seam = field(default_factory=Seam, repr=False, compare=False)

    #: Its distributions, its own first. Default: one by its name.
    distributions: tuple[str, ...] | None = None
    #: How the dotted names begin that belong to it, as a regular expression. Default: with its name.
    origins: str = ""

    # How a text declares a job

    #: Decorators that make a job of a function or class, by their dotted names.
    decorators: tuple[str, ...] = ()
    #: Decorators that are methods of an application, a broker or a scheduler.
    methods: tuple[str, ...] = ()
    #: The base classes of jobs.
    bases: tuple[str, ...] = ()
    #: The option that says how often a job is tried again.
    retry_option: str = ""
    #: The option that makes it a recurring one.
    recurring_option: str = ""
    #: Whether any function can be a job, and how the library passes it on.
    takes_functions: Literal["", "by name", "as they are"] = ""

    # How a text enqueues one

    #: Methods of a job whose arguments are those of the job.
    verbs: tuple[str, ...] = ()
    #: Methods of a job whose arguments hold those of the job, as `args` and `kwargs`.
    wrapping: tuple[str, ...] = ()
    #: Methods of queues, pools and schedulers, and how many arguments come before the one that names the job.
    of_queues: Mapping[str, int] = field(default_factory=dict)
    #: The dotted names of what is called with the function of a job.
    functions: tuple[str, ...] = ()
    #: The dotted names of what puts messages together, which are enqueued when the whole is called or run.
    composing: tuple[str, ...] = ()
    #: The last names of its other calls that enqueue.
    further: tuple[str, ...] = ()
    #: The options that an enqueueing call takes beside the arguments of the job.
    options: frozenset[str] = frozenset()
    #: Other words without which a file does not enqueue jobs of it.
    words: tuple[str, ...] = ()

    # What it does

    #: Whether it pickles arguments: a record travels then, and is old when the job begins.
    pickles: bool = False
    #: Whether its worker makes what the annotation of a parameter says.
    reads_annotations: bool = False
    #: Whether its jobs wait for the transaction of the application: the queue may be a table that it writes to,
    #: or jobs run after the response.
    is_transactional: bool = False
    #: The words of settings, as a regular expression, with which its queue is such a table.
    is_a_table_with: str = ""
    #: Whether it writes arguments as JSON that has no dates.
    refuses_dates: bool = False
    #: Whether it takes a naive datetime for local time by design.
    naive_is_local: bool = False
    #: How many attempts a job that fails gets, unless its declaration says otherwise.
    attempts: int = 1
    #: Whether it can try a job again.
    retries: bool = True
    #: Whether its jobs are simulated without an application, a queue or settings at hand.
    is_simulated_alone: bool = False
    #: The loggers by which it reports that a job failed.
    loggers: tuple[str, ...] = ()
    #: What it sends through, if it is always the same.
    broker: str = ""
    #: When it acknowledges a message where nothing else is said: "before the run" or "after the run".
    acknowledges: Literal["", "before the run", "after the run"] = ""

    # How a text uses it, for the doctor

    #: The names of lists in which workers find their jobs.
    lists: tuple[str, ...] = ()
    #: The calls and decorators that make `recurring` of it.
    schedules: tuple[str, ...] = ()
    #: Further words of a file that has to do with it.
    looks: tuple[str, ...] = ()
    #: Its broker for tests.
    test_broker: str = ""
    #: The command that starts its workers, as a regular expression.
    worker: str = ""
    #: The names by which a project says when messages are acknowledged, and who is told of a job that failed.
    acknowledging: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    #: Whether settings name the address of its broker, and the classes that say what it is.
    has_address: bool = False
    brokers: Mapping[str, str] = field(default_factory=dict)
    #: Its own ways to enqueue many at once, to keep a job unique, to limit how many run at once, and to fire jobs
    #: again and again; and how it enqueues many where that is no gain.
    bulk: str = ""
    unique: str = ""
    limits: str = ""
    recurring: str = ""
    no_bulk: str = ""

    @property
    def is_imported(self) -> bool:
        return any(module in sys.modules for module in self.modules)

    @property
    def own_distributions(self) -> tuple[str, ...]:
        """Return its distributions, its own first."""
        own = self.distributions
        return (self.name.replace("_", "-"),) if own is None else own

    @property
    def packages(self) -> frozenset[str]:
        """Return the names of its packages: what they have is not of a project."""
        return frozenset(name.partition(".")[0] for name in self.modules)

    @property
    def sending(self) -> frozenset[str]:
        """Return the methods of a job that enqueue it."""
        return frozenset({*self.verbs, *self.wrapping} - ONLY_MADE)

    @property
    def queueing(self) -> frozenset[str]:
        """Return the last names of its functions, and its methods of queues and schedulers, that enqueue a job."""
        functions = {name.rpartition(".")[2] for name in self.functions}
        return frozenset({*self.of_queues, *functions, *self.further} - ONLY_MADE)

    @property
    def calls(self) -> frozenset[str]:
        """Return the last names of its calls that enqueue."""
        return self.sending | self.queueing

    @property
    def enqueueing(self) -> frozenset[str]:
        """Return the words by which a file enqueues jobs of it, as regular expressions."""
        methods = {*self.verbs, *self.wrapping, *self.of_queues}
        return frozenset({rf"(?<=\.){name}" for name in methods} | self.calls - methods)

    @property
    def decorating(self) -> frozenset[str]:
        """Return the last names of its decorators that make jobs."""
        return frozenset({*(name.rpartition(".")[2] for name in self.decorators), *self.methods})


#: For a library with a bridge the methods matter only when its version cannot be captured.
# fmt: off
LIBRARIES: Final[Mapping[str, Library]] = {
    library.name: library
    for library in (
        Library(
            "celery",
            "Celery",
            # `celery` alone imports nothing: it finds its parts when they are asked for.
            ("celery.app",),
            ("celery.app.base:Celery.send_task", "celery.app.task:Task.apply_async"),
            is_bridged=True,
            decorators=(
                "celery.shared_task",
                "celery.task",
                "celery.app.shared_task",
                "celery.decorators.task",
                "celery.decorators.periodic_task",
            ),
            methods=("task",),
            bases=("celery.Task", "celery.app.task.Task"),
            verbs=("delay", "delay_on_commit", "s", "si"),
            wrapping=("apply_async", "apply_async_on_commit", "signature"),
            of_queues={"send_task": 0},
            composing=tuple(
                f"celery.{room}{name}" for room in ("", "canvas.") for name in ("group", "chain", "chord")
            ),
            is_simulated_alone=True,
            loggers=("celery.app.trace",),
            acknowledges="before the run",
            schedules=("add_periodic_task",),
            worker=r"\bcelery (?:.* )?worker(?![\w.:-])",
            acknowledging=("acks_late", "reject_on_worker_lost", "retry_on_worker_lost"),
            failing=("on_failure", "task_failure"),
            has_address=True,
            recurring="Celery beat",
            no_bulk="group(...) of Celery publishes one message for each job",
        ),
        Library(
            "django",
            "Django tasks",
            ("django.tasks", "django_tasks"),
            (
                "django.tasks.base:Task.enqueue",
                "django.tasks.base:Task.aenqueue",
                "django_tasks.base:Task.enqueue",
                "django_tasks.base:Task.aenqueue",
            ),
            is_bridged=True,
            application=None,
            distributions=("django-tasks", "django-tasks-db", "django-tasks-rq", "django-tasks-local"),
            origins=r"django_tasks|django\.tasks",
            decorators=("django.tasks.task", "django_tasks.task"),
            verbs=("enqueue", "aenqueue"),
            words=("using",),
            retries=False,
            loggers=("django.tasks", "django_tasks"),
            acknowledges="before the run",
            refuses_dates=True,
            is_a_table_with=r"django_tasks_db|DatabaseBackend|django_tasks\.backends\.database",
            worker=r"\bdb_worker\b",
            failing=("task_finished",),
            recurring="cron and a command",
        ),
        Library(
            "taskiq",
            "Taskiq",
            ("taskiq",),
            (
                "taskiq.kicker:AsyncKicker.kiq",
                "taskiq.kicker:AsyncKicker.schedule_by_time",
                "taskiq.kicker:AsyncKicker.schedule_by_cron",
            ),
            is_bridged=True,
            application="broker",
            distributions=("taskiq", "taskiq-redis", "taskiq-aio-pika", "taskiq-nats"),
            origins=r"taskiq\w*",
            decorators=("taskiq.async_shared_broker.task",),
            methods=("task",),
            retry_option="retry_on_error",
            recurring_option="schedule",
            verbs=("kiq",),
            words=("kicker", r"schedule_by_\w+"),
            reads_annotations=True,
            is_simulated_alone=True,
            loggers=("taskiq",),
            schedules=("TaskiqScheduler", "schedule_by_time", "schedule_by_cron"),
            brokers={
                "ListQueueBroker": "Redis", "RedisStreamBroker": "Redis", "PubSubBroker": "Redis",
                "AioPikaBroker": "RabbitMQ", "NatsBroker": "NATS",
            },
            test_broker="InMemoryBroker",
            worker=r"\btaskiq worker\b",
            failing=("on_error",),
            has_address=True,
            recurring="TaskiqScheduler",
        ),
        Library(
            "rq",
            "RQ",
            ("rq",),
            (
                "rq.queue:Queue.enqueue_call",
                "rq.queue:Queue.enqueue_job",
                "rq.queue:Queue.enqueue_many",
                "rq.queue:Queue.enqueue_at",
                "rq.queue:Queue.schedule_job",
            ),
            is_bridged=True,
            application="queue",
            distributions=("rq", "django-rq", "flask-rq2"),
            origins=r"rq|django_rq\w*|flask_rq2\w*",
            decorators=("rq.decorators.job", "django_rq.job", "django_rq.decorators.job"),
            methods=("job",),
            retry_option="retry",
            takes_functions="by name",
            verbs=("delay",),
            of_queues={"enqueue": 0, "enqueue_call": 0, "enqueue_in": 1, "enqueue_at": 1},
            further=("enqueue_many", "enqueue_job"),
            options=frozenset(
                ("job_timeout", "result_ttl", "failure_ttl", "ttl", "depends_on", "job_id", "at_front", "meta",
                 "retry", "on_success", "on_failure", "on_stopped", "pipeline", "description", "repeat", "unique")
            ),
            pickles=True,
            is_simulated_alone=True,
            broker="Redis",
            acknowledges="before the run",
            schedules=("CronScheduler",),
            worker=r"\brq worker\b|\brq worker-pool\b|\brqworker\b",
            failing=("on_failure", "exception_handlers", "exc_handler"),
            bulk="Queue.enqueue_many",
            unique="unique=True with a job_id",
            recurring="`rq cron`",
        ),
        Library(
            "dramatiq",
            "Dramatiq",
            ("dramatiq",),
            ("dramatiq.broker:Broker.enqueue",),
            is_bridged=True,
            application="broker",
            distributions=("dramatiq", "django-dramatiq"),
            decorators=("dramatiq.actor",),
            retry_option="max_retries",
            recurring_option="periodic",
            verbs=("send", "message"),
            wrapping=("send_with_options", "message_with_options"),
            composing=("dramatiq.group", "dramatiq.pipeline"),
            attempts=21,
            is_simulated_alone=True,
            loggers=("dramatiq",),
            acknowledges="after the run",
            refuses_dates=True,
            brokers={"RedisBroker": "Redis", "RabbitmqBroker": "RabbitMQ"},
            test_broker="StubBroker",
            worker=r"\brundramatiq\b|\bdramatiq (?:-|\w+ -|\w+[.:]\w)",
            failing=("on_failure", "on_retry_exhausted"),
            has_address=True,
            limits="ConcurrentRateLimiter",
            recurring="APScheduler beside it",
            no_bulk="group(...) of Dramatiq publishes one message for each job",
        ),
        Library(
            "huey",
            "Huey",
            ("huey",),
            ("huey.api:Huey.enqueue",),
            is_bridged=True,
            application="huey",
            distributions=("huey", "django-huey"),
            origins="huey|django_huey",
            decorators=(
                "huey.contrib.djhuey.task",
                "huey.contrib.djhuey.db_task",
                "huey.contrib.djhuey.periodic_task",
                "huey.contrib.djhuey.db_periodic_task",
            ),
            methods=("task", "periodic_task", "context_task"),
            retry_option="retries",
            verbs=("s",),
            wrapping=("schedule",),
            # A task is enqueued by a plain call.
            words=("task", "tasks"),
            pickles=True,
            naive_is_local=True,
            acknowledges="before the run",
            is_simulated_alone=True,
            schedules=("periodic_task", "db_periodic_task"),
            brokers={"RedisHuey": "Redis", "PriorityRedisHuey": "Redis", "SqliteHuey": "sqlite"},
            test_broker="MemoryHuey",
            worker=r"\bhuey_consumer\b|\brun_huey\b|\bdjangohuey\b",
            failing=("SIGNAL_ERROR",),
            limits="lock_task",
            recurring="periodic tasks of Huey",
        ),
        Library(
            "procrastinate",
            "Procrastinate",
            ("procrastinate",),
            (
                "procrastinate.manager:JobManager.batch_defer_jobs",
                "procrastinate.manager:JobManager.batch_defer_jobs_async",
                "procrastinate.manager:JobManager.defer_job",
                "procrastinate.manager:JobManager.defer_job_async",
            ),
            is_bridged=True,
            methods=("task", "periodic"),
            retry_option="retry",
            verbs=("defer", "defer_async"),
            further=("batch_defer", "batch_defer_async"),
            words=("configure",),
            is_transactional=True,
            refuses_dates=True,
            broker="PostgreSQL",
            acknowledges="before the run",
            schedules=("periodic",),
            brokers={"SqliteConnector": "sqlite"},
            test_broker="InMemoryConnector",
            worker=r"\bprocrastinate (?:.* )?worker(?![\w.:-])",
            bulk="batch_defer",
            unique="queueing_lock=",
            limits="lock=",
            recurring="periodic tasks of Procrastinate",
        ),
        Library(
            "arq",
            "arq",
            ("arq",),
            ("arq.connections:ArqRedis.enqueue_job",),
            is_bridged=True,
            application="WorkerSettings",
            has_settings=True,
            of_queues={"enqueue_job": 0},
            pickles=True,
            broker="Redis",
            acknowledges="after the run",
            lists=("functions", "cron_jobs"),
            schedules=("cron",),
            worker=r"\barq [\w.]+\.\w",
            failing=("after_job_end", "on_job_end"),
            unique="_job_id=",
            recurring="cron jobs of the worker",
        ),
        Library(
            "saq",
            "SAQ",
            ("saq",),
            ("saq.queue.base:Queue.enqueue", "saq.queue:Queue.enqueue"),
            is_bridged=True,
            application="queue",
            of_queues={"enqueue": 0, "apply": 0},
            options=frozenset(
                ("timeout", "heartbeat", "retries", "ttl", "retry_delay", "retry_backoff", "scheduled", "key",
                 "meta")
            ),
            refuses_dates=True,
            acknowledges="before the run",
            lists=("functions", "cron_jobs", "tasks", "scheduled_tasks"),
            schedules=("CronJob",),
            worker=r"\bsaq [\w.]+\.\w",
            failing=("after_process",),
            unique="key=",
            recurring="cron jobs of the worker",
        ),
        Library(
            "oban",
            "Oban",
            ("oban",),
            ("oban.oban:Oban.enqueue", "oban.oban:Oban.enqueue_many"),
            is_bridged=True,
            application="oban",
            decorators=("oban.job", "oban.worker"),
            retry_option="max_attempts",
            verbs=("enqueue", "new"),
            further=("enqueue_many", "aenqueue"),
            is_transactional=True,
            attempts=20,
            acknowledges="after the run",
            worker=r"\boban start\b",
            bulk="enqueue_many",
            limits="the limit of a queue",
            recurring="cron= of Oban's workers",
        ),
        Library(
            "django_q",
            "Django-Q2",
            ("django_q.tasks",),
            # With `sync` it enqueues nothing, and runs the job.
            ("django_q.brokers:Broker.enqueue", "django_q.tasks:_sync"),
            is_bridged=True,
            application=None,
            distributions=("django-q2", "django-q"),
            origins=r"django_q\w*",
            takes_functions="by name",
            functions=("django_q.tasks.async_task", "django_q.tasks.schedule"),
            further=("async_iter", "AsyncTask", "Iter", "Chain"),
            options=frozenset(
                ("hook", "group", "save", "cached", "iter_cached", "sync", "broker", "q_options", "task_name",
                 "timeout", "schedule_type", "minutes", "repeats", "next_run", "name", "cron", "cluster",
                 "ack_failure")
            ),
            pickles=True,
            naive_is_local=True,
            is_a_table_with=r"[\"']orm[\"']",
            worker=r"\bqcluster\b",
            acknowledging=("ack_failures",),
            schedules=("schedule", "create", "get_or_create", "update_or_create"),
            recurring="schedules of Django-Q2",
        ),
        Library(
            "apscheduler",
            "APScheduler",
            # The second is of APScheduler 4, another library by the same name.
            ("apscheduler.schedulers.base", "apscheduler._schedulers.async_"),
            (
                "apscheduler.schedulers.base:BaseScheduler.add_job",
                "apscheduler:AsyncScheduler.add_job",
                "apscheduler:AsyncScheduler.add_schedule",
            ),
            is_bridged=True,
            application="scheduler",
            methods=("scheduled_job",),
            takes_functions="as they are",
            of_queues={"add_job": 0},
            words=("scheduled_job", "start"),
            pickles=True,
            naive_is_local=True,
            retries=False,
            loggers=("apscheduler",),
            acknowledges="before the run",
            failing=("EVENT_JOB_ERROR",),
            schedules=("add_job", "scheduled_job", "BackgroundScheduler", "BlockingScheduler", "AsyncIOScheduler"),
            recurring="APScheduler",
        ),
        Library(
            "background_tasks",
            "Background tasks of Starlette and FastAPI",
            # The last of its modules that an application imports: its bridge finds all others loaded.
            ("starlette.applications",),
            # There is no queue to keep them from.
            is_bridged=True,
            application=None,
            origins=r"(?:fastapi|starlette)\.(?:.*\.)?(?:background|BackgroundTasks?)",
            takes_functions="as they are",
            of_queues={"add_task": 0},
            functions=("starlette.background.BackgroundTask",),
            is_transactional=True,
            retries=False,
            acknowledges="before the run",
        ),
        Library(
            "background_task",
            "django-background-tasks",
            ("background_task.tasks",),
            ("background_task.tasks:DBTaskRunner.schedule",),
            distributions=("django-background-tasks", "django4-background-tasks"),
        ),
        Library(
            "streaq",
            "streaQ",
            ("streaq",),
            ("streaq.task:Task.__await__", "streaq.worker:Worker.publish_task"),
        ),
        Library("pgqueuer", "PgQueuer", ("pgqueuer",), ("pgqueuer.queries:Queries.enqueue",)),
        Library(
            "chancy",
            "Chancy",
            ("chancy",),
            tuple(
                f"chancy.app:Chancy.{verb}"
                for push in ("push", "push_ex", "push_many", "push_many_ex")
                for verb in (push, f"sync_{push}")
            ),
        ),
        Library(
            "spinach",
            "Spinach",
            ("spinach",),
            ("spinach.engine:Engine.schedule_at", "spinach.engine:Engine.schedule_batch"),
        ),
        Library(
            "tasktiger",
            "TaskTiger",
            ("tasktiger",),
            ("tasktiger.task:Task.delay",),
        ),
        Library(
            "dbos",
            "DBOS",
            ("dbos",),
            (
                "dbos:Queue.enqueue",
                "dbos:Queue.enqueue_async",
                "dbos:DBOSClient.enqueue",
                "dbos:DBOSClient.enqueue_async",
                "dbos:DBOSClient.enqueue_in_transaction",
                # The others call a queue.
                "dbos:DBOS.start_workflow",
                "dbos:DBOS.start_workflow_async",
            ),
        ),
        Library(
            "hatchet_sdk",
            "Hatchet",
            ("hatchet_sdk",),
            tuple(
                f"hatchet_sdk.clients.admin:AdminClient.{prefix}{verb}"
                for verb in ("run_workflow", "run_workflows", "schedule_workflow")
                for prefix in ("", "aio_")
            ),
        ),
        Library(
            "inngest",
            "Inngest",
            ("inngest",),
            ("inngest:Inngest.send", "inngest:Inngest.send_sync"),
        ),
        Library(
            "repid",
            "Repid",
            ("repid",),
            ("repid:Repid.send_message", "repid:Repid.send_message_json"),
        ),
        Library("rearq", "ReArq", ("rearq",), ("rearq.task:Task.delay",)),
        Library(
            "wakaq",
            "WakaQ",
            ("wakaq",),
            ("wakaq:WakaQ._enqueue_at_front", "wakaq:WakaQ._enqueue_at_end", "wakaq:WakaQ._enqueue_with_eta"),
        ),
    )
}
# fmt: on

#: The core, which is no library of others.
CORE: Final = Library(
    "core",
    "the core of pytest-jobs",
    ("pytest_jobs",),
    is_bridged=True,
    distributions=(),
    origins="pytest_jobs",
    decorators=("pytest_jobs.job",),
    bases=("pytest_jobs.Job",),
    verbs=("perform_later", "new"),
    words=("perform_all_later",),
    is_simulated_alone=True,
    acknowledges="after the run",
    looks=("def perform", "(Job)"),
    failing=("after_discard",),
    bulk="perform_all_later",
    unique="@unique",
    limits="@limits_concurrency",
    recurring="config/recurring.yml",
)


class _Rows(dict[str, Library]):
    """The libraries and the core, by their names; and a row for any name that is none of theirs."""

    def __missing__(self, name: str) -> Library:
        """Return the row of a library with a bridge of the project's own, or of a function that is no job yet."""
        return Library(name, name, (name,))


EVERY: Final[Mapping[str, Library]] = _Rows({"core": CORE, **LIBRARIES})

_OF: Final = re.compile(
    "|".join(rf"(?P<{name}>{one.origins or name})(?![^.])" for name, one in EVERY.items())
)


def names_by(names: Callable[[Library], Iterable[str]]) -> Mapping[str, tuple[str, ...]]:
    """Return the libraries that have a name, by this name."""
    found: dict[str, tuple[str, ...]] = {}
    for each in EVERY.values():
        for name in names(each):
            found[name] = (*found.get(name, ()), each.name)
    return found


def library_named(origin: str) -> str:
    """Return the job library that a dotted name belongs to; empty if it belongs to none."""
    found = _OF.match(origin)
    return "" if found is None else str(found.lastgroup)


def packages_of(library: str) -> frozenset[str]:
    return EVERY[library].packages
