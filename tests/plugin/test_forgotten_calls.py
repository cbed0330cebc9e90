"""A call that does nothing until it is awaited, or entered by `with`, fails a test that forgets to."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

AWAITED = {
    "jobs.adrain()": "performed nothing",
    "jobs.aperform_due()": "performed nothing",
    "jobs.arun_for(60)": "performed nothing",
    "jobs.aperform(jobs.pending[0])": "performed nothing",
    "jobs.acommit()": "committed nothing",
    "jobs.asimulate_retries(Pay, raising=ValueError)": "simulated nothing",
    "assert_enqueued.awaited(Pay, timeout=5)": "asserted nothing",
    "Pay.aperform_now(7)": "performed nothing",
    "fetch.aperform_now('index')": "performed nothing",
}
ENTERED = {
    "jobs.inline()": ("jobs.inline", "nothing was performed inline", "with jobs.inline():"),
    "jobs.capture()": ("jobs.capture", "nothing looked at it", "with jobs.capture() as sent:"),
    **dict.fromkeys(
        ("jobs.real_time()", "jobs.clock.real_time()"),
        (
            *("real_time", "the time stayed that of the virtual clock"),
            "with jobs.real_time():",
        ),
    ),
}
OTHERS = """
def test_each_such_call_is_named(jobs):
    jobs.adrain()
    jobs.inline()

def test_one_that_fails_otherwise_fails_for_that(jobs):
    jobs.inline()
    assert 1 == 2

class TestCase(JobsTestCase):
    def test_it(self):
        self.jobs.inline()

def test_a_job_that_is_performed_with_options_is_called_with_them(jobs):
    Pay.set(queue="low").aperform_now(7)

def test_calls_that_are_awaited_and_entered_pass(jobs, assert_enqueued):
    async def test():
        with jobs.capture(), jobs.real_time():
            Pay.perform_later(7)
        await assert_enqueued.awaited(Pay, timeout=5)
        async with jobs.inline():
            await asyncio.gather(jobs.adrain(), asyncio.create_task(jobs.aperform_due()))

    asyncio.run(test())
    asyncio.run(jobs.adrain())
"""


def test_a_call_that_is_never_awaited_or_entered_fails_its_test(told):
    tests = ["import asyncio\nfrom pytest_jobs import JobsTestCase\nfrom shop import Pay, fetch\n"]
    expected = {}
    for call, undone in AWAITED.items():
        name = f"test_{len(expected)}"
        tests.append(
            f"def {name}(jobs, assert_enqueued):\n"
            "    async def test():\n"
            f"        Pay.perform_later(7)\n        {call}\n"
            "    asyncio.run(test())\n"
        )
        called = call.partition("(")[0]
        expected[name] = (
            f"{called}() at *.py:{{}} was never awaited, so it {undone}: write `await {called}(*"
        )
    for call, (called, undone, instead) in ENTERED.items():
        name = f"test_{len(expected)}"
        tests.append(f"def {name}(jobs):\n    block = {call}\n    Pay.perform_later(7)\n")
        expected[name] = (
            f"{called}() at *.py:{{}} was never entered, so {undone}: write `{instead}`."
        )
    module = "\n".join(tests)
    reports = told(module + OTHERS, passed=1, failed=len(expected) + 4)

    for name, said in expected.items():
        call = [*AWAITED, *ENTERED][int(name.removeprefix("test_"))]
        line = module[: module.index(call, module.index(f"def {name}("))].count("\n") + 1
        reports[name].fnmatch_lines([f"*ForgottenCallError: {said.format(line)}"])
    reports["test_each_such_call_is_named"].fnmatch_lines(
        [
            "*ForgottenCallError: jobs.adrain() at *.py:* was never awaited, *",
            "*jobs.inline() at *.py:* was never entered, *",
        ],
        consecutive=True,
    )
    otherwise = reports["test_one_that_fails_otherwise_fails_for_that"]
    otherwise.fnmatch_lines(["E *assert 1 == 2"])
    otherwise.no_fnmatch_line("*ForgottenCallError*")
    reports["TestCase.test_it"].fnmatch_lines(
        ["*ForgottenCallError: jobs.inline() at *.py:* was never entered*"]
    )
    reports["test_a_job_that_is_performed_with_options_is_called_with_them"].fnmatch_lines(
        ["*ForgottenCallError: Pay.set(...).aperform_now() at *.py:* was never awaited, so it *"]
    )
    # No line of the test is to blame, and none of pytest either.
    for report in reports.values():
        report.no_fnmatch_line("*RuntimeWarning*")
        report.no_fnmatch_line("*hookwrapper*")
