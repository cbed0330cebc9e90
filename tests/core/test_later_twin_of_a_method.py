"""`deliver_later = later(deliver)`: the model does the work, the job is a shallow wrapper."""

from datetime import UTC, datetime, timedelta

import pytest

from pytest_jobs import Job, before_perform, discard_on, later, perform_all_later, reference
from pytest_jobs.errors import (
    DeclarationError,
    NaiveDatetimeError,
    SerializationError,
    SignatureError,
)

SECOND = 10**9


@discard_on(ConnectionError)
class WebhookJob(Job):
    queue = "webhooks"
    priority = 4
    calls = []  # noqa: RUF012

    @before_perform
    def note(self):
        self.calls.append(self.args)


@reference(id="id", find="find")
class Webhook:
    stored = {}  # noqa: RUF012

    def __init__(self, id):
        self.id = id

    @classmethod
    def find(cls, id):
        return cls.stored.get(id)

    def deliver(self, url, *, times=1):
        return f"{self.id} to {url}, {times} times"

    deliver_later = later(deliver)

    async def adeliver(self, url):
        return f"{self.id} to {url}"

    adeliver_later = later(adeliver, queue="async", priority=1)

    def fail(self):
        raise ConnectionError

    fail_later = later(fail, base=WebhookJob)

    def route(self, url):
        return url

    route_later = later(route, queue=lambda webhook, url: f"{webhook.id}-{url}", base=WebhookJob)


class SignedWebhook(Webhook):
    def deliver(self, url, *, times=1):
        return f"signed {super().deliver(url, times=times)}"


@pytest.fixture(autouse=True)
def _stored():
    Webhook.stored = {1: Webhook(1), 2: SignedWebhook(2)}
    WebhookJob.calls.clear()


@pytest.mark.parametrize(
    ("number", "twin", "kwargs", "queue", "priority", "result"),
    [
        (1, "deliver_later", {"times": 2}, "default", None, "1 to a, 2 times"),
        (2, "deliver_later", {}, "default", None, "signed 2 to a, 1 times"),
        (1, "adeliver_later", {}, "async", 1, "1 to a"),
        (1, "route_later", {}, "1-a", 4, "a"),
    ],
    ids=["a method", "overridden", "a coroutine method", "a queue that is asked for"],
)
def test_the_twin_enqueues_a_job_that_calls_the_method_of_the_record(
    adapter, number, twin, kwargs, queue, priority, result
):
    job = getattr(Webhook.stored[number], twin)("a", **kwargs)

    (execution,) = adapter.perform_due()

    assert (job.enqueued, job.payload.queue, job.payload.priority) == (True, queue, priority)
    assert job.payload.name == f"{__name__}.Webhook.{twin}"
    assert (execution.status, execution.result) == ("performed", result)
    on_the_class = getattr(Webhook, twin)
    assert (type(job), type(job).public) == (on_the_class.job_class, on_the_class)
    assert repr(on_the_class) == f"<later Webhook.{twin}>"
    assert getattr(SignedWebhook, twin) is on_the_class


def test_a_base_gives_the_twin_its_queue_rules_and_callbacks(adapter):
    job = Webhook.stored[1].fail_later()

    (execution,) = adapter.perform_due()

    assert (job.payload.queue, job.payload.priority) == ("webhooks", 4)
    assert execution.status == "discarded"
    assert WebhookJob.calls == [(Webhook.stored[1],)]


