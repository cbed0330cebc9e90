"""What another library would read as a setting of a job class is refused where the class is defined."""

import pytest
from tables import each_row

from pytest_jobs import Job
from pytest_jobs.errors import DeclarationError


def define(**body):
    """Define a job class with these attributes."""
    return type("Pay", (Job,), {"perform": lambda self: None, "__qualname__": "Pay", **body})


@each_row(
    ("name", "value", "instead"),
    [
        ("queue_as", "mailers", "write `queue = 'mailers'`"),
        ("queue_name", "mailers", "write `queue = 'mailers'`"),
        ("queue_with_priority", 3, "write `priority = 3`"),
        ("max_attempts", 5, "put `@retry_on(SomeError, attempts=5)` above the class"),
        (
            "max_retries",
            5,
            "put `@retry_on(SomeError, attempts=6)` above the class; attempts= counts the first run",
        ),
        ("retry", False, "put `@retry_on(SomeError)` above the class"),
        ("autoretry_for", (ValueError,), "put `@retry_on(SomeError)` above the class"),
        ("default_retry_delay", 30, "put `@retry_on(SomeError, wait=30)` above the class"),
        (
            "retry_backoff",
            True,
            "put `@retry_on(SomeError, wait=exponentially_longer)` above the class",
        ),
        (
            "sidekiq_options",
            {"queue": "low"},
            "write `queue = ...`, and put `@retry_on(SomeError, attempts=...)` above the class",
        ),
        ("enqueue_after_transaction_commit", True, "write `enqueue_after_commit = True`"),
        ("unique_for", 60, "put `@unique(ttl=60)` above the class"),
        ("delay", 60, "write `Pay.set(wait=60).perform_later(...)` where it is enqueued"),
        ("time_limit", 60, "leave it out, since the core has no such setting"),
    ],
)
def test_it_is_refused_with_what_to_write(name, value, instead):
    with pytest.raises(DeclarationError) as caught:
        define(**{name: value})

    assert str(caught.value) == (
        f"Pay.{name} = {value!r} looks like a setting of another library, and nothing reads it here: {instead}. "
        "A value of your own needs another name."
    )


def test_so_it_is_in_a_base_of_jobs():
    with pytest.raises(DeclarationError, match=r"Base\.queue_as = 'low' looks like a setting"):

        class Base(Job):
            queue_as = "low"


class ReadByItself(Job):
    delay = 60
    max_retries = 3

    def perform(self):
        return self.max_retries, self.delay


class OfMethods(Job):
    def perform(self):
        return self.max_retries(), self.delay

    def max_retries(self):
        return 3

    @property
    def delay(self):
        return 60


class Http:
    max_retries = 3
    delay = 60


class OfAnotherBase(Http, Job):
    def perform(self):
        return Http.max_retries, Http.delay


class WithoutPerform(Job):
    delay = 60


class OfABase(WithoutPerform):
    def perform(self):
        return 3, self.delay


@pytest.mark.parametrize("kind", [ReadByItself, OfMethods, OfAnotherBase, OfABase])
def test_what_the_class_reads_or_brings_is_its_own(kind):
    assert kind().perform() == (3, 60)
