"""Retries of tasks, by declaration and by hand."""

from datetime import UTC, datetime, timedelta
from functools import wraps

import pytest
from freezegun import freeze_time

from pytest_jobs.bridges.celery.bridge import CeleryBridge
from pytest_jobs.errors import NotPerformedError
from pytest_jobs.harness.jobs import Jobs


class Busy(Exception):
    """Come back later."""


def waits(jobs):
    return [delivery.wait for delivery in jobs.retried]


def seconds(*counts):
    return [timedelta(seconds=count) for count in counts]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"retry_backoff": 5, "max_retries": 4}, [5, 10, 20, 40]),
        ({"retry_backoff": 5, "retry_backoff_max": 12, "max_retries": 3}, [5, 10, 12]),
        ({}, [180, 180, 180]),
        ({"retry_backoff": 3, "max_retries": 3}, [3, 6, 12]),
        ({"retry_backoff": True, "max_retries": 2}, [1, 2]),
        ({"default_retry_delay": 10, "max_retries": 2}, [10, 10]),
        ({"retry_kwargs": {"max_retries": 2, "countdown": 4}}, [4, 4]),
        ({"max_retries": 0}, []),
    ],
)
def test_the_declared_schedule_is_what_happens(jobs, app, options, expected):
    @app.task(autoretry_for=(Busy,), retry_jitter=False, **options)
    def fetch():
        raise Busy

    policy = CeleryBridge([app]).retry_policy(fetch)
    fetch.delay()
    jobs.drain(raise_errors=False)

    assert policy.attempts == len(expected) + 1
    assert [policy.wait(n + 1).total_seconds() for n in range(len(expected))] == expected
    assert jobs.simulate_retries(fetch, raising=Busy()).wait_seconds == expected
    assert waits(jobs) == seconds(*expected)
    assert jobs.failed[0].status == ("exhausted" if expected else "failed")


def test_retries_in_a_time_that_freezegun_has_frozen(jobs, app):
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    seen = []

    @app.task(autoretry_for=(Busy,), retry_backoff=5, retry_jitter=False, max_retries=2)
    def fetch():
        seen.append((datetime.now(UTC) - noon).total_seconds())
        raise Busy

    with freeze_time(noon):
        fetch.apply_async(countdown=60)
        jobs.drain(raise_errors=False)

    assert seen == [60, 65, 75]


def test_jitter_is_none_and_its_bounds_are_told(jobs, app):
    @app.task(autoretry_for=(Busy,), retry_backoff=4, max_retries=2)
    def fetch():
        raise Busy

    fetch.delay()
    jobs.drain(raise_errors=False)

    assert waits(jobs) == seconds(0, 0)
    assert [delivery.wait_bounds for delivery in jobs.retried] == [
        tuple(seconds(0, 4)),
        tuple(seconds(0, 8)),
    ]


@pytest.mark.parametrize("jitter", ["seeded", "live"])
def test_drawn_jitter_stays_inside_its_bounds(app, jitter):
    @app.task(autoretry_for=(Busy,), retry_backoff=1000, retry_backoff_max=10**6, max_retries=5)
    def fetch():
        raise Busy

    with Jobs([CeleryBridge([app])], jitter=jitter) as jobs:
        fetch.delay()
        jobs.drain(raise_errors=False)

    for delivery in jobs.retried:
        shortest, longest = delivery.wait_bounds
        assert shortest <= delivery.wait <= longest
    assert any(waits(jobs))


def test_a_retry_by_hand(jobs, app):
    @app.task(bind=True, max_retries=5)
    def fetch(self, n):
        if self.request.retries < 2:
            raise self.retry(countdown=7 * (self.request.retries + 1))
        return self.request.retries

    result = fetch.delay(1)
    jobs.drain()

    assert waits(jobs) == seconds(7, 14)
    assert [d.record.attempt for d in jobs.deliveries] == [1, 2, 3]
    assert result.get() == 2


def test_a_retry_by_hand_can_change_the_arguments_and_be_at_an_instant(jobs, app):
    eta = datetime(2040, 1, 1, tzinfo=UTC)

    @app.task(bind=True)
    def count(self, n):
        if n < 3:
            raise self.retry(args=(n + 1,), eta=eta)
        return n

    count.delay(1)
    jobs.drain()

    assert [d.record.args for d in jobs.deliveries] == [(1,), (2,), (3,)]
    assert [d.at for d in jobs.performed] == [eta]
    assert len(jobs.enqueued) == 1


def test_a_retry_by_hand_keeps_the_error_that_caused_it(jobs, app):
    @app.task(bind=True, max_retries=1)
    def fetch(self):
        try:
            raise Busy("first")
        except Busy as busy:
            raise self.retry(exc=busy, countdown=1) from busy

    fetch.delay()
    with pytest.raises(Busy, match="first"):
        jobs.drain()

    assert [type(d.error) for d in jobs.deliveries] == [Busy, Busy]


