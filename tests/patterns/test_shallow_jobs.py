"""The seed's pattern *Shallow Jobs Delegating to Models*: rules in the job, work in the model."""

import sqlite3
import sys
from contextlib import closing

import pytest

from pytest_jobs import Job, check_idempotent, discard_on, fake, reference, retry_on, sqlite_world
from pytest_jobs.errors import DuplicateEffect


class ServerBusy(Exception): ...


class AddressRefused(Exception): ...


def connect():
    return sqlite3.connect("bundles.db", isolation_level=None)


def execute(statement, number):
    """Return the rows of a statement about the bundle of this number."""
    with closing(connect()) as db:
        return db.execute(statement, (number,)).fetchall()


class Mailer:
    def deliver(self, bundle_id, to, key=None): ...


mailer = Mailer()


@retry_on(ServerBusy, wait=60, attempts=4)
@discard_on(AddressRefused)
class SmtpJob(Job):
    """The seed's `SmtpDeliveryErrorHandling`, as a base class."""


@reference(id="id", find="find")
class Bundle:
    def __init__(self, id):
        self.id = id

    @classmethod
    def find(cls, id):
        return cls(id)

    @property
    def is_delivered(self):
        return execute("select delivered from bundles where id = ?", self.id) == [(1,)]

    @property
    def recipients(self):
        query = "select email from recipients where bundle_id = ? order by id"
        return [email for (email,) in execute(query, self.id)]

    def deliver(self):
        """The seed's method: the guard stands before all of it, the mark behind all of it."""
        if self.is_delivered:
            return
        for recipient in self.recipients:
            mailer.deliver(self.id, recipient)
        self.note_delivery()

    def deliver_each_once(self):
        if self.is_delivered:
            return
        for recipient in self.recipients:
            mailer.deliver(self.id, recipient, key=f"bundle-{self.id}-{recipient}")
        self.note_delivery()

    def note_delivery(self):
        execute("update bundles set delivered = 1 where id = ?", self.id)


class DeliverBundle(SmtpJob):
    queue = "backend"

    def perform(self, bundle: Bundle) -> None:
        bundle.deliver()


class DeliverBundleToEachOnce(SmtpJob):
    queue = "backend"

    def perform(self, bundle: Bundle) -> None:
        bundle.deliver_each_once()


class FatDeliverBundle(Job):
    """The seed's job to be avoided: no rules, and work that nothing else can call."""

    def perform(self, bundle_id: int) -> None:
        ((delivered,),) = execute("select delivered from bundles where id = ?", bundle_id)
        if not delivered:
            query = "select email from recipients where bundle_id = ? order by id"
            for (email,) in execute(query, bundle_id):
                mailer.deliver(bundle_id, email)
            execute("update bundles set delivered = 1 where id = ?", bundle_id)


class FormerlyFatDeliverBundle(SmtpJob):
    """The same name and the same arguments: what was enqueued before the change is performed after it."""

    def perform(self, bundle_id: int) -> None:
        Bundle.find(bundle_id).deliver_each_once()


SCHEMA = """
create table bundles (id integer primary key, delivered integer default 0);
create table recipients (id integer primary key, bundle_id integer, email text);
insert into bundles (id) values (7);
insert into recipients (bundle_id, email) values (7, 'ann@a.example'), (7, 'bob@b.example');
"""


def post():
    module = sys.modules[__name__]
    with (
        sqlite_world(SCHEMA, bind=(module, "connect")) as rows,
        fake(module, "mailer", Mailer(), key="key") as mails,
    ):
        yield lambda: {"bundles": rows("bundles"), "mails": mails.calls}


@pytest.fixture
def office():
    """A database and a mailer for one test; returns the bundles, and who was sent a mail."""
    module = sys.modules[__name__]
    with (
        sqlite_world(SCHEMA, bind=(module, "connect")) as rows,
        fake(module, "mailer", Mailer(), key="key") as mails,
    ):
        yield lambda: (rows("bundles"), [call[2] for call in mails.calls])


def test_the_model_does_the_work_without_a_job(office):
    Bundle(7).deliver()

    assert office() == ([(7, 1)], ["ann@a.example", "bob@b.example"])


def test_the_job_does_the_same_in_its_queue(jobs, office, assert_enqueued):
    DeliverBundle.perform_later(Bundle(7))
    assert_enqueued(DeliverBundle, args=(Bundle(7),), queue="backend")

    jobs.drain()
    assert office() == ([(7, 1)], ["ann@a.example", "bob@b.example"])


@pytest.mark.parametrize(
    ("error", "shallow"), [(ServerBusy, "retried"), (AddressRefused, "discarded")]
)
def test_its_rules_are_those_of_the_base(jobs, office, error, shallow):
    for job in (DeliverBundle, FatDeliverBundle):
        jobs.fail(job, raising=error, times=1)
    DeliverBundle.perform_later(Bundle(7))
    FatDeliverBundle.perform_later(7)
    jobs.perform_due(raise_errors=False)

    assert [d.status for d in jobs.deliveries] == [shallow, "failed"]


def test_a_fat_job_can_be_made_shallow_while_payloads_of_it_wait(jobs, office):
    FormerlyFatDeliverBundle.perform_later(7)
    jobs.drain()

    assert office() == ([(7, 1)], ["ann@a.example", "bob@b.example"])


@pytest.mark.parametrize(("job", "argument"), [(DeliverBundle, Bundle(7)), (FatDeliverBundle, 7)])
def test_a_guard_around_several_mails_sends_the_first_ones_again_shallow_or_fat(job, argument):
    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(job, args=(argument,), world=post)
    report = caught.value.report

    assert (report.effect, report.history) == ("mailer.deliver", "crash")
    assert "x  worker killed here, after mailer: deliver(7, 'ann@a.example')" in str(report)


def test_a_key_for_each_recipient_sends_each_once():
    check_idempotent(DeliverBundleToEachOnce, args=(Bundle(7),), world=post, histories="all")
