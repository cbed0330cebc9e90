"""A block may leave the running event loop, and run one of its own."""

import asyncio

import pytest

from pytest_jobs.harness.time.waiting import off_the_loop


async def answer():
    await asyncio.sleep(0)
    return 42


def test_neither_the_loop_nor_its_task_runs_meanwhile():
    async def main():
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        with off_the_loop():
            meanwhile = asyncio._get_running_loop(), asyncio.current_task(loop)
        return meanwhile, asyncio.get_running_loop() is loop, asyncio.current_task() is task

    assert asyncio.run(main()) == ((None, None), True, True)


def test_another_loop_may_run_meanwhile():
    async def main():
        with off_the_loop():
            answered = asyncio.run(answer())
        # Needs to know its task.
        async with asyncio.timeout(60):
            return answered, await answer()

    assert asyncio.run(main()) == (42, 42)


def test_the_loop_and_its_task_are_back_after_an_error():
    async def main():
        task = asyncio.current_task()
        with pytest.raises(KeyError), off_the_loop():
            raise KeyError
        return asyncio.current_task() is task

    assert asyncio.run(main())


def test_there_need_be_no_loop():
    with off_the_loop():
        assert asyncio.run(answer()) == 42
