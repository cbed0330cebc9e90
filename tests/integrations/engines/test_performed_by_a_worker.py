"""A job of the core is performed by a real worker of an engine."""

import itertools

import pytest
from engine_jobs import Broken, Current, Fragile, Moving, Say, SayLater, Sync
from servers import wait_until

pytestmark = pytest.mark.usefixtures("worker")
SECOND = 1_000_000_000


def ended(engine, job, state="done"):
    wait_until(lambda: engine.state(job.job_id) == state, f"{job!r} to be {state}")


def test_a_job_is_performed_with_its_arguments_under_its_id(engine):
    job = Say.perform_later("hello")

    told = engine.hear()
    assert (told["said"], told["job_id"], told["attempt"]) == ("hello", job.job_id, 1)
    ended(engine, job)


def test_a_coroutine_job_is_performed(engine):
    job = SayLater.perform_later("later")

    assert engine.hear()["said"] == "later"
    ended(engine, job)


def test_a_model_of_sqlalchemy_is_found_and_what_the_job_does_to_it_committed(engine):
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    from engine_members import DATABASE, Base, Member
    from sqlalchemy.orm import Session

    database = sqlalchemy.create_engine(f"sqlite:///{engine.directory / DATABASE}")
    Base.metadata.create_all(database)
    with Session(database) as session:
        session.add(member := Member(id=1, name="Ann"))
        session.commit()
        job = member.rename_later("Anna")

    ended(engine, job)
    with Session(database) as session:
        assert session.get(Member, 1).name == "Anna"
    database.dispose()


def test_the_context_travels_with_a_job_and_with_its_retries(engine):
    with Current.set(tenant="acme"):
        Fragile.perform_later(1)
    Say.perform_later("without")

    told = [engine.hear() for _ in range(3)]
    assert sorted((each["said"], each["tenant"]) for each in told) == [
        ("attempt 1", "acme"),
        ("attempt 2", "acme"),
        ("without", None),
    ]


def test_a_retry_by_rule_is_the_next_attempt_of_the_same_job_and_waits(engine):
    job = Fragile.perform_later(2)

    told = [engine.hear() for _ in range(3)]
    assert [each["said"] for each in told] == ["attempt 1", "attempt 2", "attempt 3"]
    assert {each["job_id"] for each in told} == {job.job_id}
    for before, after in itertools.pairwise(told):
        assert after["at_ns"] >= after["due_ns"] >= before["at_ns"] + SECOND
    ended(engine, job)


def test_a_retry_may_go_to_another_queue(engine):
    Moving.perform_later(2)

    told = [engine.hear()["said"] for _ in range(3)]
    assert told == ["attempt 1 in default", "attempt 2 in low", "attempt 3 in low"]


def test_a_scheduled_job_does_not_come_early(engine):
    job = Say.set(wait=1.3).perform_later("scheduled")

    told = engine.hear()
    assert told["job_id"] == job.job_id
    assert told["at_ns"] >= told["due_ns"] == job.payload.due_ns


def test_an_error_that_no_rule_knows_is_a_failure_of_the_engine(engine):
    job = Broken.perform_later()

    assert engine.hear()["said"] == "broken"
    ended(engine, job, "failed")
    assert "ValueError: no rule knows this" in engine.error(job.job_id)


def test_a_job_that_has_no_attempts_left_is_a_failure_of_the_engine(engine):
    job = Fragile.perform_later(3)

    assert [engine.hear()["attempt"] for _ in range(3)] == [1, 2, 3]
    ended(engine, job, "failed")
    assert "Flaky: failure 3" in engine.error(job.job_id)


def test_a_job_that_is_discarded_has_ended_for_the_engine(engine):
    job = Fragile.perform_later(1, gone=True)

    assert engine.hear()["said"] == "attempt 1"
    ended(engine, job)


def test_a_unique_job_can_come_again_when_the_first_has_ended(engine):
    first = Sync.perform_later(7)
    assert engine.hear()["job_id"] == first.job_id
    ended(engine, first)

    second = Sync.perform_later(7)
    assert second.dropped_for is None
    assert engine.hear()["job_id"] == second.job_id
