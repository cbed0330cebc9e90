"""What a project knows to be missing or wrong: a file that is committed, and only shrinks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from ...errors import LintSettingsError
from ...harness.records.texts import counted

_HEAD: Final = "# Known to pytest-jobs. Lines go out by themselves; what is new belongs into the code, not here.\n"


class Baseline:
    """The known things of a file, one a line. With it a team begins before all of them are gone."""

    def __init__(self, path: Path) -> None:
        """Read the file, if it is there.

        Raises:
            LintSettingsError: when it is not a baseline, so that it is not written over.
        """
        self._path = path
        try:
            text = path.read_text("utf-8") if path.exists() else _HEAD
        except (OSError, ValueError) as error:
            raise LintSettingsError(f"The baseline {path} cannot be read: {error}.") from None
        head, _, lines = text.partition("\n")
        if f"{head}\n" != _HEAD:
            raise LintSettingsError(
                f"{path} is not a baseline: its first line is not that of one. Name another file, or remove "
                "this one, and it is written anew."
            )
        self._known = Counter(lines.splitlines())

    def compare(
        self, found: Iterable[str], was_looked_at: Callable[[str], bool] = lambda line: True
    ) -> tuple[Counter[str], str]:
        """Return what is new, and what was done with the file: what is gone is taken out of it.

        If there is no file, everything that was found is written into a new one, and is known.

        Args:
            found: what is found now, each in one line that does not change when lines of the source move.
            was_looked_at: says of a line whether this run would have found it.

        Raises:
            OSError: when the file cannot be written.
        """
        name, now = self._path.name, Counter(found)
        if not self._path.exists():
            self._write(now)
            return (
                Counter(),
                f"{name} is new and has {counted(now.total(), 'line')}. Commit it: further ones fail.",
            )
        left = Counter(
            {
                line: min(count, now[line]) if was_looked_at(line) else count
                for line, count in self._known.items()
            }
        )
        gone, new = (self._known - left).total(), now - self._known
        if not gone:
            return new, f"{_are(left.total(), name)} left."
        self._write(left)
        return new, f"{_are(gone, name)} gone, and it is smaller now. Commit it."

    def _write(self, lines: Counter[str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{line}\n" for line in sorted(lines.elements()))
        self._path.write_text(_HEAD + text, "utf-8")


def _are(count: int, name: str) -> str:
    return f"{counted(count, 'line')} of {name} {'is' if count == 1 else 'are'}"
