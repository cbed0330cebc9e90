"""Messages of Celery are recorded, and read by the tasks of later."""

import json
from datetime import UTC, datetime

import pytest

from pytest_jobs import check_payloads, open_jobs
from pytest_jobs.errors import IncompatiblePayload, PayloadError


def send_receipt(order_id, at=None):
    return order_id


def send_less(order_id):
    return order_id


def fail(order_id, at=None):
    raise LookupError(order_id)


def declare(app, function):
    app.tasks.pop("shop.send_receipt", None)
    return app.task(name="shop.send_receipt")(function)


@pytest.fixture
def recorded(app, tmp_path):
    task = declare(app, send_receipt)
    with open_jobs(apps=[app]) as jobs:
        task.apply_async((7,), {"at": datetime(2030, 1, 1, tzinfo=UTC)}, queue="mail", priority=3)
        (path,) = jobs.record_payloads(tmp_path)
    return path


@pytest.fixture
def refused(app):
    def refused(path):
        with pytest.raises(IncompatiblePayload) as raised:
            check_payloads(path.parent, apps=[app], perform=True)
        return str(raised.value)

    return refused


def test_what_a_file_holds(recorded):
    assert json.loads(recorded.read_text("ascii")) == {
        "format": 1,
        "library": "celery",
        "job": "shop.send_receipt",
        "parameters": ["order_id"],
        "payload": {
            "task": "shop.send_receipt",
            "args": [7],
            "kwargs": {"at": {"__type__": "datetime", "__value__": "2030-01-01T00:00:00+00:00"}},
            "queue": "mail",
            "priority": 3,
        },
    }


def test_a_message_is_performed_by_the_task_of_its_name_also_that_of_an_open_harness(
    app, recorded, jobs
):
    assert check_payloads(recorded.parent, apps=[app], perform=True) == (recorded,)
    assert check_payloads(recorded.parent, perform=True) == (recorded,)
    assert len(jobs.enqueued) == len(jobs.deliveries) == 0


def test_a_task_that_takes_less_fails_or_is_gone(app, recorded, refused):
    declare(app, send_less)
    assert "go on accepting `at` until no job with it can be waiting." in refused(recorded)

    declare(app, fail)
    assert "The delivery ended as failed, LookupError: 7" in refused(recorded)

    app.tasks.pop("shop.send_receipt")
    assert refused(recorded).splitlines()[4:] == [
        "  failed at: finding the job",
        "  because:   No job has this name any more.",
        (
            "  to do:     register the task under its old name 'shop.send_receipt' as well, until no such "
            "job can be waiting."
        ),
    ]


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ({"serializer": "pickle"}, "as application/x-python-serialize"),
        ({"compression": "gzip"}, "compressed"),
    ],
)
def test_what_is_no_plain_json_is_refused(app, jobs, tmp_path, options, how):
    declare(app, send_less).apply_async((7,), **options)
    with pytest.raises(PayloadError) as raised:
        jobs.record_payloads(tmp_path)

    assert str(raised.value) == (
        f"A message of shop.send_receipt is written {how}, and only those in plain JSON can be recorded: send it "
        "with serializer='json' and without compression."
    )


def test_the_steps_of_a_chain_are_recorded_as_they_come(app, jobs, tmp_path):
    last = app.task(name="shop.last")(send_less)
    (declare(app, send_receipt).s(1) | last.s()).apply_async()
    jobs.drain()

    names = [path.name.rpartition("-")[0] for path in jobs.record_payloads(tmp_path)]

    assert names == ["shop.last", "shop.send_receipt"]
    assert len(check_payloads(tmp_path, perform=True)) == 2
