"""Background tasks are recorded, and performed where the application performs them."""

import asyncio
import threading
from contextlib import ExitStack
from functools import partial

import mails
import pytest
from mails import Logged, Mailer, add, fail, mail, note, sent

pytest.importorskip("fastapi")

from fastapi import BackgroundTasks as FastAPITasks, Depends, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from pytest_jobs.assertions.asserts import (
    AssertEnqueued,
    AssertNotEnqueued,
    AssertNotPerformed,
    AssertPerformed,
)
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import CriterionError


@pytest.fixture(autouse=True)
def nothing_sent():
    sent.clear()
    mails.threads.clear()


@pytest.fixture
def kept():
    """Return a harness that keeps what is enqueued until a verb performs it."""
    with open_jobs(mode="record") as jobs:
        yield jobs


def answering(*tasks, response=JSONResponse):
    """Return an application whose response has a task, or a group of them."""

    async def answer(request):
        # A response without any is the commonest.
        return response("ok", background=tasks[0] if tasks else None)

    return Starlette(routes=[Route("/", answer), Mount("/shop", routes=[Route("/", answer)])])


def given(*functions, group=BackgroundTasks):
    tasks = group()
    for number, function in enumerate(functions, 1):
        tasks.add_task(function, number)
    return tasks


# Where the application performs them


@pytest.mark.parametrize("group", [BackgroundTasks, FastAPITasks])
def test_tasks_are_recorded_and_performed_by_the_application_in_its_threads(jobs, get, group):
    assert get(answering(given(mail, note, group=group))) == 200

    assert sent == [1, "note 2"]
    first, second = jobs.enqueued
    assert (first.job, first.name, first.args, first.kwargs) == (mail, "mails.mail", (1,), {})
    assert (second.job, second.args) == (note, (2,))
    assert (first.parent, first.queue, first.attempt) == (None, None, 1)
    assert [each.status for each in jobs.deliveries] == ["performed", "performed"]
    assert len(jobs.pending) == 0
    AssertEnqueued(lambda: jobs)(mail, args=[1])
    AssertPerformed(lambda: jobs)(mail, params={"number": 1, "to": "Ann"}, result="mail 1 to Ann")
    (thread,) = mails.threads
    assert thread is not threading.current_thread()


@pytest.mark.parametrize("response", [JSONResponse, StreamingResponse])
def test_a_task_without_a_group_is_recorded_with_the_arguments_of_its_partial(jobs, get, response):
    get(answering(BackgroundTask(partial(mail, 7), to="Bob"), response=response))

    AssertPerformed(lambda: jobs)(mail, args=[7, "Bob"])
    assert sent == [7]


@pytest.mark.parametrize("path", ["/", "/shop/"])
def test_a_record_knows_the_request_if_it_has_one(jobs, get, path):
    get(answering())
    AssertNotEnqueued(lambda: jobs)()
    get(answering(given(mail)), path)
    asyncio.run(given(mail)())

    assert [each.headers for each in jobs.enqueued] == [{"request": f"GET {path}"}, {}]
    assert sent == [1, 1]


def test_an_endpoint_that_fails_gives_no_task_to_a_response(jobs):
    app = FastAPI()

    @app.get("/")
    def answer(tasks: FastAPITasks):
        tasks.add_task(mail, 7)
        raise LookupError

    with pytest.raises(LookupError):
        TestClient(app).get("/")

    AssertNotEnqueued(lambda: jobs)(mail)


def test_tasks_that_dependencies_add_are_recorded(jobs, get):
    app = FastAPI()

    def audit(tasks: FastAPITasks):
        tasks.add_task(note, 1)

    @app.get("/", dependencies=[Depends(audit)])
    def answer(tasks: FastAPITasks):
        tasks.add_task(mail, 2)

    get(app)

    assert [each.name for each in jobs.enqueued] == ["mails.note", "mails.mail"]
    assert sent == ["note 1", 2]


@pytest.mark.parametrize(
    ("function", "named", "result"),
    [
        (partial(mail, to="Bob"), mail, 1),
        (Mailer().send, Mailer.send, "mailer 1"),
        (Logged(), None, "logged 1"),
        (lambda number: sent.append(f"lambda {number}"), None, "lambda 1"),
    ],
)
def test_whatever_can_be_called_is_named_by_itself(jobs, get, function, named, result):
    get(answering(given(function)))

    record = AssertPerformed(lambda: jobs)(function if named is None else named).record
    assert record.args == (1,)
    assert sent == [result]


