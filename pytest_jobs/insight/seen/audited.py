"""What an audit of the jobs of a session says, in plain values: in the terminal, and on the page of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding of an audit."""

    #: Such as `LOST mail`.
    verdict: str
    call: str
    #: What happens, a hint, and which tests reach the job.
    lines: Sequence[str]
    replay: str


@dataclass(frozen=True, slots=True)
class ShownRank:
    """The findings of one kind."""

    title: str
    #: Whether they are usually bugs; others may be by design.
    are_bugs: bool
    findings: Sequence[ShownFinding]


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """Some jobs, and what is true of all of them. Either may be missing."""

    text: str = ""
    #: One line for some of the jobs, which says why.
    lines: Sequence[str] = ()
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ShownPart:
    """What an audit says beside its findings, under one title."""

    title: str
    groups: Sequence[ShownGroup]
    #: Whether the terminal shows what it names with `-v` alone.
    on_request: bool = False


@dataclass(frozen=True, slots=True)
class ShownAudit:
    """What `--jobs-audit` says at its end."""

    #: How much was reached and checked.
    sentences: Sequence[str]
    #: The first rank first.
    ranks: Sequence[ShownRank] = ()
    parts: Sequence[ShownPart] = ()
