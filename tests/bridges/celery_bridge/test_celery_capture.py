"""Every application of the process is captured, without being named, and all is as before afterwards."""

import socket
import subprocess
import sys
from contextlib import nullcontext
from types import ModuleType

import kombu
import pytest
from celery import Celery, Task, chain, group, shared_task
from celery.app import base
from celery.app.amqp import AMQP
from celery.app.base import PendingConfiguration
from celery.app.utils import Settings
from celery.backends.redis import RedisBackend

from pytest_jobs.assertions.asserts import AssertEnqueued, AssertNotEnqueued
from pytest_jobs.bridges.celery.bridge import CeleryBridge
from pytest_jobs.errors import CriterionError, UnknownJobError
from pytest_jobs.harness.jobs import Jobs


@pytest.fixture(autouse=True)
def no_connections(monkeypatch):
    """Fail whatever connects."""

    def connect(self, address):
        self.close()
        raise AssertionError(f"it connected to {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture
def jobs():
    with Jobs([CeleryBridge()]) as jobs:
        yield jobs


@pytest.fixture
def made_before():
    """Return an application that is older than the harness."""
    return make_app("before")


def make_app(name="factory", **options):
    return Celery(
        name,
        broker="redis://127.0.0.1:1/0",
        backend="redis://127.0.0.1:1/1",
        set_as_current=False,
        **options,
    )


def make_task(app, name="work", **options):
    return app.task(name=name, shared=False, **options)(lambda_of(app.main))


def lambda_of(value):
    def body(*args):
        return value

    return body


def names(jobs):
    return [record.name for record in jobs.enqueued]


def test_applications_that_nobody_names_are_captured_one_that_a_job_makes_too(made_before, jobs):
    task = make_task(made_before)

    @made_before.task(shared=False)
    def outer():
        make_task(make_app("inside"), "inner").delay()

    task.delay(7)
    make_task(make_app("other"), "b").delay()
    outer.delay()
    AssertEnqueued(lambda: jobs)(task, where=lambda record: record.args == (7,))
    jobs.drain()

    assert [each.result for each in jobs.performed] == ["before", "other", None, "inside"]


def test_an_application_of_a_derived_class_is_captured_and_its_backend_not_contacted(jobs):
    class Tenants(Celery):
        @property
        def backend(self):
            return RedisBackend(app=self, url="redis://127.0.0.1:1/0")

        def send_task(self, *args, **options):
            return super().send_task(*args, **options, headers={"tenant": "blue"})

    app = Tenants("tenants", broker="amqp://127.0.0.1:1//", set_as_current=False)

    sent = make_task(app).delay()
    jobs.drain()

    assert jobs.enqueued[0].headers["tenant"] == "blue"
    assert sent.get() == "tenants"


def test_an_application_that_is_still_to_be_finalized_sends_by_name(jobs):
    app = make_app("unfinished", autofinalize=False)

    app.send_task("elsewhere.work", (7,))

    assert [record.args for record in jobs.enqueued] == [(7,)]
    AssertEnqueued(lambda: jobs)("elsewhere.work")


def test_a_task_class_that_sends_in_its_own_way_is_captured_with_what_it_adds(made_before, jobs):
    class Urgent(Task):
        def apply_async(self, args=None, kwargs=None, **options):
            return super().apply_async(args, kwargs, **{**options, "queue": "urgent"})

    make_task(made_before, base=Urgent).delay()

    assert jobs.enqueued[0].queue == "urgent"


def test_a_shared_task_a_chain_and_a_group_are_captured(made_before, jobs):
    @shared_task(name="capture.shared")
    def shared(n):
        return n

    task = make_task(made_before)

    shared.delay(7)
    chain(task.s(1), task.s(2)).delay()
    group(task.s(3), task.s(4)).delay()
    jobs.drain()

    assert jobs.performed[0].result == 7
    assert len(jobs.performed) == 5


@pytest.mark.parametrize("when", ["before it is configured", "afterwards"])
def test_an_eager_application_sends_as_any_other_and_stays_eager(jobs, when):
    app = make_app("eager", task_always_eager=True)
    if when == "afterwards":
        assert app.conf["task_always_eager"] is True

    make_task(app).delay()

    assert (len(jobs.pending), len(jobs.performed)) == (1, 0)
    assert app.conf["task_always_eager"] is True


@pytest.mark.parametrize("option", ["connection", "producer"])
def test_the_connection_that_a_caller_passes_is_not_used(made_before, jobs, option):
    connection = kombu.Connection("redis://127.0.0.1:1/0")
    given = connection if option == "connection" else kombu.Producer(connection)

    make_task(made_before).apply_async((7,), **{option: given})

    assert jobs.enqueued[0].args == (7,)


def test_what_an_application_has_cached_is_not_used(made_before):
    task = make_task(made_before)
    cached = (
        made_before.pool,
        made_before.backend,
        made_before.amqp.producer_pool,
        made_before.amqp.send_task_message,
    )

    with Jobs([CeleryBridge()]) as jobs:
        task.delay()
        assert made_before.control.revoke("unknown") is None
        assert names(jobs) == ["work"]

    assert cached == (
        made_before.pool,
        made_before.backend,
        made_before.amqp.producer_pool,
        made_before.amqp.send_task_message,
    )


@pytest.mark.parametrize("passed", [True, False], ids=["connection passed", "from the pool"])
def test_a_task_that_is_revoked_is_withdrawn(made_before, jobs, passed):
    sent = make_task(made_before).delay()
    options = {"connection": kombu.Connection("redis://127.0.0.1:1/0")} if passed else {}

    made_before.control.revoke(sent.id, **options)

    assert len(jobs.pending) == 0


def test_a_harness_in_which_nothing_is_sent_touches_no_application(made_before):
    before = dict(vars(made_before))

    with Jobs([CeleryBridge([made_before])]) as jobs:
        jobs.drain()

    assert vars(made_before) == before


def test_afterwards_a_task_is_sent_to_the_broker_again(made_before):
    task = make_task(made_before)
    with Jobs([CeleryBridge()]) as jobs:
        task.delay()
        made_inside = make_task(make_app("inside"))
        made_inside.delay()
        assert names(jobs) == ["work", "work"]

    for each in (task, made_inside):
        with pytest.raises(AssertionError, match=r"it connected to \('127\.0\.0\.1', 1\)"):
            each.delay()


@pytest.mark.parametrize("failing", [False, True], ids=["passed", "failed"])
def test_every_class_and_every_object_of_celery_is_as_it_was(made_before, failing):
    apps = [made_before, make_app("eager", task_always_eager=True)]
    tasks = [make_task(app) for app in apps]
    classes = [Celery, AMQP, Settings, PendingConfiguration, Task]

    def use_all():
        with Jobs([CeleryBridge()]) as jobs:
            for task in tasks:
                task.delay()
            made_before.control.revoke("unknown")
            jobs.drain()
            if failing:
                raise ZeroDivisionError

    def states(owners):
        return [dict(vars(owner)) for owner in owners]

    before = states(classes)
    with pytest.raises(ZeroDivisionError) if failing else nullcontext():
        use_all()
    # Celery keeps what it computes at first use, so objects are compared from then on.
    objects = [*tasks, *apps, *(app.amqp for app in apps), made_before.control]
    used_once = states(objects)
    with pytest.raises(ZeroDivisionError) if failing else nullcontext():
        use_all()

    assert states(classes) == before
    assert states(objects) == used_once


def test_a_task_with_self_that_two_applications_share_is_asked_for_by_name(made_before):
    @shared_task(bind=True, name="capture.bound")
    def bound(self): ...

    other = make_app("other")
    with Jobs([CeleryBridge([made_before, other])]) as jobs:
        made_before.tasks["capture.bound"].delay()
        other.tasks["capture.bound"].delay()

        assert len(AssertEnqueued(lambda: jobs)("capture.bound", count=2)) == 2


@pytest.mark.skipif(
    not hasattr(base, "pydantic_wrapper"), reason="This Celery has no pydantic=True."
)
def test_a_task_with_pydantic_that_two_applications_share_is_one_task(made_before):
    pytest.importorskip("pydantic")

    @shared_task(pydantic=True, name="capture.pydantic")
    def checked(n: int): ...

    other = make_app("other")
    with Jobs([CeleryBridge([made_before, other])]) as jobs:
        made_before.tasks["capture.pydantic"].delay(7)
        other.tasks["capture.pydantic"].delay(7)

        assert len(AssertEnqueued(lambda: jobs)(checked, count=2)) == 2
        assert len(AssertEnqueued(lambda: jobs)("capture.pydantic", count=2)) == 2


def test_a_task_is_performed_by_its_sender_and_else_by_a_named_application(made_before):
    named = make_app("named")
    make_task(named)
    task = make_task(made_before)

    with Jobs([CeleryBridge([named])]) as jobs:
        task.delay()
        make_app("stranger").send_task("work")
        jobs.drain()

        assert [delivery.result for delivery in jobs.performed] == ["before", "named"]


def test_what_the_sender_lacks_an_application_performs_that_has_sent_in_this_harness(
    made_before, jobs
):
    make_task(made_before, "billing.charge")
    make_task(made_before, "other").delay()

    make_app("stranger").send_task("billing.charge")
    jobs.drain()

    assert [delivery.result for delivery in jobs.performed] == ["before", "before"]


def test_what_nobody_near_has_an_application_at_the_top_of_a_module_performs(
    made_before, jobs, monkeypatch
):
    module = ModuleType("a_shop")
    module.app = made_before
    monkeypatch.setitem(sys.modules, "a_shop", module)
    make_task(made_before, "shop.sell")

    make_app("stranger").send_task("shop.sell")
    jobs.drain()

    assert jobs.performed[0].result == "before"


def test_an_application_that_another_test_left_makes_a_name_known_and_performs_nothing(
    made_before, jobs
):
    make_task(made_before, "left.over")
    AssertNotEnqueued(lambda: jobs)("left.over")

    stranger = make_app("stranger")
    stranger.send_task("left.ovre")
    assert "(not known here)" in str(jobs.pending)
    stranger.send_task("left.over")
    with pytest.raises(UnknownJobError, match=r"No task named 'left\.over' is registered"):
        jobs.drain(only="left.over")


def test_of_a_name_that_nobody_knows_the_nearest_is_suggested(made_before):
    make_task(made_before, "shop.send_receipt")
    with Jobs([CeleryBridge([made_before])]) as jobs:
        made_before.send_task("shop.send_reciept")

        assert "(not known here, nearest: shop.send_receipt)" in str(jobs.pending)
        with pytest.raises(CriterionError, match=r"did you mean 'shop\.send_receipt'"):
            AssertNotEnqueued(lambda: jobs)("shop.send_recepit")
        with pytest.raises(UnknownJobError, match=r"The nearest name is 'shop\.send_receipt'\.$"):
            jobs.drain()


def test_an_application_that_cannot_be_set_up_spoils_no_question_about_names(made_before, jobs):
    # Closed at the end, or every shared task of a later test would set it up.
    with Celery("broken", config_source="no_such_module", set_as_current=False) as broken:
        make_task(broken, "broken.work")
        make_task(made_before, "left.over")

        AssertNotEnqueued(lambda: jobs)("left.over")


def test_what_an_application_sent_in_an_earlier_harness_does_not_count(made_before):
    bridge = CeleryBridge()
    with Jobs([bridge]):
        make_task(made_before, "earlier").delay()

    with Jobs([bridge]) as jobs:
        make_app("stranger").send_task("earlier")
        with pytest.raises(UnknownJobError):
            jobs.drain()


def test_what_a_worker_would_import_is_imported_for_an_application_at_the_top_of_a_module(
    jobs, monkeypatch, tmp_path
):
    (tmp_path / "a_mailer.py").write_text(
        "from celery import Celery\n"
        "app = Celery('mailer', include=['a_mailer_tasks'], set_as_current=False)\n"
    )
    (tmp_path / "a_mailer_tasks.py").write_text(
        "from a_mailer import app\n@app.task(name='mailer.send')\ndef send(): return 'sent'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("a_mailer", "a_mailer_tasks"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    app = __import__("a_mailer").app

    AssertNotEnqueued(lambda: jobs)("mailer.send")
    app.send_task("mailer.send")
    jobs.drain()

    assert jobs.performed[0].result == "sent"


def test_a_sandbox_keeps_no_result_of_an_application_that_was_made_in_it():
    bridge = CeleryBridge()
    with Jobs([bridge]) as jobs:
        with bridge.sandbox(bridge.sink):
            inside = make_app("inside")
            sent = make_task(inside).delay()
            jobs.drain()
            assert inside.AsyncResult(sent.id).state == "SUCCESS"

        assert inside.AsyncResult(sent.id).state == "PENDING"


def test_the_parts_of_a_worker_are_imported_when_the_first_task_is_performed():
    program = (
        "import sys\n"
        "from celery import Celery\n"
        "from pytest_jobs import open_jobs\n"
        "app = Celery('shop', broker='redis://127.0.0.1:1/0')\n"
        "@app.task\n"
        "def task(text): print(text)\n"
        "with open_jobs(apps=[app]) as jobs:\n"
        "    task.delay('performed')\n"
        "    assert 'celery.worker.request' not in sys.modules\n"
        "    jobs.drain()\n"
        "    assert 'celery.worker.request' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.returncode) == ("performed\n", 0)
