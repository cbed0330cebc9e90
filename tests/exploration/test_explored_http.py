"""Requests are effects, in each library alike."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import explored_http
import pytest
from explored_http import ASYNC_SENDERS, LIBRARIES, SENDERS, URL, shop

from pytest_jobs import HttpResponse, check_idempotent, fake_http
from pytest_jobs.errors import (
    DivergedState,
    DuplicateEffect,
    ExplorationError,
    LostEffect,
    NotIdempotent,
)

DUPLICATE = r"DUPLICATE api\.example\.com POST /charges \[crash"


@pytest.fixture(params=SENDERS)
def name(request):
    pytest.importorskip(LIBRARIES.get(request.param, "json"))
    return request.param


@pytest.fixture(params=[*SENDERS, *ASYNC_SENDERS])
def any_name(request):
    """A sender that blocks, or one that is awaited."""
    pytest.importorskip(LIBRARIES.get(request.param, "json"))
    return request.param


def of_kind(name, job):
    """Return a job, or what does the same as a coroutine where its sender is awaited."""
    return getattr(explored_http, f"{job}_async" if name in ASYNC_SENDERS else job)


def test_a_guard_does_not_keep_a_killed_job_from_charging_twice(any_name):
    with pytest.raises(DuplicateEffect, match=DUPLICATE):
        check_idempotent(of_kind(any_name, "charge"), args=(any_name,), world=shop())


def test_a_key_does(any_name):
    job = of_kind(any_name, "charge_with_key")
    check_idempotent(job, args=(any_name,), world=shop(), histories="all")


def test_a_key_that_is_forgotten_does_not_help():
    with pytest.raises(DuplicateEffect, match=r"\[late"):
        check_idempotent(
            explored_http.charge_with_key,
            args=("http_client",),
            world=shop(remembers=timedelta(hours=24)),
            histories=["crash", "late"],
        )


def world():
    with fake_http({"POST /charges": {"id": 1}, "GET /charges": [], "PUT /x": 204}):
        yield dict


#: What each library raises when a server is not reached, and when its answer does not come.
ERRORS = {
    "httpx": ("ConnectError", "ReadTimeout"),
    "requests": ("ConnectionError", "ReadTimeout"),
    "urllib3": ("MaxRetryError", "ReadTimeoutError"),
    "aiohttp": ("ClientConnectorError", "ServerTimeoutError"),
    "urllib_request": ("URLError", "URLError"),
    "http_client": ("ConnectionRefusedError", "TimeoutError"),
}


@pytest.mark.parametrize("history", ["effect_fails", "reply_lost"])
def test_the_error_is_that_of_the_library(any_name, history):
    errors = []

    def charge():
        try:
            SENDERS[any_name]("POST", URL, None, {"Idempotency-Key": "1"})
        except Exception as error:
            errors.append(error)
            raise

    async def charge_async():
        try:
            await ASYNC_SENDERS[any_name]("POST", URL, None, {"Idempotency-Key": "1"})
        except Exception as error:
            errors.append(error)
            raise

    job = charge_async if any_name in ASYNC_SENDERS else charge
    check_idempotent(job, world=world, histories=[history])

    (error,) = errors
    wanted = ERRORS[LIBRARIES.get(any_name, any_name)][history == "reply_lost"]
    assert (type(error).__name__, str(error) != "") == (wanted, True)


def test_what_swallows_the_error_is_found():
    def charge():
        try:
            SENDERS["http_client"]("POST", URL, {"amount": 1}, {"Idempotency-Key": "1"})
        except Exception:
            return

    with pytest.raises(LostEffect, match=r"LOST api\.example\.com POST /charges \[effect_fails"):
        check_idempotent(charge, world=world)


def test_what_tries_again_by_itself_without_a_key_is_found():
    def charge():
        for _ in range(3):
            try:
                SENDERS["http_client"]("POST", URL, {"amount": 1})
            except Exception:
                continue
            return

    with pytest.raises(DuplicateEffect, match=r"\[reply_lost"):
        check_idempotent(charge, world=world, histories=["reply_lost"])


def test_a_request_that_looks_is_no_effect(name):
    def look():
        SENDERS[name]("GET", URL)
        SENDERS[name]("POST", URL, None, {"Idempotency-Key": "1"})

    explored = check_idempotent(look, world=world, histories=["twice", "crash"])

    assert _acts(explored) == ["api.example.com: POST /charges"]


def test_a_put_that_is_repeated_is_no_second_effect(name):
    def put():
        SENDERS[name]("PUT", "https://api.example.com/x", {"amount": 1})

    explored = check_idempotent(put, world=world, histories=["twice", "crash"])

    assert _acts(explored) == ["api.example.com: PUT /x {'amount': 1}"]


def test_a_new_key_for_each_delivery_is_no_key():
    def charge():
        SENDERS["http_client"]("POST", URL, {"amount": 1}, {"Idempotency-Key": str(uuid.uuid4())})

    with pytest.raises(DuplicateEffect, match=r"\[twice"):
        check_idempotent(charge, world=world)


@pytest.mark.parametrize(
    "header", ["Idempotence-Key", "Cko-Idempotency-Key", "I-Twilio-Idempotency-Token"]
)
def test_a_header_that_speaks_of_idempotency_is_a_key(header):
    def charge():
        SENDERS["http_client"]("POST", URL, {"amount": 1}, {header: "payment-1"})

    check_idempotent(charge, world=world)


def test_a_key_with_the_minute_is_no_key_and_the_report_says_so():
    def charge():
        key = f"payment-1-{datetime.now(UTC):%H%M}"
        SENDERS["http_client"]("POST", URL, {"amount": 1}, {"Idempotency-Key": key})

    with pytest.raises(DuplicateEffect, match=r"2 x .*'its key goes by the time'"):
        check_idempotent(charge, world=world)


@pytest.mark.parametrize("made", ["random", "arguments"])
def test_a_key_that_the_world_has_drawn_is_one(made):
    app = SimpleNamespace(token="")

    def shop():
        app.token = uuid.uuid4().hex if made == "random" else "payment-1"
        yield from world()

    def charge():
        key = hashlib.sha256(app.token.encode()).hexdigest()
        SENDERS["http_client"]("POST", URL, {"amount": 1}, {"Idempotency-Key": key})

    assert "Depends on the time" not in str(check_idempotent(charge, world=shop))


def test_random_values_in_what_is_sent_are_no_difference():
    import time

    def charge():
        token = str(uuid.uuid4())
        body = {"token": token, "at": time.time()}
        SENDERS["http_client"]("POST", f"{URL}?token={token}", body)

    with pytest.raises(DuplicateEffect, match=r"\[twice"):
        check_idempotent(charge, world=world)


def test_a_request_that_was_refused_is_no_effect(name):
    def world():
        charged = []

        def charge(request):
            if charged:
                return 409
            charged.append(request.content)
            return 201

        with fake_http({"POST /charges": charge}):
            yield lambda: {"charged": charged}

    def charge():
        try:
            SENDERS[name]("POST", URL, {"amount": 1})
        except Exception as error:
            if "409" not in str(error) and "Conflict" not in str(error):
                raise

    check_idempotent(charge, world=world, histories=["twice", "crash"])


def test_the_order_of_puts_is_shown_by_what_was_put_last():
    def put(amount):
        SENDERS["http_client"]("PUT", "https://api.example.com/x", {"amount": amount})

    def resources():
        with fake_http({"PUT /x": 204}) as web:
            yield lambda: {"resources": web.resources}

    with pytest.raises(DivergedState, match="DIVERGED resources"):
        check_idempotent(
            put,
            args=(1,),
            world=resources,
            histories=["out_of_order"],
            others=[lambda: put(2)],
        )


def test_a_request_that_no_route_answers_is_named_although_the_job_caught_it(name):
    def charge():
        SENDERS[name]("POST", URL, {"amount": 1})
        try:
            SENDERS[name]("POST", "https://api.example.com/refunds")
        except Exception:
            return

    with pytest.raises(
        ExplorationError,
        match=r"POST https://api\.example\.com/refunds was sent, and no route of fake_http answers it",
    ):
        check_idempotent(charge, world=world)


@pytest.mark.parametrize(
    ("routes", "named"), [({}, "none"), ({"GET /a": 204, "GET /b": 204}, "GET /a, GET /b")]
)
def test_the_error_of_a_request_that_no_route_answers_names_the_routes(routes, named):
    with (
        pytest.raises(ExplorationError, match=f"The routes are: {named}\\. Add one, as in"),
        fake_http(routes),
    ):
        SENDERS["http_client"]("POST", "https://api.example.com/refunds")


@pytest.mark.parametrize("async_name", ASYNC_SENDERS)
def test_a_request_of_a_coroutine_that_no_route_answers_comes_to_it_as_what_it_is(async_name):
    pytest.importorskip(LIBRARIES[async_name])
    errors = []

    async def charge():
        try:
            await ASYNC_SENDERS[async_name]("POST", "https://api.example.com/refunds")
        except Exception as error:
            errors.append(type(error))

    with pytest.raises(ExplorationError, match="no route of fake_http answers it"):
        check_idempotent(charge, world=world)
    assert set(errors) == {ExplorationError}


def test_a_body_in_pieces_that_no_route_answers_comes_to_a_coroutine_as_what_it_is():
    aiohttp = pytest.importorskip("aiohttp")
    errors = []

    async def pieces():
        yield b"a"
        yield b"b"

    async def charge():
        async with aiohttp.ClientSession() as session:
            try:
                await session.post("https://api.example.com/refunds", data=pieces())
            except Exception as error:
                errors.append(type(error))

    with pytest.raises(ExplorationError, match="no route of fake_http answers it"):
        check_idempotent(charge, world=world)
    assert set(errors) == {ExplorationError}


def test_without_a_fake_a_request_reaches_nobody_and_is_an_effect():
    httpx = pytest.importorskip("httpx")
    received = []

    def serve(request):
        received.append(request.content)
        return httpx.Response(201)

    def world():
        received.clear()
        yield dict

    def charge():
        with httpx.Client(transport=httpx.MockTransport(serve)) as client:
            client.post(URL, json={"amount": 1})

    with pytest.raises(DuplicateEffect, match=r"POST /charges \[twice"):
        check_idempotent(charge, world=world)


@pytest.mark.filterwarnings("error::pytest_jobs.errors.PartialExploration")
def test_requests_of_other_threads_are_points():
    def charge():
        with ThreadPoolExecutor(2) as pool:
            for key in "ab":
                pool.submit(SENDERS["http_client"], "POST", URL, None, {"Idempotency-Key": key})

    def world():
        with fake_http({"POST /charges": 201}) as web:
            yield lambda: {"charges": len(web.received)}

    explored = check_idempotent(charge, world=world, histories=["twice", "restart"])

    assert any(
        "before api.example.com: POST" in str(point) for point in explored.explorations[0].points
    )


def test_nothing_stays_patched():
    httpx = pytest.importorskip("httpx")
    requests = pytest.importorskip("requests")
    aiohttp = pytest.importorskip("aiohttp")
    places = [
        (httpx.HTTPTransport, "handle_request"),
        (httpx.AsyncHTTPTransport, "handle_async_request"),
        (httpx.MockTransport, "handle_request"),
        (httpx.BaseTransport, "__init_subclass__"),
        (httpx.Client, "send"),
        (requests.Session, "send"),
        (aiohttp.ClientSession, "_request"),
        (aiohttp.ClientSession, "post"),
        (aiohttp.TCPConnector, "_create_connection"),
        (http.client.HTTPConnection, "request"),
        (http.client.HTTPConnection, "connect"),
        (http.client.HTTPSConnection, "connect"),
    ]
    before = [vars(owner).get(name) for owner, name in places]
    finders = list(sys.meta_path)

    with pytest.raises(NotIdempotent):
        check_idempotent(explored_http.charge, args=("http_client",), world=shop())

    assert [vars(owner).get(name) for owner, name in places] == before
    assert sys.meta_path == finders


def test_a_double_of_the_session_may_answer_with_less_than_a_response(monkeypatch):
    requests = pytest.importorskip("requests")

    def send(session, request, **options):
        return SimpleNamespace(ok=True)

    def post(number):
        assert requests.post(URL, json={"number": number}).ok

    monkeypatch.setattr(requests.Session, "send", send)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE api\.example\.com POST /charges"):
        check_idempotent(post, args=(7,), histories=["twice"])


@pytest.mark.slow
@pytest.mark.parametrize("lazy", ["httpx", "requests", "aiohttp"])
def test_a_library_that_the_job_imports_itself_is_found(lazy):
    pytest.importorskip(LIBRARIES.get(lazy, "json"))
    job, keyed = (of_kind(lazy, job).__name__ for job in ("charge", "charge_with_key"))
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import explored_http
from explored_http import shop
from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect

library = {LIBRARIES.get(lazy, "")!r}
assert library not in sys.modules
names = ["twice", "crash"]
job, keyed = explored_http.{job}, explored_http.{keyed}
check_idempotent(keyed, args=({lazy!r},), world=shop(), histories=names)
try:
    check_idempotent(job, args=({lazy!r},), world=shop(), histories=names)
except DuplicateEffect as found:
    assert "POST /charges [crash" in str(found)
else:
    raise SystemExit("nothing was found")
assert not library or library in sys.modules
"""
    environment = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr


