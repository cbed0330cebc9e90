"""The seed's pattern *Recurring Job Pattern*: a report a day, whatever becomes of the job that writes it."""

import re
import sqlite3
import sys
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta

import pytest

from pytest_jobs import Job, Schedule, check_idempotent, fake, job, retry_on, sqlite_world
from pytest_jobs.errors import DuplicateEffect, LostEffect

opened = []


def connect():
    opened.append(sqlite3.connect("reports.db", isolation_level=None))
    return opened[-1]


@pytest.fixture(autouse=True)
def _closed():
    """Close what the jobs leave open; what a delivery of an exploration opened has ended with it."""
    yield
    while opened:
        with suppress(sqlite3.ProgrammingError):
            opened.pop().close()


class Mailer:
    def deliver(self, day, key=None): ...


mailer = Mailer()


class ReportNotFound(Exception): ...


@retry_on(ReportNotFound, wait=5, attempts=3)
class SendReport(Job):
    """The mailer's job: a report that is not committed yet is waited for, and a mail has a key."""

    def perform(self, day: date) -> None:
        query = "select 1 from reports where day = ? and type = 'daily'"
        report = connect().execute(query, (day.isoformat(),)).fetchone()
        if report is None:
            raise ReportNotFound(day)
        mailer.deliver(day.isoformat(), key=f"daily-{day}")


def orders_of(db, day):
    return db.execute("select count(*) from orders where day = ?", (day.isoformat(),)).fetchone()[0]


class DailyReport(Job):
    """The seed's job: is there one? If not, create it and send it later."""

    def perform(self, day: date) -> None:
        db = connect()
        query = "select 1 from reports where day = ? and type = 'daily'"
        if db.execute(query, (day.isoformat(),)).fetchone():
            return
        db.execute(
            "insert into reports (day, type, orders) values (?, 'daily', ?)",
            (day.isoformat(), orders_of(db, day)),
        )
        SendReport.perform_later(day)


class DailyReportOfToday(Job):
    """The seed's default, `date = Date.current`: it is the day on which the job runs."""

    def perform(self, day: date | None = None) -> None:
        day = day or datetime.now(UTC).date()
        connect().execute(
            "insert or ignore into reports (day, type, orders) values (?, 'daily', 0)",
            (day.isoformat(),),
        )


class DailyReportInOneTransaction(Job):
    """The row is committed when the mail is enqueued; the database has one row a day and type."""

    def perform(self, day: date) -> None:
        db = connect()
        db.execute("begin immediate")
        created = db.execute(
            "insert or ignore into reports (day, type, orders) values (?, 'daily', ?)",
            (day.isoformat(), orders_of(db, day)),
        )
        if created.rowcount:
            SendReport.perform_later(day)
        db.execute("commit")


class DailyReportThatAlwaysSends(Job):
    """Whether a second mail is enqueued does not matter to a mail job that sends one."""

    def perform(self, day: date) -> None:
        db = connect()
        db.execute(
            "insert or ignore into reports (day, type, orders) values (?, 'daily', ?)",
            (day.isoformat(), orders_of(db, day)),
        )
        SendReport.perform_later(day)


@job
def report_yesterday() -> None:
    """What the schedule names: the day is an argument, and the same whenever the report is delivered."""
    DailyReportInOneTransaction.perform_later(datetime.now(UTC).date() - timedelta(days=1))


TABLES = """
create table orders (id integer primary key, day text);
insert into orders (day) values ('2030-01-01'), ('2030-01-01'), ('2030-01-02');
create table reports (id integer primary key, day text, type text, orders integer);
"""
UNIQUE = "create unique index one_report on reports (day, type);"
REPORT = "insert into reports values (1, '2030-01-01', 'daily', 2);"
DAY = date(2030, 1, 1)


def office(schema=TABLES + UNIQUE):
    module = sys.modules[__name__]
    with (
        sqlite_world(schema, bind=(module, "connect")) as rows,
        fake(module, "mailer", Mailer(), key="key") as mails,
    ):
        yield lambda: {"reports": rows("reports"), "mails": mails.calls}


