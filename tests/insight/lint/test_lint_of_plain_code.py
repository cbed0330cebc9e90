"""Code that looks like a fault and is none: each of these was an alarm once."""

from __future__ import annotations

import pytest

_PERSISTENT = (
    "from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore\n"
    "from apscheduler.schedulers.background import BackgroundScheduler\n\n"
    "scheduler = BackgroundScheduler(jobstores={'default': SQLAlchemyJobStore('sqlite:///jobs.db')})\n\n\n"
    "def report(): ...\n\n\n"
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "from rq.decorators import job\n\n\n@job('mail', connection=None)\ndef charge(number): ...\n\n\n"
            "charge.delay(7, depends_on='other', job_id='charge-7', at_front=True)\n",
            id="options of RQ beside the arguments of delay",
        ),
        pytest.param(
            _PERSISTENT + "OPTIONS = {'id': 'report', 'replace_existing': True}\n"
            "scheduler.add_job(report, 'interval', hours=1, **OPTIONS)\n",
            id="an id that comes by a dictionary of the module",
        ),
        pytest.param(
            "from shop import OPTIONS\n" + _PERSISTENT + "\n\ndef add(**options):\n"
            "    scheduler.add_job(report, 'interval', hours=1, **options)\n\n\n"
            "scheduler.add_job(report, 'interval', hours=1, **OPTIONS)\n",
            id="an id that may come from elsewhere",
        ),
        pytest.param(
            "from huey import RedisHuey\nfrom shop import RETRIES\n\nhuey = RedisHuey()\n\n\n"
            "@huey.task(retries=3, **RETRIES)\ndef note(text): ...\n",
            id="a delay of retries that may come from elsewhere",
        ),
        pytest.param(
            "from celery import shared_task\n\n\nclass Old:\n    OLD = 'old'\n\n\n"
            "class Kind(Old):\n    NEW = 'new'\n\n\n"
            "@shared_task\ndef note(kind): ...\n\n\ndef note_later(kind: Kind):\n    note.delay(kind)\n",
            id="a class of constants as the type of a text",
        ),
        pytest.param(
            "from celery import shared_task\nfrom django.utils import timezone\n\n\n@shared_task\ndef expire():\n"
            "    today = timezone.now().date()\n"
            "    Card.objects.filter(expiry_date__lt=today).update(active=False)\n",
            id="a date that only bounds a query",
        ),
        pytest.param(
            "from celery import shared_task\n\nfrom shop import Kind\n\n\n@shared_task\ndef count(ids):\n"
            "    try:\n        return len(ids)\n    except Exception:\n        mark_failed(ids)\n",
            id="an error that is written down",
        ),
        pytest.param(
            "import time\n\nfrom celery import shared_task\n\n\n@shared_task\ndef wait():\n    time.sleep(1)\n",
            id="a sleep in a job that is not a coroutine",
        ),
        pytest.param(
            "from django.core.mail import send_mail\nfrom pytest_jobs import job\n\n\n@job\n"
            "def greet(to: str) -> None:\n"
            "    send_mail('hello', 'hello', None, [to])\n",
            id="a mail, which may come twice",
        ),
        pytest.param("import celery\n\npattern = '\\d'\n", id="an escape that Python warns of"),
        pytest.param(
            "from celery.schedules import crontab\n\nevery_minute = crontab()\n",
            id="a crontab of every minute on purpose",
        ),
        pytest.param(
            "import dramatiq\n\n\nclass Client:\n    def send(self, text): ...\n\n\n"
            "Client().send('x', 'too many')\n",
            id="a method with the name of a verb",
        ),
    ],
)
def test_nothing_is_found(linted, text):
    assert linted(text) == []


def test_a_date_that_names_a_report_is_found_through_its_variable(linted):
    (found,) = linted(
        "from celery import shared_task\nfrom datetime import date\n\n\n@shared_task\ndef report():\n"
        "    today = date.today()\n    make_report(today)\n"
    )

    assert found.rule == "JOB307"


def test_a_call_of_a_job_is_found_in_a_file_that_does_not_name_the_library(linted):
    files = {
        "jobs.py": "import dramatiq\n\n\n@dramatiq.actor\ndef bill(order_id): ...\n",
        "views.py": "from jobs import bill\n\n\ndef checkout(order):\n    bill.send(order=order.id)\n",
    }

    (found,) = linted(files)

    assert (found.rule, found.path) == ("JOB202", "views.py")
