"""What is logged while a check runs is not a second, worse report."""

import logging
import sqlite3

import explored_jobs
import explored_orm
import pytest
from celery import Celery
from explored_orm_worlds import shop as database
from explored_worlds import shop

from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent, PoisonJob


def test_cleaning_up_after_a_killed_connection_is_not_logged(caplog):
    with pytest.raises(NotIdempotent):
        check_idempotent(explored_orm.deposit_in_two_commits, args=(1,), world=database)

    assert [record.getMessage() for record in caplog.records] == []


def test_what_a_killed_delivery_would_log_in_its_end_is_not_logged(caplog):
    log = logging.getLogger("shop")

    def charge(number):
        try:
            explored_jobs.gateway.charge(number, key=number)
        except BaseException:
            log.exception("it failed")
            raise

    check_idempotent(charge, args=(1,), world=shop, histories=["crash"])

    assert [record.getMessage() for record in caplog.records] == []


def test_what_a_living_delivery_logs_is_logged(caplog):
    log = logging.getLogger("shop")

    def charge(number):
        log.warning("charging")
        explored_jobs.gateway.charge(number, key=number)

    check_idempotent(charge, args=(1,), world=shop, histories=["twice"])

    assert {record.getMessage() for record in caplog.records} == {"charging"}


def test_celery_does_not_log_the_errors_that_the_report_tells(caplog):
    app = Celery("shop", broker="memory://")

    @app.task(name="shop.insert", acks_late=True)
    def insert(number):
        explored_jobs.insert_plainly(number)

    with pytest.raises(PoisonJob) as found:
        check_idempotent(insert, args=(1,), world=shop)

    assert isinstance(found.value.__cause__, sqlite3.IntegrityError)
    assert caplog.text == ""


def test_the_report_of_a_test_has_the_log_of_the_history_that_failed(pytester):
    pytester.makepyfile(
        """
        import logging

        from pytest_jobs import check_idempotent

        charged, log = [], logging.getLogger("shop")

        def charge(number, when):
            log.warning("charging %s after %s", number, len(charged))
            charged.append(number)

        def world():
            charged.clear()
            yield lambda: list(charged)

        def test_it():
            log.warning("before the check")
            check_idempotent(charge, args=(7, 1), world=world)

        def refused(number):
            log.warning("refusing %s", number)
            raise LookupError(number)

        def test_a_refusal():
            check_idempotent(refused, args=(7,), world=world)
        """
    )

    result = pytester.runpytest("-p", "no:randomly")

    result.assert_outcomes(failed=2)
    section, of_refusal = result.stdout.str().split(" Captured log call ")[1:]
    logged = [line for line in section.splitlines() if line.startswith("WARNING")]
    assert [line.partition("shop:")[2].partition(" ")[2] for line in logged] == [
        "before the check",
        "charging 7 after 0",
        "charging 7 after 1",
    ]
    assert "refusing 7" in of_refusal


def test_an_error_after_the_first_failure_does_not_have_it_as_its_context():
    contexts = []

    def insert(number):
        try:
            explored_jobs.insert_plainly(number)
        except sqlite3.IntegrityError as error:
            contexts.append(error.__context__)
            raise

    with pytest.raises(PoisonJob):
        check_idempotent(insert, args=(1,), world=shop)

    assert set(contexts) == {None}
