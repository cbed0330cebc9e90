"""Every failure message, one text file a situation; run as a script it writes what they are now.

A situation is a function of an open harness that fails at its end. Its docstring is the cause, and below
a blank line the remedy, where the message does not end with one.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.harness.jobs import Jobs
from pytest_jobs.harness.records.texts import Reader

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
FOLDER = Path(__file__).parent / "gallery"
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "messages.md"
MODULES = ("failures", "more_failures", "refusals")
BRIEF = Reader()


@dataclass(frozen=True)
class Situation:
    """How a test can fail."""

    arrange: Callable[[Jobs], object]

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.arrange.__name__

    @property
    def file(self) -> Path:
        """Where its message is kept."""
        return FOLDER / f"{self.name}.txt"

    @property
    def cause(self) -> str:
        """Why it fails."""
        return inspect.getdoc(self.arrange).partition("\n\n")[0].replace("\n", " ")

    @property
    def remedy(self) -> str:
        """What to do; empty where the message ends with it."""
        return inspect.getdoc(self.arrange).partition("\n\n")[2].replace("\n", " ")

    @property
    def asserts(self) -> bool:
        """Whether it is an assertion that fails."""
        return not self.remedy

    @contextmanager
    def failed(self, reader: Reader | None = BRIEF) -> Iterator[tuple[Jobs, Exception]]:
        """Yield the harness as the failure has left it, and what it fails with."""
        # Whether a database library is set up depends on the tests before.
        with Jobs([ReferenceBridge()]) as jobs:
            jobs.harness.reader = reader
            jobs.clock.move_to(NOON)
            try:
                self.arrange(jobs)
            except Exception as error:
                failure = error
            else:
                raise LookupError(f"{self.name} does not fail")
            yield jobs, failure

    def message(self, reader: Reader | None = BRIEF) -> str:
        """Return the text that is shown, with the name of an error that is ours and with its notes."""
        with self.failed(reader) as (_, error):
            kind = type(error)
            named = "" if kind is AssertionError else f"{kind.__module__}.{kind.__qualname__}: "
            named = named.removeprefix("builtins.")
            return "\n".join((f"{named}{error}", *getattr(error, "__notes__", ())))


_SITUATIONS: dict[str, Situation] = {}


def situation(arrange: Callable[[Jobs], object]) -> Callable[[Jobs], object]:
    """Declare a situation."""
    one = Situation(arrange)
    if one.name in _SITUATIONS:
        raise ValueError(f"there are two situations {one.name}")
    _SITUATIONS[one.name] = one
    return arrange


def situations() -> dict[str, Situation]:
    """Return all of them, by name."""
    for name in MODULES:
        importlib.import_module(name)
    return dict(_SITUATIONS)


def write() -> None:
    """Write the files, and the page of the reference that is made of them."""
    from message_page import page

    FOLDER.mkdir(exist_ok=True)
    found = situations()
    for old in FOLDER.glob("*.txt"):
        if old.stem not in found:
            old.unlink()
    for one in found.values():
        one.file.write_text(f"{one.message()}\n", "utf-8")
    PAGE.write_text(page(found.values()), "utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    # The situations import this module by its name, and not as a script.
    importlib.import_module("message_gallery").write()