def test_options_can_be_set_and_a_job_made_that_is_not_enqueued(adapter, clock):
    webhook = Webhook.stored[1]
    waiting = webhook.deliver_later.set(wait=timedelta(minutes=5), queue="low", priority=9)("a")
    at = webhook.deliver_later.set(at=datetime(2026, 1, 1, 1, tzinfo=UTC)).new("b")
    job = webhook.deliver_later.new("a")

    assert waiting.payload.due_ns == clock.now_ns + 300 * SECOND
    assert (waiting.payload.queue, waiting.payload.priority) == ("low", 9)
    assert (job.enqueued, job.args, at.enqueued) == (False, (webhook, "a"), False)
    perform_all_later([job, at])
    assert [payload.queue for payload in adapter.enqueued] == ["low", "default", "default"]
    assert at.payload.due_ns == clock.now_ns + 3600 * SECOND
    with pytest.raises(NaiveDatetimeError):
        webhook.deliver_later.set(at=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ((), {}, "missing 1 required positional argument: 'url'"),
        (("a", "b"), {}, "takes 2 positional arguments but 3 were given"),
        (("a",), {"count": 2}, "got an unexpected keyword argument 'count'"),
    ],
)
def test_a_call_that_does_not_fit_the_method_is_refused(adapter, args, kwargs, reason):
    with pytest.raises(SignatureError) as raised:
        Webhook.stored[1].deliver_later(*args, **kwargs)

    assert str(raised.value) == (
        f"Webhook.deliver_later.perform() {reason}. The job takes deliver_later(record, url, *, times=1)."
    )


def test_a_subclass_can_have_a_twin_of_its_own_and_the_record_is_found_again_when_it_runs(adapter):
    class Quiet(Webhook):
        def deliver(self, url, *, times=1):
            return "quiet"

        deliver_later = later(deliver, queue="quiet")

    Webhook.stored[3] = quiet = Quiet(3)
    assert quiet.deliver_later("a").payload.queue == "quiet"
    Webhook.stored[1].deliver_later("a")
    del Webhook.stored[1]

    first, second = adapter.perform_due()

    assert first.result == "quiet"
    assert str(second.error) == (
        "The Webhook 1 does not exist any more: enqueue its job when it is committed, or drop such "
        "jobs with @discard_on(RecordNotFoundError)."
    )


def test_a_record_of_a_class_that_is_no_reference_is_refused(adapter):
    class Order:
        def ship(self):
            pass

        ship_later = later(ship)

    with pytest.raises(SerializationError) as raised:
        Order().ship_later()

    assert str(raised.value) == (
        "args[0] is of type test_a_record_of_a_class_that_is_no_reference_is_refused.<locals>.Order, which "
        "a payload cannot carry: pass its id or plain data, or declare its class with `@reference` or "
        "`@argument_type`."
    )


def test_a_twin_outside_of_a_class_or_of_what_is_no_method_is_refused():
    twin = later(lambda record: None)

    with pytest.raises(DeclarationError) as raised:
        twin.job_class.new()
    assert str(raised.value) == (
        "`later(method)` is assigned in the body of the class that has the method."
    )
    assert repr(twin) == "<later >"

    for given in (3, "deliver", None):
        with pytest.raises(DeclarationError) as raised:
            later(given)
        assert str(raised.value) == (
            f"later({given!r}) is given no method: write `deliver_later = later(deliver)` below the method "
            "`deliver`."
        )


def _renaming(method):
    def wrapper(self):
        method(self)

    return wrapper


@pytest.mark.parametrize("kind", ["private", "renamed", "lambda"])
def test_a_twin_of_what_the_class_has_not_by_its_name_is_refused(kind):
    with pytest.raises((DeclarationError, RuntimeError)) as raised:

        class Order:
            def __ship(self): ...

            @_renaming
            def pack(self): ...

            ship_later = later(
                {"private": __ship, "renamed": pack, "lambda": lambda self: None}[kind]
            )

    error = raised.value
    error = error if isinstance(error, DeclarationError) else error.__cause__
    called = {"private": "__ship", "renamed": "wrapper", "lambda": "<lambda>"}[kind]
    assert "Order.ship_later = later(...) is given <function" in str(error)
    assert f"has no attribute {called!r}: give it a `def` of the class" in str(error)


def test_bad_options_of_a_twin_are_refused():
    # Python 3.11 wraps what __set_name__ raises.
    with pytest.raises((DeclarationError, RuntimeError)) as raised:

        class Order:
            def ship(self):
                pass

            ship_later = later(ship, queue="")

    error = raised.value
    assert "must be the name of a queue" in str(
        error.__cause__ if type(error) is RuntimeError else error
    )
