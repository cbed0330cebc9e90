"""Async tests, under pytest-asyncio and under anyio."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

HEADER = """
    import asyncio
    import pytest
    from pytest_jobs import assert_performed, current_jobs, job
    from pytest_jobs.errors import RunningLoopError
    from shop import Pay, Refuse, Sync, fetch

    @job
    async def wait_for(seconds):
        await asyncio.Event().wait()

    @job
    async def refuse_later():
        await asyncio.sleep(0)
        raise ValueError("no page")
"""
PLUGINS = {
    "pytest-asyncio": HEADER + "    pytestmark = pytest.mark.asyncio\n",
    "anyio": HEADER
    + "    pytestmark = pytest.mark.anyio\n"
    + '    @pytest.fixture\n    def anyio_backend():\n        return "asyncio"\n',
}
UNFINISHED = (
    "E *UnfinishedJobsError: Coroutine jobs that were enqueued inline inside the running event loop "
    "had not ended: await them with `async with jobs.inline():`, or perform them with "
    "`await jobs.adrain()`."
)


@pytest.fixture(params=PLUGINS)
def run(request, told):
    """Return a function that runs a module of tests under either plugin."""

    def run(tests, *arguments, **outcomes):
        return told(PLUGINS[request.param] + tests, *arguments, **outcomes)

    return run


def test_verbs_and_blocks_in_asynchronous_tests(run):
    reports = run(
        """
    async def test_the_asynchronous_drain_performs_on_the_loop_of_the_test(jobs):
        fetch.perform_later(3)
        Pay.perform_later(7)
        tally = await jobs.adrain()

        assert tally["performed"] == 2
        assert [delivery.result for delivery in jobs.performed] == [3, "paid 7"]

    async def test_it_jumps_over_waits(jobs, assert_retried):
        Sync.perform_later(2)
        await jobs.adrain()

        assert [d.wait.total_seconds() for d in assert_retried(Sync, count=2)] == [3, 18]

    async def test_the_synchronous_drain_performs_plain_jobs(jobs):
        Pay.perform_later(7)

        assert jobs.drain()["performed"] == 1

    async def test_the_synchronous_drain_refuses_coroutine_jobs_and_names_the_twin(jobs):
        fetch.perform_later(3)
        with pytest.raises(RunningLoopError, match="await jobs.adrain()"):
            jobs.drain()
        await jobs.adrain()

        assert_performed(fetch)

    async def test_an_inline_block_waits_for_its_coroutine_jobs(jobs):
        async with jobs.inline():
            fetch.perform_later(3)
            Pay.perform_later(7)

        assert len(jobs.performed) == 2

    async def enqueue(payment_id):
        await asyncio.sleep(0)
        Pay.perform_later(payment_id)

    async def test_tasks_and_threads_of_the_test_enqueue_into_it(jobs):
        await asyncio.gather(*map(enqueue, range(5)))
        await asyncio.to_thread(Pay.perform_later, 5)

        assert sorted(record.args[0] for record in jobs.enqueued) == [0, 1, 2, 3, 4, 5]

    @pytest.mark.jobs(mode="record")
    async def test_a_mode_gives_a_harness_without_asking():
        fetch.perform_later(3)
        await current_jobs().adrain()
        assert_performed(fetch)

    async def test_an_error_of_a_job(jobs):
        refuse_later.perform_later()
        await jobs.adrain()

    async def test_a_failed_assertion(assert_enqueued):
        assert_enqueued(Pay)

    @pytest.mark.jobs(strict=True)
    async def test_strict(jobs):
        Pay.perform_later(7)
    """,
        "--tb=short",
        passed=7,
        failed=3,
    )

    reports["test_an_error_of_a_job"].fnmatch_lines(["E *ValueError: no page"])
    reports["test_a_failed_assertion"].fnmatch_lines(
        [
            "test_it.py:*: in test_a_failed_assertion",
            "    assert_enqueued(Pay)",
            "E *AssertionError: No Pay was enqueued*",
        ]
    )
    reports["test_a_failed_assertion"].no_fnmatch_line("*asserts.py*")
    reports["test_strict"].fnmatch_lines(["This test left * that it neither looked at nor *"])


def test_jobs_that_are_performed_inline_in_asynchronous_tests(run):
    reports = run(
        """
    async def test_a_coroutine_job_runs_on_the_loop_of_the_test():
        fetch.perform_later(3)
        assert len(current_jobs().performed) == 0
        await asyncio.sleep(0.001)

        assert_performed(fetch, result=3)

    async def test_its_error_fails_the_test():
        refuse_later.perform_later()
        await asyncio.sleep(0.001)

    async def test_one_that_has_not_ended():
        wait_for.perform_later(1)
        await asyncio.sleep(0)

    async def test_one_that_never_began():
        wait_for.perform_later(1)

    async def test_the_next_is_none_the_worse(jobs):
        assert len(jobs.enqueued) == 0
        fetch.perform_later(3)
        await asyncio.sleep(0.001)
        assert_performed(fetch)
    """,
        "--jobs-inline",
        passed=2,
        failed=3,
    )

    reports["test_its_error_fails_the_test"].fnmatch_lines(["E *ValueError: no page"])
    reports["test_one_that_has_not_ended"].fnmatch_lines([UNFINISHED])
    reports["test_one_that_never_began"].fnmatch_lines([UNFINISHED])


def test_an_async_fixture_may_enqueue(told):
    told(
        """
        import pytest
        import pytest_asyncio
        from shop import fetch

        @pytest_asyncio.fixture
        async def page(jobs):
            fetch.perform_later(3)
            await jobs.adrain()
            return jobs.performed[0].result

        @pytest.mark.asyncio
        async def test_it(page):
            assert page == 3
        """,
        passed=1,
    )
