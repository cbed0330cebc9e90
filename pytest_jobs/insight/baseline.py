"""What a project knows to be missing or wrong: a file that is committed, and only shrinks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

_HEAD = "# Known to pytest-jobs. Lines go out by themselves; what is new belongs into the code, not here.\n"


def compare(path: Path, found: Iterable[str]) -> tuple[list[str], str]:
    """Return what is new against a baseline, and what was done with its file.

    Without a file all is known from now on. What is no longer found is taken out of the file.

    Args:
        path: the file; each line of it is one thing, as often as it was found.
        found: what is found now, each in one line that does not change when lines of the source move.

    Raises:
        OSError: when the file cannot be read or written.
    """
    now = Counter(found)
    if not path.exists():
        _write(path, now)
        return [], f"Baseline {path} is written, with {now.total()} lines: commit it."
    text = path.read_text("utf-8")
    known = Counter(line for line in text.splitlines() if line and not line.startswith("#"))
    gone = known - now
    if gone:
        _write(path, known & now)
    said = f"Baseline {path} has {(known & now).total()} lines"
    return sorted(
        (now - known).elements()
    ), f"{said}, {gone.total()} fewer than before." if gone else f"{said}."


def _write(path: Path, lines: Counter[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_HEAD + "".join(f"{line}\n" for line in sorted(lines.elements())), "utf-8")