def test_groups_in_groups_run_in_their_order_and_a_task_that_is_given_twice_twice(jobs, get):
    task = BackgroundTask(mail, 1)
    tree = BackgroundTasks([task, given(note, mail), task])

    get(answering(tree))

    assert sent == [1, "note 1", 2, 1]
    assert [each.sequence for each in jobs.enqueued] == [0, 1, 2, 3]
    AssertPerformed(lambda: jobs)(mail, count=3)


@pytest.mark.parametrize("mode", ["where the application performs", "kept"])
def test_a_task_that_a_task_adds_is_its_child(request, get, mode):
    jobs = request.getfixturevalue("kept" if mode == "kept" else "jobs")
    tasks = BackgroundTasks()
    tasks.add_task(add, tasks, 7)

    get(answering(tasks))
    if mode == "kept":
        jobs.drain()

    assert sent == ["add", 7]
    assert [each.parent for each in jobs.enqueued] == [None, 0]


def test_a_task_that_sends_a_request_is_the_parent_of_the_tasks_of_its_answer(jobs):
    inner = answering(given(note))

    def ask(number):
        TestClient(inner).get("/")

    TestClient(answering(given(ask, mail))).get("/")

    assert [each.parent for each in jobs.enqueued] == [None, None, 0]
    assert sent == ["note 1", 2]


class Retrying(BackgroundTask):
    async def __call__(self):
        try:
            await super().__call__()
        except LookupError:
            sent.append("again")


class Tolerant(BackgroundTasks):
    async def __call__(self):
        for task in self.tasks:
            try:
                await task()
            except LookupError:
                sent.append("went on")


@pytest.mark.parametrize("mode", ["jobs", "kept"])
def test_the_task_of_a_class_of_the_project_is_recorded_once_with_its_override(request, get, mode):
    jobs = request.getfixturevalue(mode)
    get(answering(Retrying(fail, 1)))
    if mode == "kept":
        assert sent == []
        jobs.drain()

    assert sent == ["again"]
    assert [each.status for each in jobs.deliveries] == ["performed"]


@pytest.mark.parametrize("mode", ["jobs", "kept"])
def test_a_group_of_the_project_decides_what_a_failure_means(request, get, mode):
    jobs = request.getfixturevalue(mode)
    get(answering(given(fail, mail, group=Tolerant)))
    if mode == "kept":
        jobs.drain(raise_errors=False)

    assert sent == (["went on", 2] if mode == "jobs" else [2])
    assert [each.status for each in jobs.deliveries] == ["failed", "performed"]


class Persistent(BackgroundTasks):
    async def __call__(self):
        for task in self.tasks:
            try:
                await task()
            except LookupError:
                await task()


def test_a_group_of_the_project_that_calls_a_task_again_has_two_records_of_it(jobs, get):
    with pytest.raises(LookupError):
        get(answering(given(fail, mail, group=Persistent)))

    assert [each.record.job for each in jobs.deliveries] == [fail, fail]
    AssertEnqueued(lambda: jobs)(fail, count=2)
    AssertNotPerformed(lambda: jobs)(mail)


# Errors


@pytest.mark.parametrize("raises", [True, False])
def test_a_task_that_fails_ends_the_others_and_reaches_the_client_that_raises(jobs, raises):
    client = TestClient(answering(given(mail, fail, note)), raise_server_exceptions=raises)
    if raises:
        with pytest.raises(LookupError):
            client.get("/")
    else:
        assert client.get("/").status_code == 200

    assert sent == [1]
    assert [each.status for each in jobs.deliveries] == ["performed", "failed"]
    AssertEnqueued(lambda: jobs)(note)
    AssertNotPerformed(lambda: jobs)(note)
    assert len(jobs.pending) == 0


def test_a_fault_is_raised_in_the_request(jobs, get):
    jobs.fail(mail, raising=TimeoutError("no answer"))

    with pytest.raises(TimeoutError, match="no answer"):
        get(answering(given(mail)))

    assert sent == []


def test_a_task_that_is_cancelled_is_lost(jobs):
    async def forever():
        await asyncio.Event().wait()

    async def begun():
        running = asyncio.create_task(BackgroundTask(forever)())
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(begun())

    assert len(jobs.enqueued) == 1
    assert (len(jobs.pending), len(jobs.deliveries)) == (0, 0)


# What a test keeps


