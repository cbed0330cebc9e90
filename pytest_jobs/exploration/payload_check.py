"""Checking that today's code can perform the payloads of earlier code."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..bridges.opening import open_jobs
from ..core.foundation.signature import Binder
from ..core.foundation.vocabulary import in_our_words
from ..errors import (
    AmbiguousJobError,
    CriterionError,
    IncompatiblePayload,
    JobsError,
    PayloadError,
    RunningLoopError,
    UnknownJobError,
)
from ..harness.jobs import Jobs, current_jobs
from ..harness.ledger.ledger import Ledger
from ..harness.open_harness import check_outside_jobs, open_harnesses, sandbox
from ..harness.payload_files import PayloadFile, read_payload
from ..harness.records.bridge import KeepsPayloads
from ..harness.records.delivery import Delivery
from ..harness.records.record import JobRecord
from ..harness.running.performer import RealBody
from ..harness.time.waiting import in_running_loop
from .engine.world import World, open_world

#: The steps in which a payload is checked, in their order, as a message names them.
_STEPS: Final = {
    "read": "reading the file",
    "bridge": "finding its library",
    "find": "finding the job",
    "decode": "decoding the arguments",
    "bind": "binding the arguments",
    "perform": "performing it",
}
#: What to do where the finding itself says nothing better.
_ADVICE: Final = {
    "read": (
        "take the file from version control again; delete and record it anew only when no such job can be waiting "
        "any more. One of a later format needs a later pytest-jobs."
    ),
    "bridge": (
        "name the application in `jobs_apps` and ask for the `jobs` fixture, or pass it: "
        "check_payloads(..., apps=[...])."
    ),
    "decode": (
        "let the job still read what it was sent: leave the class declared under its name, give a new field "
        "of a dataclass a default, keep the old members of an enum."
    ),
    "perform": (
        "let the job accept what it was sent before the change; or give the check a `world` in which there "
        "is what the arguments refer to."
    ),
}


@in_our_words(CriterionError, by_position="apps")
def check_payloads(
    directory: str | os.PathLike[str],
    *,
    apps: Iterable[object] = (),
    perform: bool = False,
    world: World | None = None,
) -> tuple[Path, ...]:
    """Fail unless the code as it is now can perform each payload that was recorded in a directory.

    For each file its job is found, and its arguments are decoded and bound to the signature of the job. The views
    of the test show nothing of it.

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
    shown = folder.as_posix()
    paths = tuple(sorted(folder.rglob("*.json")))
    if not paths and not folder.is_dir():
        what = "is not a directory" if folder.exists() else "does not exist"
        raise PayloadError(
            f"{shown} {what}, so no payload was looked at: write its path relative to the test, as in "
            "`Path(__file__).parent / 'payloads'`, and record with `jobs.record_payloads` first."
        )
    if not paths:
        raise PayloadError(
            f"{shown} holds no payload, so nothing was looked at: record with `jobs.record_payloads` "
            "and commit what it writes."
        )
    apps = tuple(apps)
    is_open = not apps and open_harnesses.any_open()
    with nullcontext(current_jobs()) if is_open else open_jobs(apps=apps) as jobs:
        check_outside_jobs("check_payloads")
        check = _Check(jobs, perform or world is not None, world)
        findings = [(path, found) for path in paths if (found := check.finding(path)) is not None]
    if findings:
        head = f"Of {len(paths)} payloads in {shown}, {len(findings)} cannot be performed by today's code."
        if len(paths) == 1:
            head = f"The only payload in {shown} cannot be performed by today's code."
        texts = [found.text(path.relative_to(folder).as_posix()) for path, found in findings]
        raise IncompatiblePayload("\n\n".join([head, *texts]))
    return paths


