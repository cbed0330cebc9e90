"""What stands in the way of a recorded payload, and what is to be done about it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..core.foundation.signature import Binder
from ..harness.payload_files import PayloadFile

#: What each step is called.
_STEPS: Final = {
    "read": "reading the file",
    "bridge": "finding its library",
    "find": "finding the job",
    "decode": "decoding the arguments",
    "bind": "binding the arguments",
    "perform": "performing it",
}
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


@dataclass(frozen=True, slots=True)
class Finding:
    """What one payload failed at."""

    #: Where: read, bridge, find, decode, bind or perform.
    step: str
    #: What was seen there.
    seen: str
    #: What the file holds; None when it could not be read.
    file: PayloadFile | None = None
    #: What to do; empty for what the step always advises.
    advice: str = ""
    #: The signature of today; empty when it does not matter.
    signature: str = ""


def findings_text(findings: Sequence[tuple[str, Finding]], count: int, folder: str) -> str:
    """Return the message for files that failed.

    Args:
        findings: the names of the files, and what each failed at.
        count: how many files there are.
        folder: where they are.
    """
    head = f"Of {count} payloads in {folder}, {len(findings)} cannot be performed by today's code."
    if count == 1:
        head = f"The only payload in {folder} cannot be performed by today's code."
    return "\n\n".join([head, *(_one(name, found) for name, found in findings)])


def misfit(
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


def _one(name: str, found: Finding) -> str:
    lines = [name, f"  failed at: {_STEPS[found.step]}", f"  because:   {found.seen}"]
    if found.file is not None:
        lines.insert(1, f"  job:       {found.file.job} ({found.file.library})")
    if found.signature:
        lines.append(f"  takes now: {found.signature}")
    lines.append(f"  to do:     {found.advice or _advice(found)}")
    return "\n".join(lines)


def _advice(found: Finding) -> str:
    if found.step == "find" and found.file is not None:
        return _find_advice(found.file)
    return _ADVICE[found.step]


def _find_advice(file: PayloadFile) -> str:
    if file.library != "core":
        return f"register the task under its old name {file.job!r} as well, until no such job can be waiting."
    module, _, name = file.job.rpartition(".")
    return (
        f"keep the old name in {module} until no such job can be waiting, as in `class {name}(NewName): ...`; "
        "for a job function, derive from its `job_class`."
    )


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
