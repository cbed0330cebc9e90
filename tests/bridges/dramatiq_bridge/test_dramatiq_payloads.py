"""Messages of Dramatiq are recorded, and read by the actors of later."""

import json

import pytest

pytest.importorskip("dramatiq")

import dramatiq

from pytest_jobs import check_payloads
from pytest_jobs.errors import IncompatiblePayload, PayloadError


def send_receipt(order_id: int, copy: bool = False) -> int:
    return order_id


@pytest.fixture
def recorded(actor, jobs, tmp_path):
    receipt = actor(send_receipt, actor_name="shop.send_receipt", queue_name="mail")
    receipt.send_with_options(args=(7,), kwargs={"copy": True}, delay=60_000, tenant="a")
    (path,) = jobs.record_payloads(tmp_path)
    return path


def refused(folder):
    with pytest.raises(IncompatiblePayload) as raised:
        check_payloads(folder, perform=True)
    return str(raised.value)


def test_what_a_file_holds(recorded):
    content = json.loads(recorded.read_text("ascii"))

    assert (content["library"], content["job"]) == ("dramatiq", "shop.send_receipt")
    assert content["parameters"] == ["order_id"]
    assert content["payload"] == {
        "queue_name": "mail",
        "actor_name": "shop.send_receipt",
        "args": [7],
        "kwargs": {"copy": True},
        "options": {"tenant": "a"},
    }


def test_a_message_is_performed_by_the_actor_of_its_name(recorded, jobs):
    assert check_payloads(recorded.parent, perform=True) == (recorded,)
    assert len(jobs.deliveries) == 0


def test_an_actor_that_is_gone(broker, recorded):
    del broker.actors["shop.send_receipt"]

    assert "  because:   No job has this name any more.\n" in refused(recorded.parent)


def test_what_is_no_json_is_refused(actor, jobs, tmp_path):
    before = dramatiq.get_encoder()
    dramatiq.set_encoder(dramatiq.PickleEncoder())
    try:
        actor(send_receipt).send(7)
        with pytest.raises(PayloadError, match="the encoder of Dramatiq does not write JSON"):
            jobs.record_payloads(tmp_path)
    finally:
        dramatiq.set_encoder(before)