def test_an_answer_may_be_a_response_with_headers():
    requests = pytest.importorskip("requests")
    with fake_http({"POST /charges": HttpResponse(201, {"id": 1}, {"Location": "/charges/1"})}):
        response = requests.post(URL, timeout=1)

    assert (response.status_code, response.json()) == (201, {"id": 1})
    assert response.headers["Location"] == "/charges/1"


def _acts(explored):
    return [point.text for point in explored.explorations[0].points if point.kind == "before"]


READS = {
    "a token": ("/oauth/token", {"grant_type": "client_credentials"}),
    "a token of a version": ("/tenant/oauth2/v2.0/token", {"grant_type": "client_credentials"}),
    "a search": ("/orders/_search", {"query": {"match_all": {}}}),
    "a query": ("/graphql", {"query": "query Order($id: ID!) { order(id: $id) { total } }"}),
    "a query without a word": ("/graphql", {"query": "{ order { total } }"}),
}
WRITES = {
    "a mutation": ("/graphql", {"query": "mutation { pay(order: 7) { id } }"}),
    "a mutation behind a fragment": (
        "/graphql",
        {"query": "fragment F on Order { id }\nmutation { pay(order: 7) { ...F } }"},
    ),
    "a text that is no query": ("/search", {"query": "query the shoes"}),
    "a token that is made": ("/devices/7/token", {}),
}


