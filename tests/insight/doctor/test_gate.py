"""A name counts for a library of the project alone, and only files of production answer for production."""

from __future__ import annotations

from textwrap import dedent

from tables import each_row

from pytest_jobs.__main__ import main

OWN_DECORATOR = """
    import functools

    from huey import MemoryHuey

    huey = MemoryHuey()


    def task(retries=5):
        def deco(fn):
            @functools.wraps(fn)
            def inner(*args):
                return fn(*args)

            return huey.task(retries=retries)(inner)

        return deco


    @task()
    def pay(order): ...
    """
OTHER_NAME = """
    from django_rq import get_queue


    def rq_task(function):
        def delay(*args):
            get_queue().enqueue_call(function, args=args)

        function.delay = delay
        return function
    """
CELERY = """
    from multiprocessing.dummy import Pool

    from celery import Celery, group

    app = Celery("x")


    @app.task(queue="mail")
    def send(): ...


    @app.task(queue="slow")
    def report(): ...


    def both(xs):
        with Pool(2) as pool:
            for x in xs:
                pool.apply_async(abs, (x,))
        for x in xs:
            send.delay()


    @app.on_after_finalize.connect
    def periodic(sender, **kwargs):
        sender.add_periodic_task(3600, send.s(), name="n")
    """
#: A domain model, columns that lead to it, and a context variable of something else.
MODELS = """
    from contextvars import ContextVar

    from django.db import models

    current_request = ContextVar("current_request")


    class Tenant(models.Model): ...


    class Site(models.Model):
        tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE)


    class Rack(models.Model):
        tenant = models.ForeignKey(to="tenancy.Tenant", on_delete=models.CASCADE)
    """
#: What owns the rows of two models, and is current; a user is, too, and is no tenant.
OWNERS = """
    class Post(Base):
        organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


    class Comment(Base):
        organization_id: Mapped[UUID] = mapped_column(
            Uuid, ForeignKey("organizations.id")
        )
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    """
CURRENT = """
    from contextvars import ContextVar
    from threading import local

    current_organization: ContextVar[int] = ContextVar("current_organization")
    current_user = ContextVar("current_user")
    _state = local()


    class TenantMiddleware:
        def __call__(self, request):
            _state.organization_id = 7
            request.tenant = find(request)
    """
PATIENT = """
    BASE = {"retry_backoff": 60}
    PATIENT = {**BASE, "max_retries": 3}
    OTHER = load("options")
    """
OPTIONS = """
    from celery import shared_task

    from . import own
    from .options import OTHER, PATIENT

    LOCAL = dict(queue="mail")


    @shared_task(**PATIENT)
    def welcome(): ...


    @shared_task(**LOCAL)
    def remind(): ...
    """
UNREAD = """
    from celery import shared_task

    from .options import OTHER


    @shared_task(**OTHER)
    def welcome(): ...
    """
SCHEDULER = """
    import time

    from celery import shared_task


    @shared_task
    def tick(): ...


    def clock():
        while True:
            tick.delay()
            time.sleep(60)
    """
RQ = """
    from rq import Queue, Retry

    queue = Queue()


    def view(request, at):
        queue.enqueue(f, 1, retry=Retry(max=3), on_failure=tell)
        queue.enqueue_at(at, f, job_id="f", unique=True)
        queue.enqueue_many([])
    """
LATE = """
    app.conf.update(
        task_acks_late=True,
        # task_reject_on_worker_lost=True,
    )
    task_failure.connect(tell)
    """
COMPOSE = """
    services:
      worker:
        command: celery -A app worker \\
          -Q high,low
      fast:
        command: ["celery", "-A", "app", "worker", "-c", "8"]
        image: shop/celery-worker:1
      # command: celery -A app worker -Q old
    """
SAQ = """
    from litestar_saq import CronJob, QueueConfig

    config = QueueConfig(name="x", tasks=[push], scheduled_tasks=[CronJob(clean, cron="* * * * *")])
    """
