"""A name counts for a library of the project alone, and only files of production answer for production."""

from __future__ import annotations

from textwrap import dedent

import pytest
from tables import each_row

from pytest_jobs.__main__ import main

pytest.importorskip("yaml")

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
TENANTS = """
    class Post(BaseModel):
        organization_id: str = Field(...)


    class OAuthAccount(Base):
        account_id: Mapped[str] = mapped_column(String(320))
    """
KEYS = """
    class Post(Base):
        organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))


    class Comment(Base):
        organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    """
VIEW = """
    import requests
    from django.core.mail import send_mail


    def pay(request):
        send_mail("Paid", "", None, [request.user.email])
        requests.get("https://x")


    def command():
        requests.post("https://x")
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
            ["in the text: 1 decorator and 1 call of RQ  a.py:3, b.py:6\n"],
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
        # A library that is there, and shows nothing.
        (
            {"requirements.txt": "dramatiq\n"},
            ["in the text: nothing of Dramatiq\n", "unknown   shallow jobs"],
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
            ["in the text: nothing of Celery"],
            ["tests:", "result backend:"],
        ),
        (
            {"requirements.txt": "celery", "a.py": CELERY},
            [
                "2 decorators and 1 call of Celery",
                "scheduler: Celery beat",
                "group(...) of Celery publishes one message for each job, so it gains nothing.",
                "Declarations name 2 queues (mail and slow), and no command",
            ],
            [],
        ),
        # A lock names what packages need themselves.
        (
            {
                "pyproject.toml": "[project]\ndependencies = ['django-tasks', 'django-crontask']\n",
                "uv.lock": "[[package]]\nname = 'apscheduler'\nversion = '3.11'\n",
            },
            ["scheduler: django-crontask  pyproject.toml:2\n"],
            ["APScheduler", "There are"],
        ),
        (
            {"requirements.txt": "rq==1.16.1", "a.py": "worker.work(with_scheduler=True)\n"},
            [
                "too old: pytest-jobs needs rq>=",
                "broker: Redis",
                "the scheduler of RQ's workers",
                "RQ has Queue.enqueue_many in the versions that pytest-jobs takes (rq>=",
            ],
            ["captured by", "rq-scheduler", 'jobs_mode = "record"'],
        ),
        (
            {"requirements.txt": "saq\nlitestar-saq\n", "a.py": SAQ},
            ["2 listed functions of SAQ", "scheduler: cron jobs of the worker"],
            ["Here it would be"],
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
                "Nothing says that the project has transactions.",
            ],
            ["Redis  ", "APScheduler"],
        ),
        (
            {"requirements.txt": "celery", "a.py": TENANTS},
            ["Nothing says that the project has tenants."],
            [],
        ),
        ({"requirements.txt": "celery", "a.py": KEYS}, ["There are tenants (a column"], []),
        # Where workers get their queues and their broker.
        (
            {
                "requirements.txt": "celery\ndramatiq",
                "compose.yaml": "command: celery -A app worker \\\n    -Q high,low\n",
                "infra/main.tf": 'command = "dramatiq app -Q mail reports"\n',
                ".env.example": "CELERY_BROKER_URL=amqp://guest:secret@rabbit\n",
            },
            [
                "applies   queues in an order",
                "compose.yaml:1 high, low\n",
                "infra/main.tf:1 mail, reports\n",
                "broker: RabbitMQ  .env.example:1\n",
            ],
            ["secret"],
        ),
        # What a view waits for, also in a project without jobs.
        (
            {"shop/views.py": VIEW},
            ["No job library was found.", "later     synchronous work", "shop/views.py:6 send_mail(...)"],
            ["requests", "and 1 more"],
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
