"""A performed task goes through all that a worker puts around it."""

import pytest
from celery import Task, current_app, current_task, signals

SIGNALS = (
    *("task_received", "task_prerun", "task_postrun", "task_success"),
    *("task_failure", "task_retry", "task_revoked"),
)


@pytest.fixture
def heard():
    """Return which signals of a task were sent, in order."""
    seen = []

    def receiver(name):
        return lambda sender, **kwargs: seen.append(name)

    receivers = {name: receiver(name) for name in SIGNALS}
    for name, hear in receivers.items():
        getattr(signals, name).connect(hear, weak=False)
    yield seen
    for name, hear in receivers.items():
        getattr(signals, name).disconnect(hear)


def test_the_signals_of_a_success(jobs, app, heard):
    @app.task
    def work():
        heard.append("work")

    work.delay()
    jobs.drain()

    assert heard == ["task_prerun", "work", "task_success", "task_postrun"]


def test_the_signals_of_a_failure(jobs, app, heard):
    @app.task
    def work():
        raise ValueError

    work.delay()
    jobs.drain(raise_errors=False)

    assert heard == ["task_prerun", "task_failure", "task_postrun"]


def test_the_signals_of_a_retry(jobs, app, heard):
    @app.task(bind=True, max_retries=1)
    def work(self):
        if self.request.retries == 0:
            raise self.retry(countdown=1)

    work.delay()
    jobs.drain()

    assert heard == [
        *("task_prerun", "task_retry", "task_postrun"),
        *("task_prerun", "task_success", "task_postrun"),
    ]


def test_the_signal_of_an_expired_task(jobs, app, heard):
    @app.task
    def work():
        heard.append("work")

    work.apply_async(expires=1)
    jobs.clock.advance(2)
    jobs.drain()

    assert heard == ["task_revoked"]


def test_the_hooks_of_a_base_class(jobs, app):
    seen = []

    class Base(Task):
        abstract = True

        def before_start(self, task_id, args, kwargs):
            seen.append(("before_start", args))

        def on_success(self, retval, task_id, args, kwargs):
            seen.append(("on_success", retval))

        def on_retry(self, exc, task_id, args, kwargs, einfo):
            seen.append(("on_retry", str(exc)))

        def on_failure(self, exc, task_id, args, kwargs, einfo):
            seen.append(("on_failure", str(exc)))

        def after_return(self, status, retval, task_id, args, kwargs, einfo):
            seen.append(("after_return", status))

    @app.task(base=Base, autoretry_for=(ValueError,), max_retries=1, default_retry_delay=1)
    def work(n):
        if n:
            raise ValueError("boom")
        return "done"

    work.delay(0)
    jobs.drain()
    assert seen == [("before_start", [0]), ("on_success", "done"), ("after_return", "SUCCESS")]

    seen.clear()
    work.delay(1)
    jobs.drain(raise_errors=False)
    assert seen == [
        ("before_start", [1]),
        ("on_retry", "boom"),
        ("before_start", [1]),
        ("on_failure", "boom"),
        ("after_return", "FAILURE"),
    ]


def test_a_base_class_that_is_called_itself(jobs, app):
    seen = []

    class Base(Task):
        abstract = True

        def __call__(self, *args, **kwargs):
            seen.append("called")
            return super().__call__(*args, **kwargs)

    @app.task(base=Base)
    def work():
        seen.append("work")

    work.delay()
    jobs.drain()

    assert seen == ["called", "work"]


def test_a_task_class(jobs, app):
    class Work(Task):
        name = "shop.work"

        def run(self, n):
            return n + 1

    work = app.register_task(Work())
    work.delay(1)
    jobs.drain()

    assert jobs.performed[0].result == 2
    assert jobs.performed[0].record.params == {"n": 1}


def test_the_request_context(jobs, app):
    @app.task(bind=True)
    def work(self, n, *, m):
        request = self.request
        return {
            "id": request.id,
            "args": request.args,
            "kwargs": request.kwargs,
            "retries": request.retries,
            "eager": request.is_eager,
            "direct": request.called_directly,
            "tenant": request.get("tenant"),
            "priority": request.delivery_info["priority"],
            "root": request.root_id,
            "current": current_task.name,
            "app": current_app.main,
        }

    result = work.apply_async((1,), {"m": 2}, headers={"tenant": "a"}, priority=3)
    jobs.drain()

    assert result.get() == {
        "id": result.id,
        "args": [1],
        "kwargs": {"m": 2},
        "retries": 0,
        "eager": False,
        "direct": False,
        "tenant": "a",
        "priority": 3,
        "root": result.id,
        "current": work.name,
        "app": "shop",
    }


def test_a_task_that_calls_another_task_runs_it_as_a_function(jobs, app):
    @app.task
    def inner(n):
        return n + 1

    @app.task
    def outer(n):
        return inner(n) + outer.run(n - 1) if n else 0

    outer.delay(2)
    jobs.drain()

    assert jobs.performed[0].result == 5
    assert len(jobs.enqueued) == 1


def test_a_task_that_calls_itself_is_struck_by_a_fault_once(jobs, app):
    @app.task
    def countdown(n):
        return countdown(n - 1) if n else "done"

    countdown.delay(3)
    jobs.fail(countdown, raising=ValueError("struck"), times=1)
    jobs.drain(raise_errors=False)
    countdown.delay(3)
    jobs.drain()

    assert [d.status for d in jobs.deliveries] == ["failed", "performed"]


def test_a_task_that_is_called_in_the_test_is_a_function_still(jobs, app):
    @app.task
    def add(a, b):
        return a + b

    add.delay(1, 2)
    jobs.drain()

    assert add(3, 4) == 7
    assert add.apply((5, 6)).get() == 11
    assert len(jobs.enqueued) == 1


def test_the_traceback_of_a_failure_ends_in_the_task(jobs, app):
    import traceback

    @app.task
    def work():
        raise ValueError("boom")

    work.delay()
    with pytest.raises(ValueError, match="boom") as caught:
        jobs.drain()

    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "work"