def test_the_number_of_retries_asked_for_at_the_retry_is_gone_with_the_harness(app):
    @app.task(bind=True, max_retries=9)
    def fetch(self):
        raise self.retry(exc=Busy(), countdown=1, max_retries=2)

    with Jobs([CeleryBridge([app])]) as jobs:
        fetch.delay()
        jobs.drain(raise_errors=False)

    assert [d.status for d in jobs.deliveries] == ["retried", "retried", "exhausted"]
    assert not hasattr(app.tasks[fetch.name], "override_max_retries")


def test_retries_without_end_of_other_errors_or_by_hand_have_no_schedule_to_its_end(jobs, app):
    @app.task(autoretry_for=(Exception,), dont_autoretry_for=(KeyError,), max_retries=None)
    def fetch():
        """Fetch."""

    @app.task(bind=True)
    def by_hand(self):
        raise self.retry()

    timeline = jobs.simulate_retries(fetch, raising=Busy(), limit=30)
    assert timeline.wait_seconds == [180] * 30
    assert timeline.status == "retried"
    assert jobs.simulate_retries(fetch, raising=KeyError("gone")).status == "failed"
    assert CeleryBridge([app]).retry_policy(by_hand) is None


def test_an_exhausted_task_that_is_redriven_has_all_its_retries_again(jobs, app):
    @app.task(autoretry_for=(Busy,), max_retries=2)
    def fetch(number):
        raise Busy

    fetch.delay(7)
    jobs.drain(raise_errors=False)
    again = jobs.redrive(jobs.dead[0])

    assert (again.job_id, again.attempt, again.args) == (jobs.enqueued[0].job_id, 1, (7,))
    assert jobs.drain(raise_errors=False) == {"retried": 2, "exhausted": 1}
    assert [letter.record.attempt for letter in jobs.dead] == [3]


def by_method(app):
    @app.task(bind=True, max_retries=5)
    def charge(self, order):
        try:
            fetch_price(order)
        except Busy as error:
            raise self.retry(exc=error, countdown=60) from error

    return charge


def by_its_own_name(app):
    @app.task
    def charge(order):
        charge.retry(countdown=60)

    return charge


def by_a_local_import(app):
    @app.task
    def charge(order):
        from celery import exceptions

        raise exceptions.Retry(when=60)

    return charge


def by_a_decorator(app):
    def retrying(function):
        @wraps(function)
        def wrapped(self, *args):
            try:
                return function(*args)
            except Busy as error:
                raise self.retry(exc=error) from error

        return wrapped

    @app.task(bind=True)
    @retrying
    def charge(order):
        """Charge."""

    return charge


def fetch_price(order):
    raise Busy


@pytest.mark.parametrize("declare", [by_method, by_its_own_name, by_a_local_import, by_a_decorator])
def test_the_timeline_of_a_body_that_asks_for_its_retries_says_that_the_body_did_not_run(
    jobs, app, declare
):
    timeline = jobs.simulate_retries(declare(app), args=[1], raising=Busy("down"))

    word = "Retry" if declare is by_a_local_import else "Task.retry"
    first, second, *_ = str(timeline).splitlines()
    assert first == "charge: not decided, since its body asks for retries and did not run"
    assert second == (
        f"The body asks for its retries itself by {word}, and the error was raised in its place, so it asked for "
        "none. Let a fake of what the body calls raise the error, and drain."
    )
    assert second == timeline.undecided
    with pytest.raises(
        NotPerformedError, match=r"^The waits of charge are not known\. The body asks"
    ):
        _ = timeline.wait_seconds


def test_a_fault_in_place_of_a_body_that_asks_for_its_retries_says_so(jobs, app):
    task = by_method(app)
    error = Busy("down")

    with jobs.fail(task, raising=error, times=2):
        for number in range(2):
            task.delay(number)
            with pytest.raises(Busy) as caught:
                jobs.drain()
            (note,) = caught.value.__notes__
            assert note == (
                "jobs.fail(charge) raised this in place of the body, which asks for its retries itself by "
                "Task.retry: it did not run, so it asked for none. Let a fake of what the body calls raise the "
                "error, and drain."
            )


def test_a_body_that_never_asks_or_has_run_has_a_timeline_and_a_fault_as_ever(jobs, app):
    @app.task
    def plain(client):
        client.retry()

    @app.task(bind=True)
    def asks(self, client):
        return self.retry

    timeline = jobs.simulate_retries(plain, raising=Busy())
    assert timeline.headline == "plain: failed after 1 attempt in 0s"
    assert timeline.undecided == ""
    timeline = jobs.simulate_retries(by_method(app), args=[1], raising=Busy, succeed_on=1)
    assert timeline.headline == "charge: performed after 1 attempt in 0s"

    for task, after in ((plain, False), (asks, True)):
        jobs.fail(task, raising=Busy, times=1, after=after)
        task.delay(1)
        with pytest.raises(Busy) as caught:
            jobs.drain()
        assert not hasattr(caught.value, "__notes__")
