"""What zenstruck/messenger-test does (Symfony)."""

from decimal import Decimal

import pytest
from others_shop import Charge, place_order, send_mail

from pytest_jobs.errors import SerializationError, TooFewPerformedError


def test_the_ledger_has_every_state(jobs):
    for error in (None, "slow", "expired", "broken"):
        Charge.perform_later(1, error=error)
    jobs.perform_due(raise_errors=False)

    assert len(jobs.enqueued) == 4
    assert len(jobs.pending) == len(jobs.scheduled) == 1
    assert [len(view) for view in (jobs.performed, jobs.retried, jobs.discarded, jobs.failed)] == [
        *(1, 1, 1, 1)
    ]
    assert len(jobs.dead) == 2


def test_arguments_are_serialised_and_read_back(jobs):
    send_mail.perform_later("ann", options={"price": Decimal("9.99")})
    assert jobs.enqueued[0].kwargs == {"options": {"price": Decimal("9.99")}}

    with pytest.raises(SerializationError, match=r"kwargs\['options'\]"):
        send_mail.perform_later("ann", options=object())


def test_a_drain_fails_if_fewer_ran(jobs):
    place_order.perform_later(1)

    with pytest.raises(TooFewPerformedError, match="at least 3 deliveries and made only 2"):
        jobs.drain(at_least=3, at_most=3)


def test_a_drain_of_nothing_fails_when_asked_to(jobs):
    with pytest.raises(TooFewPerformedError, match="at least 1 delivery and made none"):
        jobs.drain(at_least=1)


def test_a_discard_and_a_dead_letter_are_asserted(jobs, assert_discarded):
    Charge.perform_later(1, error="expired")
    Charge.perform_later(2, error="broken")
    jobs.drain(raise_errors=False)

    assert_discarded(Charge)
    assert [d.status for d in jobs.dead] == ["discarded", "failed"]
    assert jobs.dead[0].record.payload is jobs.enqueued[0].payload


def test_each_test_begins_empty(pytester):
    pytester.makepyfile("""
        from pytest_jobs import job

        @job
        def note(): ...

        def test_one(jobs):
            note.perform_later()

        def test_other(jobs):
            assert len(jobs.enqueued) == 0
    """)

    pytester.runpytest().assert_outcomes(passed=2)
