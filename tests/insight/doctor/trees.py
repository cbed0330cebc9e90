"""Project trees, made as real ones of their kind look: mixtures, monorepos, conflicts, nothing at all."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

#: The files of each tree, by their names.
TREES: dict[str, dict[str, str]] = {
    "nothing": {
        "README.md": "# A site without jobs\n",
        "requirements.txt": "django>=5\nrequests\n",
        "site_/views.py": "import requests\n\n\ndef index(request):\n    return requests.get('https://x')\n",
    },
    "django_celery": {
        "requirements/base.txt": """
            Django==5.1.4
            celery[redis]==5.4.0  # the worker
            django-celery-results>=2.5
            psycopg[binary]>=3.1
            """,
        "requirements/dev.txt": "-r base.txt\npytest-django==4.9.0\nfreezegun\n",
        "setup.cfg": "[tool:pytest]\nDJANGO_SETTINGS_MODULE = config.settings\n",
        "config/__init__.py": "from .celery import app as celery_app\n",
        "config/celery.py": """
            from celery import Celery

            app = Celery("shop")
            app.config_from_object("django.conf:settings", namespace="CELERY")
            app.autodiscover_tasks()
            """,
        "config/settings.py": """
            import os

            from celery.schedules import crontab

            DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "ATOMIC_REQUESTS": True}}
            CELERY_BROKER_URL = os.environ.get("BROKER", "redis://:secret@localhost:6379/0")
            CELERY_RESULT_BACKEND = "django-db"
            CELERY_BEAT_SCHEDULE = {
                "report": {"task": "shop.tasks.daily_report", "schedule": crontab(hour=3, minute=0)},
            }
            """,
        "shop/__init__.py": "",
        "shop/models.py": """
            from django.db import models

            from .tasks import send_receipt


            class Order(models.Model):
                paid = models.BooleanField(default=False)

                def send_receipt_later(self):
                    send_receipt.delay(self)
            """,
        "shop/tasks.py": """
            from celery import shared_task


            @shared_task(autoretry_for=(OSError,), retry_backoff=True)
            def send_receipt(order_id): ...


            @shared_task
            def daily_report(): ...
            """,
        "shop/views.py": """
            from django.db import transaction

            from .tasks import send_receipt


            def checkout(request, orders):
                with transaction.atomic():
                    for order in orders:
                        order.save()
                        send_receipt.delay(order.pk)
            """,
        "shop/tests/test_views.py": """
            from unittest.mock import patch


            @patch("shop.views.send_receipt.delay")
            def test_checkout(delay): ...
            """,
        "Procfile": "web: gunicorn config.wsgi\nworker: celery -A config worker -Q default,mail\n",
    },
    "django_tasks": {
        "pyproject.toml": """
            [project]
            name = "library"
            dependencies = ["django>=6.0", "django-tasks-db"]

            [dependency-groups]
            dev = ["pytest>=8", "pytest-django"]

            [tool.pytest.ini_options]
            DJANGO_SETTINGS_MODULE = "library.settings"
            """,
        "uv.lock": """
            [[package]]
            name = "django"
            version = "6.0.1"

            [[package]]
            name = "django-tasks-db"
            version = "0.12.0"
            """,
        "library/settings.py": """
            TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default", "mail"]}}
            """,
        "library/tasks.py": """
            from django.tasks import task


            @task(queue_name="mail")
            def send_reminder(loan_id: int) -> None: ...
            """,
        "library/views.py": """
            from functools import partial

            from django.db import transaction

            from .tasks import send_reminder


            def lend(request, loan):
                transaction.on_commit(partial(send_reminder.enqueue, loan.pk))
            """,
    },
    "fastapi_taskiq": {
        "pyproject.toml": """
            [tool.poetry]
            name = "parcels"

            [tool.poetry.dependencies]
            python = "^3.12"
            fastapi = "*"
            taskiq = {version = "^0.11", extras = ["reload"]}
            taskiq-redis = "^1.0"

            [tool.poetry.group.dev.dependencies]
            pytest = "^8"
            """,
        "poetry.lock": '[[package]]\nname = "taskiq"\nversion = "0.11.20"\n',
        "parcels/broker.py": """
            from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

            results = RedisAsyncResultBackend("redis://redis:6379")
            broker = ListQueueBroker("redis://redis:6379").with_result_backend(results)
            """,
        "parcels/tasks.py": """
            from .broker import broker


            @broker.task(retry_on_error=True, max_retries=3, delay=10)
            async def track(number: str) -> None: ...
            """,
    },
    "django_q": {
        "requirements.txt": "django\ndjango-q2>=1.7\ndjango-redis\n",
        "blog/settings.py": "Q_CLUSTER = {'name': 'blog', 'orm': 'default'}\n",
        "blog/tasks.py": "def publish(post_id): ...\n",
        "blog/views.py": """
            from django_q.tasks import async_task


            def publish(request, post):
                async_task("blog.tasks.publish", post.pk)
            """,
        "blog/schedules.py": """
            from django_q.models import Schedule
            from django_q.tasks import schedule


            def plan(post):
                schedule("blog.tasks.publish", post.pk, next_run=post.publish_at)
                Schedule.objects.create(func="blog.tasks.publish", schedule_type=Schedule.ONCE)
                schedule("blog.tasks.publish", post.pk, schedule_type=Schedule.DAILY)
                Schedule.objects.update_or_create(name="clean", defaults={"schedule_type": "C"})
            """,
    },
    "monorepo": {
        "README.md": "# Everything\n",
        "services/mail/pyproject.toml": '[project]\nname = "mail"\ndependencies = ["celery>=5.5", "sqlalchemy"]\n',
        "services/mail/mail/app.py": """
            from celery import Celery

            app = Celery("mail", broker="pyamqp://guest@rabbit//")


            @app.task(acks_late=True)
            def send(mail_id):
                gateway.charge(mail_id)
            """,
        "services/mail/mail/db.py": """
            from sqlalchemy.orm import Session


            def save(engine, mail):
                with Session(engine) as session:
                    session.add(mail)
                    session.commit()
            """,
        "services/reports/requirements.txt": "rq==2.0.0\n",
        "services/reports/reports.py": """
            from redis import Redis
            from rq import Queue


            def make(id): ...


            def later(ids):
                queue = Queue(connection=Redis())
                for id in ids:
                    queue.enqueue(make, id)
            """,
        "services/web/package.json": "{}",
        "services/web/node_modules/evil/setup.py": "import celery\n",
    },
    "five_schedulers": {
        "requirements.txt": """
            celery==5.5.0
            django-celery-beat
            celery-redbeat
            APScheduler==3.10.4
            celery-singleton
            """,
        "app/celery.py": """
            from celery import Celery

            app = Celery("app", broker="sqs://")
            app.conf.beat_schedule = {"ping": {"task": "app.celery.ping", "schedule": 60}}


            @app.task
            def ping(): ...
            """,
        "app/clock.py": """
            from apscheduler.schedulers.background import BackgroundScheduler

            clock = BackgroundScheduler()
            """,
        "deploy/cron.d/app": "0 3 * * * www-data python manage.py clean\n",
        "deploy/jobs.yaml": """
            apiVersion: v1
            kind: ConfigMap
            ---
            apiVersion: batch/v1
            kind: CronJob
            metadata: {name: clean}
            """,
    },
    "tenants": {
        "requirements.txt": "django-tenants>=3.7\ncelery>=5.4\npython-redis-lock\n",
        "crm/context.py": "from contextvars import ContextVar\n\ntenant = ContextVar('tenant')\n",
        "crm/models.py": """
            from django.db import models


            class Contact(models.Model):
                account_id = models.IntegerField()
            """,
        "crm/tasks.py": """
            from celery import shared_task

            from .redis import redis


            @shared_task
            def sync(contact_id):
                with redis.lock(f"contact-{contact_id}", timeout=60):
                    pull(contact_id)
            """,
        "crm/redis.py": "from redis import Redis\n\nredis = Redis()\n",
    },
    "core_alone": {
        "pyproject.toml": """
            [project]
            name = "shop"
            dependencies = ["pytest-jobs[recurring]"]

            [tool.pytest.ini_options]
            testpaths = ["tests"]
            """,
        "shop/jobs.py": """
            from pytest_jobs import Job, retry_on


            @retry_on(TimeoutError, wait=60, attempts=5)
            class Pay(Job):
                queue = "payments"

                def perform(self, payment_id: int) -> None: ...
            """,
        "config/recurring.yml": """
            production:
              pay:
                class: shop.jobs.Pay
                args: [1]
                schedule: every hour
            """,
        "config/queue.yml": "production:\n  workers:\n    - queues: [payments, default]\n",
    },
    "celery_with_pytest_jobs": {
        "pyproject.toml": """
            [project]
            name = "news"
            dependencies = ["celery==5.5.3"]

            [dependency-groups]
            test = ["pytest-jobs", "time-machine"]

            [tool.pytest.ini_options]
            jobs_mode = "record"
            """,
        "news/tasks.py": """
            from celery import shared_task


            @shared_task
            def publish(issue_id: int) -> None: ...
            """,
    },
    "celery_with_workers_in_tests": {
        "requirements.txt": "celery\npytest\npytest-celery\n",
        "pytest.ini": "[pytest]\naddopts = -ra\n",
        "app.py": "from celery import Celery\n\napp = Celery('app', broker='memory://', backend='rpc://')\n",
        "tests/conftest.py": "from app import app\n\napp.conf.task_always_eager = True\n",
        "tests/test_app.py": "def test_it(celery_worker, celery_app): ...\n",
    },
    "broken": {
        "pyproject.toml": "[project\nname = ",
        "requirements.txt": "celery==5.5.0\n!!! not a requirement\n-e git+https://x/y\nhttps://x/z.whl\n",
        "Pipfile.lock": "[]",
        "app.py": "from celery import shared_task\n\n\n@shared_task\ndef broken(:\n",
        "deploy/a.yaml": "kind: CronJob\n  bad: [\n",
        "deploy/b.yaml": "a: &a [x, x]\nb: &b [*a, *a]\nkind: CronJob\n",
    },
}


def plant(name: str, folder: Path) -> Path:
    """Write the files of a tree, and return its folder."""
    root = folder / name
    for file, text in TREES[name].items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n") if text.startswith("\n") else text, "utf-8")
    return root
