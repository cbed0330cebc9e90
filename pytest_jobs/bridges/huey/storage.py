"""What takes the place of the storages of Huey."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from huey.api import Huey, Task
from huey.storage import MemoryStorage

from ...errors import NotPerformedError
from ..toolkit import JobRecord, Seam


class Reports(Protocol):
    """Where a stand-in reports: the bridge."""

    def enqueued(
        self, application: Huey, data: bytes, records: dict[int, JobRecord], *, is_in_schedule: bool
    ) -> None: ...

    def withdraw(self, record: JobRecord) -> None: ...


class Store:
    """What the storages would keep."""

    def __init__(self, bridge: Reports) -> None:
        self._bridge = bridge
        self._storages: dict[int, Kept] = {}
        #: The ids of tasks that were performed.
        self.performed_ids: set[str] = set()
        self._written: tuple[bytes, Task] | None = None

    def note_written(self, task: Task, data: bytes) -> None:
        self._written = data, task

    def task_written_as(self, data: bytes) -> Task | None:
        """Return the task that was last written, if this is what was written: it need not be read again."""
        written, self._written = self._written, None
        return None if written is None or written[0] is not data else written[1]

    def storage_of(self, application: Huey) -> Kept:
        storage = self._storages.get(id(application))
        if storage is None:
            storage = self._storages[id(application)] = Kept(self._bridge, application)
        return storage

    def performed(self, record: JobRecord) -> None:
        """Note that a task has been performed."""
        self.performed_ids.add(record.job_id)
        for storage in self._storages.values():
            storage.records.pop(id(record), None)


class Kept(MemoryStorage):  # type: ignore[misc]
    """Stands in for the storage of one Huey. Tasks go to the harness, and the rest stays here."""

    def __init__(self, bridge: Reports, application: Huey) -> None:
        super().__init__(application.name)
        self._bridge = bridge
        #: Kept too, so that no other Huey gets its id.
        self.application = application
        #: The records that have not been performed, by their ids.
        self.records: dict[int, JobRecord] = {}

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        self._bridge.enqueued(self.application, data, self.records, is_in_schedule=False)

    def add_to_schedule(self, data: bytes, ts: datetime, *utc: bool) -> None:
        self._bridge.enqueued(self.application, data, self.records, is_in_schedule=True)

    def dequeue(self) -> None:
        """Return nothing: a consumer inside of the test gets no task, since the test performs them."""

    def read_schedule(self, ts: datetime) -> list[bytes]:
        return []

    def enqueued_items(self, limit: int | None = None) -> list[Any]:
        waiting = [each for each in self.records.values() if each.envelope.due_ns is None]
        waiting.sort(key=lambda each: -(each.priority or 0))
        return [each.payload for each in waiting[:limit]]

    def scheduled_items(self, limit: int | None = None) -> list[Any]:
        waiting = [each for each in self.records.values() if each.envelope.due_ns is not None]
        waiting.sort(key=lambda each: each.envelope.due_ns or 0)
        return [each.payload for each in waiting[:limit]]

    def queue_size(self) -> int:
        return len(self.enqueued_items())

    def schedule_size(self) -> int:
        return len(self.scheduled_items())

    def flush_queue(self) -> None:
        self._flush(is_due_later=False)

    def flush_schedule(self) -> None:
        self._flush(is_due_later=True)

    def __getattr__(self, name: str) -> Any:
        """Raise an AttributeError for what only the storage of production has, such as its connection."""
        raise AttributeError(
            f"In a test with a harness the storage of a Huey is in memory, and has no {name!r}. Ask the Huey "
            "instead, as with `huey.pending()`, or mark a test of the storage itself with "
            '`@pytest.mark.jobs(mode="off")`.'
        )

    def _flush(self, *, is_due_later: bool) -> None:
        for key, record in list(self.records.items()):
            if (record.envelope.due_ns is not None) is is_due_later:
                del self.records[key]
                self._bridge.withdraw(record)


class NeverWaiting:
    """Stands in for `asyncio` where Huey polls for a result."""

    def __init__(self, real: Any, seam: Seam) -> None:
        self._real = real
        self._seam = seam

    async def sleep(self, delay: float) -> None:
        """Sleep where no harness is open.

        Raises:
            NotPerformedError: in a harness, since nobody would perform the task meanwhile.
        """
        if self._seam.bridges:
            raise NotPerformedError(
                "`aget_result` waits for a task that has no result, and waiting for it would never end: "
                "`await jobs.adrain()` before. Huey keeps no None without `store_none=True`."
            )
        await self._real.sleep(delay)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
