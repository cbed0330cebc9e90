"""What a job class may look like, and how a wrong one is refused when it is defined."""

import functools
from contextlib import nullcontext

import pytest
from tables import each_row

from pytest_jobs import Job
from pytest_jobs.errors import DeclarationError, SignatureError


def test_init_in_a_job_class_is_refused():
    with pytest.raises(DeclarationError) as raised:

        class Pay(Job):
            def __init__(self, payment_id):
                self.payment_id = payment_id

            def perform(self):
                pass

    assert str(raised.value) == (
        "test_init_in_a_job_class_is_refused.<locals>.Pay defines __init__, which a worker would never "
        "call: what a job needs are the parameters of `perform`."
    )


class Exports:
    def perform(self):
        yield 1


async def _yields(self):
    yield 1


@pytest.mark.parametrize(
    ("bases", "body"),
    [((Job,), {"perform": Exports.perform}), ((Job,), {"perform": _yields}), ((Exports, Job), {})],
    ids=["plain", "async", "inherited"],
)
def test_a_perform_that_yields_is_refused(bases, body):
    with pytest.raises(DeclarationError) as raised:
        type("Export", bases, body)

    assert str(raised.value) == (
        "Export.perform yields, so calling it would do nothing: return the result, or enqueue what should follow."
    )


@each_row(
    ("option", "value", "text"),
    [
        *(
            ("queue", value, "the name of a queue such as 'mailers'")
            for value in (None, "", 5, b"low", ["low"])
        ),
        *(("priority", value, "an int, lower first") for value in ("high", 1.5, True)),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(option, value, text):
    with pytest.raises(DeclarationError) as raised:
        type("Pay", (Job,), {option: value})

    assert str(raised.value) == f"Pay.{option} must be {text}, got {value!r}."


class ApplicationJob(Job):
    queue = "application"
    priority = 7


@pytest.mark.parametrize(
    "enqueue",
    [
        ApplicationJob.perform_later,
        ApplicationJob.perform_now,
        ApplicationJob.new().enqueue,
        ApplicationJob.set(wait=5).perform_later,
    ],
)
def test_a_class_without_perform_is_a_base_and_not_a_job(adapter, enqueue):
    with pytest.raises(DeclarationError) as raised:
        enqueue()

    assert str(raised.value) == (
        "ApplicationJob has no `perform`, so there is nothing to run: write one, or enqueue a class "
        "derived from it."
    )
    assert adapter.enqueued == []


def test_queue_priority_and_perform_are_inherited(adapter):
    class Pay(ApplicationJob):
        def perform(self, amount):
            return amount

    class PayNow(Pay):
        pass

    job = PayNow.perform_later(3)

    assert (job.payload.queue, job.payload.priority) == ("application", 7)
    assert PayNow.perform_now(3) == 3


def test_making_a_job_by_calling_the_class_takes_no_arguments_and_is_for_a_unit_test():
    class Double(Job):
        def perform(self, number):
            return number * 2

    with pytest.raises(SignatureError) as raised:
        Double(3)

    name = Double.__qualname__
    assert str(raised.value) == (
        f"{name}(...) makes a blank job and takes no arguments: write {name}.perform_later(...) to "
        f"enqueue one, or {name}.new(...) for perform_all_later."
    )
    assert Double().perform(4) == 8


def test_perform_may_come_from_a_mixin_in_front_with_its_own_signature(adapter):
    class Pay(Job):
        def perform(self, amount):
            return amount

    class InCurrency:
        def perform(self, amount, currency):
            return f"{amount} {currency}"

    for pay in (type("Mixed", (InCurrency, Pay), {}), type("Alone", (InCurrency, Job), {})):
        with pytest.raises(SignatureError):
            pay.perform_later(3)
        assert pay.perform_now(3, "EUR") == "3 EUR"


@pytest.mark.parametrize("keeps", [False, True], ids=["any arguments", "functools.wraps"])
def test_a_wrapper_around_perform_has_its_own_signature_or_keeps_that_of_perform(adapter, keeps):
    def logged(function):
        def wrapper(*args, **kwargs):
            return ["logged", function(*args, **kwargs)]

        return functools.wraps(function)(wrapper) if keeps else wrapper

    class Pay(Job):
        @logged
        def perform(self, amount):
            return amount

    with pytest.raises(SignatureError) if keeps else nullcontext():
        Pay.perform_later(3, 4)

    assert Pay.perform_now(3) == ["logged", 3]


@pytest.mark.parametrize(
    "perform",
    [
        staticmethod(lambda amount: ("performed", amount)),
        classmethod(lambda cls, amount: ("performed", amount)),
    ],
)
def test_perform_may_be_a_static_or_a_class_method(adapter, perform):
    pay = type("Pay", (Job,), {"perform": perform})

    with pytest.raises(SignatureError):
        pay.perform_later()

    assert pay.perform_now(3) == ("performed", 3)


def test_a_mixin_may_take_class_arguments_of_its_own():
    class Labelled:
        def __init_subclass__(cls, label, **kwargs):
            super().__init_subclass__(**kwargs)
            cls.label = label

    class Pay(Job, Labelled, label="pay"):
        def perform(self):
            return self.label

    assert Pay.perform_now() == "pay"
