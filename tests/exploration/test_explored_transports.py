"""Requests are heard through the transports, adapters and mocks of others."""

from __future__ import annotations

from contextlib import nullcontext
from unittest.mock import patch

import pytest
from explored_http import URL

from pytest_jobs import check_idempotent, fake_http
from pytest_jobs.errors import DuplicateEffect, ExplorationError, PoisonJob

httpx = pytest.importorskip("httpx")


def answer(request):
    return httpx.Response(201)


def nothing():
    yield dict


class Again(httpx.BaseTransport):
    """Hands on, and tries again."""

    def __init__(self, inner):
        self._inner = inner

    def handle_request(self, request):
        for _ in range(2):
            try:
                return self._inner.handle_request(request)
            except httpx.TransportError as error:
                last = error
        raise last


class Logging(httpx.HTTPTransport):
    def handle_request(self, request):
        return super().handle_request(request)


class Canned(httpx.BaseTransport):
    def handle_request(self, request):
        return httpx.Response(201)


def posting(transport, **options):
    def post():
        with httpx.Client(transport=transport) as client:
            client.post(URL, **options)

    return post


def keyed(transport):
    return posting(transport, headers={"Idempotency-Key": "1"})


@pytest.mark.parametrize(
    "transport",
    [httpx.MockTransport(answer), Canned(), Again(Canned())],
    ids=lambda made: type(made).__name__,
)
def test_a_transport_that_answers_by_itself(transport):
    with pytest.raises(DuplicateEffect, match=r"POST /charges \[twice"):
        check_idempotent(posting(transport), world=nothing)
    check_idempotent(keyed(transport), world=nothing)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_method_that_may_be_repeated_without_a_fake(method):
    def send():
        with httpx.Client(transport=Canned()) as client:
            client.request(method, URL)

    explored = check_idempotent(send, world=nothing, histories=["twice", "crash"])

    assert any(point.kind == "before" for point in explored.explorations[0].points)


def test_a_request_that_was_refused_without_a_fake_is_no_effect():
    answers = {}

    def world():
        answers.clear()
        yield dict

    def serve(request):
        status = 409 if answers else 201
        answers[1] = status
        return httpx.Response(status)

    check_idempotent(posting(httpx.MockTransport(serve)), world=world, histories=["twice", "crash"])


def test_a_transport_that_tries_again_makes_two_requests():
    send = posting(Again(Canned()))

    def post():
        # What the transport makes up for never comes here.
        try:
            send()
        except httpx.TransportError:
            return

    check_idempotent(post, world=nothing, histories=["effect_fails"])
    with pytest.raises(DuplicateEffect, match=r"\[reply_lost"):
        check_idempotent(post, world=nothing, histories=["reply_lost"])


def test_a_transport_that_adds_to_that_of_httpx():
    def world():
        with fake_http({"POST /charges": 201}):
            yield dict

    explored = check_idempotent(keyed(Logging()), world=world)

    points = [point.kind for point in explored.explorations[0].points if point.kind != "line"]
    assert points == ["before", "after", "end"]


def test_a_transport_whose_class_the_world_makes():
    made = []

    def world():
        class Late(httpx.BaseTransport):
            def handle_request(self, request):
                return httpx.Response(201)

        made.append(Late())
        yield dict

    def post():
        with httpx.Client(transport=made[-1]) as client:
            client.post(URL)

    with pytest.raises(DuplicateEffect, match=r"\[twice"):
        check_idempotent(post, world=world)


def test_a_client_that_was_made_before_and_is_mounted():
    client = httpx.AsyncClient(mounts={"all://": httpx.MockTransport(answer)})

    async def post():
        await client.post(URL)

    with pytest.raises(DuplicateEffect, match=r"\[twice"):
        check_idempotent(post, world=nothing)


