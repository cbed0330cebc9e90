"""The seed's pattern *Dynamic Queue Selection*: the arguments say in which queue a job waits."""

from datetime import timedelta

import pytest

from pytest_jobs import Job, reference, retry_on
from pytest_jobs.errors import DeclarationError


@reference(id="id", find="find")
class User:
    stored: "dict[int, User]" = {}  # noqa: RUF012
    looked_up: "list[int]" = []  # noqa: RUF012

    def __init__(self, id, *, premium):
        self.id = id
        self.premium = premium
        self.stored[id] = self

    @classmethod
    def find(cls, id):
        cls.looked_up.append(id)
        return cls.stored.get(id)


@retry_on(ConnectionError, wait=60, attempts=3)
class Notify(Job):
    """The seed's job: `queue_as { arguments.first.premium? ? :high_priority : :default }`."""

    queue = lambda user, message: "high_priority" if user.premium else "default"  # noqa: E731

    def perform(self, user: User, message: str) -> str:
        return f"{message} to {user.id}"


class NotifyById(Job):
    """With an id the record is looked up when the job is enqueued."""

    @staticmethod
    def queue(user_id: int, message: str) -> str:
        user = User.find(user_id)
        return "high_priority" if user.premium else "default"

    def perform(self, user_id: int, message: str) -> None: ...


class NotifyNowhere(Job):
    """A branch without a queue, where the seed's block would answer nil."""

    queue = lambda user, message: "high_priority" if user.premium else None  # noqa: E731

    def perform(self, user: User, message: str) -> None: ...


@pytest.fixture(autouse=True)
def _users():
    User.stored.clear()
    User.looked_up.clear()
    User(1, premium=True)
    User(2, premium=False)


def test_each_job_waits_in_the_queue_of_its_user_however_arguments_are_passed(
    jobs, assert_enqueued
):
    for user in User.stored.values():
        Notify.perform_later(user, "hello")
    Notify.perform_later(user=User.stored[1], message="named")

    assert_enqueued(
        Notify, params={"user": User.stored[1], "message": "hello"}, queue="high_priority"
    )
    assert_enqueued(Notify, params={"user": User.stored[2]}, queue="default")
    assert jobs.drain(queue="high_priority") == {"performed": 2}


def test_it_is_asked_once_and_a_retry_stays_where_it_was(jobs):
    jobs.fail(Notify, raising=ConnectionError, times=1)
    Notify.perform_later(User.stored[1], "hello")
    User(1, premium=False)
    jobs.perform_due()

    assert jobs.pending[0].queue == "high_priority"
    assert jobs.pending[0].wait == timedelta(minutes=1)


def test_an_id_is_looked_up_where_it_is_enqueued_unless_the_queue_is_set(jobs):
    NotifyById.set(queue="bulk").perform_later(1, "hello")
    assert (jobs.enqueued[0].queue, User.looked_up) == ("bulk", [])

    NotifyById.perform_later(1, "hello")
    assert (jobs.enqueued[1].queue, User.looked_up) == ("high_priority", [1])


def test_an_answer_that_is_no_queue_is_refused_and_nothing_is_enqueued(jobs):
    with pytest.raises(DeclarationError, match="queue") as caught:
        NotifyNowhere.perform_later(User.stored[2], "hello")

    assert "None" in str(caught.value)
    assert jobs.enqueued == []