BROKEN = {f"jobs/a{number}.py": "@task\ndef broken(:\n" for number in range(3)}


@each_row(
    ("files", "said", "unsaid"),
    [
        # What is declared by a decorator of the project around that of the library.
        ({"requirements.txt": "huey", "a.py": OWN_DECORATOR}, ["1 decorator of Huey"], []),
        (
            {
                "requirements.txt": "rq",
                "b.py": OTHER_NAME,
                "a.py": "from b import rq_task\n@rq_task\ndef f(): ...",
            },
            ["jobs: 1 decorator and 1 call of RQ  a.py:3, b.py:6\n"],
            [],
        ),
        (
            {
                "requirements.txt": "dramatiq",
                "w.py": "import dramatiq\ndef actor(*a):\n    return dramatiq.actor(*a)",
                "a.py": "from w import actor\nfrom other import Mail\n@actor()\ndef f(): ...\n",
                "b.py": "import dramatiq\non_paid = dramatiq.actor(OnPaid())\non_paid.send(1)\n"
                "signal.send(1)\n",
            },
            ["2 decorators and 1 call of Dramatiq"],
            [],
        ),
        (
            {
                "requirements.txt": "arq",
                "a.py": "from arq.worker import Worker\nSettings.functions = [arq_task(f), g]\n",
            },
            ["2 listed functions of arq"],
            [],
        ),
        (
            {
                "requirements.txt": "rq",
                "a.py": "from . import Queue\ndef f(queue: Queue):\n    queue.enqueue_many([])\n",
            },
            ["1 call of RQ"],
            [],
        ),
        (
            {
                "requirements.txt": "django-q2",
                "a.py": "from django_q.tasks import AsyncTask\nAsyncTask(scan, 7).run()\n",
            },
            ["1 call of Django-Q2"],
            [],
        ),
        (
            {
                "requirements.txt": "apscheduler",
                "a.py": "class A:\n    def f(self):\n        self._scheduler.add_job(self.tick)\n",
            },
            ["1 call of APScheduler"],
            [],
        ),
        (
            {
                "Pipfile": "[packages]\ndjango-huey = '*'\n",
                "a.py": "from django_huey import db_task\n@db_task(queue='net')\ndef f(): ...\n",
            },
            ["Huey (captured by pytest-jobs)  Pipfile:2, a.py:1\n", "1 decorator of Huey"],
            [],
        ),
        # A library that is there, and shows nothing.
        (
            {"requirements.txt": "dramatiq\n"},
            ["jobs: nothing of Dramatiq in the text; `pytest --jobs-lint` asks the running library\n"],
            ["No job"],
        ),
        # Names of others.
        (
            {
                "requirements.txt": "rq",
                "a.py": "from rq.job import Job\ndef f(app, job):\n    app.queues['a'].enqueue_job(job)\n",
            },
            ["1 call of RQ"],
            ["arq"],
        ),
        (
            {
                "requirements.txt": "celery",
                "a.py": "log.info('x', immediate=True)\nQueue(is_async=False)\n",
                "settings.py": "CACHES = {'default': {'BACKEND': 'django.core.cache.backends.dummy.Dummy'}}",
                "tests/test_a.py": "from unittest.mock import patch\n@patch('shop.signals.paid.send')\n"
                "@patch('shop.mail.Channel.delay')\ndef test_x(m, n): ...",
            },
            ["jobs: nothing of Celery", "eager mode and doubles, "],
            ["mocks in"],
        ),
        (
            {"requirements.txt": "celery", "a.py": CELERY},
            [
                "2 decorators and 1 call of Celery",
                '("Schedule recurring jobs, and configure queues"): Celery beat  a.py:26\n',
                "one by one in a loop, and group(...) of Celery publishes one message for each job  a.py:21\n",
                "mail, slow (named by declarations)  a.py:9, a.py:13\n",
            ],
            [],
        ),
        # A lock names what packages need themselves.
        (
            {
                "pyproject.toml": "[project]\ndependencies = ['django-tasks', 'django-crontask']\n",
                "uv.lock": "[[package]]\nname = 'apscheduler'\nversion = '3.11'\n",
            },
            ["django-crontask  pyproject.toml:2\n"],
            ["APScheduler"],
        ),
        (
            {"requirements.txt": "rq==1.16.1", "a.py": "worker.work(with_scheduler=True)\n"},
            [
                "too old: pytest-jobs needs rq>=",
                "broker: Redis",
                "the scheduler of RQ's workers",
            ],
            ["captured by", "rq-scheduler", 'jobs_mode = "record"', "--jobs-audit"],
        ),
        (
            {"requirements.txt": "saq\nlitestar-saq\n", "a.py": SAQ},
            ["2 listed functions of SAQ", "): cron jobs of the worker"],
            [],
        ),
        # Files that do not answer for production.
        (
            {
                "requirements.txt": "celery\nsqlalchemy",
                "tests/conftest.py": "BROKER_URL = 'redis://x'\n",
                "app/migrations/0001.py": "from django.db import transaction\nwith transaction.atomic(): ...",
                "demo/a.py": "from apscheduler.schedulers.blocking import BlockingScheduler",
                "settings.py": "import os\nBROKER_URL = os.environ['BROKER']\n",
            },
            [
                "broker: as the environment says  settings.py:2\n",
                "enqueue after commit, ",
            ],
            ["Redis  ", "APScheduler"],
        ),
        # A model of that name is no tenant: what sets or carries a current one shows that there are tenants.
        ({"requirements.txt": "celery", "a.py": MODELS}, ["context of a tenant, "], []),
        (
            {"requirements.txt": "celery", "models.py": OWNERS, "middleware.py": CURRENT},
            [
                '("Carry context"): current_organization, a context variable  middleware.py:4\n',
                "context of a tenant: organization_id, of a thread local  middleware.py:11\n",
                "context of a tenant: tenant, set by a middleware  middleware.py:12\n",
            ],
            ["current_user"],
        ),
        ({"requirements.txt": "celery", "middleware.py": CURRENT}, ["tenant, set by"], ["organization"]),
        # Options that a declaration unpacks.
        (
            {"requirements.txt": "celery", "shop/options.py": PATIENT, "shop/tasks.py": OPTIONS},
            ['retries ("Test retries"): named by 1 of 2 declarations  shop/tasks.py:10\n'],
            ["not read"],
        ),
        (
            {"requirements.txt": "celery", "shop/options.py": PATIENT, "shop/tasks.py": UNREAD},
            ['retries ("Test retries"): options come from `**OTHER`, which was not read  shop/tasks.py:7\n'],
            ["named by", ", retries"],
        ),
        # What says how messages are acknowledged, what fires, and what is told of a job that failed.
        (
            {"requirements.txt": "celery", "celery_app.py": LATE},
            [
                'acknowledgement ("Bridges"): acks_late  celery_app.py:2\n',
                "acknowledgement: before the run, the default of Celery  requirements.txt:1\n",
                "task_failure  celery_app.py:5\n",
            ],
            ["reject_on_worker_lost"],
        ),
        ({"requirements.txt": "celery", "a.py": SCHEDULER}, ["a scheduler of its own  a.py:12\n"], ["in a loop"]),
        (
            {"requirements.txt": "rq==3.0.0", "a.py": RQ},
            [
                "enqueue_at of RQ  a.py:8\n",
                "on_failure  a.py:7\n",
                '("Keep jobs unique, and limit how many run at once"): unique=True with a job_id of RQ  a.py:8\n',
                'bulk enqueueing ("Work in batches"): Queue.enqueue_many of RQ  a.py:9\n',
                "retry= where jobs are enqueued  a.py:7\n",
            ],
            [],
        ),
        (
            {
                "pyproject.toml": "[project]\ndependencies = ['procrastinate>=3']\n",
                "a.py": "@app.task(queueing_lock='grind')\ndef grind(): ...\nwith atomic():\n    grind.defer()\n",
            },
            [
                "broker: PostgreSQL  pyproject.toml:2\n",
                "queueing_lock= of Procrastinate  a.py:1\n",
                "): a job of Procrastinate waits for the transaction  pyproject.toml:2\n",
            ],
            ["inside a transaction"],
        ),
        # How tests run jobs.
        (
            {"requirements.txt": "huey", "settings.py": "HUEY = {'name': 'site', 'immediate': True}\n"},
            ['eager mode and doubles ("My suite uses an eager mode"): immediate mode of Huey  settings.py:1\n'],
            ["jobs_mode ="],
        ),
        (
            {"requirements.txt": "rq", "tests/a.py": "queue = Queue(connection=Redis(), is_async=False)\n"},
            ['eager mode and doubles ("My suite uses an eager mode"): is_async=False of RQ  tests/a.py:1\n'],
            [],
        ),
        (
            {
                "requirements.txt": "dramatiq",
                "broker.py": "set_broker(RabbitmqBroker(url=URL))\n",
                "tests/conftest.py": "broker = StubBroker()\n",
            },
            [
                "broker: RabbitMQ  broker.py:1\n",
                'eager mode and doubles ("My suite uses an eager mode"): StubBroker  tests/conftest.py:1\n',
                "21 attempts, the default of Dramatiq",
            ],
            [],
        ),
        (
            {"requirements.txt": "fastapi", "a.py": "from fastapi import BackgroundTasks\n"},
            ["No jobs_mode: it would keep the background tasks of FastAPI"],
            ["# pytest.ini"],
        ),
        # Where workers get their queues and their broker.
        (
            {
                "requirements.txt": "celery\ndramatiq",
                "compose.yaml": COMPOSE,
                "infra/main.tf": 'command = "dramatiq app -Q mail reports"\n',
                "Dockerfile": "RUN pip install celery worker\n",
                "bin/run": "#!/bin/sh\necho celery worker\n"
                "exec celery -A app worker -b redis://:secret@x --loglevel INFO  # all\n",
                "README": "Start a celery worker.\n",
                ".env.example": "CELERY_BROKER_URL=amqp://guest:secret@rabbit\n",
            },
            [
                "workers: celery -A app worker -Q high,low  compose.yaml:3\n",
                "workers: celery -A app worker -c 8  compose.yaml:6\n",
                "workers: celery -A app worker -b redis://x --loglevel INFO  bin/run:3\n",
                "workers: dramatiq app -Q mail reports  infra/main.tf:1\n",
                'queues ("Configure queues"): high, low  compose.yaml:3\n',
                "queues: mail, reports  infra/main.tf:1\n",
                "broker: RabbitMQ  .env.example:1\n",
            ],
            ["secret", "install celery", "-Q old", "workers: celery worker", ":1  compose"],
        ),
        (
            {"requirements.txt": "pgqueuer"},
            ["PgQueuer (no bridge yet)", "pytest-jobs has no bridge to PgQueuer"],
            ["$ pytest"],
        ),
        (
            {"requirements.txt": "celery", **BROKEN},
            ["not read: 3 files that are not Python 3.", ", such as jobs/a0.py:2 ("],
            ["a1.py"],
        ),
    ],
)  # fmt: skip
def test_what_the_doctor_says_of(files, said, unsaid, tmp_path, capsys):
    root = tmp_path / str(len([*tmp_path.iterdir()]))
    root.mkdir()
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), "utf-8")

    assert main(["doctor", str(root)]) == 0

    printed = capsys.readouterr().out
    assert [one for one in said if one not in printed] == []
    assert [one for one in unsaid if one in printed] == []
