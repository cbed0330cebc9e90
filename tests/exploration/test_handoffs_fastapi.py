"""Endpoints of FastAPI: a request that an application in this process answers is a call, and no effect."""

import asyncio
import sqlite3
import sys
import time

import pytest

from pytest_jobs import check_handoff, fake, sqlite_world
from pytest_jobs.errors import ExplorationError, HalfDone, LostEffect

httpx = pytest.importorskip("httpx")
fastapi = pytest.importorskip("fastapi")
celery = pytest.importorskip("celery")

from fastapi.responses import StreamingResponse  # noqa: E402 - where FastAPI is
from fastapi.testclient import TestClient  # noqa: E402

pytestmark = pytest.mark.filterwarnings("error::pytest_jobs.errors.PartialExploration")

broker = celery.Celery("shop", broker="redis://localhost:1/0")
api = fastapi.FastAPI()
running = set()


def connect():
    return sqlite3.connect(":memory:")


class Mailer:
    def send(self, number): ...


mailer = Mailer()


def world():
    with (
        sqlite_world(
            "create table orders (id integer primary key, status)",
            bind=(sys.modules[__name__], "connect"),
        ) as rows,
        fake(sys.modules[__name__], "mailer", Mailer()),
    ):
        yield lambda: {"orders": rows("orders")}


@broker.task
def confirm(number):
    db = connect()
    try:
        changed = db.execute(
            "update orders set status = 'SENT' where id = ? and status = 'NEW'", (number,)
        )
        db.commit()
        if changed.rowcount:
            mailer.send(number)
    finally:
        db.close()


def order(number):
    """Commits, and enqueues: a kill between both loses the message."""
    db = connect()
    try:
        db.execute("insert into orders values (?, 'NEW')", (number,))
        db.commit()
    finally:
        db.close()
    confirm.delay(number)


def sweep():
    db = connect()
    try:
        waiting = db.execute("select id from orders where status = 'NEW'").fetchall()
    finally:
        db.close()
    for (number,) in waiting:
        confirm.delay(number)


@api.post("/sync/{number}")
def place(number: int):
    order(number)


@api.post("/async/{number}")
async def place_later(number: int):
    await asyncio.sleep(50)
    order(number)


@api.post("/slow/{number}")
def place_slowly(number: int):
    time.sleep(3600)
    order(number)


@api.post("/stream/{number}")
def place_in_parts(number: int):
    def parts():
        yield b"a"
        order(number)
        yield b"b"

    return StreamingResponse(parts())


@api.post("/again/{number}")
def place_by_another_endpoint(number: int):
    TestClient(api).post(f"/sync/{number}")


@api.post("/forgets/{number}")
async def forget(number: int):
    task = asyncio.create_task(asyncio.to_thread(order, number))
    running.add(task)
    task.add_done_callback(running.discard)


async def post(url):
    transport = httpx.ASGITransport(app=api)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.post(url)


def post_by_client(url):
    return TestClient(api).post(url)


PATHS = ["/sync/7", "/async/7", "/slow/7", "/stream/7", "/again/7"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("client", [post, post_by_client])
def test_a_message_that_a_kill_loses_is_found(client, path):
    with pytest.raises((LostEffect, HalfDone), match=r"\[dies"):
        check_handoff(client, args=(path,), world=world)


@pytest.mark.parametrize("path", ["/sync/7", "/async/7", "/stream/7"])
@pytest.mark.parametrize("client", [post, post_by_client])
def test_an_endpoint_with_a_sweep_passes(client, path):
    check_handoff(client, args=(path,), world=world, recover=sweep)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no lines of threads that run already")
@pytest.mark.parametrize("path", ["/sync/7", "/stream/7"])
def test_a_client_that_was_open_before_goes_on(path):
    with TestClient(api) as client:

        def post_again(url):
            return client.post(url)

        with pytest.raises(LostEffect, match=r"\[dies"):
            check_handoff(post_again, args=(path,), world=world)
        check_handoff(post_again, args=(path,), world=world, recover=sweep)


def test_a_task_that_nobody_awaits_is_no_pass():
    with pytest.raises((LostEffect, HalfDone, ExplorationError)):
        check_handoff(post, args=("/forgets/7",), world=world)


def test_an_application_without_effects_stands_in_for_a_service():
    """It may count by itself which requests it gets."""
    service = fastapi.FastAPI()

    @service.post("/charges")
    def charge():
        return {}

    def pay():
        TestClient(service, base_url="http://api.example.com").post("/charges")
        order(7)

    with pytest.raises((LostEffect, HalfDone), match=r"\[dies"):
        check_handoff(pay, world=world)
