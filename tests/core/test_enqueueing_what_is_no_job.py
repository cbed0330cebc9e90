"""What cannot be enqueued or read is named, with what to write instead."""

from __future__ import annotations

import enum

import pytest

from pytest_jobs import Job, Payload, job, perform_all_later
from pytest_jobs.errors import DeserializationError, LoopLimitError, SignatureError


@job
def send():
    """Do nothing."""


class Queues(enum.StrEnum):
    MAIL = "mail"


class Mail(Job):
    queue = Queues.MAIL

    def perform(self):
        pass


class Endless(Job):
    def perform(self):
        Endless.perform_later()


@pytest.mark.parametrize("given", [send, Mail, 7])
def test_perform_all_later_takes_jobs_only(adapter, given):
    with pytest.raises(SignatureError, match=r"which is not a job yet: write `.new\(...\)` of it"):
        perform_all_later([Mail.new(), given])

    assert adapter.enqueued == []


@pytest.mark.parametrize("data", [None, [], "text", {}, {"format": 99}])
def test_what_is_no_payload_cannot_be_read(data):
    with pytest.raises(DeserializationError, match="This payload has format"):
        Payload.from_dict(data)


def test_a_queue_can_be_named_by_an_enum_of_texts(adapter):
    payload = Mail.perform_later().payload

    assert (payload.queue, type(payload.queue)) == ("mail", str)


def test_a_chain_without_end_is_stopped(adapter):
    Endless.perform_later()

    with pytest.raises(LoopLimitError, match=r"stopped after 10000 jobs; next is .*Endless"):
        adapter.perform_due()


@pytest.mark.parametrize("given", [send.new(), None, 7], ids=["a job", "none", "a number"])
def test_perform_all_later_takes_a_list(adapter, given):
    with pytest.raises(
        SignatureError, match=r"takes a list: write perform_all_later\(\[job.new\(...\), ...\]\)"
    ):
        perform_all_later(given)
