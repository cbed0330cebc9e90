"""What fake_http answers, and what it records."""

from __future__ import annotations

import ssl
import sys
from datetime import timedelta
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from pytest_jobs import HttpRequest, HttpResponse, check_idempotent, fake_http, open_jobs
from pytest_jobs.errors import DuplicateEffect, ExplorationError

URL = "https://api.example.com/charges"


def send(method, url, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with urlopen(Request(url, body, named, method=method)) as response:
        return response.status, response.read()


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (204, 204, b""),
        ("text", 200, b"text"),
        (b"bytes", 200, b"bytes"),
        ({"id": 1}, 200, b'{"id": 1}'),
        ([1], 200, b"[1]"),
        (None, 200, b""),
        (HttpResponse(201, {"id": 1}), 201, b'{"id": 1}'),
        (lambda request: {"you": request.content}, 200, b'{"you": "x"}'),
    ],
)
def test_an_answer_may_be_short(answer, status, body):
    with fake_http({"POST /charges": answer}):
        assert send("POST", URL, b"x", Content_Type="text/plain") == (status, body)


@pytest.mark.parametrize(
    "route",
    [
        "POST /charges/1/refunds",
        "post /charges/1/refunds",
        "/charges/1/refunds",
        "POST /charges/*",
        "POST https://api.example.com/charges/1/refunds",
        "POST https://api.example.com/*",
        "POST https://*/refunds",
        "*",
    ],
)
def test_a_route_that_fits(route):
    with fake_http({route: 204}):
        assert send("POST", f"{URL}/1/refunds?dry=1")[0] == 204


@pytest.mark.parametrize(
    "route",
    [
        "GET /charges",
        "POST /charge",
        "POST /charges/",
        "POST http://api.example.com/charges",
        "POST https://other.example.com/charges",
        "POST /charges?dry=1",
    ],
)
def test_a_route_that_does_not_fit(route):
    with (
        pytest.raises(ExplorationError, match=r"POST https://api\.example\.com/charges was sent"),
        fake_http({route: 204}),
    ):
        send("POST", f"{URL}?dry=1")


@pytest.mark.parametrize("route", ["charges", "POST charges", "PO/ST /charges", ""])
def test_what_is_no_route_is_refused(route):
    with (
        pytest.raises(ExplorationError, match="is not a route: write a method"),
        fake_http({route: 1}),
    ):
        pass


def test_the_first_route_that_fits_counts():
    with fake_http({"/charges": 201, "*": 202}):
        assert send("POST", URL)[0] == 201
        assert send("POST", f"{URL}/1")[0] == 202


def test_one_function_may_answer_all():
    with fake_http(lambda request: {"path": request.path}):
        assert send("GET", URL) == (200, b'{"path": "/charges"}')


def test_a_function_that_answers_nothing_is_named():
    with (
        pytest.raises(ExplorationError, match="the function of fake_http returned None for it"),
        fake_http(lambda request: None),
    ):
        send("GET", URL)


def test_what_is_no_answer_is_refused():
    with (
        pytest.raises(ExplorationError, match="is not an answer of fake_http"),
        fake_http({"*": 1.5}),
    ):
        send("GET", URL)


def send_and_fail():
    with fake_http({}):
        try:
            send("GET", URL)
        except ExplorationError:
            raise ZeroDivisionError from None


def test_an_error_of_the_block_comes_before_what_was_not_answered():
    with pytest.raises(ZeroDivisionError):
        send_and_fail()


def test_a_request_tells_what_was_sent():
    with fake_http({"*": 204}) as web:
        send("POST", f"{URL}?a=1&a=2", b'{"amount": 100}', X_Thing="y")

    (request,) = web.received
    assert request == HttpRequest("POST", URL, (("a", "1"), ("a", "2")), {"amount": 100})
    assert (request.host, request.path) == ("api.example.com", "/charges")
    assert request.headers["x-thing"] == "y"
    assert request.body == b'{"amount": 100}'
    assert str(request) == "POST /charges?a=1&a=2 {'amount': 100}"


@pytest.mark.parametrize(
    ("kind", "body", "content"),
    [
        ("application/x-www-form-urlencoded", b"a=1&b=%20", (("a", "1"), ("b", " "))),
        ("application/json", b"7", 7),
        ("application/json", b"{", "{"),
        ("text/plain", b"[1", "[1"),
        ("text/plain", b"7", "7"),
        ("image/png", b"\xff\x00", b"\xff\x00"),
        ('multipart/form-data; boundary="xyz"', b"--xyz--", "--boundary--"),
        ("text/plain", b"", None),
    ],
)
def test_a_body_is_decoded(kind, body, content):
    request = HttpRequest.received("POST", URL, [("Content-Type", kind)], body)

    assert request.content == content


