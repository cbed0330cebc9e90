"""The files of a folder that somebody else has written: read within bounds, and never run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: Folders that hold no source of the project itself.
_SKIPPED: Final = frozenset(
    ("__pycache__", "build", "dist", "node_modules", "site-packages", "venv", "env", "vendor")
)
#: A longer file is generated, or not meant for a reader.
MAX_BYTES: Final = 1 << 20
MAX_FILES: Final = 50_000
MAX_DEPTH: Final = 24


class Tree:
    """The regular files below some paths; what was left out is listed."""

    def __init__(
        self, *paths: Path, max_files: int = MAX_FILES, max_depth: int = MAX_DEPTH
    ) -> None:
        self.paths = paths
        self.max_files = max_files
        self.max_depth = max_depth
        #: Why files were not read, each as a sentence without its full stop.
        self.left_out: list[str] = []
        self.files = list(self._found())

    def named(self, *endings: str) -> Iterator[Path]:
        """Yield the files whose name ends in one of these ways."""
        return (path for path in self.files if path.name.endswith(endings))

    def text(self, path: Path, most: int = MAX_BYTES) -> str | None:
        """Return the text of a file; None when it has more bytes, is not text, or cannot be read."""
        try:
            if path.stat().st_size > most:
                self.left_out.append(f"{path} is longer than {most >> 20} MiB")
                return None
            return path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            self.left_out.append(f"{path} cannot be read: {error}")
            return None

    def _found(self) -> Iterator[Path]:
        count = 0
        for path in self.paths:
            for found in [path] if path.is_file() else self._below(path):
                if count == self.max_files:
                    self.left_out.append(f"{path} has more than {self.max_files} files")
                    return
                count += 1
                yield found

    def _below(self, root: Path) -> Iterator[Path]:
        waiting = [(root, 0)]
        while waiting:
            folder, depth = waiting.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                self.left_out.append(f"{folder} cannot be read: {error}")
                continue
            for entry in entries:
                # A link may lead out of the project, or back into it for ever.
                if entry.is_symlink():
                    continue
                path = Path(entry.path)
                if entry.is_file():
                    yield path
                elif entry.is_dir() and not _is_skipped(path):
                    if depth == self.max_depth:
                        self.left_out.append(f"{path} lies more than {self.max_depth} folders deep")
                    else:
                        waiting.append((path, depth + 1))


def _is_skipped(folder: Path) -> bool:
    hidden = folder.name.startswith(".") and folder.name not in (".github", ".gitlab")
    return hidden or folder.name in _SKIPPED or (folder / "pyvenv.cfg").is_file()
