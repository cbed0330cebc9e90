"""Jobs that were given up are kept, may be sent again, and outlive neither their size nor their age."""

from datetime import timedelta

import pytest

from pytest_jobs import Job, Payload, after_discard, discard_on, retry_on
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import CriterionError, NotDeadError, UnknownJobError, WaitError


@retry_on(ConnectionError, wait=60, attempts=3, then=lambda job, error: job.ran.append("then"))
@discard_on(KeyError)
class Send(Job):
    queue = "mailers"
    down = True
    ran = []  # noqa: RUF012

    def perform(self, number):
        if self.down:
            raise ConnectionError(number)
        self.ran.append(number)


class Fail(Job):
    def perform(self, number):
        raise ValueError(number)


@pytest.fixture(autouse=True)
def _down(monkeypatch):
    monkeypatch.setattr(Send, "ran", [])
    monkeypatch.setattr(Send, "down", True)


@pytest.fixture
def dead(jobs):
    """Return the dead letter of a job that had three attempts."""
    Send.perform_later(1)
    jobs.drain()
    return jobs.dead[0]


def test_a_redriven_job_begins_anew_with_its_payload(jobs, dead, monkeypatch):
    assert (dead.status, dead.record.attempt) == ("exhausted", 3)
    assert repr(dead.error) == "ConnectionError(1)"
    assert dead.record.payload.arguments == "[[1],{}]"
    again = jobs.redrive(dead)

    assert (again.job_id, again.attempt, again.args) == (dead.record.job_id, 1, (1,))
    assert again.payload.failures is None
    assert len(jobs.enqueued) == 1
    monkeypatch.setattr(Send, "down", False)
    assert jobs.drain() == {"performed": 1}
    assert Send.ran == ["then", 1]


def test_a_redriven_job_is_dead_no_more_until_it_dies_again(jobs, dead):
    jobs.redrive(dead)
    assert jobs.dead == []

    assert jobs.drain() == {"retried": 2, "exhausted": 1}
    assert [letter.record.attempt for letter in jobs.dead] == [3]
    assert jobs.dead[0] is not dead
    assert dead in jobs.deliveries


def test_a_job_is_redriven_from_the_start_by_any_record_of_it_also_when_it_died_again(jobs, dead):
    first = jobs.enqueued[0]
    for record in [delivery.record for delivery in jobs.deliveries]:
        again = jobs.redrive(record)
        assert (again.payload, again.attempt) == (first.payload, 1)
        jobs.drain()
    copy = jobs.redeliver(dead.record)
    jobs.perform(copy)
    assert jobs.redrive(copy).payload is first.payload


def test_of_a_job_that_was_enqueued_twice_each_is_redriven_with_its_own_arguments(jobs):
    job = Send.new(1).enqueue()
    job.args = (2,)
    job.enqueue()
    jobs.drain()

    assert [jobs.redrive(record).args for record in jobs.enqueued] == [(1,), (2,)]


def test_a_retry_whose_failure_is_not_known_is_redriven_by_the_record_before_it(jobs):
    Fail.perform_later(1)
    first = jobs.enqueued[0].payload
    jobs.drain(raise_errors=False)
    later = Payload(Fail, first.name, first.job_id, "low", None, "[[1],{}]", 2, None, 0, None)
    settings.adapter.enqueue(later)
    jobs.drain(raise_errors=False)

    assert jobs.redrive(jobs.dead[1]).payload is first


def test_a_job_that_came_in_at_a_later_attempt_is_redriven_from_there(jobs):
    settings.adapter.enqueue(
        Payload(Fail, "Fail", "an-id", "low", None, "[[1],{}]", 4, None, 0, None)
    )
    jobs.drain(raise_errors=False)

    assert jobs.redrive(jobs.dead[0]).attempt == 4


def test_all_are_redriven_in_the_order_in_which_they_died(jobs):
    for number in (1, 2):
        Fail.perform_later(number)
    jobs.drain(raise_errors=False)

    assert [record.args for record in jobs.redrive_all()] == [(1,), (2,)]
    assert jobs.dead == []
    assert jobs.redrive_all() == ()


