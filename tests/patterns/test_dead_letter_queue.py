"""The seed's pattern *Dead Letter Queue*: a job that is given up is kept, and somebody is told."""

import pytest

from pytest_jobs import Job, after_discard, retry_on


class FailedJob:
    """The seed's table of jobs for manual review."""

    rows: "list[dict]" = []  # noqa: RUF012

    @classmethod
    def create(cls, **row):
        cls.rows.append(row)


class Chat:
    said: "list[str]" = []  # noqa: RUF012
    is_down = False

    @classmethod
    def notify(cls, text):
        if cls.is_down:
            raise ConnectionError("chat is down")
        cls.said.append(text)


@retry_on(Exception, wait=3, attempts=5)
class Reliable(Job):
    """The seed's job: one block that writes the row and tells the team."""

    @after_discard
    def bury(self, error):
        FailedJob.create(
            job_class=type(self).__name__,
            arguments=self.params,
            error_class=type(error).__name__,
            error_message=str(error),
        )
        Chat.notify(f"Job failed: {type(self).__name__} - {error}")

    def perform(self, order_id): ...


class ReliableTellingFirst(Reliable):
    """The same in another order, where the team is not told for want of a row, but the row for want of a chat."""

    @after_discard
    def bury(self, error):
        Chat.notify(f"Job failed: {type(self).__name__} - {error}")
        FailedJob.create(job_class=type(self).__name__)


@retry_on(Exception, wait=3, attempts=5)
class ReliableInTwo(Job):
    """Each has a method of its own, and neither waits for the other."""

    @after_discard
    def tell(self, error):
        Chat.notify(f"Job failed: {type(self).__name__} - {error}")

    @after_discard
    def keep(self, error):
        FailedJob.create(job_class=type(self).__name__)

    def perform(self, order_id): ...


@pytest.fixture(autouse=True)
def _nothing_yet(monkeypatch):
    FailedJob.rows.clear()
    Chat.said.clear()
    monkeypatch.setattr(Chat, "is_down", False)


@pytest.fixture
def give_up(jobs):
    """Return a function that lets a job fail five times."""

    def give_up(job):
        with jobs.fail(job, raising=ValueError("no such order")):
            job.perform_later(7)
            jobs.drain(raise_errors=False)
        return jobs.dead[-1]

    return give_up


def test_a_job_that_is_given_up_is_written_down_and_told_once(give_up):
    give_up(Reliable)

    assert FailedJob.rows == [
        {
            "job_class": "Reliable",
            "arguments": {"order_id": 7},
            "error_class": "ValueError",
            "error_message": "no such order",
        }
    ]
    assert Chat.said == ["Job failed: Reliable - no such order"]


def test_neither_happens_while_it_is_tried_again(jobs):
    jobs.fail(Reliable, raising=ValueError, on=[1, 2, 3, 4])
    Reliable.perform_later(7)
    jobs.drain()

    assert (FailedJob.rows, Chat.said, jobs.dead) == ([], [], [])
    assert len(jobs.retried) == 4


def test_the_harness_keeps_it_too_with_all_that_the_row_has(give_up):
    letter = give_up(Reliable)

    assert (letter.status, letter.record.attempt, letter.aftermath) == ("exhausted", 5, ("bury",))
    assert (letter.record.name, letter.record.args) == (f"{__name__}.Reliable", (7,))
    assert str(letter.error) == "no such order"


def test_a_team_that_cannot_be_told_first_costs_the_row(jobs, give_up, monkeypatch):
    monkeypatch.setattr(Chat, "is_down", True)
    letter = give_up(ReliableTellingFirst)

    assert FailedJob.rows == []
    assert isinstance(letter.error, ConnectionError)


def test_with_a_method_for_each_it_does_not(jobs, give_up, monkeypatch):
    monkeypatch.setattr(Chat, "is_down", True)
    letter = give_up(ReliableInTwo)

    assert FailedJob.rows == [{"job_class": "ReliableInTwo"}]
    assert letter.aftermath == ("tell", "keep")


def test_when_the_reason_is_gone_it_is_sent_once_more(jobs, give_up):
    letter = give_up(Reliable)
    jobs.redrive(letter)

    assert jobs.drain() == {"performed": 1}
    assert jobs.dead == []