def test_an_application_that_is_called_without_a_network():
    served = []

    def application(environ, start_response):
        served.append(environ["PATH_INFO"])
        start_response("201 Created", [])
        return [b""]

    with pytest.raises(DuplicateEffect, match=r"\[twice"):
        check_idempotent(posting(httpx.WSGITransport(application)), world=nothing)
    assert served


def test_a_mock_that_took_the_place_of_the_transport_before(monkeypatch):
    monkeypatch.setattr(
        httpx.HTTPTransport, "handle_request", lambda self, request: answer(request)
    )
    mocked = httpx.HTTPTransport.handle_request

    with pytest.raises(DuplicateEffect, match=r"\[twice"):
        check_idempotent(posting(None), world=nothing)

    assert httpx.HTTPTransport.handle_request is mocked


@pytest.mark.parametrize("begins", ["in the world", "before the check"])
@pytest.mark.parametrize("put", ["a function", "a mock"])
def test_a_mock_of_aiohttp(begins, put):
    aiohttp = pytest.importorskip("aiohttp")

    async def mocked(self, method, url, **options):
        return None

    def patched():
        if put == "a function":
            return patch.object(aiohttp.ClientSession, "_request", mocked)
        # As aioresponses does it.
        return patch.object(aiohttp.ClientSession, "_request", autospec=True, side_effect=mocked)

    def world():
        with patched() if begins == "in the world" else nullcontext():
            yield dict

    def posting(**headers):
        async def post():
            async with aiohttp.ClientSession() as session:
                await session.get(URL)
                await session.post(URL, headers=headers)

        return post

    before = aiohttp.ClientSession._request
    with patched() if begins == "before the check" else nullcontext():
        with pytest.raises(DuplicateEffect, match=r"DUPLICATE api\.example\.com POST"):
            check_idempotent(posting(), world=world)
        check_idempotent(posting(**{"Idempotency-Key": "7"}), world=world)
    assert aiohttp.ClientSession._request is before


def test_a_double_that_has_no_answer_any_more_is_an_error_of_the_set_up():
    responses = pytest.importorskip("responses")
    requests = pytest.importorskip("requests")
    registry = responses.registries.OrderedRegistry

    with responses.RequestsMock(registry=registry) as server:
        server.post(URL, json={})
        with pytest.raises(
            ExplorationError,
            match=rf"sent POST {URL}, to which the double .* has none now: ConnectionError: .*"
            r"any registered mock\. Each history",
        ):
            check_idempotent(lambda: requests.post(URL, timeout=1), world=nothing)


def upsert(done):
    """Return a job that sends POST, and PUT if it was done before."""
    requests = pytest.importorskip("requests")

    def job():
        with httpx.Client() as client:
            ask = client.put if done else client.post
            ask(URL)
        done.append(1)

    def by_requests():
        ask = requests.put if done else requests.post
        ask(URL, timeout=1)
        done.append(1)

    return job, by_requests


@pytest.mark.parametrize("double", ["responses", "requests_mock", "respx"])
def test_a_double_without_an_answer_to_a_later_request_is_an_error_of_the_set_up(double):
    module = pytest.importorskip(double)
    done = []
    by_httpx, by_requests = upsert(done)
    server = {
        "responses": lambda: module.RequestsMock(assert_all_requests_are_fired=False),
        "requests_mock": lambda: module.Mocker(real_http=False),
        "respx": lambda: module.mock(assert_all_called=False),
    }[double]()

    def world():
        done.clear()
        yield lambda: {"done": bool(done)}

    with server:
        server.post(URL)
        with pytest.raises(
            ExplorationError,
            match=rf"^The job sent PUT {URL}, to which the double .* has no answer: \w+: .*"
            r"The clean run did not send it: give the double an answer",
        ):
            check_idempotent(by_httpx if double == "respx" else by_requests, world=world)


