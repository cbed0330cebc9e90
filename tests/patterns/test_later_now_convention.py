"""The seed's pattern *The `_later`/`_now` Convention*: the record has both, and the job only calls it."""

from datetime import timedelta

import pytest

from pytest_jobs import Job, later, reference, retry_on


class Refused(ConnectionError): ...


@retry_on(ConnectionError, wait=60, attempts=3)
class WebhookJob(Job):
    queue = "webhooks"


@reference(id="id", find="find")
class Delivery:
    """The seed's model. What its `deliver` raises is noted and goes no further."""

    stored: "dict[int, Delivery]" = {}  # noqa: RUF012
    answers: "list[object]" = []  # noqa: RUF012

    def __init__(self, id, url):
        self.id = id
        self.url = url
        self.state = "new"
        self.response = None
        self.stored[id] = self

    @classmethod
    def find(cls, id):
        return cls.stored.get(id)

    @classmethod
    def create(cls, id, url):
        """Store one, and deliver it later: `after_create_commit :deliver_later`."""
        delivery = cls(id, url)
        delivery.deliver_later()
        return delivery

    def deliver(self):
        self.state = "in progress"
        try:
            self.response = self.request()
        except Exception as error:
            self.state = f"failed: {error}"
        else:
            self.state = "completed"

    deliver_later = later(deliver, base=WebhookJob)

    def request(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class RaisingDelivery(Delivery):
    """What is noted is raised as well, so that the rules of the job hear of it."""

    def deliver(self):
        self.state = "in progress"
        try:
            self.response = self.request()
        except Exception as error:
            self.state = f"failed: {error}"
            raise
        self.state = "completed"


class DeliverByHand(WebhookJob):
    """The shallow wrapper, written out as the seed does."""

    def perform(self, delivery: Delivery) -> None:
        delivery.deliver()


@pytest.fixture(autouse=True)
def _nothing_stored():
    Delivery.stored.clear()
    Delivery.answers.clear()


def test_a_record_that_is_created_is_delivered_later_and_may_be_now_without_any_job(
    jobs, assert_enqueued
):
    now = Delivery(8, "https://b.example")
    Delivery.answers.append("200 OK")
    now.deliver()
    assert (now.state, jobs.enqueued) == ("completed", [])

    delivery = Delivery.create(7, "https://a.example")
    Delivery.answers.append("200 OK")
    assert_enqueued(Delivery.deliver_later, args=(delivery,), queue="webhooks")
    assert delivery.state == "new"

    jobs.drain()
    assert (delivery.state, delivery.response) == ("completed", "200 OK")


def test_the_payload_names_the_record_and_the_job_finds_it_as_it_is_then(jobs):
    delivery = Delivery(7, "https://a.example")
    delivery.deliver_later()
    later_on = Delivery(7, "https://b.example")
    Delivery.answers.append("200 OK")
    jobs.drain()

    assert (delivery.state, later_on.state) == ("new", "completed")


def test_the_wrapper_written_by_hand_is_the_same_as_the_twin_which_takes_options(jobs):
    delivery = Delivery(7, "https://a.example")
    Delivery.answers.extend(["200 OK"] * 3)
    DeliverByHand.perform_later(delivery)
    delivery.deliver_later()
    delivery.deliver_later.set(wait=60, queue="low")()

    assert [record.queue for record in jobs.enqueued] == ["webhooks", "webhooks", "low"]
    assert [record.args for record in jobs.enqueued] == [(delivery,)] * 3
    assert jobs.enqueued[2].wait == timedelta(minutes=1)
    assert jobs.drain() == {"performed": 3}


def test_an_error_that_the_record_keeps_to_itself_is_never_retried(jobs):
    """The seed's `rescue => e; failed!`: for the job all went well."""
    delivery = Delivery.create(7, "https://a.example")
    Delivery.answers.append(Refused("refused"))
    jobs.drain()

    assert delivery.state == "failed: refused"
    assert [d.status for d in jobs.deliveries] == ["performed"]


def test_an_error_that_the_record_notes_and_raises_is_retried_by_the_rules_of_the_base(jobs):
    delivery = RaisingDelivery.create(7, "https://a.example")
    Delivery.answers.extend([Refused("refused"), "200 OK"])
    jobs.perform_due()
    assert (delivery.state, jobs.retried[0].wait) == ("failed: refused", timedelta(minutes=1))

    jobs.drain()
    assert (delivery.state, delivery.response) == ("completed", "200 OK")
