"""Rules that cannot be meant are refused where they are written."""

import pytest
from tables import each_row

from pytest_jobs import Job, after_discard, discard_on, job, rescue_from, retry_on
from pytest_jobs.errors import DeclarationError, WaitError


@pytest.mark.parametrize(
    ("declare", "name"),
    [(retry_on, "retry_on"), (discard_on, "discard_on"), (rescue_from, "rescue_from")],
)
def test_a_rule_names_an_exception_class(declare, name):
    with pytest.raises(DeclarationError) as raised:
        declare()

    assert str(raised.value) == f"{name}() names no exception class: write {name}(SomeError)."


@each_row("error", [ValueError("x"), "ValueError", int, None, (ValueError,)])
@each_row(
    ("declare", "name"),
    [(retry_on, "retry_on"), (discard_on, "discard_on"), (rescue_from, "rescue_from")],
)
def test_what_is_no_exception_class_is_refused(declare, name, error):
    with pytest.raises(DeclarationError) as raised:
        declare(KeyError, error)

    assert str(raised.value) == (
        f"{name}({error!r}) is given something that is not an exception class: name the class, as in "
        f"{name}(SomeError)."
    )


@pytest.mark.parametrize("attempts", [0, -1, 1.0, "5", True])
def test_attempts_is_an_int_of_at_least_one(attempts):
    with pytest.raises(DeclarationError) as raised:
        retry_on(ValueError, attempts=attempts)

    assert str(raised.value) == (
        f"retry_on(attempts={attempts!r}) is not a number of runs: write an int of at least 1, the first run "
        "included, or None to retry for ever."
    )


@each_row("jitter", [-0.1, 1.1, "0.15", None, True, float("nan")])
def test_jitter_is_a_share(jitter):
    with pytest.raises(DeclarationError) as raised:
        retry_on(ValueError, jitter=jitter)

    assert str(raised.value) == (
        f"retry_on(jitter={jitter!r}) is not a share of the wait: write a number from 0 to 1."
    )


@pytest.mark.parametrize("wait", ["polynomially_longer", None, True, [3, 18]])
def test_a_wait_that_is_no_number_is_refused(wait):
    with pytest.raises(WaitError) as raised:
        retry_on(ValueError, wait=wait)

    assert str(raised.value) == (
        f"wait must be a number of seconds such as 30, or timedelta(minutes=5), got {wait!r}."
    )


@pytest.mark.parametrize("wait", [-1, float("inf"), float("nan")])
def test_a_wait_that_is_negative_or_not_finite_is_refused(wait):
    with pytest.raises(WaitError) as raised:
        retry_on(ValueError, wait=wait)

    assert str(raised.value) == (
        f"wait is {wait!r}: a wait is finite and not negative. Write 0 for no wait."
    )


def _three(failures, error, payload):
    pass


def _none():
    pass


def _keyword(failures, *, unit):
    pass


@pytest.mark.parametrize(
    ("wait", "signature"),
    [
        (_three, "(failures, error, payload)"),
        (_none, "()"),
        (_keyword, "(failures, *, unit)"),
    ],
)
def test_a_wait_that_cannot_be_called_with_failures_and_error_is_refused(wait, signature):
    with pytest.raises(DeclarationError) as raised:
        retry_on(ValueError, wait=wait)

    assert str(raised.value) == (
        f"wait={wait.__qualname__} takes {signature}, but a wait is called with the number of failures, or "
        "with that number and the error: write `def wait(failures)` or `def wait(failures, error)`."
    )


@pytest.mark.parametrize("queue", ["", 5])
def test_the_queue_of_the_retries_is_text(queue):
    with pytest.raises(DeclarationError) as raised:
        retry_on(ValueError, queue=queue)

    assert str(raised.value) == (
        f"retry_on(queue=...) must be the name of a queue such as 'mailers', got {queue!r}."
    )


def test_the_priority_of_the_retries_is_an_int():
    with pytest.raises(DeclarationError) as raised:
        retry_on(ValueError, priority="high")

    assert str(raised.value) == ("retry_on(priority=...) must be an int, lower first, got 'high'.")


@pytest.mark.parametrize(
    ("declare", "name"), [(retry_on, "retry_on(then=...)"), (discard_on, "discard_on(then=...)")]
)
def test_then_is_something_to_call(declare, name):
    with pytest.raises(DeclarationError) as raised:
        declare(ValueError, then="mark_expired")

    assert str(raised.value) == (
        f"{name} is 'mark_expired', which cannot be called: pass a function of the job and the error."
    )


async def _coroutine(job, error):
    pass


def _generator(job, error):
    yield


@each_row("handler", [_coroutine, _generator])
@each_row(
    ("declare", "name"),
    [
        (lambda handler: retry_on(ValueError, then=handler), "retry_on(then=...)"),
        (lambda handler: discard_on(ValueError, then=handler), "discard_on(then=...)"),
        (rescue_from(ValueError), "rescue_from"),
        (after_discard, "after_discard"),
    ],
)
def test_a_handler_that_calling_would_not_run_is_refused(declare, name, handler):
    with pytest.raises(DeclarationError) as raised:
        declare(handler)

    assert str(raised.value) == (
        f"{name} is given {handler.__qualname__}, which only returns a coroutine or a generator when it is "
        "called, and nothing runs that: write a plain function."
    )


@pytest.mark.parametrize("declare", [retry_on, discard_on])
def test_a_rule_below_job_is_refused(declare):
    with pytest.raises(DeclarationError) as raised:

        @job
        @declare(ValueError)
        def pay():
            pass

    assert str(raised.value).startswith(f"@{declare.__name__} decorates <function ")
    assert str(raised.value).endswith(
        ">, which is not a job: put it above a class derived from Job, or above @job."
    )


@pytest.mark.parametrize("mark", [rescue_from(ValueError), after_discard])
def test_what_marks_a_method_does_not_decorate_a_class(mark):
    class Pay(Job):
        pass

    with pytest.raises(DeclarationError) as raised:
        mark(Pay)

    assert str(raised.value) == (
        f"{Pay!r} is not a method: decorate a `def` in the body of a job class."
    )


def test_what_cannot_be_called_is_not_marked():
    with pytest.raises(DeclarationError) as raised:
        after_discard("notify")

    assert str(raised.value) == (
        "'notify' is not a method: decorate a `def` in the body of a job class."
    )
