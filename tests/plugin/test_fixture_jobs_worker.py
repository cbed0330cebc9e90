"""What a worker sets up, and what stays with the test: fixtures, `setUp`, and the fixture `jobs_worker`."""

import pytest

SHOP = """
from contextlib import contextmanager
from contextvars import ContextVar

from pytest_jobs import job

tenant = ContextVar("tenant", default="nobody")
seen = []

@job
def look():
    seen.append(tenant.get())

@job
async def alook():
    seen.append(tenant.get())

@job
def needs():
    request_id.get()

request_id = ContextVar("request_id")

@contextmanager
def worker():
    token = tenant.set("of the worker")
    yield
    tenant.reset(token)
"""


@pytest.fixture
def ran(pytester):
    """Return a function that runs a module of tests."""

    def ran(text):
        pytester.makepyfile(app=SHOP)
        pytester.makepyfile(test_it=text)
        return pytester.runpytest()

    return ran


def test_fixtures_belong_to_the_worker_in_whatever_order_and_the_body_does_not(ran):
    ran("""
    import app
    import pytest

    @pytest.fixture
    def set_up():
        token = app.tenant.set("of a fixture")
        app.seen.clear()
        yield
        app.tenant.reset(token)

    def test_before(set_up, jobs):
        app.tenant.set("of the body")
        app.look.perform_later()
        jobs.drain()
        assert app.seen == ["of a fixture"]

    def test_after(jobs, set_up):
        app.tenant.set("of the body")
        app.alook.perform_later()
        jobs.drain()
        assert app.seen == ["of a fixture"]
    """).assert_outcomes(passed=2)


@pytest.mark.parametrize("base", ["unittest.TestCase", "JobsTestCase"])
def test_set_up_of_a_test_case_belongs_to_the_worker(ran, base):
    ran(f"""
    import unittest

    import app
    from pytest_jobs import JobsTestCase, check_idempotent, current_jobs, open_jobs

    class Case({base}):
        def setUp(self):
            app.tenant.set("of setUp")
            app.seen.clear()

        def test_it(self):
            app.tenant.set("of the body")
            with open_jobs() as jobs:
                app.look.perform_later()
                jobs.drain()
            assert app.seen == ["of setUp"]
    """).assert_outcomes(passed=1)


def test_a_check_sees_what_fixtures_set_up_and_not_the_body(ran):
    ran("""
    import app
    import pytest
    from pytest_jobs import check_idempotent

    @pytest.fixture(autouse=True)
    def set_up():
        token = app.tenant.set("of a fixture")
        yield
        app.tenant.reset(token)

    kept = {}

    def keep():
        kept["tenant"] = app.tenant.get()

    def test_it():
        shown = []

        def world():
            kept.clear()
            yield lambda: shown.append(dict(kept)) or dict(kept)

        app.tenant.set("of the body")
        check_idempotent(keep, world=world, histories=["twice"])
        assert {state.get("tenant") for state in shown} == {None, "of a fixture"}
    """).assert_outcomes(passed=1)


def test_what_the_fixture_gives_is_around_each_delivery(ran):
    ran("""
    import app
    import pytest
    from pytest_jobs import check_idempotent

    @pytest.fixture
    def jobs_worker():
        return app.worker

    def test_it(jobs):
        app.seen.clear()
        app.look.perform_later()
        app.alook.perform_later()
        jobs.drain()
        with jobs.inline():
            app.look.perform_later()
        assert app.seen == ["of the worker"] * 3
        assert app.tenant.get() == "nobody"

    def test_a_check_without_a_harness():
        rows, found = {}, []

        def job():
            rows["tenant"] = app.tenant.get()

        def world():
            rows.clear()
            yield lambda: dict(rows)
            found.append(dict(rows))

        check_idempotent(job, world=world, histories=["twice"])
        assert {"tenant": "of the worker"} in found
    """).assert_outcomes(passed=2)


def test_the_error_of_a_job_names_what_it_does_not_see_and_the_fixture(ran):
    result = ran("""
    import app

    def test_it(jobs):
        app.request_id.set("r1")
        app.needs.perform_later()
        jobs.drain()
    """)

    result.stdout.fnmatch_lines(
        ["*The test has set since: request_id. *let the fixture jobs_worker return what enters it*"]
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "7",
            "*The fixture jobs_worker gave 7: it must give a function that returns a new context *",
        ),
        (
            "lambda: 7",
            "*The fixture jobs_worker gave *, which returned 7: it must give a function *",
        ),
        ("app.worker()", "*The fixture jobs_worker gave *: it must give a function that *"),
        ("twice", "*The context raised this that the fixture jobs_worker gives for a delivery.*"),
    ],
)
def test_a_worker_that_is_no_context_is_an_error(ran, given, said):
    result = ran(f"""
    from contextlib import contextmanager

    import app
    import pytest

    @contextmanager
    def twice():
        yield
        yield

    @pytest.fixture
    def jobs_worker():
        return {given}

    def test_it(jobs):
        app.look.perform_later()
        jobs.drain()
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([said])
