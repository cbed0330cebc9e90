"""The files in the temporary folder of the test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...stores.account import accounts
from ...stores.files import Files
from .copied import Building, IsIgnored, counted


class Folder:
    """The files below a folder. Each history finds those of the test there, and the test finds them again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._before = self._read()

    @contextmanager
    def opened(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        try:
            yield lambda: self._state(building.is_ignored)
        finally:
            self._put_back()

    def described(self) -> str:
        number = sum(content is not None for content in self._before.values())
        return f"tmp_path: {counted(number, 'file')}" if number else ""

    def _state(self, is_ignored: IsIgnored) -> dict[str, Any]:
        account = accounts.current
        files = Files() if account is None else account.files
        found = {
            name: files.content(files.name_of(path), lambda value: value)
            for name, path in self._files()
            if not is_ignored(name, Path(name).name)
            and (account is None or not account.leaves_out(path))
        }
        return {"files": found} if found else {}

    def _files(self) -> list[tuple[str, str]]:
        """Return the path of each file in the folder, and the whole path."""
        found = [
            path for path in self._folder.rglob("*") if not path.is_symlink() and path.is_file()
        ]
        return sorted((path.relative_to(self._folder).as_posix(), str(path)) for path in found)

    def _read(self) -> dict[str, bytes | None]:
        """Return the content of each file by its path in the folder, and None for each folder in it."""
        found = {}
        for path in sorted(self._folder.rglob("*")):
            if not path.is_symlink() and (path.is_dir() or path.is_file()):
                name = path.relative_to(self._folder).as_posix()
                found[name] = None if path.is_dir() else path.read_bytes()
        return found

    def _put_back(self) -> None:
        now = self._read()
        for name, content in now.items():
            path = self._folder / name
            is_kept = name in self._before and (self._before[name] is None) == (content is None)
            if not is_kept and path.is_dir():
                shutil.rmtree(path)
            elif not is_kept:
                path.unlink(missing_ok=True)
        for name, content in self._before.items():
            path = self._folder / name
            if content is None:
                path.mkdir(exist_ok=True)
            elif now.get(name) != content or not path.exists():
                path.write_bytes(content)
