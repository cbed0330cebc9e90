"""However a task is enqueued, it is recorded and nothing is sent."""

from datetime import UTC, datetime, timedelta

import pytest
from celery import chain, chord, group, signature


@pytest.fixture
def add(app):
    @app.task(name="shop.add")
    def add(a, b=0):
        return a + b

    return add


def calls(jobs):
    return [(record.name, record.args, record.kwargs) for record in jobs.enqueued]


def test_every_way_to_send_a_task_is_recorded(jobs, app, add):
    def by_name():
        signature("shop.add", args=(1,), kwargs={"b": 2}, app=app).apply_async()

    for way in (
        lambda: add.delay(1, b=2),
        lambda: add.apply_async((1,), {"b": 2}),
        lambda: app.send_task("shop.add", (1,), {"b": 2}),
        lambda: add.s(1, b=2).delay(),
        by_name,
        lambda: add.s(b=2).delay(1),
    ):
        way()
    group(add.s(1), add.s(2)).delay()

    one, rest = ("shop.add", (1,), {"b": 2}), [("shop.add", (n,), {}) for n in (1, 2)]
    assert calls(jobs) == [one] * 6 + rest


def test_a_chain_begins_with_its_first_step_and_the_others_are_children(jobs, add):
    result = chain(add.s(1, 1), add.s(10), add.s(100)).delay()
    assert calls(jobs) == [("shop.add", (1, 1), {})]

    jobs.drain()

    assert calls(jobs)[1:] == [("shop.add", (2, 10), {}), ("shop.add", (12, 100), {})]
    assert [record.parent for record in jobs.enqueued] == [None, 0, 1]
    assert jobs.enqueued[1].headers["parent_id"] == jobs.enqueued[0].job_id
    assert result.get() == 112


def test_the_body_of_a_chord_comes_after_its_header(jobs, app, add):
    @app.task
    def total(values):
        return sum(values)

    result = chord([add.s(1, 1), add.s(2, 2)])(total.s())
    assert [name for name, _, _ in calls(jobs)] == ["shop.add", "shop.add"]

    jobs.drain()

    assert calls(jobs)[2:] == [(total.name, ([2, 4],), {})]
    assert result.get() == 6


def test_a_chord_whose_header_fails_has_no_body(jobs, app, add):
    @app.task
    def broken():
        raise ValueError("boom")

    result = chord([add.s(1, 1), broken.s()])(add.s(1))

    with pytest.raises(ValueError, match="boom"):
        jobs.drain()

    assert len(jobs.enqueued) == 2
    with pytest.raises(ValueError, match="boom"):
        result.get()


@pytest.mark.parametrize(
    ("backend", "text"),
    [
        ("redis://127.0.0.1:1/1", "Dependency {} raised ValueError('boom')"),
        ("file:///nowhere", "ValueError('boom')"),
    ],
    ids=["redis", "another"],
)
def test_the_error_of_a_chord_has_the_text_of_the_result_backend(jobs, app, add, backend, text):
    app.conf.result_backend = backend
    told = []

    @app.task
    def broken():
        raise ValueError("boom")

    @app.task
    def tell(request, error, traceback):
        told.append(error)

    body = add.s(1).on_error(tell.s())
    failing = broken.s().set(task_id="the-one")
    chord([add.s(1, 1), failing])(body)
    with pytest.raises(ValueError, match="boom"):
        jobs.drain()

    assert [str(error) for error in told] == [text.format("the-one")]


def test_chunks_and_map(jobs, add, app):
    @app.task
    def double(value):
        return 2 * value

    result = add.chunks([(1, 1), (2, 2), (3, 3)], 2).delay()
    doubled = double.map([1, 2]).delay()

    jobs.drain()

    assert [name for name, _, _ in calls(jobs)] == ["celery.starmap"] * 2 + ["celery.map"]
    assert (result.get(), doubled.get()) == ([[2, 4], [6]], [2, 4])


def test_a_link_is_enqueued_after_a_success(jobs, add):
    add.apply_async((1, 1), link=add.s(10))

    jobs.drain()

    assert calls(jobs) == [("shop.add", (1, 1), {}), ("shop.add", (2, 10), {})]


