"""The findings that a project accepts: one file, with a section for the audit and one for the lint.

Each entry has a reason, without which its finding still fails a session. An entry has no line and no data of a
test, so it stays when code moves. Only an update writes the file: what is gone leaves it, and what is new waits
there for a reason.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from ...errors import BaselineError

#: What names an entry of a section: its values, in the order of the fields.
Key: TypeAlias = tuple[str, ...]

#: The sections, each with the fields of its entries beside the reason.
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "audit": ("kind", "job", "verdict"),
    "lint": ("path", "rule", "message"),
}
_VERSION: Final = 2


class Section:
    """The accepted findings of the audit, or of the lint."""

    def __init__(self, baseline: Baseline, name: str, entries: Iterable[Mapping[str, Any]]) -> None:
        self._baseline = baseline
        self._name = name
        self._named_by = _FIELDS[name]
        self._reasons: dict[Key, str] = {}
        #: How many findings of one key are accepted: a further one is new.
        self._counts: Counter[Key] = Counter()
        for entry in entries:
            key = tuple(str(entry[field]) for field in self._named_by)
            self._reasons[key] = str(entry["reason"]).strip()
            self._counts[key] = int(entry.get("count", 1))
        #: What the file has after an update: each key with its reason and its count.
        self._written = {key: (reason, self._counts[key]) for key, reason in self._reasons.items()}

    @property
    def file(self) -> str:
        """The file as the user wrote it."""
        return self._baseline.written

    @property
    def updates(self) -> bool:
        """Whether the session writes the file."""
        return self._baseline.updates

    def reason(self, key: Key) -> str | None:
        """Return why findings are accepted: empty if nobody has said it yet, None for what is not listed."""
        return self._reasons.get(key)

    def accepted(self, found: Iterable[Key]) -> Counter[Key]:
        """Return how many of the findings are accepted, by their keys."""
        return Counter(
            {key: count for key, count in self._counts.items() if self._reasons[key]}
        ) & Counter(found)

    def gone(self, found: Iterable[Key], was_looked_at: Callable[[Key], bool]) -> list[Key]:
        """Return what is listed, was looked for, and was not found again."""
        now = set(found)
        return [key for key in self._reasons if key not in now and was_looked_at(key)]

    def update(self, found: Iterable[Key], was_looked_at: Callable[[Key], bool]) -> None:
        """Write the file: without what is gone, and with what is new.

        Raises:
            BaselineError: when it cannot be written.
        """
        now, gone = Counter(found), self.gone(found, was_looked_at)
        # What was read stays, so that a summary says what became of it.
        written = {key: reason for key, reason in self._reasons.items() if key not in gone}
        for key in now:
            written.setdefault(key, "")
        self._written = {
            key: (
                reason,
                now[key] if was_looked_at(key) else max(now[key], self._counts[key]),
            )
            for key, reason in written.items()
        }
        self._baseline.write()

    def entries(self) -> list[dict[str, Any]]:
        """Return it as values that JSON has."""
        return [
            {
                **dict(zip(self._named_by, key, strict=True)),
                **({"count": count} if count > 1 else {}),
                "reason": reason,
            }
            for key, (reason, count) in sorted(self._written.items())
        ]


class Baseline:
    """The file, read once and shared by those who look for findings."""

    def __init__(self, path: Path, *, where: str, written: str, updates: bool) -> None:
        """Read the file.

        Args:
            path: the file.
            where: the option that names it.
            written: its name as the user wrote it.
            updates: whether the session writes it; then it need not be there.

        Raises:
            BaselineError: when it cannot be read, or is not such a file.
        """
        self._path = path
        self.written = written
        self.updates = updates
        try:
            content: Any = json.loads(path.read_text("utf-8"))
            if content["version"] != _VERSION:
                raise KeyError("version")
            sections = {name: Section(self, name, content.get(name, ())) for name in _FIELDS}
        except FileNotFoundError:
            if not updates:
                raise BaselineError(
                    f"{where}: there is no {written}: add --jobs-update-baseline once, which writes it."
                ) from None
            sections = {name: Section(self, name, ()) for name in _FIELDS}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BaselineError(
                f"{where}: {written} is not a baseline of this version ({error!r}). Move it away, let "
                f"`pytest --jobs-audit --jobs-lint --jobs-baseline={written} --jobs-update-baseline` write it "
                "anew, and copy your reasons over."
            ) from None
        self._sections = sections

    def __getitem__(self, name: str) -> Section:
        return self._sections[name]

    def write(self) -> None:
        """Write all sections.

        Raises:
            BaselineError: when it cannot be written.
        """
        content = {
            "version": _VERSION,
            **{name: section.entries() for name, section in self._sections.items()},
        }
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
        except OSError as error:
            raise BaselineError(
                f"{self.written} cannot be written: {error.strerror}. Name a file that you may write."
            ) from None
