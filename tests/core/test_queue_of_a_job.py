"""The queue is a text, or is asked of the job's arguments."""

import functools

import pytest

from pytest_jobs import Job, before_enqueue, job
from pytest_jobs.errors import DeclarationError


def _by_size(amount, *, urgent=False):
    return "urgent" if urgent else f"size-{amount}"


class ByFunction(Job):
    queue = _by_size

    def perform(self, amount, *, urgent=False):
        pass


class ByLambda(Job):
    queue = lambda amount, urgent=False: _by_size(amount, urgent=urgent)  # noqa: E731

    def perform(self, amount, *, urgent=False):
        pass


class ByStaticMethod(Job):
    @staticmethod
    def queue(amount, *, urgent=False):
        return _by_size(amount, urgent=urgent)

    def perform(self, amount, *, urgent=False):
        pass


class ByClassMethod(Job):
    @classmethod
    def queue(cls, amount, *, urgent=False):
        return _by_size(amount, urgent=urgent)

    def perform(self, amount, *, urgent=False):
        pass


class ByMethod(Job):
    def queue(self, amount, *, urgent=False):
        return _by_size(*self.args, urgent=urgent)

    def perform(self, amount, *, urgent=False):
        pass


class ByCallableObject(Job):
    class Choose:
        def __call__(self, amount, *, urgent=False):
            return _by_size(amount, urgent=urgent)

    queue = Choose()

    def perform(self, amount, *, urgent=False):
        pass


class Inherited(ByFunction):
    pass


class FromMixin(type("Queued", (), {"queue": _by_size}), Job):
    def perform(self, amount, *, urgent=False):
        pass


@job(queue=_by_size)
def by_option(amount, *, urgent=False):
    pass


@job(queue=functools.partial(_by_size))
def by_partial(amount, *, urgent=False):
    pass


@job(base=ByMethod)
def by_base(amount, *, urgent=False):
    pass


@pytest.mark.parametrize(
    "job",
    [
        ByFunction,
        ByLambda,
        ByStaticMethod,
        ByClassMethod,
        ByMethod,
        ByCallableObject,
        Inherited,
        FromMixin,
        by_option,
        by_partial,
        by_base,
    ],
)
def test_a_queue_is_asked_of_the_arguments(adapter, job):
    normal = job.perform_later(3)
    urgent = job.perform_later(3, urgent=True)

    assert (normal.payload.queue, urgent.payload.queue) == ("size-3", "urgent")
    assert job.new(4).queue_name == "size-4"


def test_a_queue_of_the_enqueue_is_not_asked_and_an_error_of_one_that_is_reaches_the_caller(
    adapter,
):
    class Pay(Job):
        def queue(self, amount):
            raise KeyError(amount)

        def perform(self, amount):
            pass

    assert Pay.set(queue="low").perform_later(3).payload.queue == "low"
    with pytest.raises(KeyError):
        Pay.perform_later(3)
    assert len(adapter.enqueued) == 1


def test_a_queue_sees_the_arguments_that_before_enqueue_left(adapter):
    class Pay(Job):
        queue = lambda amount: f"size-{amount}"  # noqa: E731

        @before_enqueue
        def double(self):
            self.args = (self.args[0] * 2,)

        def perform(self, amount):
            pass

    assert Pay.perform_later(3).payload.queue == "size-6"


@pytest.mark.parametrize("result", [None, "", 7])
def test_a_queue_that_comes_to_no_text_is_refused_at_enqueue(adapter, result):
    pay = type("Pay", (Job,), {"queue": lambda: result, "perform": staticmethod(lambda: None)})

    with pytest.raises(DeclarationError) as raised:
        pay.perform_later()

    assert str(raised.value) == (
        f"the result of Pay.queue must be the name of a queue such as 'mailers', got {result!r}."
    )
    assert adapter.enqueued == []


def test_without_a_word_the_queue_is_the_default_one_and_there_is_no_priority(adapter):
    class Pay(Job):
        def perform(self):
            pass

    class PayFirst(Pay):
        priority = -10

    payload = Pay.perform_later().payload
    assert (Pay.queue, payload.queue, payload.priority) == ("default", "default", None)
    assert PayFirst.perform_later().payload.priority == -10


class OfApplication(Job):
    queue = "application"
    priority = 3


class WithoutQueue(Job):
    """A base that is there for something else, such as rules."""


def _by_amount(amount):
    return f"amount-{amount}"


class ByAmount(Job):
    queue = _by_amount


class Mails:
    queue = "mails"


@pytest.mark.parametrize(
    ("bases", "queue", "priority"),
    [
        ((WithoutQueue, OfApplication), "application", 3),
        ((WithoutQueue, ByAmount), "amount-3", None),
        ((Mails, WithoutQueue), "mails", None),
    ],
    ids=["of a base", "asked for", "of a class that is no job"],
)
def test_a_base_that_names_no_queue_does_not_hide_that_of_the_next(adapter, bases, queue, priority):
    pay = type("Pay", bases, {"perform": lambda self, amount: None})
    payload = pay.perform_later(3).payload

    assert (payload.queue, payload.priority) == (queue, priority)
