"""A job that finds rows in batches and enqueues a job for each is warned of nothing: these wait for the commit."""

from __future__ import annotations

import warnings
from contextlib import contextmanager

import pytest
from sessions import Base
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Mapped, Session, mapped_column, object_session, sessionmaker

from pytest_jobs import Batch, TestAdapter, configure, discard_on, job, perform_all_later


class Campaign(Base):
    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(primary_key=True)
    processed_count: Mapped[int] = mapped_column(default=0)


class Subscriber(Base):
    __tablename__ = "subscribers"

    id: Mapped[int] = mapped_column(primary_key=True)


@job(enqueue_after_commit=True)
def send_email(campaign_id, subscriber_id): ...


@contextmanager
def new_session(url):
    engine = create_engine(url)
    try:
        with Session(engine) as session:
            yield session
    finally:
        engine.dispose()


def in_batches(session):
    found = select(Subscriber.id).order_by(Subscriber.id)
    yield from session.scalars(found).partitions(2)


@job
def bulk_email(campaign: Campaign):
    """The form of the seed, with the session in which the job has its record."""
    for batch in in_batches(object_session(campaign)):
        for subscriber_id in batch:
            send_email.perform_later(campaign.id, subscriber_id)
        campaign.processed_count += len(batch)


@pytest.fixture
def campaign(jobs, engine):
    with Session(engine) as session:
        campaign = Campaign(id=7)
        session.add_all([campaign, *(Subscriber(id=number) for number in range(1, 6))])
        session.commit()
        with (
            configure(adapter=TestAdapter(), session=sessionmaker(engine)),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("error")
            yield campaign


def test_a_job_with_a_record_enqueues_when_what_it_did_is_committed(jobs, campaign):
    bulk_email.perform_later(campaign)
    jobs.perform(jobs.pending[0])

    assert [record.args for record in jobs.enqueued[1:]] == [(7, n) for n in range(1, 6)]
    assert jobs.dropped_by_rollback == []


def test_a_job_that_fails_enqueues_nothing(jobs, campaign):
    @job
    def fails(campaign: Campaign):
        bulk_email(campaign)
        raise ValueError

    fails.perform_later(campaign)
    jobs.perform(jobs.pending[0])

    assert len(jobs.enqueued) == 1
    assert len(jobs.dropped_by_rollback) == 5


def test_a_transaction_for_each_batch_is_waited_for(jobs, campaign, engine):
    @job
    def one_by_one(campaign_id, size=2):
        after = 0
        while True:
            with Session(engine) as session, session.begin():
                campaign = session.get_one(Campaign, campaign_id)
                rows = select(Subscriber.id).where(Subscriber.id > after).limit(size)
                ids = session.scalars(rows.order_by(Subscriber.id)).all()
                if not ids:
                    return
                perform_all_later([send_email.new(campaign_id, each) for each in ids])
                campaign.processed_count += len(ids)
                after = ids[-1]

    one_by_one.perform_later(7)
    jobs.perform(jobs.pending[0])

    assert [record.args[1] for record in jobs.enqueued[1:]] == [1, 2, 3, 4, 5]


def test_members_of_a_batch_are_enqueued_at_once_while_the_job_has_only_read(jobs, campaign):
    @job
    def in_a_batch(campaign: Campaign):
        Batch.current().enqueue([send_email.new(campaign.id, each) for each in (1, 2)])
        assert len(jobs.enqueued) == 3

    Batch("of 7", on_success=send_email.new(7, 0)).enqueue([in_a_batch.new(campaign)])
    jobs.drain()

    assert [record.args[-1] for record in jobs.enqueued[1:]] == [1, 2, 0]


def test_a_session_that_outlives_its_delivery_is_one_like_others_afterwards(jobs, campaign, engine):
    @job
    def look(campaign: Campaign): ...

    with Session(engine) as session, configure(adapter=TestAdapter(), session=lambda: session):
        look.perform_later(campaign)
        jobs.drain()
        session.get_one(Campaign, 7)
        send_email.perform_later(7, 1)

        assert len(jobs.enqueued) == 2


@job
def bulk_email_by_id(engine_url, campaign_id):
    """The form of the seed: the id of the campaign, a session of its own, and a commit after each batch."""
    with new_session(engine_url) as session:
        campaign = session.get_one(Campaign, campaign_id)
        for batch in in_batches(session):
            for subscriber_id in batch:
                send_email.perform_later(campaign_id, subscriber_id)
            campaign.processed_count += len(batch)
            session.commit()


@job
def only_reads(engine_url, *, fails=False):
    with new_session(engine_url) as session:
        for subscriber_id in session.scalars(select(Subscriber.id)).all():
            send_email.perform_later(7, subscriber_id)
    if fails:
        raise ValueError


@pytest.fixture
def url(engine):
    return str(engine.url)


def test_the_form_of_the_seed_enqueues_each_batch_at_its_commit(jobs, campaign, url):
    bulk_email_by_id.perform_later(url, 7)
    jobs.perform(jobs.pending[0])

    assert [record.args[1] for record in jobs.enqueued[1:]] == [1, 2, 3, 4, 5]
    assert jobs.dropped_by_rollback == []


def test_what_a_job_enqueues_that_has_only_read_comes_when_it_was_performed(jobs, campaign, url):
    only_reads.perform_later(url)
    delivery = jobs.perform(jobs.pending[0])

    assert len(delivery.enqueued) == 5


def test_and_not_at_all_when_it_fails(jobs, campaign, url):
    only_reads.perform_later(url, fails=True)
    jobs.perform(jobs.pending[0])

    assert len(jobs.enqueued) == 1
    assert {callback.dropped for callback in jobs.dropped_by_rollback} == {
        "since the job that enqueued it failed"
    }


def test_a_transaction_that_comes_after_the_one_that_was_read_in_decides_nothing(
    jobs, campaign, url
):
    with new_session(url) as session:

        @job
        def goes_on(campaign_id):
            session.get_one(Campaign, campaign_id)
            send_email.perform_later(campaign_id, 1)
            session.rollback()
            session.get_one(Campaign, campaign_id).processed_count = 9
            session.flush()

        goes_on.perform_later(7)
        jobs.perform(jobs.pending[0])

        assert len(jobs.enqueued) == 2


def test_what_was_written_and_never_committed_drops_it_when_the_session_ends(jobs, campaign, url):
    with new_session(url) as session:

        @job
        def forgets_to_commit(campaign_id):
            campaign = session.get_one(Campaign, campaign_id)
            send_email.perform_later(campaign_id, 1)
            campaign.processed_count = 9

        forgets_to_commit.perform_later(7)
        jobs.perform(jobs.pending[0])
        assert len(jobs.waiting_for_commit) == 1

    assert len(jobs.enqueued) == 1
    assert len(jobs.dropped_by_rollback) == 1


def test_outside_of_a_delivery_a_session_that_has_only_read_is_none_to_wait_for(
    jobs, campaign, url
):
    with new_session(url) as session:
        session.get_one(Campaign, 7)
        send_email.perform_later(7, 1)

        assert len(jobs.enqueued) == 1


def test_what_a_rule_of_a_failed_job_enqueues_comes_all_the_same(jobs, campaign, url):
    def tell(job, error):
        with new_session(url) as session:
            session.get_one(Campaign, 7)
            send_email.perform_later(7, 99)

    @discard_on(ValueError, then=tell)
    @job
    def fails(url):
        only_reads(url, fails=True)

    fails.perform_later(url)
    jobs.perform(jobs.pending[0])

    assert [record.args for record in jobs.enqueued[1:]] == [(7, 99)]


def test_a_coroutine_job_decides_as_well(jobs, campaign, url):
    @job
    async def reads(url, *, fails):
        only_reads(url, fails=fails)

    for fails in (False, True):
        reads.perform_later(url, fails=fails)
        jobs.perform(next(record for record in jobs.pending if record.job is reads))

    assert len(jobs.enqueued) == 2 + 5
