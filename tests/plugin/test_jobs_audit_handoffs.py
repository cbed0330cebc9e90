"""The places that hand work off, of which `--jobs-audit` has the number, and the names by `-v`."""

from __future__ import annotations

import json
import re

import pytest

pytest.importorskip("celery")

TASKS = """
    from celery import Celery

    app = Celery("shop", broker="memory://")

    @app.task
    def confirm(number): ...

    @app.task
    def ship(number): ...

    notify = confirm.delay
    """
#: Each function hands work off in one place.
VIEWS = """
    from functools import partial

    from celery import chain, chord, group
    from tasks import confirm, notify, ship
    import tasks

    send = confirm.delay

    def on_commit(call):
        call()

    def plain(number):
        confirm.delay(number)

    def partly(number):
        on_commit(partial(confirm.delay, number))

    def chained(number):
        chain(confirm.si(number), ship.si(number)).delay()

    def piped(number):
        (confirm.si(number) | ship.si(number)).apply_async()

    def grouped(number):
        group(confirm.s(number), ship.s(number))()

    def grouped_by_name(number):
        both = group(confirm.s(number), ship.s(number))
        both.apply_async()

    def chorded(number):
        chord([confirm.s(number)])(ship.si(number))

    def by_local_alias(number):
        f = confirm.delay
        f(number)

    def by_alias(number):
        send(number)

    def by_imported_alias(number):
        notify(number)

    def by_alias_of_module(number):
        tasks.notify(number)

    def mapped(numbers):
        list(map(confirm.delay, numbers))

    def nothing(number):
        chain(confirm.si(number), ship.si(number))
        confirm.s(number)
        return confirm.name, confirm

    @tasks.app.task
    def again(number):
        group(confirm.s(number))()
        on_commit(partial(confirm.delay, number))
    """
TESTS = """
    import tasks
    import views
    from pytest_jobs import check_handoff

    def test_confirming(jobs):
        tasks.confirm.delay(1)

    def test_partly():
        check_handoff(views.partly, args=(1,), histories=["early"])
    """


@pytest.fixture
def audited(pytester):
    """Return a function that audits the tests, and returns the result and the places."""
    pytester.makepyfile(tasks=TASKS, views=VIEWS, test_views=TESTS)

    def run(*arguments):
        flags = ("--jobs-audit", "--jobs-report=found.json", *arguments)
        result = pytester.runpytest_subprocess(*flags)
        result.assert_outcomes(passed=2)
        found = json.loads((pytester.path / "found.json").read_text("utf-8"))
        return result, found["audit"]["handoffs"]

    return run


def test_places_are_seen_that_pass_a_method_on_or_put_messages_together(audited):
    result, found = audited("-v")

    text = " ".join(result.outlines)
    functions = re.findall(r"views\.py:\d+ +\((\w+)\)", text)
    assert functions == [
        *("plain", "chained", "piped", "grouped", "grouped_by_name", "chorded"),
        *("by_local_alias", "by_alias", "by_imported_alias", "by_alias_of_module", "mapped"),
    ]
    assert found["places"] == len(functions) + 1


def test_the_list_is_shown_when_it_is_asked_for(audited):
    result, _ = audited()

    result.stdout.fnmatch_lines(
        [
            "Handed off:",
            "- 12 places outside of jobs enqueue one, and check_handoff checks 1 of them.",
            "  -v names those that it does not check.",
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*views.py:*")
