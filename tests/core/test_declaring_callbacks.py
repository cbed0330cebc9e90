"""Callbacks that would do nothing, or the wrong thing, are refused when they are declared."""

import pytest

from pytest_jobs import (
    Job,
    after_discard,
    after_enqueue,
    after_perform,
    around_enqueue,
    around_perform,
    before_enqueue,
    before_perform,
    rescue_from,
)
from pytest_jobs.errors import DeclarationError


def _plain(self):
    pass


def _generator(self):
    yield


async def _coroutine(self):
    pass


@pytest.mark.parametrize("declare", [around_enqueue, around_perform])
@pytest.mark.parametrize("function", [_plain, _coroutine])
def test_an_around_callback_that_never_yields_is_refused(declare, function):
    with pytest.raises(DeclarationError) as raised:
        declare(function)

    assert str(raised.value) == (
        f"{function.__name__} is declared @{declare.__name__} and never yields: write a generator with one "
        "`yield` where the job goes on."
    )


@pytest.mark.parametrize(
    ("declare", "around"),
    [
        (before_enqueue, "around_enqueue"),
        (after_enqueue, "around_enqueue"),
        (before_perform, "around_perform"),
        (after_perform, "around_perform"),
    ],
)
def test_a_before_or_after_callback_that_yields_is_refused(declare, around):
    with pytest.raises(DeclarationError) as raised:
        declare(_generator)

    assert str(raised.value) == (
        f"_generator is declared @{declare.__name__} and yields, so calling it does nothing: declare it "
        f"@{around}, or take the `yield` out."
    )


def _performs(self):
    pass


class Base(Job):
    check = before_perform(_coroutine)


class Asynchronous(Base):
    async def perform(self):
        pass


@pytest.mark.parametrize(
    ("base", "body"),
    [
        (Job, {"check": before_perform(_coroutine), "perform": _performs}),
        (Job, {"check": after_perform(_coroutine), "perform": _performs}),
        (Job, {"check": before_enqueue(_coroutine), "perform": _coroutine}),
        (Job, {"check": after_enqueue(_coroutine), "perform": _coroutine}),
        (Base, {"perform": _performs}),
    ],
    ids=["before", "after", "before the enqueue", "after the enqueue", "of a base"],
)
def test_a_coroutine_callback_that_nothing_awaits_is_refused(base, body):
    with pytest.raises(DeclarationError) as raised:
        type("Pay", (base,), body)
    assert Asynchronous.perform_now() is None

    assert str(raised.value) == (
        "_coroutine is a coroutine function, and nothing awaits it: only the before_perform and after_perform "
        "callbacks of an `async def perform` may be."
    )


@pytest.mark.parametrize("mark", [before_perform, rescue_from(ValueError), after_discard])
def test_a_mark_in_a_class_that_is_no_job_is_refused(mark):
    # Python 3.11 wraps what __set_name__ raises.
    with pytest.raises((DeclarationError, RuntimeError)) as raised:
        type("Order", (), {"check": mark(_plain)})

    error = raised.value
    assert str(error.__cause__ if type(error) is RuntimeError else error) == (
        "Order.check is marked as a callback or handler of a job, and Order is not a job class: derive it "
        "from Job."
    )


def test_a_marked_method_stays_a_method():
    class Pay(Job):
        @before_perform
        @after_perform
        def check(self, value="checked"):
            return value

        def perform(self):
            pass

    assert Pay().check() == "checked"
