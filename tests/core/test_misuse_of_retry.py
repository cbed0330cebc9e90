"""A job asks for its next attempt once, and only while it runs."""

from __future__ import annotations

import pytest
from tables import each_row

from pytest_jobs import Job, discard_on, retry_on
from pytest_jobs.errors import DeclarationError, SignatureError


class Poll(Job):
    def perform(self):
        self.retry(wait=10)


class PollTwice(Job):
    def perform(self):
        self.retry(wait=10)
        self.retry(wait=20)


@retry_on(OSError)
class PollAndFail(Job):
    def perform(self):
        self.retry(wait=10)
        raise OSError("too bad")


def test_a_job_that_waits_in_the_queue_has_no_next_attempt(adapter):
    waiting = Poll.perform_later()

    with pytest.raises(SignatureError, match="is not being performed, so it has no next attempt"):
        waiting.retry()

    assert len(adapter.enqueued) == 1


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_job_that_has_run_has_no_next_attempt(adapter, asynchronous):
    kept = []

    class Keep(Job):
        if asynchronous:

            async def perform(self):
                kept.append(self)

        else:

            def perform(self):
                kept.append(self)

    assert adapter.perform(Keep.perform_later().payload).status == "performed"

    with pytest.raises(SignatureError, match="is not being performed, so it has no next attempt"):
        kept[0].retry()

    assert adapter.pending == []


def test_a_second_retry_is_refused_and_the_first_stands(adapter):
    execution = adapter.perform(PollTwice.perform_later().payload)

    assert execution.status == "retried"
    assert str(execution.error).endswith(
        "has asked for its next attempt already, and there is one only."
    )
    assert [payload.attempt for payload in adapter.pending] == [2]


def test_an_error_after_a_retry_is_not_retried_once_more(adapter):
    execution = adapter.perform(PollAndFail.perform_later().payload)

    assert (execution.status, str(execution.error)) == ("retried", "too bad")
    assert [payload.attempt for payload in adapter.pending] == [2]
    assert adapter.dead == []


@each_row("error", [KeyboardInterrupt, SystemExit, BaseException])
@each_row("rule", [retry_on, discard_on])
def test_a_rule_for_what_ends_the_worker_is_refused(rule, error):
    with pytest.raises(DeclarationError) as caught:
        rule(error)

    assert str(caught.value) == (
        f"{rule.__name__}({error.__name__}) would never take effect: what is not an Exception, such as "
        "KeyboardInterrupt, ends the worker and is not an error of the job. Name an Exception."
    )
