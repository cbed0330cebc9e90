"""Results come from deliveries, and nothing waits for them."""

import pytest
from celery import Celery, group
from celery.result import AsyncResult

from pytest_jobs.bridges.celery.bridge import CeleryBridge
from pytest_jobs.errors import NotPerformedError
from pytest_jobs.harness.jobs import Jobs


@pytest.fixture
def add(app):
    @app.task(name="shop.add")
    def add(a, b=0):
        return a + b

    return add


def test_the_result_of_a_performed_task_is_there_and_nothing_waits_for_it(jobs, app, add):
    result = add.delay(1, 2)
    assert (result.state, result.ready()) == ("PENDING", False)
    with pytest.raises(
        NotPerformedError,
        match=r"^<#0 add\(1, 2\).* has not been performed, and its result was asked for.*jobs\.drain",
    ):
        result.get()
    with pytest.raises(NotPerformedError):
        result.get(timeout=3600)

    jobs.drain()

    assert (result.get(), result.state, result.successful()) == (3, "SUCCESS", True)
    assert AsyncResult(result.id, app=app).get() == 3
    result.forget()
    assert result.state == "PENDING"


def test_asking_inside_a_task_is_an_error_too(jobs, app, add):
    @app.task
    def outer():
        from celery.result import allow_join_result

        with allow_join_result():
            return add.delay(1).get()

    outer.delay()

    with pytest.raises(NotPerformedError, match=r"drain"):
        jobs.drain()


def test_a_task_that_will_be_retried_has_no_result_yet(jobs, app):
    @app.task(autoretry_for=(ValueError,), default_retry_delay=60)
    def flaky():
        raise ValueError

    result = flaky.delay()
    jobs.perform_due()

    assert result.state == "RETRY"
    with pytest.raises(NotPerformedError, match="attempt=2"):
        result.get()


def test_a_result_raises_what_the_task_raised(jobs, app):
    @app.task
    def broken():
        raise ValueError("boom")

    result = broken.delay()
    jobs.drain(raise_errors=False)

    assert result.state == "FAILURE"
    with pytest.raises(ValueError, match="boom"):
        result.get()
    assert str(result.get(propagate=False)) == "boom"


def test_results_went_through_the_serialiser_unless_they_are_ignored(jobs, app):
    @app.task
    def pair():
        return (1, 2)

    @app.task(ignore_result=True)
    def silent():
        return 1

    results = [task.delay() for task in (pair, silent)]
    jobs.drain()

    assert [result.get() for result in results] == [[1, 2], None]


def test_an_unknown_id_is_told_apart(jobs, app):
    with pytest.raises(NotPerformedError, match=r"^No task with the id unknown is pending here"):
        AsyncResult("unknown", app=app).get()


def test_the_results_of_a_group(jobs, add):
    result = group(add.s(1, 1), add.s(2, 2)).delay()

    with pytest.raises(NotPerformedError):
        result.get()
    jobs.drain()

    assert result.get() == [2, 4]
    assert result.join() == [2, 4]


def test_an_application_without_a_result_backend_still_has_none():
    app = Celery("shop", broker="redis://127.0.0.1:1/0", set_as_current=False)

    @app.task(shared=False)
    def add(a, b):
        return a + b

    with Jobs([CeleryBridge([app])]) as jobs:
        result = add.delay(1, 2)
        jobs.drain()

        assert jobs.result_of(jobs.enqueued[0]) == 3
        with pytest.raises(NotImplementedError, match="No result backend"):
            result.get()


def test_results_are_gone_with_the_harness(app, add):
    with Jobs([CeleryBridge([app])]) as jobs:
        task_id = add.delay(1).id
        jobs.drain()

    with Jobs([CeleryBridge([app])]):
        assert AsyncResult(task_id, app=app).state == "PENDING"


def test_a_simulation_leaves_no_results(jobs, app):
    @app.task
    def flaky():
        """Do nothing."""

    jobs.simulate_retries(flaky, raising=ValueError(), limit=1)

    assert not any(jobs.harness.bridges[1].store.values())


def test_a_task_with_a_result_backend_of_its_own_does_not_reach_it(jobs, app):
    from celery.backends.redis import RedisBackend

    @app.task(backend=RedisBackend(url="redis://127.0.0.1:1/5", app=app))
    def add(a, b):
        return a + b

    add.apply_async((1, 2))
    jobs.drain()

    assert jobs.performed[0].result == 3
