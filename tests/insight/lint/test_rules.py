"""Each rule finds its planted faults, and nothing in mended twins. The examples are imported as by a test."""

from __future__ import annotations

import pytest
from lint_pages import files_of

from pytest_jobs.insight.lint.linter import RULES
from pytest_jobs.insight.lint.pages import page_of

_CELERY = "from celery import Celery\n\napp = Celery('shop', broker='memory://')\n\n\n"
_BILL = _CELERY + "@app.task\ndef bill(order_id):\n    try:\n        invoice(order_id)\n"
_SUPPRESS = "import contextlib\n\n" + _CELERY + "@app.task\ndef bill(order_id):\n"
_SYNC = _CELERY + "@app.task\ndef sync(redis, user_id):\n    with redis.lock(f'lock:{user_id}'"
_RECEIPT = "from tasks import send_receipt\n\n\ndef checkout"
_RQ = (
    "from redis import Redis\nfrom rq import Queue\n\nqueue = Queue(connection=Redis())\n\n\n"
    "def bill(order_id): ...\n\n\ndef checkout():\n    queue.enqueue(bill, 7"
)
_HUEY = "from huey import MemoryHuey, crontab\n\nhuey = MemoryHuey()\n\n\n@huey.periodic_task"
_REPORT = _CELERY + "@app.task(name='shop.report')\ndef report(): ...\n\n\ndef later():\n"
_TASKS = {"tasks.py": _CELERY + "@app.task\ndef send_receipt(order_id: int) -> None: ...\n"}
_RECURRING = "production:\n  daily:\n    class: app.Report\n    schedule: every day at 6am\n"
#: Another application has a task of the same name, so that the module says which one is meant.
_NAMESAKES = {
    f"{module}.py": _CELERY
    + "@app.task(name='tasks.send_receipt', shared=False)\ndef send_receipt(order_id: int) -> None: ...\n"
    for module in ("tasks", "former")
}
#: Names of another package may be of another service.
_SHOP = {"shop/__init__.py": ""}

#: What the pages do not show: the rule, how both examples begin, how the bad and the good one end, and more files.
FURTHER = [
    (
        "JOB201",
        _RECEIPT,
        "(request):\n    send_receipt.delay(request.user)\n",
        "(request):\n    send_receipt.delay(request.user.pk)\n",
        _TASKS,
    ),
    (
        "JOB201",
        _RECEIPT,
        (
            "(Order):\n    for order in Order.objects.filter(paid=False):\n"
            "        send_receipt.s(order).apply_async()\n"
        ),
        (
            "(Order):\n    for order in Order.objects.values_list('pk', flat=True):\n"
            "        send_receipt.delay(order)\n"
        ),
        _TASKS,
    ),
    (
        "JOB201",
        _RECEIPT,
        "(sender, instance, **kwargs):\n    send_receipt.apply_async(kwargs={'order_id': instance})\n",
        "(sender, instance, **kwargs):\n    send_receipt.apply_async(kwargs={'order_id': instance.pk})\n",
        _TASKS,
    ),
    (
        "JOB202",
        _RECEIPT,
        "(order):\n    send_receipt.apply_async(order.id)\n",
        "(order):\n    send_receipt.apply_async((order.id,))\n    send_receipt.si(7).delay()\n",
        _TASKS,
    ),
    (
        "JOB202",
        _RECEIPT,
        "(order):\n    send_receipt.delay(order=order.id)\n",
        "(order):\n    send_receipt.delay(order_id=order.id)\n",
        _NAMESAKES,
    ),
    ("JOB202", _RQ, ", 'card', job_timeout=60)\n", ", job_timeout=60)\n", {}),
    (
        "JOB204",
        _RECEIPT,
        "(order):\n    send_receipt.delay(list(order.objects.filter(paid=False)))\n",
        "(order):\n    send_receipt.delay(list(order.objects.values_list('pk', flat=True)))\n",
        _TASKS,
    ),
    (
        "JOB205",
        _RECEIPT,
        "(session, order):\n    session.add(order)\n    send_receipt.delay(order.id)\n    session.commit()\n",
        "(session, order):\n    session.add(order)\n    session.commit()\n    send_receipt.delay(order.id)\n",
        _TASKS,
    ),
    (
        "JOB301",
        _BILL,
        "    except Exception as e:\n        report_error(e)\n        return\n",
        "    except Exception as e:\n        mark_failed(order_id, e)\n",
        {},
    ),
    (
        "JOB301",
        _SUPPRESS,
        "    with contextlib.suppress(Exception):\n        invoice(order_id)\n",
        "    invoice(order_id)\n    with contextlib.suppress(Exception):\n        clean()\n",
        {},
    ),
    (
        "JOB306",
        _SYNC,
        "):\n        pull(user_id)\n",
        ", timeout=60):\n        pull(user_id)\n",
        {},
    ),
    (
        "JOB401",
        _CELERY,
        "@app.task(autoretry_for=(OSError,), default_retry_delay=0)\ndef push(id): ...\n",
        "@app.task(autoretry_for=(OSError,), retry_backoff=True)\ndef push(id): ...\n",
        {},
    ),
    (
        "JOB403",
        _CELERY,
        (
            "@app.task(bind=True, autoretry_for=(OSError,), retry_backoff=True)\n"
            "def push(self, id):\n    if not send(id):\n        raise self.retry()\n"
        ),
        (
            "@app.task(bind=True, retry_backoff=3)\n"
            "def push(self, id):\n    try:\n        send(id)\n    except OSError as error:\n"
            "        raise self.retry(countdown=self.retry_backoff * 2**self.request.retries)\n"
        ),
        {},
    ),
    (
        "JOB501",
        "from pytest_jobs import Job\n\n\n",
        "class Reports(Job):\n    def perform(self) -> None: ...\n",
        "class Report(Job):\n    def perform(self) -> None: ...\n",
        {"config/recurring.yml": _RECURRING},
    ),
    (
        "JOB502",
        _HUEY,
        "(crontab(minute='0', hour='3'))\ndef report(kind): ...\n",
        "(crontab(minute='0', hour='3'))\ndef report(kind='daily'): ...\n",
        {},
    ),
    (
        "JOB504",
        _HUEY,
        "(crontab(hour='3'))\ndef report(): ...\n",
        "(crontab(minute='0', hour='3'))\ndef report(): ...\n",
        {},
    ),
    (
        "JOB509",
        _REPORT,
        "    app.send_task('shop.reports')\n",
        "    app.send_task('shop.report')\n",
        _SHOP,
    ),
]
EXAMPLES = [
    pytest.param(page.id, page.bad, page.good, {**_SHOP, **files_of(page.id)}, id=page.id)
    for page in (page_of(rule.id) for rule in RULES if rule.check is not None)
] + [
    pytest.param(rule_id, head + bad, head + good, files, id=f"{rule_id}-further{number}")
    for number, (rule_id, head, bad, good, files) in enumerate(FURTHER)
]


@pytest.mark.parametrize(("rule_id", "bad", "good", "files"), EXAMPLES)
def test_a_planted_fault_is_found_by_its_rule_and_by_no_other(rule_id, bad, good, files, linted):
    found = linted({**files, "app.py": bad})

    assert {one.rule for one in found} == {rule_id}
    assert linted({**files, "app.py": good}) == []


def test_there_are_rules_in_each_group_with_stable_ids():
    ids = [rule.id for rule in RULES]

    assert ids == sorted(set(ids))
    assert {one[:4] for one in ids} == {"JOB1", "JOB2", "JOB3", "JOB4", "JOB5"}
