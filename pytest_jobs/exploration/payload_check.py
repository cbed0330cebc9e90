"""Checking that today's code can perform the payloads of earlier code."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager, nullcontext
from pathlib import Path

from ..bridges.opening import open_jobs
from ..core.foundation.signature import Binder
from ..errors import (
    AmbiguousJobError,
    IncompatiblePayload,
    JobsError,
    PayloadError,
    RunningLoopError,
    UnknownJobError,
)
from ..harness.active import open_harnesses
from ..harness.jobs import Jobs
from ..harness.ledger.ledger import Ledger
from ..harness.open_harness import sandbox
from ..harness.payload_files import PayloadFile, read_payload
from ..harness.records.bridge import Bridge, KeepsPayloads
from ..harness.records.delivery import Delivery
from ..harness.records.record import JobRecord
from ..harness.running.performer import RealBody, in_running_loop
from .entering import World, entered
from .payload_findings import Finding, findings_text, misfit


def check_payloads(
    directory: str | os.PathLike[str],
    *,
    apps: Iterable[object] = (),
    perform: bool = False,
    world: World | None = None,
) -> tuple[Path, ...]:
    """Fail unless the code as it is now can perform each payload that was recorded in a directory.

    Of each file the job is found, its arguments are decoded, and they are bound to its signature.
    The views of the test hear nothing of it.

    Args:
        directory: where `jobs.record_payloads` wrote; folders in it are read too.
        apps: the applications to bridge, as for `open_jobs`; without any the harness that is open
            is used, or the core's jobs alone are known.
        perform: whether each is performed as well, which has to succeed.
        world: what each is performed in, built afresh for each, as for `check_idempotent`; it
            makes them be performed.

    Returns:
        The files, in the order of their names.

    Raises:
        IncompatiblePayload: when at least one of the files cannot be read, or is of a job that is not
            known, or could not be performed. The message says of each at which step, and what to do.
        PayloadError: when there is no file.
        RunningLoopError: when a coroutine job is to be performed inside a running event loop.
    """
    folder = Path(directory)
    paths = tuple(sorted(folder.rglob("*.json")))
    if not paths:
        raise PayloadError(_no_files(folder))
    with _harness(tuple(apps)) as jobs:
        jobs._check_outside_jobs("check_payloads")
        check = _Check(jobs, perform=perform or world is not None, world=world)
        findings = [(path, found) for path in paths if (found := check.finding(path)) is not None]
    if findings:
        named = [(path.relative_to(folder).as_posix(), found) for path, found in findings]
        raise IncompatiblePayload(findings_text(named, len(paths), folder.as_posix()))
    return paths


@contextmanager
def _harness(apps: tuple[object, ...]) -> Generator[Jobs, None, None]:
    if not apps and open_harnesses.any_open():
        yield open_harnesses.current()
        return
    with open_jobs(apps=apps) as jobs:
        yield jobs


class _Check:
    """Takes one payload after the other through what a worker does."""

    def __init__(self, jobs: Jobs, *, perform: bool, world: World | None) -> None:
        self._jobs = jobs
        self._perform = perform
        self._world = world

    def finding(self, path: Path) -> Finding | None:
        """Return what stands in the way of the payload in a file; None for nothing."""
        try:
            file = read_payload(path)
        except PayloadError as error:
            return Finding("read", str(error))
        bridge = next((b for b in self._jobs._bridges if b.name == file.library), None)
        if bridge is None or not isinstance(bridge, KeepsPayloads):
            return Finding("bridge", _not_bridged(file, bridge, self._jobs._bridges), file)
        with sandbox(self._jobs._bridges, self._jobs._clock) as ledger:
            return self._followed(file, bridge, ledger)

    def _followed(self, file: PayloadFile, bridge: KeepsPayloads, ledger: Ledger) -> Finding | None:
        step = "read"
        try:
            record = bridge.record_from(file.data)
            step = "find"
            signature = _signature(record)
            step = "decode"
            args, kwargs = record._bridge.arguments_of(record)
        except UnknownJobError:
            return Finding("find", "No job has this name any more.", file)
        except (
            Exception
        ) as error:  # Importing a module may raise anything, as may a user's own type.
            return Finding(step, _described(error), file)
        found = misfit(file, signature, args, kwargs)
        if found is not None or not self._perform:
            return found
        delivery = self._delivered(record, ledger)
        if delivery.status == "performed":
            return None
        why = "" if delivery.error is None else f", {_described(delivery.error)}"
        return Finding("perform", f"The delivery ended as {delivery.status}{why}", file)

    def _delivered(self, record: JobRecord, ledger: Ledger) -> Delivery:
        performer = self._jobs._performer
        if record._bridge.is_coroutine(record) and in_running_loop():
            raise RunningLoopError(
                f"{record.name} is a coroutine job, and check_payloads was to perform it inside a running event "
                "loop: call it in a plain test."
            )
        ledger.claim(record)
        with nullcontext() if self._world is None else entered(self._world):
            try:
                return performer.make(ledger, record, RealBody(performer.outcomes, None))
            except performer.outcomes:
                return ledger.deliveries[-1]


def _signature(record: JobRecord) -> Binder:
    """Return the signature of the job of a record.

    Raises:
        UnknownJobError: when there is no such job.
        AmbiguousJobError: when there are several.
    """
    job = record.job
    try:
        return record._bridge.signature(job)
    except AmbiguousJobError:
        raise
    except JobsError as error:
        # Bridges refuse a name that means nothing to them in words of their own.
        raise UnknownJobError if isinstance(job, str) else error from error


def _described(error: BaseException) -> str:
    return str(error) if isinstance(error, JobsError) else f"{type(error).__name__}: {error}"


def _no_files(folder: Path) -> str:
    if not folder.is_dir():
        what = "is no directory" if folder.exists() else "does not exist"
        return (
            f"{folder.as_posix()} {what}, so no payload was looked at: write its path relative to the test, as in "
            "`Path(__file__).parent / 'payloads'`, and record with `jobs.record_payloads` first."
        )
    return (
        f"{folder.as_posix()} holds no payload, so nothing was looked at: record with `jobs.record_payloads` and "
        "commit what it writes."
    )


def _not_bridged(file: PayloadFile, bridge: Bridge | None, bridges: Iterable[Bridge]) -> str:
    if bridge is not None:
        return f"The bridge of {file.library} does not read payloads."
    return f"It is of {file.library!r}, and bridged are: {', '.join(b.name for b in bridges)}."
