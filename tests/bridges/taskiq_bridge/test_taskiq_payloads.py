"""Messages of Taskiq are recorded, and read by the tasks of later."""

import json

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

from taskiq.abc.serializer import TaskiqSerializer

from pytest_jobs import check_payloads
from pytest_jobs.errors import IncompatiblePayload, PayloadError


async def send_receipt(order_id: int, copy: bool = False) -> int:
    return order_id


class Reversed(TaskiqSerializer):
    def dumpb(self, value):
        return json.dumps(value).encode()[::-1]

    def loadb(self, value):
        return json.loads(value[::-1])


@pytest.fixture
def recorded(broker, jobs, run, tmp_path):
    task = broker.task("shop.send_receipt", queue_name="mail")(send_receipt)
    run(task.kicker().with_labels(delay=60).kiq(7, copy=True))
    (path,) = jobs.record_payloads(tmp_path)
    return path


def refused(folder):
    with pytest.raises(IncompatiblePayload) as raised:
        check_payloads(folder, perform=True)
    return str(raised.value)


def test_what_a_file_holds(recorded):
    content = json.loads(recorded.read_text("ascii"))

    assert (content["library"], content["job"]) == ("taskiq", "shop.send_receipt")
    assert content["parameters"] == ["order_id"]
    assert content["payload"]["task_id"] == "recorded"
    assert content["payload"]["labels"] == {"queue_name": "mail"}
    assert (content["payload"]["args"], content["payload"]["kwargs"]) == ([7], {"copy": True})


def test_a_message_is_performed_by_the_task_of_its_name(recorded, jobs):
    assert check_payloads(recorded.parent, perform=True) == (recorded,)
    assert len(jobs.deliveries) == 0


def test_a_task_that_is_gone(broker, recorded):
    del broker.local_task_registry["shop.send_receipt"]

    assert "  because:   No job has this name any more.\n" in refused(recorded.parent)


def test_what_is_no_json_is_refused(make_broker, open_over, run, tmp_path):
    broker = make_broker().with_serializer(Reversed())
    task = broker.task("shop.send_receipt")(send_receipt)
    with open_over(broker) as jobs:
        run(task.kiq(7))
        with pytest.raises(PayloadError) as raised:
            jobs.record_payloads(tmp_path)

    assert str(raised.value) == (
        "A message of shop.send_receipt cannot be recorded, since the formatter of its broker does not write it "
        "as an object of JSON: take the formatter and the serializer of Taskiq in tests."
    )
