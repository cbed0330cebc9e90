"""Clients of message brokers are let through, and an assertion of nothing at all names what they have sent."""

import asyncio
import contextlib
import importlib

import pytest

from pytest_jobs import assert_enqueued, assert_not_enqueued, assert_not_performed, job, open_jobs
from pytest_jobs.bridges.libraries.clients import CLIENTS
from pytest_jobs.bridges.libraries.refusals import methods_at


@job
def pay(number):
    """Do nothing."""


def by_kombu():
    kombu = pytest.importorskip("kombu")
    with kombu.Connection("memory://") as connection:
        queue = connection.SimpleQueue("mail")
        queue.put({"number": 7})
        assert queue.qsize() == 1
        queue.clear()
        queue.close()


def by_sqs():
    boto3, stub = pytest.importorskip("boto3"), pytest.importorskip("botocore.stub")
    sqs = boto3.client(
        "sqs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with stub.Stubber(sqs) as stubber:
        stubber.add_response("get_queue_url", {"QueueUrl": "https://queue"})
        stubber.add_response("send_message", {"MessageId": "1", "MD5OfMessageBody": "x"})
        url = sqs.get_queue_url(QueueName="mail")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="7")


def by_pika():
    channel = pytest.importorskip("pika.channel").Channel
    # Of no connection.
    with contextlib.suppress(AttributeError):
        channel.__new__(channel).basic_publish("", "mail", b"7")


def by_aio_pika():
    exchange = pytest.importorskip("aio_pika.exchange").Exchange

    async def send():
        with contextlib.suppress(AttributeError):
            await exchange.__new__(exchange).publish(b"7", "mail")

    asyncio.run(send())


SENT = {
    by_kombu: r"Producer\.publish\(\.\.\.\) of kombu at .*test_message_clients\.py:\d+",
    by_sqs: r"SQS\._make_api_call\('SendMessage', \.\.\.\) of botocore at .*test_message_clients\.py:\d+",
    by_pika: r"Channel\.basic_publish\(\.\.\.\) of pika at .*test_message_clients\.py:\d+",
    by_aio_pika: r"Exchange\.publish\(\.\.\.\) of aio-pika at .*test_message_clients\.py:\d+",
}


@pytest.mark.parametrize("send", SENT, ids=lambda send: send.__name__)
def test_what_a_client_sends_is_named_where_nothing_at_all_is_expected(send):
    with open_jobs():
        send()
        assert_not_enqueued(pay)
        assert_not_performed()
        with pytest.raises(
            AssertionError,
            match=r"assert_not_enqueued\(\) found no job, but a message was sent by "
            rf"{SENT[send]}, and nobody sees whether that is one"
            r"\.\nNext: name the job that is meant, as in assert_not_enqueued\(Pay\)",
        ):
            assert_not_enqueued()


def test_a_client_that_only_reads_sends_nothing():
    boto3, stub = pytest.importorskip("boto3"), pytest.importorskip("botocore.stub")
    sqs = boto3.client(
        "sqs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with open_jobs(), stub.Stubber(sqs) as stubber:
        stubber.add_response("get_queue_url", {"QueueUrl": "https://queue"})
        sqs.get_queue_url(QueueName="mail")
        assert_not_enqueued()


def test_another_harness_begins_without_what_was_sent():
    with open_jobs():
        by_kombu()
    with open_jobs():
        assert_not_enqueued()
        pay.perform_later(7)
        assert_enqueued(pay)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("module", CLIENTS)
def test_each_client_has_the_methods_that_are_watched(module):
    try:
        importlib.import_module(module)
    except ImportError:
        pytest.skip(f"{module} is not installed")
    client = CLIENTS[module]
    assert len(list(methods_at(client.sends))) == len(client.sends)