def office_without_a_unique_key():
    yield from office(TABLES)


def office_with_a_report():
    yield from office(TABLES + UNIQUE + REPORT)


def check(job, world=office, **options):
    return check_idempotent(job, args=(DAY,), world=world, **options)


def report_of(job, error, world=office, **options):
    with pytest.raises(error) as caught:
        check(job, world, **options)
    return caught.value.report


# As the seed writes it


def test_a_worker_that_is_killed_before_the_mail_is_enqueued_loses_it():
    report = report_of(DailyReport, LostEffect)
    assert (report.verdict, report.history) == ("LOST", "crash")
    assert report.effect == "mailer.deliver"

    text = str(report)
    killed = text.index("x  worker killed here, after sqlite: insert into reports")
    mail = text.index("SendReport.perform_later(day)", killed)
    assert text[mail:].partition("\n")[0].endswith("never ran")
    assert report.hint == (
        "a mark that is set before the effect hides that it was never made: mark the work as done after its "
        "effects, or in the same transaction."
    )


def test_so_does_an_adapter_that_is_down():
    report = report_of(DailyReport, LostEffect, histories=["effect_fails"])

    assert "!  an effect fails here, before enqueue: SendReport(" in str(report)


def test_two_deliveries_that_overlap_write_two_reports_and_send_both():
    report = report_of(
        DailyReport, DuplicateEffect, office_without_a_unique_key, histories=["overlap"]
    )

    assert report.effect == "reports"
    assert (
        "\nreports\n  once: only the others; 1 in all\n"
        "  now:  (2, '2030-01-01', 'daily', 2); 2 in all\n"
    ) in str(report)


def test_where_the_database_has_one_report_a_day_the_second_of_them_fails_and_finds_it_the_next_time():
    check(DailyReport, histories=["overlap"])


def test_the_default_of_today_is_another_day_when_the_job_comes_late():
    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(DailyReportOfToday, world=office, histories=["late"])
    report = caught.value.report

    # Within an hour of midnight an hour is late enough.
    assert report.effect == "reports"
    assert re.search(r"delivery 2 \(same arguments, \+(1d )?1h", str(report))
    assert report.hint.startswith("the key or the mark is another one by then: derive it from the")


# As it should be


def test_a_report_that_is_committed_with_its_mail_is_neither_lost_nor_written_twice():
    """The mail may be enqueued twice where the worker dies before the commit, and is sent once."""
    check(DailyReportInOneTransaction, histories="all")


def test_a_report_that_always_enqueues_its_mail_loses_none_and_sends_one():
    check(DailyReportThatAlwaysSends)


def test_a_mail_is_sent_once_however_often_it_was_enqueued():
    check(SendReport, office_with_a_report, histories="all")


def test_three_days_have_three_reports_and_three_mails(jobs):
    jobs.clock.move_to(datetime(2030, 1, 1, 12, tzinfo=UTC))
    jobs.recurring(
        Schedule({"report": {"class": report_yesterday, "schedule": "every day at 2am"}})
    )
    with contextmanager(office)() as state:
        jobs.run_for(timedelta(days=3))
        jobs.redeliver(jobs.enqueued[1])
        jobs.drain()

        assert state()["reports"] == [
            (1, "2030-01-01", "daily", 2),
            (2, "2030-01-02", "daily", 1),
            (3, "2030-01-03", "daily", 0),
        ]
        assert len(state()["mails"]) == 3


def test_a_mail_that_comes_before_its_report_is_committed_waits(jobs):
    with contextmanager(office)():
        SendReport.perform_later(DAY)
        jobs.perform_due()
        connect().execute(REPORT)
        jobs.drain()

    assert [(d.status, d.record.attempt) for d in jobs.deliveries] == [
        ("retried", 1),
        ("performed", 2),
    ]