@pytest.mark.parametrize(
    "url",
    [
        "https://API.example.com:443/charges",
        "https://ann:secret@api.example.com/charges",
        "https://api.example.com/charges?",
    ],
)
def test_an_address_is_written_in_one_way(url):
    assert HttpRequest.received("POST", url).url == URL


def test_an_unusual_port_is_kept():
    assert HttpRequest.received("GET", "http://localhost:8080").url == "http://localhost:8080/"


@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency-Key": "k"},
        {"IDEMPOTENCY-KEY": "k"},
        {"idempotency_key": "k"},
        {"X-Idempotency-Key": "k"},
        {"PayPal-Request-Id": "k"},
    ],
)
def test_a_key_is_found_in_the_headers(headers):
    assert HttpRequest.received("POST", URL, headers.items()).idempotency_key == "k"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"idempotency_key": "k", "amount": 1}'),
        ("application/json", b'{"idempotencyKey": "k", "amount": 1}'),
        ("application/x-www-form-urlencoded", b"idempotency_key=k&amount=1"),
    ],
)
def test_a_key_is_found_in_the_body(kind, body):
    request = HttpRequest.received("POST", URL, [("content-type", kind)], body)

    assert request.idempotency_key == "k"
    assert "k" not in repr(request.said).replace("key", "")


def test_there_may_be_no_key():
    assert HttpRequest.received("POST", URL, [], b"[1]").idempotency_key is None


def test_a_known_key_gives_the_first_answer_and_has_no_effect():
    made = []

    def charge(request):
        made.append(request)
        return HttpResponse(201, {"id": len(made)})

    with fake_http({"POST /charges": charge}) as web:
        first = send("POST", URL, b"{}", Idempotency_Key="a")
        again = send("POST", URL, b"{}", Idempotency_Key="a")
        other = send("POST", URL, b"{}", Idempotency_Key="b")

    assert first == again == (201, b'{"id": 1}')
    assert other == (201, b'{"id": 2}')
    assert len(web.received) == len(made) == 2
    assert len(web.log) == 3


def test_a_repeated_answer_says_so():
    with fake_http({"*": 201}):
        send("POST", URL, Idempotency_Key="a")
        with urlopen(Request(URL, headers={"Idempotency-Key": "a"}, method="POST")) as again:
            assert again.headers["Idempotent-Replayed"] == "true"


def test_a_key_of_another_host_is_another():
    with fake_http({"*": 201}) as web:
        send("POST", URL, Idempotency_Key="a")
        send("POST", "https://other.example.com/charges", Idempotency_Key="a")

    assert len(web.received) == 2


def test_a_known_key_for_another_request_is_an_error():
    with fake_http({"*": 201}) as web:
        send("POST", URL, b'{"amount": 1}', Idempotency_Key="a")
        with pytest.raises(HTTPError) as caught:
            send("POST", URL, b'{"amount": 2}', Idempotency_Key="a")

    with caught.value as error:
        assert error.status == 400
        assert b"idempotency_error" in error.read()
    assert len(web.received) == 1


def test_keys_are_forgotten_in_time():
    with (
        open_jobs() as jobs,
        fake_http({"*": 201}, remembers=timedelta(hours=24)) as web,
    ):
        jobs.clock.freeze()
        send("POST", URL, Idempotency_Key="a")
        jobs.clock.advance(timedelta(hours=23, minutes=59))
        send("POST", URL, Idempotency_Key="a")
        assert len(web.received) == 1
        jobs.clock.advance(timedelta(minutes=1))
        send("POST", URL, Idempotency_Key="a")
        assert len(web.received) == 2


@pytest.mark.parametrize(("status", "effects"), [(201, 1), (303, 1), (307, 0), (409, 0), (500, 1)])
def test_a_status_says_whether_there_was_an_effect(status, effects):
    with fake_http({"POST /charges": status, "GET /*": 200}) as web:
        try:
            send("POST", URL)
        except HTTPError as error:
            error.close()

    assert len(web.received) == effects


def test_a_refusal_is_not_remembered():
    answers = [409, 201]

    with fake_http({"*": lambda request: answers.pop(0)}) as web:
        with pytest.raises(HTTPError) as caught:
            send("POST", URL, Idempotency_Key="a")
        caught.value.close()
        assert send("POST", URL, Idempotency_Key="a")[0] == 201

    assert len(web.received) == 1


