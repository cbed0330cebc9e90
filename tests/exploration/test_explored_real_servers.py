"""An exploration reaches no real server by accident."""

from __future__ import annotations

import gc
import http.server
import smtplib
import socket
import sqlite3
import sys
import threading
import warnings
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from explored_http import ASYNC_SENDERS, LIBRARIES, SENDERS

from pytest_jobs import check_idempotent, effects
from pytest_jobs.errors import DuplicateEffect, ExplorationError

#: An address of the range that is reserved for documentation: nobody is there.
FAR = "192.0.2.1"


def world():
    yield dict


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@contextmanager
def served():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(params=[name for name in SENDERS if name != "http_client"])
def name(request):
    pytest.importorskip(LIBRARIES.get(request.param, "json"))
    return request.param


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_elsewhere_is_not_reached(name, method):
    def send():
        SENDERS[name](method, f"http://{FAR}/charges")

    with pytest.raises(ExplorationError, match=rf"{method} /charges to the real {FAR}"):
        check_idempotent(send, world=world)


def test_the_name_of_a_server_elsewhere_is_not_looked_up(name, monkeypatch):
    # A list that a stub fills is afterwards what it was before the check.
    asked = SimpleNamespace(names=[])
    monkeypatch.setattr(socket, "getaddrinfo", noting(socket.getaddrinfo, asked))

    def send():
        try:
            SENDERS[name]("POST", "http://shop.invalid/charges")
        except Exception as error:
            asked.names.append(error)

    with pytest.raises(ExplorationError, match=r"POST /charges to the real shop\.invalid"):
        check_idempotent(send, world=world)

    assert asked.names == ["shop.invalid"]


def noting(getaddrinfo, asked):
    def noted(host, *args, **kwargs):
        asked.names.append(host)
        return getaddrinfo(host, *args, **kwargs)

    return noted


@pytest.mark.parametrize("sender", ASYNC_SENDERS)
def test_a_server_elsewhere_is_not_reached_by_a_coroutine(sender):
    pytest.importorskip(LIBRARIES[sender])

    async def send():
        await ASYNC_SENDERS[sender]("POST", f"http://{FAR}/charges")

    with pytest.raises(ExplorationError, match=rf"POST /charges to the real {FAR}"):
        check_idempotent(send, world=world)


def test_it_is_an_error_also_where_the_job_catches_everything(name):
    def send():
        try:
            SENDERS[name]("POST", f"http://{FAR}/charges")
        except Exception:
            return

    with pytest.raises(ExplorationError, match=rf"POST /charges to the real {FAR}"):
        check_idempotent(send, world=world)


def test_a_mail_server_elsewhere_is_not_reached():
    def send():
        smtplib.SMTP(FAR, 25)

    with pytest.raises(ExplorationError, match=rf"mail to the real {FAR}"):
        check_idempotent(send, world=world)


def test_a_server_of_this_machine_is_reached(name):
    def send(port):
        SENDERS[name]("POST", f"http://127.0.0.1:{port}/charges")

    with (
        served() as port,
        pytest.raises(DuplicateEffect, match=rf"127\.0\.0\.1:{port} POST /charges .*twice"),
    ):
        check_idempotent(send, args=(port,), world=world)


def test_a_server_elsewhere_is_reached_where_the_world_says_so(monkeypatch):
    reached = SimpleNamespace(by=[])

    def connect(self, address):
        # As the real one does before it connects.
        sys.audit("socket.connect", self, address)
        reached.by.append(address)
        raise ConnectionRefusedError

    def sandbox():
        with effects.reach(FAR):
            yield dict

    def send():
        SENDERS["urllib_request"]("POST", f"http://{FAR}/charges")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(ExplorationError, match="One clean run of the job ends with"):
        check_idempotent(send, world=sandbox)
    assert reached.by


def test_the_leave_ends_with_the_block():
    with effects.reach(FAR):
        pass

    def send():
        SENDERS["urllib_request"]("POST", f"http://{FAR}/charges")

    with pytest.raises(ExplorationError, match="to the real"):
        check_idempotent(send, world=world)


def test_a_raw_socket_is_refused_as_before():
    def connect():
        with socket.socket() as one:
            one.connect(("127.0.0.1", 9))

    with pytest.raises(ExplorationError, match=r"socket\.connect"):
        check_idempotent(connect, world=world)


@pytest.mark.parametrize("host", [FAR, "redis.invalid"])
def test_a_redis_elsewhere_is_not_reached(host):
    redis = pytest.importorskip("redis")

    def count():
        redis.Redis(host=host).incr("mails")

    with pytest.raises(ExplorationError) as refused:
        check_idempotent(count, world=world)

    assert (
        f"The job called a connection of redis to the real {host} (which `redis_world` stands in for; "
        "`effects.reach` lets it through), which reaches outside of the world"
    ) in str(refused.value)


def test_a_redis_elsewhere_is_not_reached_by_a_coroutine():
    redis = pytest.importorskip("redis.asyncio")

    async def count():
        client = redis.Redis(host="redis.invalid")
        try:
            await client.incr("mails")
        finally:
            await client.aclose()

    with pytest.raises(ExplorationError, match=r"redis to the real redis\.invalid"):
        check_idempotent(count, world=world)


@pytest.mark.parametrize(
    ("conninfo", "host"),
    [
        ("postgresql://db.invalid/shop", "db.invalid"),
        (f"host=/tmp,{FAR} dbname=shop autocommit=on", None),
        (f"hostaddr={FAR} host=db.invalid", FAR),
    ],
)
def test_a_postgresql_elsewhere_is_not_reached(conninfo, host):
    psycopg = pytest.importorskip("psycopg")

    def connect():
        psycopg.connect(conninfo, autocommit=True, connect_timeout=2)

    if host is None:
        # It is the library that refuses what it cannot read.
        with pytest.raises(ExplorationError, match="ends with ProgrammingError"):
            check_idempotent(connect, world=world)
    else:
        with pytest.raises(ExplorationError, match=f"psycopg to the real {host} "):
            check_idempotent(connect, world=world)


def test_a_postgresql_elsewhere_is_not_reached_by_its_variable_nor_by_a_coroutine(monkeypatch):
    psycopg = pytest.importorskip("psycopg")
    monkeypatch.setenv("PGHOST", "db.invalid")

    async def connect():
        await psycopg.AsyncConnection.connect(dbname="shop")

    with pytest.raises(ExplorationError, match=r"psycopg to the real db\.invalid "):
        check_idempotent(connect, world=world)


def test_a_refused_connection_is_closed():
    def connect():
        socket.socket().connect((FAR, 9))

    def connect_within_an_act():
        pytest.importorskip("redis").Redis(host=FAR).incr("mails")

    def open_by_another_name():
        genuine(":memory:")

    genuine = sqlite3.connect
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for job in (connect, connect_within_an_act, open_by_another_name):
            with pytest.raises(ExplorationError, match="outside of the world"):
                check_idempotent(job, world=world)
        gc.collect()

    assert [str(one.message) for one in caught if one.category is ResourceWarning] == []