def test_what_is_kept_waits_for_a_verb(kept, get):
    assert get(answering(given(mail, note))) == 200

    assert sent == []
    AssertEnqueued(lambda: kept)(mail, args=[1])
    AssertNotPerformed(lambda: kept)(mail)

    kept.drain()
    assert sent == [1, "note 2"]
    assert mails.threads == [threading.current_thread()]


def test_a_verb_on_the_event_loop_performs_them(kept):
    async def main():
        await given(mail, note)()
        await kept.adrain()

    asyncio.run(main())

    assert sent == [1, "note 2"]


def test_a_kept_task_that_fails_ends_those_after_it(kept, get):
    get(answering(given(mail, fail, note)))

    with pytest.raises(LookupError):
        kept.drain()

    assert sent == [1]
    assert len(kept.pending) == 0
    kept.drain(at_least=0)
    AssertNotPerformed(lambda: kept)(note)


def test_a_kept_task_has_its_containers_as_they_were(kept):
    numbers = [1]
    asyncio.run(BackgroundTask(mail, numbers)())

    numbers.append(2)
    kept.drain()

    assert sent == [[1]]


def test_held_tasks_alone_wait(jobs, get):
    with jobs.holding([mail]):
        get(answering(given(mail, note)))

        assert sent == ["note 2"]
    jobs.drain()
    assert sent == ["note 2", 1]


def test_inline_the_application_performs_them_and_those_of_the_filters_of_a_block(kept, get):
    with kept.inline(exclude=[note]):
        get(answering(given(mail, note)))
    assert sent == [1]
    assert [each.name for each in kept.pending] == ["mails.note"]

    with open_jobs(mode="inline") as jobs:
        get(answering(given(mail, note)))
    assert sent == [1, 1, "note 2"]
    assert len(jobs.performed) == 2


def test_a_function_that_may_be_a_filter_or_a_job_is_refused(jobs):
    with pytest.raises(CriterionError) as refused:
        jobs.holding(mail)

    assert str(refused.value) == (
        "held=mails.mail can be a job that was not enqueued yet, or a callable that takes a record: write "
        "held=[mail] for the job, and held=lambda record: mail(record) for the callable."
    )


def test_a_task_that_a_test_enqueues_is_performed_once(kept):
    timeline = kept.simulate_retries(fail, [1], raising=LookupError)
    kept.harness.targets.get(mail).bridge.enqueue(mail, (7,), {})
    kept.drain()

    assert len(timeline.attempts) == 1
    assert timeline.wait_seconds == []
    assert sent == [7]
    assert len(kept.enqueued) == 1


def test_a_response_may_have_thousands_of_tasks(jobs):
    tasks = BackgroundTasks()
    for number in range(2000):
        tasks.add_task(note, number)

    asyncio.run(tasks())

    assert len(jobs.performed) == len(sent) == 2000


# Beside others


def test_what_a_task_enqueues_is_its_child(jobs, get):
    from pytest_jobs import job

    @job
    def ship(number):
        pass

    def order(number):
        ship.perform_later(number)

    get(answering(given(order)))

    first, second = jobs.enqueued
    assert (first.bridge, second.bridge, second.parent) == ("background_tasks", "core", 0)


def test_a_function_that_rq_may_take_too_is_a_job_of_the_library_that_gets_it(get):
    pytest.importorskip("rq.queue")
    pytest.importorskip("lupa")

    with open_jobs() as jobs:
        jobs.fail(mail, raising=TimeoutError)

        with pytest.raises(TimeoutError):
            get(answering(given(mail)))


def test_without_a_harness_or_where_the_library_is_ignored_the_tasks_run(get):
    with open_jobs() as jobs:
        pass
    get(answering(given(mail)))
    assert (sent, len(jobs.enqueued)) == ([1], 0)

    with open_jobs(ignore=["background_tasks"], mode="record") as jobs:
        get(answering(given(mail)))
    assert (sent, len(jobs.enqueued)) == ([1, 1], 0)


def test_a_harness_that_closes_while_a_response_is_sent_leaves_the_rest_to_the_application(get):
    with ExitStack() as stack:
        jobs = stack.enter_context(open_jobs())

        def end(number):
            stack.close()

        get(answering(given(end, mail)))

    assert sent == [2]
    assert [each.name.rpartition(".")[2] for each in jobs.enqueued] == ["end", "mail"]
    assert len(jobs.performed) == 0
