"""Findings that a project knows, in a file that only shrinks. With it a team begins before all are gone.

The file has no lines, so what moves stays known. New findings are never added to it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from ...errors import LintSettingsError
from ...harness.records.texts import counted

_LAYOUT: Final = 1
#: What makes two findings the same: the file, the rule and the sentence.
Known = tuple[str, str, str]


class Finding(NamedTuple):
    """One thing that was found."""

    rule: str
    #: The file, relative to where the user stands.
    path: str
    line: int
    column: int
    message: str


class Judged(NamedTuple):
    """What is left of the findings, and what became of the file."""

    new: list[Finding]
    said: str


def against(
    file: Path, found: Iterable[Finding], was_looked_at: Callable[[str, str], bool]
) -> Judged:
    """Return the findings that a baseline does not have, and write the file without those that are gone.

    Args:
        file: the baseline. It is written with all findings where it is not there yet.
        found: the findings.
        was_looked_at: says of a file and a rule whether this run would have found something there.

    Raises:
        LintSettingsError: when the file is not a baseline.
    """
    found = [*found]
    now = Counter(map(_key, found))
    if not file.exists():
        _write(file, now)
        count = counted(now.total(), "finding")
        return Judged([], f"{file.name} is new and has {count}. Commit it: further ones fail.")
    known = read(file)
    before = known.total()
    left = Counter(
        {
            key: min(count, now[key]) if was_looked_at(key[0], key[1]) else count
            for key, count in known.items()
        }
    )
    new = []
    for one in found:
        known[_key(one)] -= 1
        if known[_key(one)] < 0:
            new.append(one)
    gone = before - left.total()
    if gone:
        _write(file, left)
        return Judged(new, f"{_of(gone, file)} gone, and it is smaller now. Commit it.")
    return Judged(new, f"{_of(left.total(), file)} left.")


def _of(count: int, file: Path) -> str:
    return f"{counted(count, 'finding')} of {file.name} {'is' if count == 1 else 'are'}"


def _key(one: Finding) -> Known:
    return one.path, one.rule, one.message


def read(file: Path) -> Counter[Known]:
    """Return what a baseline has.

    Raises:
        LintSettingsError: when the file is none.
    """
    try:
        data = json.loads(file.read_text("utf-8"))
        if data["layout"] != _LAYOUT:
            raise ValueError(data["layout"])
        return Counter(
            {(path, rule, message): count for path, rule, message, count in data["findings"]}
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LintSettingsError(
            f"{file} is not a baseline of the lint ({error!r}). Remove it, and it is written anew."
        ) from None


def _write(file: Path, known: Counter[Known]) -> None:
    rows = [[*key, count] for key, count in sorted(known.items()) if count > 0]
    lines = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in rows)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'{{"layout": {_LAYOUT}, "findings": [\n{lines}\n]}}\n', "utf-8")
