"""Code that looks like a fault and is none: each of these was an alarm once, most of them on a public project."""

from __future__ import annotations

import pytest

_CELERY = "from celery import Celery\n\napp = Celery('shop', broker='memory://')\n\n\n"
_MAIL = _CELERY + "@app.task(bind=True)\ndef mail(self, user, text='hello'): ...\n\n\n"
_STORE = (
    "from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore\n"
    "from apscheduler.schedulers.background import BackgroundScheduler\n\n"
    "scheduler = BackgroundScheduler()\n\n\ndef remind(): ...\n\n\ndef main(**options):\n"
)
_RQ = "from redis import Redis\nfrom rq import Queue\nfrom rq.decorators import job\n\n"

PLAIN = {
    "signatures with arguments of their own": _MAIL
    + "def later():\n    mail.s(7).delay()\n    mail.si(7).apply_async()\n    mail.signature((7,)).delay()\n"
    "    sig = mail.s(7)\n    sig.delay()\n    mail.s(text='x').apply_async((7,))\n",
    "options of RQ beside the arguments of delay": _RQ
    + "@job('mail', connection=Redis())\ndef charge(number): ...\n\n\n"
    "def later():\n    charge.delay(7, depends_on='other', job_id='charge-7', at_front=True)\n",
    "a method that has the name of one of arq": _RQ
    + "def work(number): ...\n\n\ndef start(app):\n    app.queues['x'].enqueue_job(work)\n",
    "a backoff that the body reads": _CELERY
    + "@app.task(bind=True, retry_backoff=3)\ndef refund(self, id):\n    try:\n        pay(id)\n"
    "    except OSError as e:\n"
    "        raise self.retry(exc=e, countdown=self.retry_backoff * 2**self.request.retries)\n",
    "a guarded clean-up at the end of a job": _CELERY
    + "@app.task\ndef clean(id):\n    rows = find(id)\n    remove(rows)\n    try:\n        release_lock(id)\n"
    "    except Exception:\n        log.exception('not released')\n",
    "one error of many": _CELERY
    + "@app.task\ndef clean(ids):\n    for id in ids:\n        try:\n            remove(id)\n"
    "        except Exception:\n            log.exception('not removed')\n",
    "an error that is written down": _CELERY
    + "@app.task\ndef count(ids):\n    try:\n        return total(ids)\n    except Exception:\n"
    "        mark_failed(ids)\n",
    "an error that asks for a retry": _CELERY
    + "@app.task(bind=True)\ndef count(self, ids):\n    try:\n        return total(ids)\n"
    "    except Exception as e:\n        self.retry(exc=e)\n",
    "a transaction of another database": "from django.db import transaction\n\n"
    + _MAIL
    + "def later(user):\n    with transaction.atomic(using='replica'):\n        mail.delay(7)\n",
    "values instead of records": _MAIL
    + "def later(Order):\n    for pk in Order.objects.values_list('pk', flat=True):\n        mail.delay(pk)\n"
    "    row = Order.objects.values('pk').first()\n    mail.delay(row)\n",
    "an id that may come from elsewhere": _STORE
    + "    store = SQLAlchemyJobStore('sqlite:///jobs.db')\n"
    "    scheduler.add_job(remind, 'interval', hours=1, **options)\n",
    "a wait that comes from elsewhere": "from huey import MemoryHuey\n\nhuey = MemoryHuey()\n"
    "WAITS = {'retry_delay': 9}\n\n\n@huey.task(retries=3, **WAITS)\ndef note(text): ...\n",
    "a sleep in a job that is not a coroutine": "import time\n\n"
    + _CELERY
    + "@app.task\ndef wait():\n    time.sleep(1)\n",
    "an escape that Python warns of": _CELERY + "pattern = '\\\\d'\n",
    "a crontab of every minute on purpose": "from celery.schedules import crontab\n\nevery_minute = crontab()\n",
    "the task of another service": _MAIL
    + "def later():\n    app.send_task('billing.tasks.pay', (7,))\n",
    "a wrapper that fills in an argument": "import functools\n\n"
    + _CELERY
    + "def traced(function):\n    @functools.wraps(function)\n    def inner(*args, **kwargs):\n"
    "        return function(*args, span=1, **kwargs)\n\n    return inner\n\n\n"
    "@app.task\n@traced\ndef mail(user, span): ...\n\n\ndef later():\n    mail.delay(7)\n",
    "a task of Taskiq that takes whatever comes": "from taskiq import InMemoryBroker\n\n"
    "broker = InMemoryBroker()\n\n\n"
    "@broker.task\nasync def note(*texts, **more): ...\n\n\nasync def later():\n    await note.kiq('a', b=1)\n",
    "an enqueue that waits for the commit by itself": "from django.db import transaction\n\n"
    "from celery import Celery, Task\n\n\nclass OnCommit(Task):\n    def apply_async(self, *args, **kwargs):\n"
    "        transaction.on_commit(lambda: super().apply_async(*args, **kwargs))\n\n\n"
    "app = Celery('shop', broker='memory://', task_cls=OnCommit)\n\n\n@app.task\ndef mail(user): ...\n\n\n"
    "@transaction.atomic\ndef later():\n    mail.delay(7)\n",
}


@pytest.mark.parametrize("text", [*PLAIN.values()], ids=[*PLAIN])
def test_nothing_is_found(linted, text):
    assert linted(text) == []


def test_a_call_of_a_job_is_found_in_a_file_that_does_not_name_the_library(linted):
    files = {
        "jobs.py": _CELERY + "@app.task\ndef bill(order_id): ...\n",
        "views.py": "from jobs import bill\n\n\ndef checkout(order):\n    bill.delay(order=order.id)\n",
    }

    (found,) = linted(files)

    assert (found.rule, found.path) == ("JOB202", "views.py")
