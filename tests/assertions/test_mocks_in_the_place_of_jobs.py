"""A mock in the place of a job, or of the method that enqueues it, is recognised and named."""

import sys
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec, patch

import pytest

from pytest_jobs import Job, job


class Pay(Job):
    def perform(self, payment_id):
        pass


@job
def send_receipt(order_id):
    pass


THIS = __name__


def hints(text):
    return [line for line in text.splitlines() if line.startswith("Hint: ")]


@pytest.mark.parametrize("kind", [Mock, MagicMock, AsyncMock])
def test_a_mock_in_the_place_of_perform_later_is_named(jobs, assert_enqueued, failure, kind):
    with patch.object(Pay, "perform_later", new_callable=kind):
        text = failure(assert_enqueued, Pay)

    kind_text = f"{'an' if kind is AsyncMock else 'a'} {kind.__name__}"
    assert hints(text) == [f"Hint: Pay.perform_later is {kind_text}: it enqueues nothing."]
    assert "\nNext: take the mock out: under the harness the job is recorded" in text


@pytest.mark.parametrize("method", ["delay", "apply_async", "kiq", "enqueue", "perform_later"])
def test_so_is_one_in_the_place_of_the_method_of_any_library(
    jobs, assert_enqueued, failure, method
):
    with patch.object(send_receipt, method, create=True):
        text = failure(assert_enqueued, send_receipt)

    assert hints(text) == [f"Hint: send_receipt.{method} is a MagicMock: it enqueues nothing."]


def test_what_it_was_called_with_is_shown(jobs, assert_enqueued, failure):
    with patch.object(Pay, "perform_later"):
        Pay.perform_later(7)
        Pay.perform_later(payment_id=8)
        text = failure(assert_enqueued, Pay)

    assert "is a MagicMock that was called 2 times, last with (payment_id=8): it" in text


def test_an_autospecced_method_is_one(jobs, assert_enqueued, failure):
    with patch.object(Pay, "perform_later", autospec=True):
        Pay.perform_later(7)
        text = failure(assert_enqueued, Pay)

    assert "Hint: Pay.perform_later is a MagicMock that was called once with (7)" in text


def test_a_mock_where_the_application_looks_the_job_up_is_named(jobs, assert_enqueued, failure):
    meant = send_receipt
    with patch(f"{THIS}.send_receipt"):
        send_receipt.delay(7)
        text = failure(assert_enqueued, meant)

    (hint,) = hints(text)
    assert hint == (
        f"Hint: {THIS}.send_receipt is a MagicMock that was called once as .delay(7): if it stands for "
        "send_receipt, it enqueues nothing."
    )


@pytest.mark.parametrize("name", ["assert_performed", "assert_failed"])
def test_an_assertion_about_deliveries_names_it_too(request, jobs, failure, name):
    with patch.object(Pay, "perform_later"):
        text = failure(request.getfixturevalue(name), Pay)

    assert "Hint: Pay.perform_later is a MagicMock" in text


def test_a_mock_that_passes_calls_on_is_not_named(jobs, assert_enqueued, failure):
    real = send_receipt.perform_later
    with patch.object(send_receipt, "perform_later", wraps=real):
        send_receipt.perform_later(7)
        wrapped = failure(assert_enqueued, send_receipt, args=(8,))
    with patch.object(send_receipt, "perform_later", side_effect=real):
        spied = failure(assert_enqueued, send_receipt, args=(8,))

    assert hints(wrapped) + hints(spied) == []


@pytest.mark.parametrize(
    ("mock", "text"),
    [
        (MagicMock(name="send_receipt"), "a MagicMock (send_receipt)"),
        (AsyncMock(), "an AsyncMock"),
        (create_autospec(Pay), "a MagicMock"),
        (create_autospec(send_receipt), "a MagicMock"),
        (create_autospec(lambda order_id: None), "a MagicMock"),
    ],
    ids=["mock", "async", "autospec_of_a_class", "autospec_of_a_job", "autospec_of_a_function"],
)
def test_a_mock_is_no_job(jobs, assert_enqueued, assert_not_enqueued, refusal, mock, text):
    assert refusal(assert_enqueued, mock).startswith(f"The job is replaced by {text}")
    assert refusal(assert_not_enqueued, mock) == refusal(assert_enqueued, mock)
    assert refusal(jobs.fail, mock, raising=ValueError) == refusal(assert_enqueued, mock)
    assert "so it is never enqueued: take the mock out. Under the harness" in refusal(
        assert_enqueued, mock
    )


@pytest.mark.parametrize("name", ["assert_not_enqueued", "assert_not_performed"])
def test_a_negative_assertion_about_a_mocked_job_is_refused(request, jobs, refusal, name):
    with patch.object(Pay, "perform_later"):
        text = refusal(request.getfixturevalue(name), Pay)

    assert text.startswith(
        f"{name}(Pay) would pass whatever the application does, since Pay.perform_later is a MagicMock: take the "
        "mock out."
    )


@pytest.mark.parametrize("error", [ConnectionError, ConnectionError("no broker")], ids=repr)
def test_one_that_was_told_to_raise_is_on_purpose(jobs, assert_not_enqueued, error):
    with patch.object(Pay, "perform_later", side_effect=error):
        assert_not_enqueued(Pay)


def test_it_holds_for_what_a_spy_lets_through(jobs, assert_not_enqueued):
    real = send_receipt.perform_later
    with patch.object(send_receipt, "perform_later", wraps=real):
        assert_not_enqueued(send_receipt)


def test_mocks_inside_of_arguments_are_none_of_ours(jobs, assert_enqueued):
    Pay.perform_later(7)

    class Any7:
        def __eq__(self, other):
            return other == 7

        __hash__ = None

    assert_enqueued(Pay, args=(Any7(),), where=Mock(return_value=True))


def test_what_only_says_that_it_is_a_module_is_passed_over(
    jobs, assert_enqueued, failure, monkeypatch
):
    class Lib:
        __slots__ = ()
        __class__ = type(sys)

    monkeypatch.setitem(sys.modules, "compiled.lib", Lib())

    assert "Pay" in failure(assert_enqueued, Pay)
