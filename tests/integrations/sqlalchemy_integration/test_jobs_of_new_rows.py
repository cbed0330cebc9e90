"""A job that follows upon a new row: `after_create_commit`, and an `after_insert` that is written by hand."""

from __future__ import annotations

import pytest
from sessions import Base
from sqlalchemy import event
from sqlalchemy.orm import Mapped, mapped_column

from pytest_jobs import Job, after_create_commit, job, later
from pytest_jobs.errors import DeclarationError, SerializationError


class Delivery(Base):
    __tablename__ = "deliveries"

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(default="plain")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "plain"}  # noqa: RUF012

    def deliver(self): ...

    deliver_later = later(deliver, queue="webhooks", enqueue_after_commit=True)


class Urgent(Delivery):
    __mapper_args__ = {"polymorphic_identity": "urgent"}  # noqa: RUF012


class Order(Base):
    __tablename__ = "orders_of_new_rows"

    id: Mapped[int] = mapped_column(primary_key=True)


class Ship(Job):
    enqueue_after_commit = True

    def perform(self, order: Order): ...


@job(enqueue_after_commit=True)
def count(order: Order): ...


class AtOnce(Job):
    def perform(self, order: Order): ...


after_create_commit(Delivery, Delivery.deliver_later)
after_create_commit(Order, Ship)
after_create_commit(Order, count)


def test_a_job_is_enqueued_when_the_row_is_committed(adapter, session):
    session.add(Delivery(url="a"))
    session.flush()
    assert adapter.enqueued == []

    session.commit()

    [payload] = adapter.enqueued
    assert (payload.name.rpartition(".")[2], payload.queue) == ("deliver_later", "webhooks")


def test_several_jobs_follow_in_the_order_of_their_declaration(adapter, session):
    session.add_all([Order(id=1), Order(id=2)])
    session.commit()

    assert [payload.name.rpartition(".")[2] for payload in adapter.enqueued] == [
        *("Ship", "count"),
        *("Ship", "count"),
    ]


def test_a_rollback_drops_it(jobs, session):
    session.add(Delivery(url="a"))
    session.flush()
    session.rollback()

    assert jobs.enqueued == []
    assert len(jobs.dropped_by_rollback) == 1


def test_an_update_enqueues_nothing(adapter, session):
    delivery = Delivery(url="a")
    session.add(delivery)
    session.commit()
    delivery.url = "b"
    session.commit()

    assert len(adapter.enqueued) == 1


def test_a_row_of_a_subclass_is_a_row_too(adapter, session):
    session.add(Urgent(url="a"))
    session.commit()

    [payload] = adapter.enqueued
    assert f"{__name__}.Urgent" in payload.arguments


def test_the_record_is_found_by_the_key_that_the_insert_gave_it(jobs, session):
    delivery = Delivery(url="a")
    session.add(delivery)
    session.commit()

    assert jobs.enqueued[0].args == (delivery,)


class Note(Base):
    __tablename__ = "notes_of_new_rows"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(unique=True)


def test_an_after_insert_of_ones_own_may_enqueue_the_record(jobs, session):
    def enqueue(mapper, connection, note):
        keep.perform_later(note)

    event.listen(Note, "after_insert", enqueue)
    note = Note(text="a")
    session.add(note)
    session.commit()

    assert jobs.enqueued[0].args == (note,)


@job(enqueue_after_commit=True)
def keep(note): ...


def test_a_record_without_a_key_is_still_refused_before_the_flush(jobs, session):
    note = Note(text="b")
    session.add(note)

    with pytest.raises(SerializationError, match="save it before you enqueue a job with it"):
        keep.perform_later(note)


class Plain:
    pass


NO_MODEL = "is not a model of SQLAlchemy or Django that is mapped or installed. Pass the class of the records."


@pytest.mark.parametrize(("model", "name"), [(Plain, "Plain"), ("orders", "orders")])
def test_what_is_no_model_is_refused_at_once(model, name):
    with pytest.raises(DeclarationError) as raised:
        after_create_commit(model, Ship)

    assert str(raised.value) == f"after_create_commit({name}, Ship): {name} {NO_MODEL}"


def test_a_job_that_does_not_wait_is_refused_at_once():
    with pytest.raises(DeclarationError) as raised:
        after_create_commit(Order, AtOnce)

    assert str(raised.value) == (
        "after_create_commit(Order, AtOnce): AtOnce does not wait for a commit. Write `enqueue_after_commit = "
        "True` in its class, or pass it to @job(...) or later(...)."
    )


def test_what_is_no_job_is_refused_at_once():
    with pytest.raises(DeclarationError) as raised:
        after_create_commit(Delivery, Delivery.deliver)

    assert str(raised.value) == (
        "after_create_commit(Delivery, Delivery.deliver): the second argument is not a job. Pass a job class, a "
        "job function or a `later` twin, as in after_create_commit(Delivery, Delivery.deliver_later)."
    )