@dataclass(frozen=True, slots=True)
class Finding:
    """Why one payload cannot be performed."""

    #: The step that failed, one of `_STEPS`.
    step: str
    #: What went wrong in it.
    because: str
    #: The content of the file; None when it could not be read.
    file: PayloadFile | None = None
    #: What to do; empty for the usual advice of the step.
    advice: str = ""
    #: The signature of today; empty when it does not matter.
    signature: str = ""

    def text(self, name: str) -> str:
        lines = [name]
        if self.file is not None:
            lines.append(f"  job:       {self.file.job} ({self.file.library})")
        lines += [f"  failed at: {_STEPS[self.step]}", f"  because:   {self.because}"]
        if self.signature:
            lines.append(f"  takes now: {self.signature}")
        lines.append(f"  to do:     {self.advice or _ADVICE[self.step]}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Check:
    """Takes payloads through the steps of a worker."""

    _jobs: Jobs
    _perform: bool
    _world: World | None

    def finding(self, path: Path) -> Finding | None:
        """Return why the payload in a file cannot be performed; None when it can."""
        try:
            file = read_payload(path)
        except PayloadError as error:
            return Finding("read", str(error))
        bridges = self._jobs.bridges
        bridge = next((b for b in bridges if b.name == file.library), None)
        if bridge is None:
            known = ", ".join(b.name for b in bridges)
            return Finding("bridge", f"It is of {file.library!r}, and bridged are: {known}.", file)
        if not isinstance(bridge, KeepsPayloads):
            return Finding("bridge", f"The bridge of {file.library} does not read payloads.", file)
        with sandbox(bridges, self._jobs.clock) as ledger:
            return self._followed(file, bridge, ledger)

    def _followed(self, file: PayloadFile, bridge: KeepsPayloads, ledger: Ledger) -> Finding | None:
        step = "read"
        try:
            record = bridge.record_from(file.data)
            step = "find"
            signature = _signature(record)
            step = "decode"
            args, kwargs = record.source.arguments_of(record)
        except UnknownJobError:
            return Finding("find", "No job has this name any more.", file, _find_advice(file))
        # Importing a module may raise anything, as may a user's own type.
        except Exception as error:
            advice = _find_advice(file) if step == "find" else ""
            return Finding(step, _described(error), file, advice)
        found = _misfit(file, signature, args, kwargs)
        if found is not None or not self._perform:
            return found
        delivery = self._delivered(record, ledger)
        if delivery.status == "performed":
            return None
        why = "" if delivery.error is None else f", {_described(delivery.error)}"
        return Finding("perform", f"The delivery ended as {delivery.status}{why}", file)

    def _delivered(self, record: JobRecord, ledger: Ledger) -> Delivery:
        performer = self._jobs.performer
        if record.source.is_coroutine(record) and in_running_loop():
            raise RunningLoopError(
                f"{record.name} is a coroutine job, and check_payloads was to perform it inside a running event "
                "loop: call it in a plain test."
            )
        ledger.claim(record)
        with nullcontext() if self._world is None else open_world(self._world):
            try:
                return performer.make(ledger, record, RealBody(performer.outcomes, None))
            except performer.outcomes:
                return ledger.deliveries[-1]


def _signature(record: JobRecord) -> Binder:
    """Return the signature of the job of a record; raise if there is no such job, or more than one."""
    try:
        return record.source.signature(record.job)
    except JobsError as error:
        if isinstance(error, AmbiguousJobError) or not isinstance(record.job, str):
            raise
        # Each bridge refuses an unknown name in words of its own.
        raise UnknownJobError from error


def _find_advice(file: PayloadFile) -> str:
    if file.library != "core":
        return f"register the task under its old name {file.job!r} as well, until no such job can be waiting."
    module, _, name = file.job.rpartition(".")
    return (
        f"keep the old name in {module} until no such job can be waiting, as in `class {name}(NewName): ...`; "
        "for a job function, derive from its `job_class`."
    )


def _misfit(
    file: PayloadFile, signature: Binder, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Finding | None:
    """Return why a call does not fit a signature, or means something else in it; None when it fits."""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        advice = _bind_advice(signature, args, kwargs)
        return Finding("bind", str(error), file, advice, str(signature.signature))
    for recorded, now in zip(file.parameters, signature.positional_names, strict=False):
        if recorded != now and recorded in signature.names:
            return Finding(
                "bind",
                f"What was passed by position as {recorded!r} would now be {now!r}: parameters changed places.",
                file,
                "put the parameters back in their order, and new ones behind them.",
                str(signature.signature),
            )
    return None


def _bind_advice(signature: Binder, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    by_position = signature.positional_names[: len(args)]
    missing = [
        parameter.name
        for parameter in signature.required
        if parameter.name not in by_position
        and (parameter.name not in kwargs or parameter.kind is inspect.Parameter.POSITIONAL_ONLY)
    ]
    if missing:
        return f"give {_names(missing)} a default until no job without it can be waiting."
    unknown = [name for name in kwargs if not signature.accepts(name)]
    if unknown:
        return f"go on accepting {_names(unknown)} until no job with it can be waiting."
    return "go on accepting what was passed by position until no such job can be waiting."


def _names(names: Sequence[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _described(error: BaseException) -> str:
    return str(error) if isinstance(error, JobsError) else f"{type(error).__name__}: {error}"
