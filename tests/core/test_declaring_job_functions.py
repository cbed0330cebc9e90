"""What `@job` makes of a function, and what it refuses."""

import asyncio
import inspect
import re

import pytest
from tables import each_row

from pytest_jobs import Job, before_perform, discard_on, job, retry_on
from pytest_jobs.errors import DeclarationError
from pytest_jobs.types import JobFunction


@job
def add(first, second=10):
    """Add two numbers."""
    return first + second


@job(queue="mailers", priority=3)
def send_receipt(order_id: int) -> str:
    return f"receipt {order_id}"


def test_a_job_function_looks_like_the_function_and_is_called_as_it_is():
    assert isinstance(add, JobFunction)
    assert (add.__name__, add.__doc__, add.__module__) == ("add", "Add two numbers.", __name__)
    assert str(inspect.signature(add)) == "(first, second=10)"
    assert (repr(add), add(1, second=2)) == ("<job add>", 3)


def test_a_job_function_is_enqueued_and_performed_like_a_job_class(adapter, drain):
    job = add.perform_later(1)
    (execution,) = drain()

    assert (job.enqueued, job.payload.name) == (True, f"{__name__}.add")
    assert (job.payload.queue, type(job), type(job).public) == ("default", add.job_class, add)
    assert (execution.status, execution.result) == ("performed", 11)


def test_a_job_function_has_options_new_set_and_perform_now(adapter):
    job = send_receipt.perform_later(1)
    later = send_receipt.set(wait=5, queue="low", priority=9).perform_later(1)
    new = send_receipt.new(2)

    assert (job.payload.queue, job.payload.priority) == ("mailers", 3)
    assert (later.payload.queue, later.payload.priority) == ("low", 9)
    assert (new.enqueued, new.args) == (False, (2,))
    assert send_receipt.perform_now(3) == "receipt 3"


def test_a_class_is_its_own_public_name():
    class Pay(Job):
        pass

    class PayNow(Pay):
        pass

    assert (Pay.public, Pay.job_class, PayNow.public) == (Pay, Pay, PayNow)


def test_a_parameter_may_be_called_self(adapter, drain):
    @job
    def bound(self):
        return self

    bound.perform_later(self=1)
    bound.new(self=2).enqueue()
    bound.set(queue="low").perform_later(self=3)
    bound.set(queue="low").new(self=4).enqueue()

    assert bound(self=0) == 0
    assert [execution.result for execution in drain()] == [1, 2, 3, 4]
    assert bound.perform_now(self=5) == 5
    assert asyncio.run(bound.aperform_now(self=6)) == 6


def test_a_base_gives_a_job_function_its_queue_rules_and_callbacks(adapter, drain):
    seen = []

    @discard_on(KeyError)
    class Base(Job):
        queue = "base"
        priority = 4

        @before_perform
        def note(self):
            seen.append(self.args)

    @job(base=Base)
    def fail(what):
        raise KeyError(what)

    enqueued = fail.perform_later("a")
    (execution,) = drain()

    assert (enqueued.payload.queue, enqueued.payload.priority) == ("base", 4)
    assert execution.status == "discarded"
    assert seen == [("a",)]


def test_rules_stand_above_job(adapter, drain):
    @retry_on(KeyError, attempts=2, wait=0)
    @job
    def fail():
        raise KeyError

    fail.perform_later()

    assert [execution.status for execution in drain()] == ["retried", "exhausted"]


def _nothing(): ...


def _generator():
    yield 1


@each_row(
    ("declare", "text"),
    [
        (
            lambda: job(type("Pay", (), {})),
            (
                f"@job decorates <class '{__name__}.Pay'>, which is not a function: for a class derive from Job, "
                "for a method write `later(method)`."
            ),
        ),
        (lambda: job(add), "@job decorates <job add>, which is not a function"),
        (lambda: job(_generator), "yields, so calling it would do nothing"),
        (lambda: job(queue="")(_nothing), "must be the name of a queue"),
        (lambda: job(priority="high")(_nothing), "must be an int, lower first"),
        *(
            (
                lambda base=base: job(base=base)(_nothing),
                "which is not a job class: write a class derived",
            )
            for base in (int, None, job(lambda: None))
        ),
    ],
)
def test_a_job_function_that_cannot_be_meant_is_refused(declare, text):
    with pytest.raises(DeclarationError, match=re.escape(text)):
        declare()


def test_job_on_a_method_is_refused():
    # Python 3.11 wraps what __set_name__ raises.
    with pytest.raises((DeclarationError, RuntimeError)) as raised:

        class Order:
            @job
            def ship(self):
                pass

    error = raised.value
    assert str(error.__cause__ if type(error) is RuntimeError else error) == (
        "test_job_on_a_method_is_refused.<locals>.Order.ship is a method, and @job is for functions: write "
        "the method and `ship_later = later(ship)` below it."
    )
