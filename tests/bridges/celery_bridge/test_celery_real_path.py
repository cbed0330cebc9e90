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


@pytest.mark.parametrize(
    ("error", "expires", "expected"),
    [
        (None, None, ["task_prerun", "work", "task_success", "task_postrun"]),
        (ValueError, None, ["task_prerun", "work", "task_failure", "task_postrun"]),
        (
            TimeoutError,
            None,
            [
                *("task_prerun", "work", "task_retry", "task_postrun"),
                *("task_prerun", "work", "task_success", "task_postrun"),
            ],
        ),
        (None, 1, ["task_revoked"]),
    ],
    ids=["success", "failure", "retry", "expired"],
)
def test_the_signals_of_a_worker_are_sent(jobs, app, heard, error, expires, expected):
    @app.task(bind=True, autoretry_for=(TimeoutError,), max_retries=1)
    def work(self):
        heard.append("work")
        if error is not None and self.request.retries == 0:
            raise error

    work.apply_async(expires=expires)
    if expires:
        jobs.clock.advance(2)
    jobs.drain(raise_errors=False)

    assert heard == expected


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


def test_a_task_class_and_one_that_is_called_itself(jobs, app):
    seen = []

    class Work(Task):
        name = "shop.work"

        def __call__(self, *args, **kwargs):
            seen.append("called")
            return super().__call__(*args, **kwargs)

        def run(self, n):
            seen.append("work")
            return n + 1

    app.register_task(Work()).delay(1)
    jobs.drain()

    assert jobs.performed[0].result == 2
    assert jobs.performed[0].record.params == {"n": 1}
    assert seen == ["called", "work"]


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
