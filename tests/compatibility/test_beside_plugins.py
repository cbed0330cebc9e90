"""Plugins that projects have beside ours: each one with a test of both, in a session with no other plugin."""

import os
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.slow

JOBS = """
from datetime import UTC, datetime, timedelta
import asyncio
import os
import time
import pytest
from pytest_jobs import job

@job
def pay(number):
    return number

@job
async def apay(number):
    await asyncio.sleep(60)
    return number

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
"""
PLAIN = """
def test_it(jobs, assert_performed):
    pay.perform_later(7)
    jobs.drain()
    assert_performed(pay, result=7)
"""
AWAITED = """
async def test_it(jobs, assert_performed):
    apay.perform_later(7)
    await jobs.adrain()
    assert_performed(apay, result=7)
"""
#: By the plugin: what `-p` names, more arguments, the test, and the outcomes.
PLUGINS = {
    "pytest-aiohttp": (
        ["pytest_asyncio.plugin", "pytest_aiohttp.plugin"],
        ["-o", "asyncio_mode=auto"],
        """
from aiohttp import web
async def test_it(aiohttp_client, jobs, assert_enqueued):
    async def buy(request):
        pay.perform_later(7)
        return web.Response()
    app = web.Application()
    app.router.add_get("/", buy)
    client = await aiohttp_client(app)
    assert (await client.get("/")).status == 200
    assert_enqueued(pay, args=[7])
""",
        {"passed": 1},
    ),
    "pytest-asyncio": (
        ["pytest_asyncio.plugin"],
        ["-o", "asyncio_mode=auto"],
        AWAITED,
        {"passed": 1},
    ),
    "anyio": (
        ["anyio.pytest_plugin"],
        [],
        f"""
@pytest.fixture
def anyio_backend():
    return "asyncio"
@pytest.mark.anyio{AWAITED}""",
        {"passed": 1},
    ),
    "pytest-bdd": (
        ["pytest_bdd.plugin"],
        [],
        """
from pytest_bdd import scenario, then, when
@scenario("it.feature", "A payment")
def test_it():
    pass
@when("somebody pays")
def _(jobs):
    pay.perform_later(7)
    jobs.drain()
@then("it is paid")
def _(assert_performed):
    assert_performed(pay, result=7)
""",
        {"passed": 1},
    ),
    "pytest-benchmark": (
        ["pytest_benchmark.plugin"],
        [],
        """
def test_it(jobs, benchmark):
    benchmark.pedantic(lambda: pay.perform_later(7), rounds=5)
    assert jobs.drain().total == 5
""",
        {"passed": 1},
    ),
    "pytest-celery": (
        ["pytest_celery"],
        [],
        """
from celery import shared_task
@shared_task
def tax(number):
    return number
def test_it(jobs, assert_performed, celery_worker_cluster_config):
    tax.delay(7)
    jobs.drain()
    assert_performed(tax, result=7)
""",
        {"passed": 1},
    ),
    "pytest-cov": (["pytest_cov.plugin"], ["--cov=.", "--cov-report="], PLAIN, {"passed": 1}),
    "pytest-django": (
        ["pytest_django.plugin"],
        ["--ds=settings_of_it"],
        """
from django.db import transaction
@pytest.mark.django_db
def test_it(jobs, assert_enqueued):
    transaction.on_commit(lambda: pay.perform_later(7))
    jobs.commit()
    assert_enqueued(pay, args=[7])
""",
        {"passed": 1},
    ),
    "pytest-env": (
        ["pytest_env.plugin"],
        ["-o", "env=PAID=yes"],
        f"{PLAIN}    assert os.environ['PAID'] == 'yes'\n",
        {"passed": 1},
    ),
    "pytest-factoryboy": (
        ["pytest_factoryboy.plugin"],
        [],
        """
import factory
from pytest_factoryboy import register
class Order:
    def __init__(self, number):
        self.number = number
@register
class OrderFactory(factory.Factory):
    class Meta:
        model = Order
    number = 7
def test_it(jobs, assert_performed, order):
    pay.perform_later(order.number)
    jobs.drain()
    assert_performed(pay, result=7)
""",
        {"passed": 1},
    ),
    "pytest-flask": (
        ["pytest_flask.plugin"],
        [],
        """
import flask
@pytest.fixture
def app():
    app = flask.Flask("it")
    app.add_url_rule("/", view_func=lambda: pay.perform_later(7) and "paid")
    return app
def test_it(jobs, assert_enqueued, client):
    assert client.get("/").status_code == 200
    assert_enqueued(pay, args=[7])
""",
        {"passed": 1},
    ),
    "pytest-freezer": (
        ["pytest_freezer"],
        [],
        """
def test_it(freezer, jobs):
    freezer.move_to(NOON)
    pay.set(wait=60).perform_later(7)
    jobs.drain()
    assert datetime.now(UTC) == NOON + timedelta(seconds=60)
""",
        {"passed": 1},
    ),
    "pytest-html": (
        ["pytest_metadata.plugin", "pytest_html.plugin"],
        ["--html=it.html"],
        PLAIN,
        {"passed": 1},
    ),
    "pytest-httpx": (
        ["pytest_httpx"],
        [],
        """
import httpx
@job
def ask():
    return httpx.get("https://shop.example/").text
def test_it(httpx_mock, jobs, assert_performed):
    httpx_mock.add_response(text="paid")
    ask.perform_later()
    jobs.drain()
    assert_performed(ask, result="paid")
""",
        {"passed": 1},
    ),
    "pytest-instafail": (
        ["pytest_instafail"],
        ["--instafail"],
        f"{PLAIN}    assert_performed(pay, result=8)\n",
        {"failed": 1},
    ),
    "pytest-mock": (
        ["pytest_mock"],
        [],
        f"""{PLAIN}
def test_stub(jobs, mocker):
    sent = mocker.patch("time.ctime")
    @job
    def show():
        time.ctime()
    show.perform_later()
    jobs.drain()
    sent.assert_called_once_with()
""",
        {"passed": 2},
    ),
    "pytest-order": (["pytest_order.plugin"], [], PLAIN, {"passed": 1}),
    "pytest-random-order": (["random_order.plugin"], ["--random-order"], PLAIN, {"passed": 1}),
    "pytest-randomly": (["pytest_randomly"], [], PLAIN, {"passed": 1}),
    "pytest-repeat": (["pytest_repeat"], ["--count=2"], PLAIN, {"passed": 2}),
    "pytest-rerunfailures": (
        ["pytest_rerunfailures"],
        ["--reruns=1"],
        """
tries = []
def test_it(jobs):
    tries.append(7)
    pay.perform_later(7)
    assert (jobs.drain().total, len(tries)) == (1, 2)
""",
        {"passed": 1, "rerun": 1},
    ),
    "pytest-socket": (["pytest_socket"], ["--disable-socket"], PLAIN, {"passed": 1}),
    "pytest-split": (["pytest_split.plugin"], ["--splits=1", "--group=1"], PLAIN, {"passed": 1}),
    "pytest-sugar": (["pytest_sugar"], [], PLAIN, {"passed": 1}),
    "pytest-subtests": (
        ["pytest_subtests"],
        [],
        """
def test_it(jobs, subtests):
    for number in (1, 2):
        with subtests.test(number=number):
            pay.perform_later(number)
            assert jobs.drain().total == 1
""",
        {"passed": 1},
    ),
    "pytest-timeout": (["pytest_timeout"], ["--timeout=60"], PLAIN, {"passed": 1}),
    "pytest-trio": (
        ["pytest_trio.plugin"],
        [],
        f"""{PLAIN}
@pytest.mark.trio
async def test_trio(jobs, assert_enqueued):
    pay.perform_later(7)
    assert_enqueued(pay, args=[7])
""",
        {"passed": 2},
    ),
    "pytest-xdist": (["xdist.plugin", "xdist.looponfail"], ["-n", "1"], PLAIN, {"passed": 1}),
    "syrupy": (
        ["syrupy"],
        ["--snapshot-update"],
        """
def test_it(jobs, snapshot):
    pay.perform_later(7)
    jobs.drain()
    assert str(jobs.performed) == snapshot
""",
        {"passed": 1},
    ),
}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugin_and_ours_work_side_by_side(pytester, monkeypatch, plugin):
    names, arguments, source, outcomes = PLUGINS[plugin]
    # The environment `plugins` sets it, and has all of them.
    may_lack = "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ
    if may_lack and any(find_spec(name.partition(".")[0]) is None for name in names):
        pytest.skip(f"{plugin} is not installed: the environment `plugins` of tox has it")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        test_it=JOBS + source,
        settings_of_it="DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}\n",
    )
    pytester.makefile(
        ".feature",
        it="Feature: It\n  Scenario: A payment\n    When somebody pays\n    Then it is paid\n",
    )
    loaded = [part for name in ["pytest_jobs.plugin", *names] for part in ("-p", name)]

    ended = pytester.run(sys.executable, "-m", "pytest", *loaded, *arguments, "--jobs-mode=record")
    found = ended.parseoutcomes()
    assert {name: found.get(name, 0) for name in {*outcomes, "errors"}} == {"errors": 0, **outcomes}