def posting(path, body):
    return lambda: SENDERS["http_client"]("POST", f"https://api.example.com{path}", body)


def shop_with(path):
    def world():
        with fake_http({f"POST {path}": {}}) as server:
            yield lambda: {"received": server.received, "seen": bool(server.log)}

    return world


def test_a_metric_that_is_posted_is_no_effect():
    check_idempotent(
        posting("/metrics/job/shop", {}), world=shop_with("/metrics/job/shop"), histories=["twice"]
    )


@pytest.mark.parametrize(("path", "body"), READS.values(), ids=READS)
def test_a_usual_post_that_reads_is_no_effect_and_the_result_says_so(path, body):
    explored = check_idempotent(posting(path, body), world=shop_with(path), histories=["twice"])

    assert explored.guesses == (f"api.example.com POST {path} (read)",)


@pytest.mark.parametrize(("path", "body"), WRITES.values(), ids=WRITES)
def test_a_post_that_may_write_is_an_effect(path, body):
    with pytest.raises(DuplicateEffect):
        check_idempotent(posting(path, body), world=shop_with(path), histories=["twice"])


def bulk(*actions):
    def send():
        connection = http.client.HTTPSConnection("api.example.com")
        connection.request("POST", "/_bulk", "".join(f"{json.dumps(one)}\n" for one in actions))
        connection.getresponse()

    return send