def test_a_double_that_was_told_to_fail_is_judged_as_a_server():
    responses = pytest.importorskip("responses")
    requests = pytest.importorskip("requests")
    done = []

    def world():
        done.clear()
        yield lambda: {"done": bool(done)}

    with responses.RequestsMock(assert_all_requests_are_fired=False) as server:
        server.post(URL)
        server.put(URL, body=requests.ConnectionError("no route"))
        with pytest.raises(PoisonJob, match=r"POISON ConnectionError"):
            check_idempotent(upsert(done)[1], world=world, histories=["twice"])


def test_a_job_may_rely_on_a_double_without_an_answer():
    responses = pytest.importorskip("responses")
    requests = pytest.importorskip("requests")
    noted = {}

    def job():
        try:
            requests.post(URL, timeout=1)
        except requests.ConnectionError:
            noted["server"] = "down"

    def world():
        noted.clear()
        yield lambda: dict(noted)

    with responses.RequestsMock():
        check_idempotent(job, world=world, histories=["twice", "crash"])


def test_a_clean_run_without_an_answer_names_the_request():
    requests_mock = pytest.importorskip("requests_mock")
    requests = pytest.importorskip("requests")

    with (
        requests_mock.Mocker(),
        pytest.raises(ExplorationError, match=rf"ends with NoMockAddress: .* POST {URL}, although"),
    ):
        check_idempotent(lambda: requests.post(URL, timeout=1), world=nothing)


def by_a_mock():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            httpx.HTTPTransport, "handle_request", lambda self, request: answer(request)
        )
        yield dict


def by_respx():
    respx = pytest.importorskip("respx")
    with respx.mock:
        respx.post(URL).respond(201)
        yield dict


def by_responses():
    responses = pytest.importorskip("responses")
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post(URL, status=201)
        yield dict


def with_requests(headers):
    pytest.importorskip("requests").post(URL, headers=headers, timeout=1)


def with_httpx(headers):
    posting(None, headers=headers)()


@pytest.mark.parametrize(
    ("world", "post"),
    [(by_a_mock, with_httpx), (by_respx, with_httpx), (by_responses, with_requests)],
)
def test_a_double_that_begins_in_the_world(world, post):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE api\.example\.com POST /charges \[twice"):
        check_idempotent(post, args=({},), world=world)
    check_idempotent(post, args=({"Idempotency-Key": "1"},), world=world)


def test_the_fixture_of_pytest_httpx(run_test):
    pytest.importorskip("pytest_httpx")
    run_test("""
        import httpx, pytest
        from pytest_jobs import check_idempotent
        from pytest_jobs.errors import DuplicateEffect

        def world():
            yield dict

        def post(headers):
            httpx.post("https://api.example.com/charges", headers=headers)

        def test_it(httpx_mock):
            httpx_mock.add_response(status_code=201, is_reusable=True)
            with pytest.raises(DuplicateEffect):
                check_idempotent(post, args=({},), world=world)
            check_idempotent(post, args=({"Idempotency-Key": "1"},), world=world)
        """).assert_outcomes(passed=1)


def test_an_adapter_that_is_mounted():
    requests = pytest.importorskip("requests")

    class Adapter(requests.adapters.BaseAdapter):
        def send(self, request, **kwargs):
            response = requests.Response()
            response.status_code = 201
            return response

        def close(self):
            pass

    session = requests.Session()
    session.mount("https://", Adapter())

    def post():
        session.post(URL, data={"a": "b"})

    with pytest.raises(DuplicateEffect, match=r"\[twice"):
        check_idempotent(post, world=nothing)


def test_what_urllib3_sends_for_requests_is_one_effect():
    requests = pytest.importorskip("requests")

    def world():
        with fake_http({"POST /charges": 201}):
            yield dict

    def post():
        requests.post(URL, headers={"Idempotency-Key": "1"}, timeout=1)

    explored = check_idempotent(post, world=world)

    kinds = [point.kind for point in explored.explorations[0].points if point.kind != "line"]
    assert kinds == ["before", "after", "end"]
