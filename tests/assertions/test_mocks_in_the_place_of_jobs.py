"""A mock in the place of a job, or of the method that enqueues it, is recognised and named."""

import contextlib
import sys
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec, patch

import pytest
from asserting import NEGATIVE

from pytest_jobs import Job, job


class Pay(Job):
    def perform(self, payment_id):
        pass


@job
def send_receipt(order_id):
    pass


THIS = __name__


def hints(text):
    verdict, *lines = text.splitlines()
    return [
        *filter(None, [verdict.partition(": ")[2]]),
        *(line.removeprefix("Hint: ") for line in lines if line.startswith("Hint: ")),
    ]


@pytest.mark.parametrize("kind", [Mock, MagicMock, AsyncMock])
def test_a_mock_in_the_place_of_perform_later_is_named(jobs, assert_enqueued, failure, kind):
    with patch.object(Pay, "perform_later", new_callable=kind):
        text = failure(assert_enqueued, Pay)

    kind_text = f"{'an' if kind is AsyncMock else 'a'} {kind.__name__}"
    assert hints(text) == [f"Pay.perform_later is {kind_text}: it enqueues nothing."]
    assert "\nNext: take the mock out: under the harness the job is recorded" in text


@pytest.mark.parametrize("method", ["delay", "apply_async", "kiq", "enqueue", "perform_later"])
def test_so_is_one_in_the_place_of_the_method_of_any_library(
    jobs, assert_enqueued, failure, method
):
    with patch.object(send_receipt, method, create=True):
        text = failure(assert_enqueued, send_receipt)

    assert hints(text) == [f"send_receipt.{method} is a MagicMock: it enqueues nothing."]


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

    assert "Pay.perform_later is a MagicMock that was called once with (7)" in text


def test_a_mock_where_the_application_looks_the_job_up_is_named(jobs, assert_enqueued, failure):
    meant = send_receipt
    with patch(f"{THIS}.send_receipt"):
        send_receipt.delay(7)
        text = failure(assert_enqueued, meant)

    (hint,) = hints(text)
    assert hint == (
        f"{THIS}.send_receipt is a MagicMock that was called once as .delay(7): if it stands for "
        "send_receipt, it enqueues nothing."
    )


@pytest.mark.parametrize("name", ["assert_performed", "assert_failed"])
def test_an_assertion_about_deliveries_names_it_too(request, jobs, failure, name):
    with patch.object(Pay, "perform_later"):
        text = failure(request.getfixturevalue(name), Pay)

    assert "Pay.perform_later is a MagicMock" in text


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


@pytest.mark.parametrize("name", NEGATIVE)
def test_a_negative_assertion_about_a_mocked_job_is_refused(request, jobs, refusal, name):
    with patch.object(Pay, "perform_later"):
        text = refusal(request.getfixturevalue(name), Pay)

    assert text.startswith(
        f"{name}(Pay) would pass whatever the application does, since Pay.perform_later is a MagicMock: take the "
        "mock out."
    )


@pytest.mark.parametrize("job", [(), (Pay,)], ids=["every job", "the job"])
@pytest.mark.parametrize("name", NEGATIVE)
def test_so_is_one_after_the_mock_has_swallowed_a_call(request, jobs, refusal, name, job):
    with patch.object(Pay, "perform_later"):
        Pay.perform_later(7)

    text = refusal(request.getfixturevalue(name), *job)

    named, told = ("Pay", "Pay") if job else ("", "a job")
    assert text.startswith(
        f"{name}({named}) would pass whatever the application does, since {told}.perform_later was a MagicMock "
        "that was called once with (7): take the mock out."
    )


def test_a_mock_of_a_base_class_swallowed_it_too(jobs, assert_not_enqueued, refusal):
    with patch.object(Job, "perform_later"):
        Pay.perform_later(7)

    assert "since Pay.perform_later was a MagicMock" in refusal(assert_not_enqueued, Pay)


def test_a_failure_names_the_mock_that_is_gone(jobs, assert_enqueued, failure):
    with patch.object(Pay, "perform_later"):
        Pay.perform_later(7)

    assert hints(failure(assert_enqueued, Pay)) == [
        "Pay.perform_later was a MagicMock that was called once with (7): it enqueued nothing."
    ]


@pytest.mark.parametrize("effect", [None, ConnectionError])
def test_a_mock_that_nobody_called_or_that_raised_has_swallowed_nothing(
    jobs, assert_not_enqueued, effect
):
    with (
        patch.object(Pay, "perform_later", side_effect=effect),
        contextlib.suppress(ConnectionError),
    ):
        if effect:
            Pay.perform_later(7)

    assert_not_enqueued(Pay)


def test_nor_has_one_in_the_place_of_another_job(jobs, assert_not_enqueued):
    with patch.object(send_receipt, "perform_later", create=True):
        send_receipt.perform_later(7)
    assert_not_enqueued(Pay)


def test_nor_has_one_of_what_is_no_job(jobs, assert_not_enqueued):
    client = Mock()
    with patch.object(client, "send"):
        client.send("hello")

    assert_not_enqueued()


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


def test_patches_are_left_alone_when_no_harness_is_open(pytester):
    script = pytester.makepyfile(
        """
        from unittest import mock
        from pytest_jobs import open_jobs

        before = mock._patch.__exit__
        for _ in range(2):
            with open_jobs():
                assert mock._patch.__exit__ is not before
            assert mock._patch.__exit__ is before
        """
    )

    assert pytester.runpython(script).ret == 0
