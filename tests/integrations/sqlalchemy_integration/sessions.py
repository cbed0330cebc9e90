"""Tables, and jobs that wait for the commit of a session."""

from __future__ import annotations

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pytest_jobs import Job, reference


class Base(DeclarativeBase):
    pass


@reference(id="id", find=str)
class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(default="new")


class ApplicationJob(Job):
    enqueue_after_commit = True


class Ship(ApplicationJob):
    def perform(self, order):
        return order


class AtOnce(Job):
    def perform(self, order):
        return order


def numbers(adapter):
    """Return the first argument of each job that the adapter has."""
    return [int(payload.arguments[2:].partition("]")[0]) for payload in adapter.enqueued]