def test_an_error_callback_is_called_after_a_failure(jobs, app):
    seen = []

    @app.task
    def broken():
        raise ValueError("boom")

    @app.task
    def failed(request, error, traceback):
        seen.append((request.id, str(error)))

    broken.apply_async(link_error=failed.s())
    jobs.drain(raise_errors=False)

    assert seen == [(jobs.enqueued[0].job_id, "boom")]


def test_a_task_puts_another_in_its_place(jobs, app, add):
    @app.task(bind=True)
    def stand_in(self):
        return self.replace(add.s(1, 2))

    result = stand_in.delay()
    jobs.drain()

    first, second = jobs.deliveries
    assert (first.status, first.enqueued) == ("performed", (second.record,))
    assert second.record.job_id == first.record.job_id
    assert second.record.attempt == 1
    assert len(jobs.enqueued) == 2
    assert result.get() == 3


def test_an_instant_is_a_wait_from_now_on_when_another_task_had_a_countdown(jobs, add):
    jobs.clock.move_to(datetime(2040, 1, 1, tzinfo=UTC))
    add.apply_async((1,), countdown=60)
    jobs.clock.advance(30)
    add.apply_async((2,), eta=jobs.clock.now() + timedelta(hours=1))

    assert jobs.pending[1].wait == timedelta(hours=1)


def test_a_countdown_is_a_wait_to_the_second_and_an_eta_a_due_time(jobs, app, add):
    app.conf.timezone = "Europe/Berlin"
    eta = datetime(2040, 1, 2, 3, 4, 5, tzinfo=UTC)
    add.apply_async((1,), countdown=60)
    for value in (eta, eta.replace(tzinfo=None), "2040-01-02T05:04:05+02:00"):
        add.apply_async((1,), eta=value)

    assert jobs.pending[0].wait == timedelta(seconds=60)
    assert [record.due_at for record in jobs.pending[1:]] == [eta] * 3


def test_expiry_as_seconds_and_as_an_instant(jobs, add):
    expires = datetime(2040, 1, 1, tzinfo=UTC)
    add.apply_async((1,), expires=expires)
    add.apply_async((1,), expires=60)

    first, second = jobs.pending
    assert first.expires_at == expires
    assert abs(second.expires_at - second.enqueued_at - timedelta(seconds=60)) < timedelta(
        seconds=1
    )


def test_the_queue_is_not_the_routing_key_but_that_of_the_route_or_the_default(jobs, app, add):
    from kombu import Exchange, Queue

    app.conf.task_default_queue = "everything"
    app.conf.task_queues = [
        Queue("media", Exchange("media", type="topic"), routing_key="media.#"),
        Queue("everything"),
        Queue("shop"),
    ]
    add.delay(1)
    add.apply_async((1,), queue="media", routing_key="media.video")
    assert [record.queue for record in jobs.pending] == ["everything", "media"]


def test_the_queue_and_the_priority_of_a_route(jobs, app, add):
    app.conf.task_routes = {"shop.*": {"queue": "shop", "priority": 4}}
    add.delay(1)

    assert (jobs.pending[0].queue, jobs.pending[0].priority) == ("shop", 4)


def test_headers_and_the_id(jobs, add):
    result = add.apply_async((1,), headers={"tenant": "a"}, task_id="one")

    record = jobs.pending[0]
    assert record.headers["tenant"] == "a"
    assert record.job_id == result.id == "one"


def test_publishing_sends_the_signals(jobs, app, add):
    from celery.signals import after_task_publish, before_task_publish

    seen = []

    def before(sender, headers, **kwargs):
        headers["stamped"] = "yes"
        seen.append(("before", sender))

    def after(sender, **kwargs):
        seen.append(("after", sender))

    before_task_publish.connect(before)
    after_task_publish.connect(after)
    try:
        add.delay(1)
    finally:
        before_task_publish.disconnect(before)
        after_task_publish.disconnect(after)

    assert seen == [("before", "shop.add"), ("after", "shop.add")]
    assert jobs.pending[0].headers["stamped"] == "yes"


def test_arguments_that_do_not_fit_are_refused_by_celery(jobs, add):
    with pytest.raises(TypeError, match="required positional argument"):
        add.delay()

    assert len(jobs.enqueued) == 0
