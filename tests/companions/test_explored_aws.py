"""Clients of AWS, with moto, a Stubber or a server of the test behind them: their operations are acts."""

from __future__ import annotations

import functools
from contextlib import contextmanager

import pytest

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, ExplorationError, PoisonJob

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto")

db: dict[str, object] = {}


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@functools.cache
def client(service):
    """Make a client once, which takes long. moto answers those that were made after its import."""
    return boto3.client(service, region_name="us-east-1")


def once(do):
    if not db.get("done"):
        do()
        db["done"] = True


@contextmanager
def cloud():
    db.clear()
    with moto.mock_aws():
        client("s3").create_bucket(Bucket="shop")
        db["queue"] = client("sqs").create_queue(QueueName="orders")["QueueUrl"]
        attributes = {"FifoQueue": "true"}
        fifo = client("sqs").create_queue(QueueName="orders.fifo", Attributes=attributes)
        db["fifo"] = fifo["QueueUrl"]
        db["topic"] = client("sns").create_topic(Name="paid")["TopicArn"]
        client("dynamodb").create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield lambda: {"done": db.get("done")}


def send(order):
    once(lambda: client("sqs").send_message(QueueUrl=db["queue"], MessageBody=order))


def publish(order):
    once(lambda: client("sns").publish(TopicArn=db["topic"], Message=order))


def increment(order):
    once(
        lambda: client("dynamodb").update_item(
            TableName="orders",
            Key={"id": {"S": order}},
            UpdateExpression="ADD tries :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
    )


@pytest.mark.parametrize(
    ("job", "what"),
    [
        (send, r"sqs\.SendMessage"),
        (publish, r"sns\.Publish"),
        (increment, r"dynamodb\.UpdateItem"),
    ],
)
def test_what_a_service_gets_twice_is_a_duplicate(job, what):
    with pytest.raises(DuplicateEffect, match=rf"DUPLICATE {what} \[crash"):
        check_idempotent(job, args=("7",), world=cloud)


def send_by_key(order):
    client("sqs").send_message(
        QueueUrl=db["fifo"], MessageBody=order, MessageGroupId="a", MessageDeduplicationId=order
    )


def upload(order):
    client("s3").put_object(Bucket="shop", Key=f"{order}.pdf", Body=b"pdf")


def upload_a_stream(order):
    import io

    client("s3").put_object(Bucket="shop", Key=f"{order}.pdf", Body=io.BytesIO(b"pdf"))


def put_an_item(order):
    client("dynamodb").put_item(TableName="orders", Item={"id": {"S": order}})


def look_up_and_upload(order):
    there = client("s3").list_objects_v2(Bucket="shop").get("Contents", [])
    if not there:
        upload(order)


@pytest.mark.parametrize(
    "job", [send_by_key, upload, upload_a_stream, put_an_item, look_up_and_upload]
)
def test_what_may_be_repeated_is_safe(job):
    check_idempotent(job, args=("7",), world=cloud)


def test_moto_around_the_check_counts_as_well():
    def world():
        db.pop("done", None)
        yield lambda: {"done": db.get("done")}

    with moto.mock_aws():
        db["queue"] = client("sqs").create_queue(QueueName="orders")["QueueUrl"]
        with pytest.raises(DuplicateEffect, match=r"sqs\.SendMessage"):
            check_idempotent(send, args=("7",), world=world)


def test_a_stubber_counts_as_well():
    stubber_of = pytest.importorskip("botocore.stub").Stubber

    def world():
        db.clear()
        db["sns"] = sns = boto3.client("sns", region_name="us-east-1")
        with stubber_of(sns) as stubber:
            for _ in range(4):
                stubber.add_response("publish", {"MessageId": "1"})
            yield lambda: {"done": db.get("done")}

    def publish_by_the_stub(order):
        once(lambda: db["sns"].publish(TopicArn="arn:paid", Message=order))

    with pytest.raises(DuplicateEffect, match=r"sns\.Publish"):
        check_idempotent(publish_by_the_stub, args=("7",), world=world)


def test_the_client_of_a_resource_counts_as_well():
    def send_by_the_resource(order):
        queue = boto3.resource("sqs", region_name="us-east-1").Queue(db["queue"])
        once(lambda: queue.send_message(MessageBody=order))

    with pytest.raises(DuplicateEffect, match=r"sqs\.SendMessage"):
        check_idempotent(send_by_the_resource, args=("7",), world=cloud)


def test_an_operation_that_only_reads_shows_nothing():
    def look_up():
        client("s3").list_buckets()

    with pytest.raises(ExplorationError, match="changes nothing that the world shows"):
        check_idempotent(look_up, world=cloud)


def test_an_operation_that_is_awaited_is_an_effect(monkeypatch):
    session = pytest.importorskip("aiobotocore.session").get_session()
    answers = pytest.importorskip("aiobotocore.client").AioBaseClient

    async def answer(self, operation, parameters):
        return {"MessageId": "1"}

    monkeypatch.setattr(answers, "_make_api_call", answer)

    def world():
        db.clear()
        yield lambda: dict(db)

    async def publish_and_mark(order):
        if not db.get("done"):
            async with session.create_client("sns", region_name="us-east-1") as sns:
                await sns.publish(TopicArn="arn:paid", Message=order)
            db["done"] = True

    with pytest.raises(DuplicateEffect, match=r"sns\.Publish"):
        check_idempotent(publish_and_mark, args=("7",), world=world)


# Begun by the test, around the check


def archive(key):
    client("s3").copy_object(
        Bucket="shop", Key=f"old/{key}", CopySource={"Bucket": "shop", "Key": key}
    )
    client("s3").delete_object(Bucket="shop", Key=key)


def add_a_line(key):
    content = client("s3").get_object(Bucket="shop", Key=key)["Body"].read()
    client("s3").put_object(Bucket="shop", Key="copy.txt", Body=content + b"line")


@pytest.fixture
def bucket():
    with moto.mock_aws():
        client("s3").create_bucket(Bucket="shop")
        client("s3").put_object(Bucket="shop", Key="a.txt", Body=b"line")
        yield


def test_each_history_finds_what_the_test_has_put_into_a_bucket_and_so_does_the_test(bucket):
    with pytest.raises(PoisonJob, match=r"POISON NoSuchKey \[twice\]"):
        check_idempotent(archive, args=("a.txt",))

    keys = [found["Key"] for found in client("s3").list_objects_v2(Bucket="shop")["Contents"]]
    assert keys == ["a.txt"]
    assert "world: here (moto: " in str(check_idempotent(add_a_line, args=("a.txt",)))


def test_a_service_whose_content_cannot_be_copied_is_named_where_clean_runs_differ(bucket):
    queue = client("sqs").create_queue(QueueName="orders")["QueueUrl"]
    client("sqs").send_message(QueueUrl=queue, MessageBody="order 7")

    def take():
        (message,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
        handle = message["ReceiptHandle"]
        client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=handle)

    with pytest.raises(ExplorationError, match=r"(?s)is not fresh: .* has left \(sqs of moto\)"):
        check_idempotent(take)
