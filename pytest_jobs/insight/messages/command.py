"""`python -m pytest_jobs compat`: which messages in flight the new code would break."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

from ...errors import MessagesFileError
from .accepted import Messages
from .breaking import broken_by

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
