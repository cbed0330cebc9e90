"""`--jobs-audit` of an application with background tasks, which it performs by itself once it has answered."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx2")

APP = """
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse


def first(number):
    open("log.txt", "a").write("first")


def second(number):
    open("log.txt", "a").write("second")


async def awaited(number):
    open("log.txt", "a").write("awaited")


def of_parts(number, name):
    open("log.txt", "a").write(name)


def of_response(number):
    open("log.txt", "a").write("response")


class Service:
    def method(self, number):
        open("log.txt", "a").write("method")


def of_a_lifespan(number):
    open("log.txt", "a").write("lifespan")


def only_called(number):
    open("log.txt", "a").write("called")


async def only_awaited(number):
    open("log.txt", "a").write("awaited")


def of_a_text(number):
    open("log.txt", "a").write("text")


def fails(number):
    raise ValueError(number)


def never(number): ...


@asynccontextmanager
async def life(app):
    yield


api = FastAPI(lifespan=life)


@api.post("/two")
def two(tasks: BackgroundTasks):
    tasks.add_task(first, 1)
    tasks.add_task(second, 1)


@api.post("/more")
async def more(tasks: BackgroundTasks):
    tasks.add_task(awaited, 1)
    tasks.add_task(partial(of_parts, name="parts"), 1)
    tasks.add_task(Service().method, 1)


@api.post("/response")
async def response():
    return JSONResponse({}, background=BackgroundTask(of_response, 1))


@api.post("/lifespan")
def lifespan(tasks: BackgroundTasks):
    tasks.add_task(of_a_lifespan, 1)


@api.post("/fails")
def failing(tasks: BackgroundTasks):
    tasks.add_task(fails, 1)


def unasked(tasks: Annotated[BackgroundTasks, Depends()], others: "BackgroundTasks | None" = None):
    tasks.add_task(only_called, 1)
    tasks.add_task(only_awaited, 1)
    others.add_task(of_a_text, 1)
    others.add_task(never, 1)
"""
TEST = """
    import asyncio
    from pathlib import Path

    import app
    import httpx2
    import pytest
    from starlette.testclient import TestClient

    @pytest.fixture(autouse=True)
    def own_folder(tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    def written():
        return Path("log.txt").read_text()

    def test_two():
        TestClient(app.api).post("/two")
        assert written() == "firstsecond"

    def test_more():
        TestClient(app.api).post("/more")
        assert written() == "awaitedpartsmethod"

    def test_streaming():
        with TestClient(app.api).stream("POST", "/response") as answer:
            answer.read()
        assert written() == "response"

    def test_lifespan():
        with TestClient(app.api) as client:
            client.post("/lifespan")
        assert written() == "lifespan"

    def test_failing():
        with pytest.raises(ValueError):
            TestClient(app.api).post("/fails")

    def test_calling():
        app.only_called(1)
        app.of_a_text(1)
        asyncio.run(app.only_awaited(1))

    def test_on_the_loop_of_the_test():
        async def ask():
            transport = httpx2.ASGITransport(app.api)
            async with httpx2.AsyncClient(transport=transport, base_url="http://shop") as client:
                await client.post("/more")

        asyncio.run(ask())
    """


def test_what_an_application_performs_in_a_request_is_checked_when_the_request_has_ended(pytester):
    pytester.makepyfile(app=APP, test_app=TEST)
    result = pytester.runpytest_subprocess("--jobs-audit", "-v")

    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(
        [
            "11 jobs reached, 10 checked, 10 findings.",
            "- at most once by background_tasks; when the job raises or is killed, it is lost*(9 jobs)",
            "- Write a test in which it returns.",
            "    app.fails: It raises in its tests, *",
            "1 job of the registries that no test reaches:",
            "  app.never",
        ]
    )
    for name, count in {
        "first": 1,
        "second": 1,
        "awaited": 2,
        "of_parts": 2,
        "Service.method": 2,
        "of_response": 1,
        "of_a_lifespan": 1,
        "only_called": 1,
        "only_awaited": 1,
        "of_a_text": 1,
    }.items():
        tests = "1 test" if count == 1 else f"{count} tests"
        result.stdout.fnmatch_lines(
            [
                f"- DIVERGED files in {name}(*)",
                f"  reached by {tests} (called directly or performed at once)",
            ]
        )


def test_a_harness_changes_nothing_about_it(pytester):
    test = TEST.replace("def test_two()", "def test_two(jobs)")
    pytester.makepyfile(
        app=APP, test_app=test.replace("def test_streaming()", "def test_streaming(jobs)")
    )
    result = pytester.runpytest_subprocess("--jobs-audit", "-v", "-k", "two or streaming")

    result.assert_outcomes(passed=2, deselected=5)
    result.stdout.fnmatch_lines(["3 jobs reached, 3 checked, 3 findings."])
    for name in ("first", "second", "of_response"):
        result.stdout.fnmatch_lines(
            [f"- DIVERGED files in {name}(1)", "  reached by 1 test (delivered)"]
        )