def test_a_bulk_request_that_names_each_document_may_be_repeated():
    named = {"index": {"_index": "orders", "_id": 7}}, {"paid": True}, {"delete": {"_id": 8}}

    check_idempotent(bulk(*named), world=shop_with("/_bulk"), histories=["twice"])


@pytest.mark.parametrize(
    "actions",
    [
        ({"index": {"_index": "orders"}}, {"paid": True}),
        ({"update": {"_id": 7}}, {"script": "ctx._source.count += 1"}),
    ],
)
def test_a_bulk_request_that_adds_something_may_not(actions):
    with pytest.raises(DuplicateEffect):
        check_idempotent(bulk(*actions), world=shop_with("/_bulk"), histories=["twice"])


@pytest.mark.parametrize(
    "mocks",
    [
        {"api.example.com POST /rates": "read"},
        {"*.example.com POST *": "nothing"},
        {"api.example.com*": "put"},
    ],
)
def test_a_test_says_by_its_place_what_a_request_is(mocks):
    check_idempotent(
        posting("/rates", {"of": "EUR"}),
        world=shop_with("/rates"),
        histories=["twice"],
        mocks=mocks,
    )


def test_a_place_to_which_nothing_is_sent_is_refused_with_the_nearest():
    near = r"Did you mean 'api\.example\.com POST /oauth/token'\?"
    with pytest.raises(ExplorationError, match=near):
        check_idempotent(
            posting(*READS["a token"]),
            world=shop_with("/oauth/token"),
            histories=["twice"],
            mocks={"api.example.com POST /oauth/tokens": "read"},
        )
