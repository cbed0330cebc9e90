"""Where tests enqueue jobs that no harness performs, job coverage names the flag that helps."""

from __future__ import annotations

import pytest

CELERY = """
    from celery import Celery

    app = Celery("shop")
    app.conf.task_always_eager = True

    @app.task
    def pay(number):
        pass
"""
HUEY = """
    from huey import MemoryHuey

    huey = MemoryHuey("shop", immediate=True)

    @huey.task()
    def pay(number):
        pass
"""
DJANGO_Q = """
    import django
    from django.conf import settings

    settings.configure(INSTALLED_APPS=["django_q"], Q_CLUSTER={"sync": True}, SECRET_KEY="tests")
    django.setup()

    from django_q.tasks import async_task

    def pay(number):
        pass
"""


@pytest.fixture
def suite(pytester, without_colour):
    """Return a function that makes a project with two tests, and runs them."""

    def suite(declared, enqueue):
        pytester.makepyfile(shop=declared)
        pytester.makepyfile(
            f"""
            import pytest
            import shop

            @pytest.mark.parametrize("number", [1, 2])
            def test_it(number):
                {enqueue}
            """
        )
        return lambda *flags: pytester.runpytest_subprocess("-p", "no:django", *flags)

    return suite


@pytest.mark.parametrize(
    ("library", "declared", "enqueue"),
    [
        ("celery", CELERY, "shop.pay.delay(number)"),
        ("huey", HUEY, "shop.pay(number)"),
        ("django_q", DJANGO_Q, "shop.async_task(shop.pay, number)"),
    ],
)
def test_a_suite_that_runs_eagerly_is_told_of_inline(suite, library, declared, enqueue):
    pytest.importorskip(library)
    run = suite(declared, enqueue)

    eager = run("--jobs-cov")
    inline = run("--jobs-cov", "--jobs-inline")

    hint = "Jobs were enqueued in 2 tests outside of any harness: add --jobs-inline, which performs each job *"
    eager.stdout.fnmatch_lines([hint])
    inline.stdout.no_fnmatch_line("Jobs were enqueued in *")


def test_a_suite_that_performs_nothing_is_told_of_inline(suite):
    declared = "    from pytest_jobs import job\n\n    @job\n    def pay(number):\n        pass\n"
    run = suite(declared, "shop.pay.perform_later(number)")

    result = run("--jobs-cov", "--jobs-mode=record")

    result.stdout.fnmatch_lines(
        ["*Jobs were enqueued in 2 tests whose jobs stayed pending: add --jobs-inline, *"]
    )
