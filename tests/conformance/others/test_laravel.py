"""What Laravel's queue and bus fakes do."""

import pytest

pytest.importorskip("celery")

from celery import Celery, chain, chord, group
from others_shop import Charge, Closed, place_order, send_mail

from pytest_jobs.assertions.several import AssertBatched, AssertFollowedBy
from pytest_jobs.bridges.celery.bridge import CeleryBridge
from pytest_jobs.harness.jobs import Jobs


@pytest.fixture
def tasks():
    app = Celery(
        "shop",
        broker="redis://127.0.0.1:1/0",
        backend="redis://127.0.0.1:1/1",
        set_as_current=False,
    )

    @app.task(shared=False)
    def fetch(): ...

    @app.task(shared=False)
    def resize(size): ...

    @app.task(shared=False)
    def publish(): ...

    with Jobs([CeleryBridge([app])]) as celery:
        yield fetch, resize, publish, celery


def test_some_jobs_run_and_others_are_only_recorded(jobs):
    with jobs.inline(only=place_order):
        place_order.perform_later(1)
    assert [record.job for record in jobs.pending] == [send_mail]

    with jobs.inline(exclude=send_mail):
        place_order.perform_later(2)
    assert [record.job for record in jobs.pending] == [send_mail, send_mail]


def test_some_jobs_are_held_back_from_every_verb(jobs):
    place_order.perform_later(1)
    with jobs.holding(send_mail):
        jobs.drain()
        jobs.run_for(60)

    assert [record.job for record in jobs.pending] == [send_mail]


def test_only_the_jobs_of_a_block_count(jobs, assert_enqueued):
    send_mail.perform_later("before")
    with jobs.capture() as sent:
        send_mail.perform_later("inside")
    send_mail.perform_later("after")

    assert assert_enqueued(send_mail, within=sent).args == ("inside",)


def test_a_job_is_released_in_30_s(jobs, assert_retried):
    Charge.perform_later(1, error="slow")
    jobs.perform_due()

    assert_retried(Charge, wait=30, attempt=1)


def test_a_job_is_deleted_failed_or_never_ran(
    jobs, assert_discarded, assert_failed, assert_delivered
):
    Charge.perform_later(1, error="expired")
    Charge.perform_later(2, error="broken")
    Closed.perform_later()
    jobs.drain(raise_errors=False)

    assert_discarded(Charge, args=[1], kwargs={"error": "expired"})
    assert_failed(Charge, error=LookupError)
    assert_delivered(Closed, status="halted")


def test_a_job_ended_normally(jobs, assert_performed):
    Charge.perform_later(1)
    jobs.drain()

    assert_performed(Charge, error=None, wait=None)


def test_a_chain_is_asserted_as_it_was_enqueued(tasks):
    fetch, resize, publish, celery = tasks
    chain(fetch.si(), group(resize.si(1), resize.si(2)), publish.si()).delay()

    AssertFollowedBy(lambda: celery)(fetch, [[resize, resize], publish])


def test_a_batch_is_asserted_as_it_was_enqueued(tasks):
    _, resize, publish, celery = tasks
    chord([resize.si(1), resize.si(2)])(publish.si())

    AssertBatched(lambda: celery)([resize, resize], then=[publish])


def test_a_count_is_asked_of_one_queue(jobs, assert_enqueued):
    for queue in ("low", "mailers", "low"):
        send_mail.set(queue=queue).perform_later("ann")

    assert len(assert_enqueued(send_mail, queue="low", count=2)) == 2


def test_jobs_enqueued_in_bulk_are_seen(jobs):
    from pytest_jobs import perform_all_later

    perform_all_later([send_mail.new("ann"), place_order.new(1)])

    assert len(jobs.enqueued) == 2


def test_uniqueness_is_honoured_and_its_locks_are_given_back(jobs):
    from pytest_jobs import job, unique

    @unique(key="user_id", ttl=60)
    @job
    def sync(user_id):
        pass

    first, second = sync.perform_later(1), sync.perform_later(1)
    jobs.drain()

    assert second.dropped_for == first.job_id
    assert len(jobs.locks) == 0
    assert sync.perform_later(1).enqueued
