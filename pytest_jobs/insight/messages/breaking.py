"""Which messages of the old code the new code breaks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from inspect import Parameter, Signature
from itertools import zip_longest
from typing import Final

from ...core.foundation.registry import nearest_name
from .accepted import Accepted, Messages

_BY_PLACE: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME: Final = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_STARS: Final = {
    Parameter.VAR_POSITIONAL: "by place",
    Parameter.VAR_KEYWORD: "by name",
}


def broken_by(new: Messages, old: Messages) -> Iterator[str]:
    """Yield a sentence for each way in which messages of the old code are broken by the new code."""
    for library, jobs in sorted(old.jobs.items()):
        present = new.jobs.get(library, {})
        for name, one in sorted(jobs.items()):
            if name not in present:
                near = _renamed(name, one, {each: present[each] for each in {*present} - {*jobs}})
                now = f"; is it {near} now?" if near else "."
                yield (
                    f"{name} ({library}) is not registered any more{now} Keep it under this name until its "
                    "messages are done."
                )
                continue
            for why in _misfits(one.signature, present[name].signature):
                yield f"{name} ({library}) {why}"
        yield from _unserved(library, jobs, present, new)


def _renamed(name: str, job: Accepted, candidates: Mapping[str, Accepted]) -> str | None:
    """Return what a job has most likely become: a new job of a like name, or the only one that takes the same."""
    same = [each for each, other in candidates.items() if other.takes == job.takes != "()"]
    return nearest_name(name, candidates) or (same[0] if len(same) == 1 else None)


def _misfits(old: Signature, new: Signature) -> Iterator[str]:
    """Yield what is wrong with messages for the old parameters."""
    before, after = old.parameters, new.parameters
    kinds = {each.kind for each in after.values()}
    placed, places = _placed(old), _placed(new)
    renamed = {
        was: now
        for was, now in zip(placed, places, strict=False)
        if was not in after and now not in before
    }
    known_as = {now: was for was, now in renamed.items()}
    is_shorter = False
    for name, each in after.items():
        meant = before.get(known_as.get(name, name))
        if _is_required(each) and (meant is None or not _is_required(meant)):
            yield f"needs {name!r}, which a message may lack: give it a default."
    for name, each in before.items():
        if each.kind in _STARS:
            if each.kind not in kinds:
                yield f"takes no further arguments {_STARS[each.kind]} any more, which a message may have."
        elif name in renamed:
            is_taken = Parameter.VAR_KEYWORD in kinds and not _is_required(after[renamed[name]])
            if each.kind in _BY_NAME and not is_taken:
                yield f"calls {name!r} {renamed[name]!r} now: a message that has it by name is refused."
        elif name not in after:
            lost = [
                how
                for how, may, star in (
                    ("by place", _BY_PLACE, Parameter.VAR_POSITIONAL),
                    ("by name", _BY_NAME, Parameter.VAR_KEYWORD),
                )
                if each.kind in may and star not in kinds
            ]
            if lost:
                is_shorter = True
                yield f"does not take {name!r} {' or '.join(lost)} any more: ignore it until no message has it."
        elif each.kind in _BY_PLACE and after[name].kind is Parameter.KEYWORD_ONLY:
            is_shorter = True
            yield f"takes {name!r} by name alone now, and a message may have it by place."
        elif each.kind in _BY_NAME and after[name].kind is Parameter.POSITIONAL_ONLY:
            yield f"takes {name!r} by place alone now, and a message may have it by name."
    moved = [was for was, now in zip_longest(placed, places) if was != now and was in places]
    in_order = [each for each in placed if each in places]
    if moved and (not is_shorter or in_order != [each for each in places if each in placed]):
        was, now = placed.index(moved[0]) + 1, places.index(moved[0]) + 1
        yield (
            f"takes {moved[0]!r} at place {now}, and a message has it at place {was}: add new parameters "
            "at the end."
        )


def _placed(signature: Signature) -> list[str]:
    return [each.name for each in signature.parameters.values() if each.kind in _BY_PLACE]


def _is_required(parameter: Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in _STARS


def _unserved(
    library: str, old: Mapping[str, Accepted], present: Mapping[str, Accepted], new: Messages
) -> Iterator[str]:
    """Yield the queues in which messages wait that no worker takes."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for name, one in sorted(old.items()):
        if one.queue is not None:
            waiting[one.queue].append(name)
    queues = {one.queue for one in present.values()}
    for queue, names in sorted(waiting.items()):
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        where = f"{names[0]}{more} ({library}): messages wait in the queue {queue!r}, "
        if new.served is not None:
            if not any(fnmatchcase(queue, each) for each in new.served):
                yield f"{where}which no worker serves: serve it until it is empty."
        elif queue not in queues and any(name in present and present[name].queue for name in names):
            yield (
                f"{where}into which no job goes any more: serve it until it is empty, or name the file of the "
                "workers by jobs_queues."
            )