def test_what_only_looks_is_in_the_log_alone():
    with fake_http({"*": 200}, reads=["POST /search"]) as web:
        send("GET", URL)
        send("POST", "https://api.example.com/search", b"{}")

    assert web.received == []
    assert [request.path for request in web.log] == ["/charges", "/search"]


def test_what_only_looks_is_no_effect_of_a_job():
    def search():
        send("POST", "https://api.example.com/search", b"{}")

    def world(*reads):
        def made():
            with fake_http({"*": 200}, reads=reads):
                yield dict

        return made

    check_idempotent(search, world=world("POST /search"), histories=["twice", "crash"])
    with pytest.raises(DuplicateEffect, match=r"POST /search \[twice"):
        check_idempotent(search, world=world(), histories=["twice", "crash"])


def test_what_is_put_and_deleted_is_told_by_address():
    with fake_http({"*": 204}) as web:
        send("PUT", f"{URL}/1", b'{"amount": 1}')
        send("PUT", f"{URL}/1", b'{"amount": 2}')
        send("PUT", f"{URL}/1", b'{"amount": 1}')
        send("DELETE", f"{URL}/2")

    assert web.resources == {f"{URL}/1": {"amount": 1}, f"{URL}/2": None}
    assert [request.content for request in web.received] == [{"amount": 1}, {"amount": 2}, None]


def test_the_functions_that_answer_are_no_points_of_the_job(pytester):
    pytester.makepyfile(
        services="""
        def charge(request):
            return {"id": 1}

        def refund(request):
            return {"id": 2}
        """,
        test_it="""
        from urllib.request import Request, urlopen
        import services
        from pytest_jobs import check_idempotent, fake_http

        def send():
            for path in ("charges", "refunds"):
                headers = {"Idempotency-Key": path}
                urlopen(Request(f"http://x/{path}", b"", headers)).close()

        def world():
            with fake_http({"/charges": services.charge, "/refunds": services.refund}):
                yield dict

        def test_it():
            explored = check_idempotent(send, world=world, histories=["twice"])
            names = {point.function for point in explored.explorations[0].points}
            assert names == {"send"}
        """,
    )

    pytester.runpytest().assert_outcomes(passed=1)


def test_a_library_that_is_imported_in_the_block_is_stood_in_for(pytester):
    pytest.importorskip("requests")
    script = pytester.makepyfile(
        """
        import sys
        from pytest_jobs import fake_http

        with fake_http({"POST /charges": 201}):
            assert "urllib3" not in sys.modules
            import requests
            assert requests.post("https://api.example.com/charges", timeout=1).status_code == 201
        import urllib3.connection
        assert "pytest_jobs" not in urllib3.connection.HTTPSConnection.connect.__module__
        assert type(urllib3.connection.__spec__.loader).__name__ == "SourceFileLoader"
        assert type(urllib3.connection.__loader__).__name__ == "SourceFileLoader"
        """
    )

    result = pytester.runpython(script)

    assert result.ret == 0, result.stderr.str()


def test_a_library_that_is_imported_after_the_block_is_left_alone():
    finders = list(sys.meta_path)
    with fake_http({}):
        assert sys.meta_path != finders

    assert sys.meta_path == finders


def test_a_body_in_pieces_is_put_together():
    from http.client import HTTPConnection

    with fake_http({"*": 201}) as web:
        connection = HTTPConnection("localhost", 8080)
        connection.request(
            "POST",
            "/x",
            iter([b"a", b"bc"]),
            encode_chunked=True,
            headers={"Transfer-Encoding": "chunked"},
        )
        connection.getresponse().close()

    assert [request.content for request in web.received] == ["abc"]


def test_the_head_of_an_answer_has_no_body():
    from http.client import HTTPConnection

    with fake_http({"*": "text"}):
        connection = HTTPConnection("localhost")
        connection.request("HEAD", "/x")
        response = connection.getresponse()

    assert response.headers["Content-Length"] == "4"
    assert response.read() == b""


def test_certificates_are_read_when_they_are_needed_or_the_block_has_ended():
    with fake_http({}):
        early = ssl.create_default_context()
        late = ssl.create_default_context()
        certificates = early.get_ca_certs()

    assert late.cert_store_stats() == ssl.create_default_context().cert_store_stats()
    assert len(certificates) == len(ssl.create_default_context().get_ca_certs())


def test_certificates_that_are_not_there_are_missed_at_once():
    with fake_http({}), pytest.raises(FileNotFoundError):
        ssl.create_default_context(cafile="nowhere.pem")
