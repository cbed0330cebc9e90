"""A mock in the place of a task, or of its `delay` or `apply_async`, is named where the task is missing."""

from unittest.mock import create_autospec, patch

import pytest
from celery import Task, shared_task

from pytest_jobs.assertions.asserts import AssertEnqueued, AssertNotEnqueued
from pytest_jobs.errors import CriterionError


@pytest.fixture
def send(app):
    """Return a task."""

    @app.task(name="shop.send")
    def send(order_id):
        pass

    return send


def failure(jobs, task):
    """Return the text of an assertion that does not find the task."""
    with pytest.raises(AssertionError) as caught:
        AssertEnqueued(lambda: jobs)(task)
    return str(caught.value)


@pytest.mark.parametrize("method", ["delay", "apply_async"])
def test_the_method_of_one_task(jobs, send, method):
    with patch.object(send, method):
        getattr(send, method)(7)
        text = failure(jobs, send)

    assert (
        f"send.{method} is a MagicMock that was called once with (7): it enqueues nothing." in text
    )
    assert "See: python -m pytest_jobs explain a-mock-enqueues-nothing" in text


def test_the_method_of_every_task_also_of_a_shared_one_which_is_a_proxy(jobs, app, send):
    @shared_task(name="shop.shared")
    def shared():
        pass

    assert failure(jobs, send).startswith("No send was enqueued, and no other job.\n")
    app.finalize()
    with patch.object(Task, "delay", autospec=True):
        send.delay(7)
        assert "send.delay is a MagicMock that was called once" in failure(jobs, send)
    with patch.object(Task, "apply_async"):
        assert "shared.apply_async is a MagicMock" in failure(jobs, shared)


def test_a_task_that_was_specified_is_no_task(jobs, send):
    with pytest.raises(CriterionError, match=r"^The job is replaced by a "):
        AssertEnqueued(lambda: jobs)(create_autospec(send))


def test_a_negative_assertion_could_not_fail_nor_could_one_after_a_mock_of_every_task(jobs, send):
    with (
        patch.object(send, "delay"),
        pytest.raises(CriterionError, match=r"since send\.delay is a MagicMock: take the mock"),
    ):
        AssertNotEnqueued(lambda: jobs)(send)
    with patch.object(Task, "apply_async"):
        send.delay(7)
    with pytest.raises(CriterionError, match=r"send\.apply_async was a MagicMock"):
        AssertNotEnqueued(lambda: jobs)(send)


@pytest.mark.parametrize("is_lazy", [False, True])
@pytest.mark.parametrize("asks_for_all", [False, True])
def test_nor_could_one_after_the_mock(jobs, app, is_lazy, asks_for_all):
    # A task of an application that is not set up yet is a proxy.
    @app.task(name="shop.later", lazy=is_lazy)
    def later(order_id):
        pass

    with patch.object(later, "delay"):
        later.delay(7)

    with pytest.raises(CriterionError, match=r"\.delay was a MagicMock that was called once"):
        AssertNotEnqueued(lambda: jobs)(*(() if asks_for_all else (later,)))


def test_a_pending_task_that_sends_it_by_name_is_named(jobs, app, send):
    @app.task(name="shop.place")
    def place(order_id):
        app.send_task("shop.send", [order_id])

    place.delay(7)

    assert (
        "#0 place(7) is pending and may enqueue it, since its code mentions send. Call jobs.drain() first."
    ) in failure(jobs, send)
