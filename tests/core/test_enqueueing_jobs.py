"""From `perform_later` to the payload that the adapter takes."""

import pytest

from pytest_jobs import Job, configure, perform_all_later
from pytest_jobs.adapters import TestAdapter
from pytest_jobs.errors import EnqueueError, NoAdapterError, SignatureError


class Pay(Job):
    queue = "payments"

    def perform(self, amount, currency="EUR"):
        return f"{amount} {currency}"


class Refusing(TestAdapter):
    """Refuses the payloads whose queue is `full`."""

    def enqueue(self, payload):
        if payload.queue == "full":
            raise EnqueueError("The queue is full.")
        super().enqueue(payload)


def test_perform_later_returns_the_job_and_the_adapter_has_its_payload(adapter, clock):
    job = Pay.perform_later(3, currency="USD")

    assert type(job) is Pay
    assert (job.enqueued, job.enqueue_error) == (True, None)
    assert adapter.enqueued == adapter.pending == [job.payload]
    payload = job.payload
    assert (payload.name, payload.job, payload.queue) == (f"{__name__}.Pay", Pay, "payments")
    assert (payload.priority, payload.attempt, payload.failures) == (None, 1, None)
    assert (payload.enqueued_ns, payload.due_ns) == (clock.now_ns, None)
    assert payload.arguments == '[[3],{"currency":"USD"}]'
    ids = {Pay.perform_later(1).job_id for _ in range(100)}
    assert (len(ids), {len(job_id) for job_id in ids}) == (100, {32})


def test_new_makes_a_job_that_is_not_enqueued_until_it_is_asked_to(adapter):
    job = Pay.new(3, currency="USD")

    assert (job.args, job.kwargs) == ((3,), {"currency": "USD"})
    assert (job.enqueued, job.enqueue_error, job.payload) == (False, None, None)
    assert (job.job_id, job.attempt, job.queue_name) == ("", 1, "payments")
    assert adapter.enqueued == []
    assert job.enqueue() is job
    assert (job.enqueued, job.queue_name) == (True, "payments")
    assert adapter.pending == [job.payload]


def test_a_job_that_is_enqueued_again_keeps_its_id(adapter):
    job = Pay.perform_later(3)
    first = job.payload
    job.enqueue()

    assert adapter.enqueued == [first, job.payload]
    assert first is not job.payload
    assert (first.job_id, job.payload.attempt) == (job.payload.job_id, 1)


def test_a_refused_job_keeps_the_error_and_can_be_enqueued_again_under_the_same_id(clock):
    adapter = Refusing(clock)
    with configure(adapter=adapter):
        job = Pay.set(queue="full").perform_later(3)

    assert job.enqueued is False
    assert type(job.enqueue_error) is EnqueueError
    assert str(job.enqueue_error) == "The queue is full."
    assert adapter.enqueued == []
    refused = job.job_id
    with configure(adapter=TestAdapter(clock)):
        job.enqueue()
    assert (job.enqueued, job.enqueue_error, job.job_id) == (True, None, refused)


@pytest.mark.parametrize("enqueue", [Pay.enqueue, lambda job: perform_all_later([job])])
def test_another_error_of_the_adapter_reaches_the_caller_and_nothing_is_enqueued(
    adapter, clock, enqueue
):
    class Broken(TestAdapter):
        def enqueue(self, payload):
            raise ConnectionError("broker gone")

    again = Pay.perform_later(3)
    for job in (again, Pay.new(3)):
        with configure(adapter=Broken(clock)), pytest.raises(ConnectionError, match="broker gone"):
            enqueue(job)
        assert (job.enqueued, job.enqueue_error) == (False, None)


@pytest.mark.parametrize(
    "enqueue",
    [
        lambda: Pay.perform_later(1),
        lambda: Pay.new(1).enqueue(),
        lambda: Pay.set(wait=1).perform_later(1),
        lambda: perform_all_later([Pay.new(1)]),
    ],
)
def test_without_an_adapter_nothing_is_enqueued_and_the_error_says_what_to_write(enqueue):
    with configure(adapter=None), pytest.raises(NoAdapterError) as raised:
        enqueue()

    lines = [line.strip() for line in str(raised.value).strip().splitlines()]
    assert lines == [
        "No adapter is configured, so this job has nowhere to go.",
        "",
        "In a test, ask for the `jobs` fixture, or set `jobs_mode = record` in the pytest",
        "configuration. In a program, write `pytest_jobs.configure(adapter=...)` first.",
    ]


def test_a_wrong_call_is_refused_before_anything_is_recorded(adapter):
    with pytest.raises(SignatureError):
        Pay.perform_later()

    assert adapter.enqueued == []


def test_a_job_shows_its_arguments(adapter):
    new = Pay.new(3, currency="USD")
    enqueued = Pay.perform_later("x")

    assert repr(new) == "<Pay(3, currency='USD') job_id=''>"
    assert repr(enqueued) == f"<Pay('x') job_id='{enqueued.job_id[:8]}'>"
    assert repr(Pay.set(wait=1)) == "<Pay with options>"
    assert repr(enqueued.payload) == (
        f'<Payload {__name__}.Pay [["x"],{{}}] job_id={enqueued.job_id} attempt=1>'
    )
