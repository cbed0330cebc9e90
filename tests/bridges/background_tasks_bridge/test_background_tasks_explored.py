"""A background task whose process is killed is lost, and a check says what it leaves."""

import pytest

pytest.importorskip("fastapi")

from fastapi import BackgroundTasks
from rendered import render, render_at_once, videos
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from pytest_jobs import check_idempotent, open_jobs
from pytest_jobs.errors import HalfDone


def test_a_status_of_a_task_whose_process_is_killed_stays():
    with open_jobs(mode="record"):
        for task in (render, render_at_once):
            enqueue(task, 7)

        check_idempotent(render, args=(7,), world=videos)
        with pytest.raises(HalfDone, match=r"HALF_DONE video\.id=7\.status \[abandoned"):
            check_idempotent(render, args=(7,), world=videos, delivery="as configured")
        check_idempotent(render_at_once, args=(7,), world=videos, histories=["abandoned"])


def enqueue(task, number):
    """Let an endpoint answer with a background task."""

    def answer(request):
        tasks = BackgroundTasks()
        tasks.add_task(task, number)
        return PlainTextResponse("accepted", background=tasks)

    TestClient(Starlette(routes=[Route("/", answer)])).get("/")
