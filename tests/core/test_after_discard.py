"""`after_discard` methods run when a job is given up."""

import pytest

from pytest_jobs import Job, after_discard, discard_on, rescue_from, retry_on
from pytest_jobs.errors import DeserializationError


@discard_on(KeyError)
@retry_on(ConnectionError, attempts=2, wait=0)
@retry_on(TimeoutError, attempts=1, then=lambda job, error: job.calls.append("then"))
class Base(Job):
    calls = []  # noqa: RUF012
    errors = {  # noqa: RUF012
        error.__name__: error
        for error in (KeyError, ConnectionError, TimeoutError, ValueError, EOFError)
    }

    @after_discard
    def parent(self, error):
        self.calls.append(f"parent {type(error).__name__}")


class Pay(Base):
    @after_discard
    def first(self, error):
        self.calls.append(f"first {type(error).__name__}")

    @after_discard
    def second(self, error):
        self.calls.append(f"second {type(error).__name__}")

    @rescue_from(EOFError)
    def rescue(self, error):
        pass

    def perform(self, error):
        if error is not None:
            raise self.errors[error]


@pytest.fixture(autouse=True)
def _no_calls():
    Base.calls.clear()


@pytest.mark.parametrize(
    ("error", "status", "before"),
    [
        ("KeyError", "discarded", []),
        ("ConnectionError", "exhausted", []),
        ("ValueError", "failed", []),
        ("TimeoutError", "exhausted", ["then"]),
    ],
)
def test_all_methods_run_parents_first_when_the_job_is_given_up(adapter, error, status, before):
    Pay.perform_later(error)

    assert adapter.perform_due()[-1].status == status
    assert Pay.calls == [*before, f"parent {error}", f"first {error}", f"second {error}"]


@pytest.mark.parametrize("error", [None, "EOFError", "ConnectionError"])
def test_no_method_runs_when_the_job_is_performed_rescued_or_retried(adapter, error):
    Pay.perform_later(error)
    adapter.perform(adapter.pending[0])

    assert Pay.calls == []


def test_the_methods_of_a_child_do_not_run_for_its_parent(adapter):
    class Plain(Base):
        def perform(self):
            raise KeyError

    Plain.perform_later()
    adapter.perform_due()

    assert Plain.calls == ["parent KeyError"]


def test_the_methods_run_for_arguments_that_cannot_be_read(adapter):
    Pay.perform_later("KeyError").payload.arguments = "?"
    (execution,) = adapter.perform_due()

    assert type(execution.error) is DeserializationError
    assert Pay.calls[0] == "parent DeserializationError"


def test_when_methods_raise_the_others_still_run_and_the_last_error_is_raised(adapter):
    class Noisy(Pay):
        @after_discard
        def third(self, error):
            raise ValueError("third")

        @after_discard
        def fourth(self, error):
            self.calls.append("fourth")
            raise ValueError("fourth")

        @after_discard
        def fifth(self, error):
            self.calls.append("fifth")

    payload = Noisy.perform_later("KeyError").payload
    (execution,) = adapter.perform_due()

    assert Noisy.calls[-2:] == ["fourth", "fifth"]
    assert (execution.status, str(execution.error), execution.handled) == (
        "failed",
        "fourth",
        False,
    )
    assert type(execution.error.__context__) is KeyError
    assert [letter.payload for letter in adapter.dead] == [payload]
