"""Which cases a job has, by its declaration in the way of its library."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_jobs.insight.reached.cases import Cases
from pytest_jobs.insight.reached.reached import jobs_reached
from pytest_jobs.insight.seen.session import SeenSession
from pytest_jobs.insight.source.project import Project
from pytest_jobs.insight.source.tree import Tree

CASES = {
    "core class": (
        (
            "from pytest_jobs import Job, discard_on, retry_on\n"
            "GONE = (KeyError, LookupError)\n"
            "def give_up(job, error): ...\n"
            "@retry_on(TimeoutError, attempts=3, then=give_up)\n"
            "@retry_on(OSError, attempts=None)\n"
            "@discard_on(*GONE)\n"
            "class Pay(Job):\n"
            "    def perform(self, id): ...\n"
        ),
        [
            "retry_on TimeoutError",
            "exhausted TimeoutError",
            "then give_up",
            "retry_on OSError",
            "discard_on KeyError, LookupError",
        ],
    ),
    "core function": (
        "from pytest_jobs import job, retry_on\n@retry_on(TimeoutError)\n@job\ndef pay(id): ...\n",
        ["retry_on TimeoutError", "exhausted TimeoutError"],
    ),
    "core callbacks": (
        (
            "from pytest_jobs.errors import Halt\n"
            "from pytest_jobs import Job, after_discard, after_perform, before_perform, rescue_from\n"
            "class Pay(Job):\n"
            "    @before_perform\n"
            "    def look(self):\n"
            "        raise Halt\n"
            "    @after_perform\n"
            "    def note(self): ...\n"
            "    @after_discard\n"
            "    def keep(self, error): ...\n"
            "    @rescue_from(ValueError)\n"
            "    def mend(self, error): ...\n"
            "    def perform(self, id): ...\n"
        ),
        [
            "before_perform look",
            "after_perform note",
            "after_discard keep",
            "rescue_from ValueError",
            "halted",
        ],
    ),
    "celery autoretry": (
        (
            "from celery import Celery\n"
            "app = Celery('app')\n"
            "@app.task(autoretry_for=(OSError, KeyError), throws=(ValueError,), on_failure=print)\n"
            "def pay(id): ...\n"
        ),
        ["autoretry_for OSError, KeyError", "exhausted", "throws ValueError", "on_failure"],
    ),
    "celery class": (
        (
            "from celery import Celery, Task\n"
            "app = Celery('app')\n"
            "class Pay(Task):\n    throws = (ValueError,)\n    def run(self, id): ...\n"
            "pay = app.register_task(Pay())\n"
        ),
        ["throws ValueError"],
    ),
    "celery self.retry for ever": (
        (
            "from celery import Celery\n"
            "app = Celery('app')\n"
            "@app.task(bind=True, max_retries=None)\n"
            "def pay(self, id):\n    raise self.retry()\n"
        ),
        ["self.retry"],
    ),
    "huey": (
        (
            "from huey import RedisHuey, crontab\n"
            "huey = RedisHuey()\n"
            "@huey.periodic_task(crontab(hour=3), retries=2)\n"
            "def pay(): ...\n"
        ),
        ["retries", "exhausted", "recurring"],
    ),
    "huey without retries": (
        "from huey import RedisHuey\nhuey = RedisHuey()\n@huey.task(retries=0)\ndef pay(id): ...\n",
        [],
    ),
    "procrastinate for ever": (
        "from procrastinate import App\napp = App(connector=None)\n@app.task(retry=True)\ndef pay(id): ...\n",
        ["retry"],
    ),
    "taskiq": (
        (
            "from taskiq import InMemoryBroker\n"
            "broker = InMemoryBroker()\n"
            "@broker.task(retry_on_error=True, max_retries=3)\n"
            "async def pay(id): ...\n"
        ),
        ["retry_on_error", "exhausted"],
    ),
    "dramatiq": (
        "import dramatiq\n@dramatiq.actor(max_retries=3, on_success='note')\ndef pay(id): ...\n",
        ["max_retries", "exhausted", "on_success"],
    ),
    "arq": (
        (
            "from arq import Retry, cron\n"
            "async def pay(ctx):\n    raise Retry(defer=5)\n"
            "class WorkerSettings:\n    cron_jobs = [cron(pay, hour=3)]\n"
        ),
        ["Retry", "exhausted", "recurring"],
    ),
    "rq": (
        (
            "from redis import Redis\nfrom rq import Retry\nfrom rq.cron import CronScheduler\n"
            "def pay():\n    return Retry(max=3)\n"
            "scheduler = CronScheduler(Redis())\nscheduler.register(pay, 'default', cron='0 3 * * *')\n"
        ),
        ["Retry", "exhausted", "recurring"],
    ),
    "apscheduler": (
        (
            "from apscheduler.schedulers.background import BackgroundScheduler\n"
            "def pay(): ...\n"
            "scheduler = BackgroundScheduler()\nscheduler.add_job(pay, 'interval', hours=1)\n"
        ),
        ["recurring"],
    ),
    "apscheduler once": (
        (
            "from apscheduler.schedulers.background import BackgroundScheduler\n"
            "def pay(): ...\n"
            "scheduler = BackgroundScheduler()\nscheduler.add_job(pay, 'date', run_date='2027-01-01')\n"
        ),
        [],
    ),
    "taskiq with a schedule": (
        (
            "from taskiq import InMemoryBroker\n"
            "broker = InMemoryBroker()\n"
            "@broker.task(schedule=[{'cron': '0 3 * * *'}])\n"
            "async def pay(): ...\n"
        ),
        ["recurring"],
    ),
    "django_q": (
        (
            "from django_q.models import Schedule\n"
            "from django_q.tasks import schedule\n"
            "def pay(): ...\n"
            "def plan(): schedule('app.pay', schedule_type=Schedule.DAILY)\n"
        ),
        ["recurring"],
    ),
    "django_q once": (
        (
            "from django_q.tasks import schedule\n"
            "def pay(): ...\n"
            "def plan(): schedule('app.pay', schedule_type='O')\n"
        ),
        [],
    ),
    "celery beat": (
        (
            "from celery import Celery\n"
            "app = Celery('app')\n"
            "@app.task\ndef pay(): ...\n"
            "app.conf.update(dict([('beat_schedule', {'nightly': {'task': 'app.pay', 'schedule': 60}})]))\n"
        ),
        ["recurring"],
    ),
    "django": (
        "from django_tasks import task\n@task\ndef pay(id): ...\n",
        [],
    ),
}


@pytest.fixture
def jobs_of(tmp_path, imported):
    """Return a function that writes modules, imports them, and returns their jobs and base classes."""

    def jobs_of(**modules):
        files = {f"{name}.py": text for name, text in modules.items()}
        for name, text in files.items():
            (tmp_path / name).write_text(text, "utf-8")
        with imported(files) as running:
            project = Project(Tree(tmp_path), base=tmp_path, jobs=(), exclude=(), running=running)
            jobs = jobs_reached(project, Cases(project), SeenSession()).jobs
        # Other tests of the process have declared jobs, too.
        return [job for job in jobs if Path(job.file).is_relative_to(tmp_path)]

    return jobs_of


@pytest.mark.parametrize(("source", "texts"), CASES.values(), ids=CASES)
def test_a_job_has_the_cases_that_it_declares(source, texts, jobs_of):
    [job] = jobs_of(app=source)

    assert [case.text for case in job.cases] == texts


def test_rules_of_a_base_class_are_listed_once_with_that_class(jobs_of):
    jobs = jobs_of(
        base=(
            "from pytest_jobs import Job, discard_on\n"
            "@discard_on(KeyError)\nclass ApplicationJob(Job): ...\n"
        ),
        app=(
            "from base import ApplicationJob\n"
            "class Pay(ApplicationJob):\n    def perform(self): ...\n"
            "class Send(ApplicationJob):\n    def perform(self): ...\n"
        ),
    )

    assert [(job.name, len(job.cases), job.is_base) for job in jobs] == [
        ("app.Pay", 0, False),
        ("app.Send", 0, False),
        ("base.ApplicationJob", 1, True),
    ]


def test_a_method_with_a_later_twin_is_a_job(jobs_of):
    [job] = jobs_of(
        models=(
            "from pytest_jobs import later, reference\n"
            "@reference(id='pk', find='get')\nclass Order:\n"
            "    @classmethod\n    def get(cls, pk): ...\n"
            "    def confirm(self): ...\n"
            "    confirm_later = later(confirm)\n"
        ),
    )

    assert (job.name, job.line) == ("models.Order.confirm_later", 6)


def test_a_recurring_job_of_the_core_is_listed_by_its_key(jobs_of, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "recurring.yml").write_text(
        "production:\n  nightly:\n    class: app.Report\n    schedule: every day\n", "utf-8"
    )
    [job] = jobs_of(
        app="from pytest_jobs import Job\nclass Report(Job):\n    def perform(self): ...\n",
    )

    assert [case.text for case in job.cases if case.kind == "fired"] == ["recurring nightly"]


@pytest.mark.parametrize("name", ["test_app", "app_test", "tests", "conftest"])
def test_jobs_of_tests_that_no_test_reaches_do_not_count(name, jobs_of):
    source = "from pytest_jobs import job\n@job\ndef pay(): ...\n"

    assert jobs_of(**{name: source}) == []
