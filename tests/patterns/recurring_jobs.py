"""What the schedules of these tests name."""

from __future__ import annotations

from pytest_jobs import Job, job

done: list[object] = []
SETTING = 5


class WeeklyReport(Job):
    queue = "reports"

    def perform(self, kind: str, *, copies: int = 1) -> None:
        done.append((kind, copies))


class DeleteUnusedTags(Job):
    def perform(self) -> None:
        done.append("tags deleted")


class ReportBase(Job):
    """Has no `perform`."""


@job
def sync_data(since: str = "yesterday") -> None:
    done.append(f"synced since {since}")


@job
def flaky() -> None:
    raise ConnectionError("refused")


@job
def slow() -> None:
    import time

    time.sleep(5400)


@job(queue=lambda tenant: f"tenant-{tenant}")
def for_tenant(tenant: str) -> None:
    done.append(tenant)


def deliver_bundles(limit: int = 10) -> int:
    done.append(f"delivered {limit}")
    return limit


async def a_coroutine() -> None: ...


class Card:
    @classmethod
    def auto_postpone_all_due(cls) -> None:
        done.append("postponed")


no_signature = {}.pop
