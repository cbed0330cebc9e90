"""A mail to everybody is many small jobs, enqueued in batches and sent once each."""

from __future__ import annotations

import pytest

from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertPerformed
from shop.jobs import BulkMail, CampaignMail
from shop.mail import Mail, Outbox
from shop.models import Campaign, Subscriber


@pytest.fixture
def campaign(monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """A campaign for five subscribers, in batches of two."""
    monkeypatch.setattr(Campaign, "BATCH_SIZE", 2)
    for name in ("ann", "bob", "cleo", "dan", "eve"):
        Subscriber.create(f"{name}@example.org")
    return Campaign.create("All teapots at half price")


def test_one_job_enqueues_a_mail_to_each_subscriber(
    jobs: Jobs, campaign: Campaign, assert_enqueued: AssertEnqueued
) -> None:
    campaign.start_later()

    jobs.perform_due(only=BulkMail)

    mails = assert_enqueued(CampaignMail, params={"campaign_id": campaign.id}, count=5)
    assert [record.args for record in mails] == [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5)]
    assert Campaign.find(campaign.id).enqueued == 5


def test_the_mails_are_children_of_that_job(
    jobs: Jobs, campaign: Campaign, assert_performed: AssertPerformed
) -> None:
    campaign.start_later()

    jobs.drain()

    bulk = assert_performed(BulkMail)
    assert {record.parent for record in bulk.enqueued} == {bulk.record.sequence}
    assert_performed(CampaignMail, within=bulk.enqueued, count=5)


def test_everybody_has_the_mail_once(jobs: Jobs, campaign: Campaign, outbox: Outbox) -> None:
    campaign.start_later()

    jobs.drain()

    assert len(outbox.sent) == 5
    assert outbox.sent[0] == Mail("ann@example.org", "All teapots at half price")


def test_nobody_has_it_twice_when_the_whole_campaign_is_delivered_again(
    jobs: Jobs, campaign: Campaign, outbox: Outbox, assert_performed: AssertPerformed
) -> None:
    campaign.start_later()
    jobs.drain()

    jobs.redeliver(jobs.enqueued[0])
    jobs.drain()

    assert_performed(CampaignMail, count=10)
    assert len(outbox.sent) == 5
