"""A call that does nothing until it is awaited, or entered by `with`, fails a test that forgets to."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


@pytest.mark.parametrize(
    ("call", "undone"),
    [
        ("jobs.adrain()", "performed nothing"),
        ("jobs.aperform_due()", "performed nothing"),
        ("jobs.arun_for(60)", "performed nothing"),
        ("jobs.aperform(jobs.pending[0])", "performed nothing"),
        ("jobs.acommit()", "committed nothing"),
        ("jobs.asimulate_retries(Pay, raising=ValueError)", "simulated nothing"),
        ("assert_enqueued.awaited(Pay, timeout=5)", "asserted nothing"),
        ("Pay.aperform_now(7)", "performed nothing"),
        ("fetch.aperform_now('index')", "performed nothing"),
    ],
)
def test_a_verb_that_is_never_awaited(run_test, call, undone):
    result = run_test(f"""
        import asyncio
        from shop import Pay, fetch

        def test_it(jobs, assert_enqueued):
            Pay.perform_later(7)

            async def test():
                {call}

            asyncio.run(test())
    """)

    name = call.partition("(")[0]
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"*ForgottenCallError: {name}() at *.py:8 was never awaited, so it {undone}: write `await {name}(*"
        ]
    )
    result.stdout.no_fnmatch_line("*RuntimeWarning*")
    # No line of the test is to blame, and none of pytest either.
    result.stdout.no_fnmatch_line("*hookwrapper*")


def test_each_such_call_is_named(run_test):
    result = run_test("""
        def test_it(jobs):
            jobs.adrain()
            jobs.inline()
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*ForgottenCallError: jobs.adrain() at *.py:2 was never awaited, *",
            "*jobs.inline() at *.py:3 was never entered, *",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize(
    ("call", "name", "undone", "instead"),
    [
        ("jobs.inline()", "jobs.inline", "nothing was performed inline", "with jobs.inline():"),
        ("jobs.capture()", "jobs.capture", "nothing looked at it", "with jobs.capture() as sent:"),
        (
            "jobs.real_time()",
            "real_time",
            "the time stayed that of the virtual clock",
            "with jobs.real_time():",
        ),
        (
            "jobs.clock.real_time()",
            "real_time",
            "the time stayed that of the virtual clock",
            "with jobs.real_time():",
        ),
    ],
)
def test_a_block_that_is_never_entered(run_test, call, name, undone, instead):
    result = run_test(f"""
        from shop import Pay

        def test_it(jobs):
            block = {call}
            Pay.perform_later(7)
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"*ForgottenCallError: {name}() at *.py:4 was never entered, so {undone}: write `{instead}`.",
        ]
    )


def test_calls_that_are_awaited_and_entered_pass(run_test):
    result = run_test("""
        import asyncio
        from shop import Pay

        def test_it(jobs, assert_enqueued):
            async def test():
                with jobs.capture(), jobs.real_time():
                    Pay.perform_later(7)
                await assert_enqueued.awaited(Pay, timeout=5)
                async with jobs.inline():
                    await asyncio.gather(jobs.adrain(), asyncio.create_task(jobs.aperform_due()))

            asyncio.run(test())
            asyncio.run(jobs.adrain())
    """)

    result.assert_outcomes(passed=1)


def test_a_test_that_fails_otherwise_fails_for_that(run_test):
    result = run_test("""
        def test_it(jobs):
            jobs.inline()
            assert 1 == 2
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *assert 1 == 2"])
    result.stdout.no_fnmatch_line("*ForgottenCallError*")


def test_a_jobs_test_case_fails_too(run_test):
    result = run_test("""
        from pytest_jobs import JobsTestCase

        class PayTest(JobsTestCase):
            def test_it(self):
                self.jobs.inline()
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ForgottenCallError: jobs.inline() at *.py:5 was never entered*"])


def test_a_job_that_is_performed_with_options_is_called_with_them(run_test):
    result = run_test("""
        from shop import Pay

        def test_it(jobs):
            Pay.set(queue="low").aperform_now(7)
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*ForgottenCallError: Pay.set(...).aperform_now() at *.py:4 was never awaited, so it *"]
    )