def test_what_was_redriven_lives_or_is_no_letter_is_not_redriven(jobs, dead):
    jobs.redrive(dead)

    with pytest.raises(NotDeadError) as caught:
        jobs.redrive(dead)
    assert str(caught.value) == (
        f"{dead!r} is not in jobs.dead, so it cannot be redriven: it was redriven already, it outlived the "
        "limits of jobs.limit_dead(), or the job was not given up. To deliver a payload again whatever "
        "became of it, write jobs.redeliver(record)."
    )
    with pytest.raises(NotDeadError):
        jobs.redrive(jobs.pending[0])
    jobs.perform_due()
    with pytest.raises(NotDeadError):
        jobs.redrive(jobs.deliveries[-1])
    with pytest.raises(CriterionError) as refused:
        jobs.redrive(Send)
    assert str(refused.value) == (
        f"jobs.redrive({Send!r}) is given no dead letter: pass a delivery, such as jobs.dead[0], or its record."
    )


def test_the_payload_of_a_vanished_class_is_kept_and_can_be_redriven(jobs):
    name = f"{__name__}.Returned"
    payload = Payload(None, name, "an-id", "low", None, "[[7],{}]", 1, None, 0, None)
    settings.adapter.enqueue(payload)
    jobs.drain(raise_errors=False)
    (letter,) = jobs.dead

    assert letter.record.payload is payload
    assert type(letter.error) is UnknownJobError

    returned = type("Returned", (Send,), {"__module__": __name__, "down": False})
    jobs.redrive(letter)
    assert jobs.drain() == {"performed": 1}
    assert jobs.deliveries[-1].record.job is returned
    assert Send.ran == [7]


def fail(jobs, *numbers):
    for number in numbers:
        Fail.perform_later(number)
    jobs.drain(raise_errors=False)


def numbers(jobs):
    return [letter.record.args[0] for letter in jobs.dead]


def test_beyond_the_size_the_oldest_go_for_good(jobs):
    fail(jobs, 1, 2)
    jobs.limit_dead(size=2)
    fail(jobs, 3)
    assert numbers(jobs) == [2, 3]

    jobs.redrive(jobs.dead[0])
    assert numbers(jobs) == [3]
    jobs.limit_dead()
    assert numbers(jobs) == [3]
    assert len(jobs.failed) == 3


def test_beyond_their_age_they_go_and_cannot_be_redriven(jobs, noon):
    jobs.limit_dead(age=timedelta(days=180))
    fail(jobs, 1)
    letter = jobs.dead[0]
    jobs.clock.advance(timedelta(days=100))
    fail(jobs, 2)

    jobs.clock.advance(timedelta(days=80) - timedelta(microseconds=1))
    assert numbers(jobs) == [1, 2]
    jobs.clock.advance(timedelta(microseconds=1))
    assert numbers(jobs) == [2]
    with pytest.raises(NotDeadError):
        jobs.redrive(letter)


def test_a_size_or_an_age_that_is_none_is_refused(jobs):
    for size in (0, True, 1.5):
        with pytest.raises(CriterionError) as caught:
            jobs.limit_dead(size=size)
        assert str(caught.value) == (
            f"jobs.limit_dead(size={size!r}) is not a number of dead letters: write an int of at least 1, or None "
            "for no limit."
        )
    with pytest.raises(WaitError, match="age is -1"):
        jobs.limit_dead(age=-1)


def test_the_aftermath_names_what_ran_because_the_job_was_given_up(jobs):
    def tell_sender(job, error): ...

    @retry_on(ConnectionError, attempts=1, then=tell_sender)
    @discard_on(KeyError, then=tell_sender)
    class Told(Send):
        @after_discard
        def tell_admin(self, error): ...

        @after_discard
        def clean_up(self, error): ...

    for error in (ConnectionError, KeyError, ValueError):
        with jobs.fail(Told, raising=error):
            Told.perform_later(1)
            jobs.drain(raise_errors=False)

    assert [(letter.status, letter.aftermath) for letter in jobs.dead] == [
        ("exhausted", ("tell_sender", "tell_admin", "clean_up")),
        ("discarded", ("tell_sender", "tell_admin", "clean_up")),
        ("failed", ("tell_admin", "clean_up")),
    ]


def test_the_aftermath_names_what_raised_too(jobs):
    class Noisy(Fail):
        @after_discard
        def shout(self, error):
            raise LookupError("shout")

        @after_discard
        def whisper(self, error): ...

    Noisy.perform_later(1)
    jobs.drain(raise_errors=False)

    assert (jobs.dead[0].status, jobs.dead[0].aftermath) == ("failed", ("shout", "whisper"))


def test_there_is_no_aftermath_while_a_job_lives(jobs, monkeypatch):
    Send.perform_later(1)
    jobs.perform_due()
    monkeypatch.setattr(Send, "down", False)
    jobs.drain()

    assert [delivery.aftermath for delivery in jobs.deliveries] == [(), ()]
