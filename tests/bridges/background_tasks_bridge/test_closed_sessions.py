"""A task sees the session of its request as it is in production: closed, or not yet."""

from importlib.metadata import version

import pytest

pytest.importorskip("fastapi")

from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.testclient import TestClient

from pytest_jobs.bridges.opening import open_jobs

#: From 0.118 on dependencies are closed when the tasks have run; from 0.106 on they were closed before.
FASTAPI = tuple(map(int, version("fastapi").split(".")[:2]))
CLOSES_AFTER_TASKS = FASTAPI >= (0, 118)
seen = []


class Session:
    is_closed = False


async def session():
    opened = Session()
    yield opened
    opened.is_closed = True


def mail(session):
    seen.append(session.is_closed)


@pytest.fixture
def ask():
    """Return what sends a request whose task gets the session of its request."""
    seen.clear()
    app = FastAPI()

    @app.get("/")
    def answer(tasks: BackgroundTasks, opened: Session = Depends(session)):  # noqa: B008
        tasks.add_task(mail, opened)

    return lambda: TestClient(app).get("/")


def test_a_task_sees_the_session_as_without_a_harness(ask):
    ask()
    with open_jobs():
        ask()

    assert seen == [not CLOSES_AFTER_TASKS] * 2


def test_a_task_that_the_test_keeps_sees_a_closed_session(ask):
    with open_jobs(mode="record") as jobs:
        ask()
        jobs.drain()

    assert seen == [True]


@pytest.mark.skipif(FASTAPI < (0, 121), reason="dependencies have no scope")
def test_a_session_of_the_function_is_closed_before_the_tasks():
    seen.clear()
    app = FastAPI()

    @app.get("/")
    def answer(
        tasks: BackgroundTasks,
        opened: Session = Depends(session, scope="function"),  # noqa: B008
    ):
        tasks.add_task(mail, opened)

    with open_jobs():
        TestClient(app).get("/")

    assert seen == [True]
