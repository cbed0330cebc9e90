"""A worker that really dies fails at the points at which one that only seems to die does."""

from __future__ import annotations

import pytest

pytest.importorskip("fakeredis")

import corpus_files as files
import corpus_ledgers as ledgers
import corpus_messages as messages
import corpus_payments as payments
import corpus_reports as reports
import corpus_world
from corpus_world import shop, shop_with_folder
from dying_workers import DyingWorkers, dying_workers, needs_fork

from pytest_jobs import check_idempotent
from pytest_jobs.errors import ExplorationError, NotIdempotent
from pytest_jobs.exploration import check
from pytest_jobs.exploration.histories.explorer import Explorer

pytestmark = [needs_fork, pytest.mark.slow]

#: A job for each way to begin and to end transactions, and for each kind of effect inside one.
ON_SQLITE = [
    ledgers.deposit_in_two_commits,
    ledgers.deposit_in_one_commit,
    ledgers.deposit_in_a_with_block,
    ledgers.deposit_and_commit_in_any_case,
    ledgers.deposit_behind_a_unique_entry,
    ledgers.book_and_fail_when_booked,
    ledgers.book_by_upsert,
    ledgers.settle_if_unchanged,
    ledgers.number_in_a_commit_of_its_own,
    ledgers.sync_payment,
    messages.enqueue_by_outbox,
    messages.mail_by_outbox_when_new,
    reports.stamp_the_update,
]
ON_FILES = [
    files.write_report_piece_by_piece,
    files.write_report_and_rename,
    files.append_to_log,
    files.write_by_a_new_temporary_file,
    files.write_by_the_temporary_file,
]


def _failing(job, world, explorer):
    """Return every history of a killed worker, with what it came to."""
    came_to = []

    class ToTheEnd(explorer):
        def try_out(self, plan, **options):
            failure = super().try_out(plan, **options)
            if options:
                # The same once more, which is what it comes to.
                return failure
            point = None if plan.point is None else plan.point.name
            verdict = failure and (failure.verdict.word, failure.verdict.what)
            came_to.append((plan.name, plan.gap, point, verdict))
            return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check.Check, "explorer", ToTheEnd)
        # Which points stand for others depends on where the database is.
        check_idempotent(job, args=(1,), world=world, histories=["crash", "late"], every_line=True)
    return came_to


@pytest.mark.parametrize(
    ("job", "world"),
    [
        *((job, shop) for job in ON_SQLITE),
        *((job, shop_with_folder) for job in ON_FILES),
    ],
)
def test_both_backends_fail_at_the_same_points(job, world):
    nested = _failing(job, world, Explorer)

    assert len(nested) > 4
    with dying_workers(corpus_world):
        assert _failing(job, world, DyingWorkers) == nested


@pytest.mark.parametrize("job", [messages.EnqueueAfterTheCommit, messages.SendChildrenAndMark])
def test_a_job_that_enqueues_is_refused_or_caught(job):
    with dying_workers(corpus_world), pytest.raises((ExplorationError, NotIdempotent)):
        check_idempotent(job, args=(1,), world=shop, histories=["crash", "late"])


@pytest.mark.parametrize("job", [payments.charge_by_key_alone, payments.ChargeBehindStatus])
def test_a_job_of_a_world_that_dies_with_its_process_is_refused(job):
    with (
        dying_workers(corpus_world),
        pytest.raises(ExplorationError, match="known to its process alone"),
    ):
        check_idempotent(job, args=(1,), world=shop, histories=["crash"])
