"""Reports, one for each verdict and typical history; run as a script it writes what they are now."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gallery_jobs as jobs
from celery import Celery

from pytest_jobs import check_idempotent, fake, open_jobs, sqlite_world
from pytest_jobs.errors import NotIdempotent
from pytest_jobs.harness.records.patches import Patches

REPORTS = Path(__file__).parent / "reports"
SCHEMA = """
create table payments (id integer primary key, status);
insert into payments values (1, 'open'), (2, 'open');
create table ledger (id integer unique);
"""


#: By default Celery loses a task whose worker is killed.
celery = Celery("shop", broker="memory://")


class Gateway:
    def __init__(self):
        self.known = []

    def charge(self, number, amount, key=None):
        self.known.append(number)

    def mail(self, customer):
        pass

    def charged(self):
        return list(self.known)


def shop():
    patches = Patches()
    with (
        tempfile.TemporaryDirectory() as folder,
        sqlite_world(SCHEMA, bind=(jobs, "connect")) as rows,
        fake(jobs, "gateway", Gateway(), key="key", reads={"charged"}) as gateway,
    ):
        patches.set(jobs, "folder", Path(folder))
        try:
            yield lambda: {
                "payments": rows("payments"),
                "ledger": rows("ledger"),
                "charges": gateway.calls,
                **{path.name: path.read_text() for path in Path(folder).glob("*.txt")},
            }
        finally:
            patches.restore()


def cancel():
    db = jobs.connect()
    db.execute("update payments set status = 'cancelled' where id = 1")
    db.commit()
    db.close()


@dataclass(frozen=True)
class Shown:
    """A job, and how it is checked."""

    name: str
    job: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    args: tuple[Any, ...] = (1,)

    def report(self) -> NotIdempotent:
        """Return the error of the check."""
        with open_jobs() as harness:
            harness.clock.move_to(datetime(2030, 1, 1, 9, tzinfo=UTC))
            try:
                check_idempotent(self.job, args=self.args, world=shop, **self.options)
            except NotIdempotent as error:
                return error
        raise LookupError(f"{self.name} is safe")


def only(*histories, **options):
    return {"histories": histories, **options}


GALLERY = (
    Shown("duplicate_twice", jobs.charge),
    Shown("duplicate_restart", jobs.charge_once_a_process),
    Shown("duplicate_crash", jobs.pay),
    Shown("duplicate_crash_enqueue", jobs.pay_and_send),
    Shown("duplicate_crash_comprehension", jobs.Remind, args=(["ann", "bob", "eve"],)),
    Shown("lost_two_crashes", jobs.give_up_the_third_time, only("crash", depth=2)),
    Shown("duplicate_reply_lost", jobs.try_again_without_key, only("reply_lost", "overlap")),
    Shown("duplicate_overlap", jobs.look_up_first),
    Shown("duplicate_overlap_coroutine", jobs.pay_in_a_coroutine),
    Shown("duplicate_late", jobs.key_of_the_day, only("late")),
    Shown("duplicate_lease_expires", jobs.look_up_first, only("lease_expires")),
    Shown("lost_crash", jobs.mark_first),
    Shown("lost_effect_fails", jobs.mark_in_the_end),
    Shown(
        "lost_as_configured",
        jobs.charge_without_retries,
        only("effect_fails", delivery="as configured"),
    ),
    Shown("diverged_twice_file", jobs.append),
    Shown("diverged_crash", jobs.claim),
    Shown("diverged_reply_lost", jobs.fail_on_timeout),
    Shown("diverged_out_of_order", jobs.overwrite, only("out_of_order", others=[cancel])),
    Shown("poison_twice", jobs.insert),
    Shown("stuck_crash", jobs.begin_without_end),
    Shown("half_done_abandoned", celery.task(jobs.pay_out), only("abandoned")),
)


if __name__ == "__main__":
    REPORTS.mkdir(exist_ok=True)
    for shown in GALLERY:
        (REPORTS / f"{shown.name}.txt").write_text(f"{shown.report()}\n", "utf-8")
