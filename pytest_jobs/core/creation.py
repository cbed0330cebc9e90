"""Jobs that follow upon new records of a database: `after_create_commit`."""

from __future__ import annotations

from typing import Any

from ..errors import DeclarationError
from .foundation.libraries import integrations_in_use
from .job import Job


def after_create_commit(model: type, job: Any) -> None:
    """Enqueue a job for each new record of a model, once its transaction has committed.

    As `after_create_commit` of Rails: `after_create_commit(Delivery, Delivery.deliver_later)`. The record
    is the one argument of the job. A rollback drops the job. Records of subclasses count too; rows that
    are written in bulk, without an object, do not.

    Args:
        model: a model of SQLAlchemy or Django.
        job: a job class, a job function or a `later` twin, declared with `enqueue_after_commit`.

    Raises:
        DeclarationError: when one of them is something else, or the job does not wait for a commit.
    """
    job_class = getattr(job, "job_class", job)
    called = f"after_create_commit({_name(model)}, {_name(job)})"
    if not (isinstance(job_class, type) and issubclass(job_class, Job)):
        raise DeclarationError(
            f"{called}: the second argument is not a job. Pass a job class, a job function or a `later` twin, as "
            "in after_create_commit(Delivery, Delivery.deliver_later)."
        )
    if not job_class.enqueue_after_commit:
        raise DeclarationError(
            f"{called}: {_name(job)} does not wait for a commit. Write `enqueue_after_commit = True` in its "
            "class, or pass it to @job(...) or later(...)."
        )

    def created(record: object) -> None:
        job_class.perform_later(record)

    given: object = model
    if isinstance(given, type):
        for library in integrations_in_use(
            django="django.records", sqlalchemy="sqlalchemy.sessions"
        ):
            if library.call_when_created(given, created):
                return
    raise DeclarationError(
        f"{called}: {_name(model)} is not a model of SQLAlchemy or Django that is mapped or installed. Pass the "
        "class of the records."
    )


def _name(thing: object) -> str:
    job_class = getattr(thing, "job_class", None)
    named = thing if job_class is None else job_class.__declaration__.name.rpartition(".")[2]
    return str(getattr(named, "__qualname__", named))
