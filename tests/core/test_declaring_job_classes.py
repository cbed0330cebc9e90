"""What a job class may look like, and how a wrong one is refused when it is defined."""

import functools

import pytest

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


def test_a_perform_that_yields_is_refused():
    with pytest.raises(DeclarationError) as raised:

        class Export(Job):
            def perform(self):
                yield 1

    assert str(raised.value) == (
        "test_a_perform_that_yields_is_refused.<locals>.Export.perform yields, so calling it would do "
        "nothing: return the result, or enqueue what should follow."
    )


def test_an_async_perform_that_yields_is_refused():
    with pytest.raises(DeclarationError, match=r"Export\.perform yields"):

        class Export(Job):
            async def perform(self):
                yield 1


def test_an_inherited_perform_that_yields_is_refused():
    class Exports:
        def perform(self):
            yield 1

    with pytest.raises(DeclarationError, match=r"Export\.perform yields"):

        class Export(Exports, Job):
            pass


@pytest.mark.parametrize("queue", [None, "", 5, b"low", ["low"]])
def test_a_queue_that_is_no_text_is_refused(queue):
    with pytest.raises(DeclarationError) as raised:
        type("Pay", (Job,), {"queue": queue})

    assert str(raised.value) == (
        f"Pay.queue must be the name of a queue such as 'mailers', got {queue!r}."
    )


@pytest.mark.parametrize("priority", ["high", 1.5, True])
def test_a_priority_that_is_no_int_is_refused(priority):
    with pytest.raises(DeclarationError) as raised:
        type("Pay", (Job,), {"priority": priority})

    assert str(raised.value) == (f"Pay.priority must be an int, lower first, got {priority!r}.")


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


def test_making_a_job_by_calling_the_class_takes_no_arguments():
    class Pay(Job):
        def perform(self, amount):
            pass

    with pytest.raises(SignatureError) as raised:
        Pay(3)

    name = "test_making_a_job_by_calling_the_class_takes_no_arguments.<locals>.Pay"
    assert str(raised.value) == (
        f"{name}(...) makes a blank job and takes no arguments: write {name}.perform_later(...) to "
        f"enqueue one, or {name}.new(...) for perform_all_later."
    )


def test_a_blank_job_can_be_unit_tested():
    class Double(Job):
        def perform(self, number):
            return number * 2

    assert Double().perform(4) == 8


def test_perform_may_come_from_a_class_that_is_no_job(adapter):
    class Pays:
        def perform(self, amount, currency):
            return f"{amount} {currency}"

    class Pay(Pays, Job):
        pass

    assert Pay.perform_now(3, "EUR") == "3 EUR"


def test_a_mixin_in_front_of_a_job_brings_its_own_signature(adapter):
    class Pay(Job):
        def perform(self, amount):
            return amount

    class InCurrency:
        def perform(self, amount, currency):
            return f"{amount} {currency}"

    class PayInCurrency(InCurrency, Pay):
        pass

    with pytest.raises(SignatureError):
        PayInCurrency.perform_later(3)

    assert PayInCurrency.perform_now(3, "EUR") == "3 EUR"


def test_a_wrapper_that_takes_anything_around_perform_is_called_with_what_it_is_given(adapter):
    def logged(function):
        def wrapper(*args, **kwargs):
            return ["logged", function(*args, **kwargs)]

        return wrapper

    class Pay(Job):
        @logged
        def perform(self, amount):
            return amount

    assert Pay.perform_now(3) == ["logged", 3]


def test_a_wrapper_that_uses_functools_wraps_keeps_the_signature_of_perform(adapter):
    def logged(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return ["logged", function(*args, **kwargs)]

        return wrapper

    class Pay(Job):
        @logged
        def perform(self, amount):
            return amount

    with pytest.raises(SignatureError):
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
