"""Rules that cannot be meant are refused where they are written."""

import functools
import inspect

import pytest
from tables import each_row

from pytest_jobs import Job, after_discard, discard_on, job, rescue_from, retry_on
from pytest_jobs.errors import DeclarationError, WaitError

RULES = {"retry_on": retry_on, "discard_on": discard_on, "rescue_from": rescue_from}
THEN = {name: functools.partial(RULES[name], ValueError) for name in ("retry_on", "discard_on")}
MARKS = {"rescue_from": rescue_from(ValueError), "after_discard": after_discard}


def _three(failures, error, payload):
    pass


def _none():
    pass


def _keyword(failures, *, unit):
    pass


async def _coroutine(job, error):
    pass


def _generator(job, error):
    yield


def _refusals():
    """Return for each option of a rule the values that it refuses, and the text for them."""
    wait = "must be a number of seconds such as 30, or timedelta(minutes=5), got {!r}."
    finite = "a wait is finite and not negative. Write 0 for no wait."
    return {
        "attempts": (
            [0, -1, 1.0, "5", True],
            (
                "retry_on(attempts={!r}) is not a number of runs: write an int of at least 1, the first run "
                "included, or None to retry for ever."
            ),
        ),
        "jitter": (
            [-0.1, 1.1, "0.15", None, True, float("nan")],
            "retry_on(jitter={!r}) is not a share of the wait: write a number from 0 to 1.",
        ),
        "queue": (
            ["", 5],
            "retry_on(queue=...) must be the name of a queue such as 'mailers', got {!r}.",
        ),
        "priority": (["high"], "retry_on(priority=...) must be an int, lower first, got {!r}."),
        "wait": (["polynomially_longer", None, True, [3, 18]], f"wait {wait}"),
        "wait ": ([-1, float("inf"), float("nan")], f"wait is {{!r}}: {finite}"),
        "wait  ": (
            [_three, _none, _keyword],
            (
                "wait={0.__qualname__} takes {1}, but a wait is called with the number of failures, or with that "
                "number and the error: write `def wait(failures)` or `def wait(failures, error)`."
            ),
        ),
    }


@each_row(
    ("option", "value", "text"),
    [(name.strip(), each, text) for name, (values, text) in _refusals().items() for each in values],
)
def test_an_option_that_cannot_be_meant_is_refused(option, value, text):
    with pytest.raises(WaitError if text.startswith("wait ") else DeclarationError) as raised:
        retry_on(ValueError, **{option: value})

    signature = inspect.signature(value) if callable(value) else None
    assert str(raised.value) == text.format(value, signature)


@each_row("name", RULES)
@each_row("error", [(), ValueError("x"), "ValueError", int, None, (ValueError,)])
def test_a_rule_names_exception_classes_only(name, error):
    with pytest.raises(DeclarationError) as raised:
        RULES[name](KeyError, error) if error != () else RULES[name]()

    assert str(raised.value) == (
        f"{name}({error!r}) is given something that is not an exception class: name the class, as in "
        f"{name}(SomeError)."
        if error != ()
        else f"{name}() names no exception class: write {name}(SomeError)."
    )


@each_row("name", THEN)
def test_then_is_something_to_call(name):
    with pytest.raises(DeclarationError) as raised:
        THEN[name](then="mark_expired")

    assert str(raised.value) == (
        f"{name}(then=...) is 'mark_expired', which cannot be called: pass a function of the job and the error."
    )


@each_row("handler", [_coroutine, _generator])
@each_row("name", [*THEN, *MARKS])
def test_a_handler_that_calling_would_not_run_is_refused(name, handler):
    with pytest.raises(DeclarationError) as raised:
        THEN[name](then=handler) if name in THEN else MARKS[name](handler)

    assert str(raised.value) == (
        f"{name}{'(then=...)' * (name in THEN)} is given {handler.__qualname__}, which only returns a coroutine "
        "or a generator when it is called, and nothing runs that: write a plain function."
    )


@each_row("mark", MARKS.values())
@each_row("given", [type("Pay", (Job,), {}), "notify"])
def test_what_is_no_method_is_not_marked(mark, given):
    with pytest.raises(DeclarationError) as raised:
        mark(given)

    assert str(raised.value) == (
        f"{given!r} is not a method: decorate a `def` in the body of a job class."
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
