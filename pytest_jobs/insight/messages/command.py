"""`python -m pytest_jobs compat`: which messages of the old code, still in flight, the new code breaks."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from inspect import Parameter, Signature
from itertools import zip_longest
from pathlib import Path
from typing import Final

from ...core.foundation.registry import nearest_name
from ...errors import MessagesFileError
from .accepted import Accepted, Messages, signature_in

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
                # The only new job that takes the same, if none has a like name.
                new_ones = sorted({*present} - {*jobs})
                same = [each for each in new_ones if present[each].takes == one.takes != "()"]
                near = nearest_name(name, new_ones) or (same[0] if len(same) == 1 else None)
                now = f"; is it {near} now?" if near else "."
                yield (
                    f"{name} ({library}) is not registered any more{now} Keep it under this name until its "
                    "messages are done."
                )
                continue
            for why in _misfits(signature_in(one.takes), signature_in(present[name].takes)):
                yield f"{name} ({library}) {why}"
        yield from _unserved(library, jobs, present, new)


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


#: Where the messages are, if nobody names a file.
_FILE: Final = Path("messages.json")


def take_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command, and what it does."""
    command.add_argument(
        "files",
        nargs="*",
        type=Path,
        help=f"the files of the old and of the new code; with --since that of the new code, {_FILE} by default",
    )
    command.add_argument(
        "--since", metavar="REF", help="take the old file from this commit, branch or tag of git"
    )
    command.set_defaults(act=_act)


def _act(asked: argparse.Namespace) -> int:
    files: list[Path] = asked.files or [_FILE] * (asked.since is not None)
    if len(files) != (2 if asked.since is None else 1):
        sys.stderr.write(
            "Two files of `pytest --jobs-messages` are compared: write `compat OLD NEW`, or `compat --since REF` "
            "for the old file in git.\n"
        )
        return 2
    new = files[-1]
    shown = str(files[0]) if asked.since is None else f"{new} at {asked.since}"
    try:
        old_messages = _read(shown, files[0], asked.since)
        new_messages = _read(str(new), new)
    except MessagesFileError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    found = [*broken_by(new_messages, old_messages)]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    count = len(old_messages)
    jobs = "1 job" if count == 1 else f"{count} jobs"
    if found:
        many = "1 change breaks" if len(found) == 1 else f"{len(found)} changes break"
        sys.stdout.write(f"{many} messages in flight, of {jobs} in {shown}.\n")
        return 1
    sys.stdout.write(f"The new code takes every message of the {jobs} in {shown}.\n")
    return 0


def _read(shown: str, path: Path, ref: str | None = None) -> Messages:
    """Return the messages of a file.

    Raises:
        MessagesFileError: when it cannot be read, or has no jobs, whose messages nobody could call safe.
    """
    try:
        messages = Messages.from_text(
            path.read_text("utf-8") if ref is None else _in_git(path, ref)
        )
    except (MessagesFileError, OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise MessagesFileError(
            f"{shown} cannot be read: {why}. Write it with `pytest --jobs-messages={path.name}`, and commit it."
        ) from error
    if not len(messages):
        raise MessagesFileError(f"{shown} has no jobs, so it cannot say which messages there are.")
    return messages


def _in_git(path: Path, ref: str) -> str:
    """Return the text of a file as it is in git."""
    command = ["git", "show", "--end-of-options", f"{ref}:./{path.name}"]
    ran = subprocess.run(  # noqa: S603 - no shell, and a reference cannot be an option.
        command, check=False, cwd=path.parent, capture_output=True, text=True, encoding="utf-8"
    )
    if ran.returncode:
        raise MessagesFileError(ran.stderr.strip().rstrip("."))
    return ran.stdout
