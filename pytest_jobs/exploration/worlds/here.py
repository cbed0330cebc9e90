"""A world of what the test has: its fixtures have built it, and each history gets a copy."""

from __future__ import annotations

import sys
from collections.abc import Collection, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from types import TracebackType
from typing import Any, Final

from ...core.foundation.libraries import sqlalchemy_is_known
from ...errors import ExplorationError
from ...harness.time.waiting import in_running_loop, off_the_loop
from ..engine.world import Snapshot, kept_for_search, world_resources
from ..report.audience import current_audience
from . import moto
from .base.store import Building, Store, ignoring
from .files import FILES, Folder, WrittenFolders

#: The key under which a search keeps the copies.
_COPIES: Final = "here"
_IN_MEMORY: Final = """\
What a job changes in memory, such as a dict or a repository of the test, is shown by a world of three lines:

    def shop():
        orders.clear()                           # what is there at first, in each history
        yield lambda: {"orders": dict(orders)}   # what is compared

    check_idempotent(job, world=shop)"""


class Here:
    """The world that `here` returns: a function that makes a history's copies, and a block that has them."""

    def __init__(self, ignore: str | Collection[str]) -> None:
        self._ignore = (ignore,) if isinstance(ignore, str) else tuple(ignore)
        for pattern in self._ignore:
            if not isinstance(pattern, str):
                raise ExplorationError(
                    f"ignore= names {pattern!r}, which is not a name: name tables, keys or files, as in "
                    "ignore={'audit_log', 'lock:*'}."
                )
        self._open: list[AbstractContextManager[Snapshot]] = []

    def __call__(self) -> AbstractContextManager[Snapshot]:
        """Return a block with copies for one history, which yields what returns their state."""
        return self._opened(is_whole=True)

    def __enter__(self) -> Snapshot:
        block = self._opened(is_whole=False)
        snapshot = block.__enter__()
        self._open.append(block)
        return snapshot

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._open.pop().__exit__(kind, error, traceback)

    @contextmanager
    def _opened(self, *, is_whole: bool) -> Generator[Snapshot, None, None]:
        with kept_for_search(_COPIES, copies_of_test) as stores, ExitStack() as stack:
            building = Building(ignoring(self._ignore), is_whole)
            shown = [stack.enter_context(store.fresh(building)) for store in stores]
            yield lambda: _with_files_last(
                {name: value for show in shown for name, value in show().items()}
            )


def _with_files_last(state: dict[str, Any]) -> dict[str, Any]:
    # The rows that differ say more than the file in which a library has something beside them.
    return dict(sorted(state.items(), key=lambda item: item[0].startswith(FILES)))


def here(*, ignore: str | Collection[str] = ()) -> Here:
    """Take what the test's fixtures have built as the world; each history gets copies of it.

    Copied are the databases of Django that the test may use, with what it has not committed, Django's caches
    in memory and its outbox, the databases of the engines of SQLAlchemy (sqlite, PostgreSQL) and of redis that
    the job uses, the files in the `tmp_path` of the test, and what it and its fixtures have made by `tempfile`,
    or settings by `TemporaryDirectory`. What the test has stays as it is. Outside of `check_idempotent` the
    copies are made when the block is entered.

    Args:
        ignore: names, or patterns such as `lock:*`, of models, tables, keys and files that are left out of the
            state.

    Returns:
        A world for `world=here(...)`, and a block for use inside a world: `with here(...) as state:`,
        where `state()` returns the state by name.

    Raises:
        ExplorationError: when something of the test cannot be copied.
    """
    return Here(ignore)


def copy_test() -> None:
    """Copy what the test has, for the search that is about to begin.

    Called in the thread of the test, since Django keeps connections for each thread.
    """
    search = world_resources.get()
    if search is not None:
        with off_the_loop() if in_running_loop() else nullcontext():
            search.get(_COPIES, copies_of_test)


def copied_text() -> str:
    """Return what was copied for the running search, in a few words; "" if no world of it is `here`."""
    search = world_resources.get()
    copies: list[Store] | None = None if search is None else search.find(_COPIES)
    if copies is None:
        return ""
    parts = [text for text in (copy.described() for copy in copies) if text]
    return f"here ({'; '.join(parts)})" if parts else "here (nothing was copied)"


def nothing_seen() -> str:
    """Return the error for a job whose clean run changes nothing that was copied, and does nothing else."""
    return (
        "One clean run of the job changes nothing that the check compares. There is no world=, so the check "
        f"compares copies of what the test has: {copied_text()}. Let the test prepare what the job needs before "
        f"the check, for example with the fixture `db` of pytest-django. {_IN_MEMORY}"
    )


@contextmanager
def copies_of_test() -> Generator[list[Store], None, None]:
    """Copy everything that the test has, for a block."""
    with ExitStack() as stack:
        folder = current_audience().folder
        copies: list[Store] = [] if folder is None else [Folder(folder)]
        copies.append(WrittenFolders())
        settings: Any = sys.modules.get("django.conf")
        if "django.db" in sys.modules and settings.settings.configured:
            from .django.memory import Memory
            from .django.stores import taken_databases

            copies += [*taken_databases(), Memory()]
        # Of another version nobody can copy the databases, and a job that uses one is refused.
        if sqlalchemy_is_known():
            from .sqlalchemy.engines import Engines

            copies.append(Engines(stack))
        if moto.MODULE in sys.modules:
            copies.append(moto.Backends())
        if "redis" in sys.modules:
            # With a version that nobody can copy: no delivery that uses it is made.
            with suppress(ImportError):
                from .redis.databases import Databases

                copies.append(Databases())
        yield copies
