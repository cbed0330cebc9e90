"""Jobs that send requests, by each library, and the worlds in which they are delivered."""

from __future__ import annotations

import json

from pytest_jobs import fake_http, sqlite_world

SCHEMA = """
create table payments (id integer primary key, status);
insert into payments values (1, 'open');
"""
URL = "https://api.example.com/charges"

#: Each sends one request, and raises unless it was carried out.
SENDERS = {}


def sender(send):
    SENDERS[send.__name__] = send
    return send


@sender
def httpx(method, url, body=None, headers=None):
    import httpx

    httpx.request(method, url, json=body, headers=headers).raise_for_status()


@sender
def httpx_client(method, url, body=None, headers=None):
    import httpx

    with httpx.Client() as client:
        client.request(method, url, json=body, headers=headers).raise_for_status()


@sender
def requests(method, url, body=None, headers=None):
    import requests

    requests.request(method, url, json=body, headers=headers).raise_for_status()


@sender
def urllib3(method, url, body=None, headers=None):
    import urllib3

    with urllib3.PoolManager(headers=headers) as pool:
        response = pool.urlopen(method, url, body=_encoded(body))
    _check(response.status)


@sender
def urllib_request(method, url, body=None, headers=None):
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(url, _encoded(body), headers or {}, method=method)):
            pass
    except HTTPError as error:
        error.close()
        raise


@sender
def http_client(method, url, body=None, headers=None):
    from http.client import HTTPSConnection

    connection = HTTPSConnection("api.example.com")
    connection.request(
        method, url.partition("example.com")[2], _encoded(body), headers=headers or {}
    )
    _check(connection.getresponse().status)


ASYNC_SENDERS = {}


def async_sender(send):
    ASYNC_SENDERS[send.__name__] = send
    return send


@async_sender
async def httpx_async(method, url, body=None, headers=None):
    import httpx

    async with httpx.AsyncClient() as client:
        response = await client.request(method, url, json=body, headers=headers)
        response.raise_for_status()


@async_sender
async def aiohttp(method, url, body=None, headers=None):
    import aiohttp

    async with aiohttp.ClientSession() as session:
        send = getattr(session, method.lower())
        async with send(url, json=body, headers=headers) as response:
            response.raise_for_status()


#: What has to be installed for a sender; the others are in the standard library.
LIBRARIES = {
    "httpx": "httpx",
    "httpx_client": "httpx",
    "httpx_async": "httpx",
    "requests": "requests",
    "urllib3": "urllib3",
    "aiohttp": "aiohttp",
}


def connect():
    raise NotImplementedError("the world binds it")


def is_open(db):
    return db.execute("select status from payments").fetchone() == ("open",)


def mark(db):
    db.execute("update payments set status = 'paid'")
    db.commit()


def charge(name):
    db = connect()
    if is_open(db):
        SENDERS[name]("POST", URL, {"amount": 100})
        mark(db)


def charge_with_key(name):
    db = connect()
    if is_open(db):
        SENDERS[name]("POST", URL, {"amount": 100}, {"idempotency-KEY": "payment-1"})
        mark(db)


async def charge_async(name):
    db = connect()
    if is_open(db):
        await ASYNC_SENDERS[name]("POST", URL, {"amount": 100})
        mark(db)


async def charge_with_key_async(name):
    db = connect()
    if is_open(db):
        await ASYNC_SENDERS[name]("POST", URL, {"amount": 100}, {"Idempotency-Key": "payment-1"})
        mark(db)


def shop(**options):
    def world():
        import explored_http

        with (
            sqlite_world(SCHEMA, bind=(explored_http, "connect")) as rows,
            fake_http({"POST /charges": {"id": 1}}, **options),
        ):
            yield lambda: {"payments": rows("payments")}

    return world


def _encoded(body):
    return None if body is None else json.dumps(body).encode()


def _check(status):
    if status >= 400:
        raise RuntimeError(f"status {status}")
