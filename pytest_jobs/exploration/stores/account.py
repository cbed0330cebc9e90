"""What the deliveries of a history write, what its world shows of it, and the comparison of the rest."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any, Final, Literal, NamedTuple

from ...errors import CriterionError, ExplorationError
from ..engine.acts import audit_hook, refuse_delivery, watcher, within_compared
from .files import EVENTS, OWN, Files
from .open_files import open_files
from .store import Store

#: Who uses a store: the world that is built, its snapshot, a delivery of the job, or the comparison.
Phase = Literal["world", "snapshot", "delivery", "comparison"]

_numbers: Final = itertools.count(1)
_FILES: Final = "file"
_OPEN_FILES: Final = "open file"
_HANDLES: Final = "open file of the world"
#: Ends the name of a part of the state that the world does not show.
UNSHOWN: Final = " (not shown)"
#: How many names an error lists.
_MOST_NAMES: Final = 20


class Item(NamedTuple):
    """A table, a key or a file of a store. It has the same name in each history."""

    #: The label of its store: its path or address, or a number.
    store: str
    #: What it is: table, key, file, or a file that was open before.
    noun: str
    name: str

    def __str__(self) -> str:
        where = f" of {self.store}" if self.store else ""
        return f"{self.noun} {self.name}{where}"

    @property
    def short(self) -> str:
        return PurePath(self.name).name if self.noun in (_FILES, _OPEN_FILES) else self.name

    @property
    def state_name(self) -> str:
        """The name under which it is compared, beside the names that the world shows."""
        return f"{self}{UNSHOWN}"

    def is_named_in(self, state_name: str) -> bool:
        """Return whether a name of a state is that of the item, or of a value in it, `table orders.id=7`."""
        part, found, _ = state_name.partition(UNSHOWN)
        return bool(found) and (part == str(self) or part.startswith((f"{self}.", f"{self}[")))


class Ignore:
    """The items and stores that a check leaves out by `ignore=`."""

    def __init__(self, patterns: Collection[str] = (), *, optional: Collection[str] = ()) -> None:
        """Take patterns, of which each has to leave something out, and optional ones, which need not."""
        if isinstance(patterns, str) or not all(isinstance(one, str) for one in patterns):
            raise CriterionError(
                f"ignore={patterns!r} must be a collection of names of tables, keys and files, as in "
                "ignore={'audit_log', '*.tmp'}."
            )
        self._patterns = dict.fromkeys((*patterns, *optional))
        self._used: set[str] = {*optional}
        #: What the job wrote and the world does not show.
        self._found: dict[Item, None] = {}
        #: What the world has of the copies that `here` makes, and whether it has any.
        self._copied: dict[str, None] = {}
        self._has_copies = False

    def add(self, patterns: Collection[str]) -> None:
        """Leave out also what a `here` in the world leaves out."""
        self._has_copies = True
        self._patterns.update(dict.fromkeys(patterns))

    def takes(self, item: Item, store: str) -> bool:
        """Return whether an item is left out, which the world does not show."""
        self._found[item] = None
        return self._matches({item.name, item.short, item.store, store, str(item)})

    def takes_copy(self, *names: str) -> bool:
        """Return whether a part of the copies of `here` is left out, by one of its names."""
        self._copied[names[0]] = None
        return self._matches({*names})

    def _matches(self, names: Collection[str]) -> bool:
        matching = {
            one for one in self._patterns if any(fnmatch.fnmatchcase(name, one) for name in names)
        }
        self._used |= matching
        return bool(matching)

    def check_used(self) -> None:
        """Check, when all histories have passed, that each pattern has left something out."""
        unused = [one for one in self._patterns if one not in self._used]
        if not unused:
            return
        found = [*map(str, self._found), *self._copied]
        more = f" and {len(found) - _MOST_NAMES} more" if len(found) > _MOST_NAMES else ""
        there = (", ".join(found[:_MOST_NAMES]) or "nothing") + more
        if self._has_copies:
            raise ExplorationError(
                f"ignore={{{unused[0]!r}}} names nothing that the check compares. There is {there}."
            )
        raise ExplorationError(
            f"ignore={{{unused[0]!r}}} names nothing that the job writes beside what the world "
            f"shows. There is {there}. Only that can be left out: the state is what the world chooses to yield."
        )


def _unbound(item: Item, text: str, store: Store) -> str:
    named = store.short if item.store else item.short
    return (
        f"The job writes to {item} ({text}), which the world neither makes nor binds, so that each history adds "
        f"to what the one before it left. {store.way_in}; put a fake in its place; or leave it out by "
        f"ignore={{{named!r}}}."
    )


class Account:
    """What one history did to stores."""

    def __init__(
        self,
        clean: Account | None = None,
        ignore: Ignore | None = None,
        pattern: Callable[[str], str] = str,
    ) -> None:
        """Begin with nothing touched, to be compared with the account of the clean run, unless this is its own.

        The pattern gives a name with random parts a form that is the same in each history.
        """
        #: Another one in each history.
        self.number = next(_numbers)
        self._clean = clean
        self._pattern = pattern
        #: What the check leaves out.
        self.ignore = ignore or Ignore()
        self._phases: list[Phase] = ["world"]
        #: Changes with the phase.
        self.turn: object = object()
        self.files = Files(self.numbers)
        self._additions = open_files.additions()
        self._stores: dict[str, Any] = {_FILES: self.files, _OPEN_FILES: self._additions}
        #: What deliveries wrote: the first statement or call of each item, and the ways.
        self._written: dict[tuple[str, str], tuple[str, set[str]]] = {}
        self._labels: dict[tuple[str, object], str] = {}
        #: The stores that the world or its snapshot has used.
        self._known: set[str] = set()
        self._settled = False
        #: What the snapshot has read, which may be patterns.
        self.shown: set[tuple[str, str]] = set() if clean is None else set(clean.shown)
        #: What is compared although the world does not show it, and the name in its store.
        self.compared: dict[Item, tuple[str, str]] = {}
        #: What is not compared, and why.
        self.not_compared: dict[str, None] = {}
        #: What was there before the first write, where that is remembered. It is still there in a history in which
        #: nobody comes to its store.
        self.before: dict[Item, Any] = {}
        self._remembers_by: Callable[[], Callable[[Any], Any]] | None = None
        self._remembers_all = False
        #: What the clean run made and removed again.
        self.scratch: set[Item] = set()
        #: Whether deliveries wrote other files as well.
        self.leaves_files = False
        #: The errors for what was written in stores that are the same for all histories.
        self._unbound: list[str] = []
        #: The tables whose rows a database has numbered in a clean run.
        self._numbered: set[str] = set() if clean is None else clean._numbered
        #: A search begins with an account of nothing, and the first clean runs are compared with that.
        self._is_clean = clean is None or clean._clean is None
        self._endings: list[Callable[[], object]] = []
        self._before_writing: list[Callable[[str], object]] = []
        #: The databases whose connection from before the check only its own thread may use.
        self._bound_to_thread: dict[str, None] = {}

    @property
    def phase(self) -> Phase:
        return self._phases[-1]

    @contextmanager
    def during(self, phase: Phase) -> Generator[None, None, None]:
        """Let a block be a phase: the world, each delivery and each look at the state is one."""
        self._phases.append(phase)
        self._turned()
        try:
            yield
        finally:
            self._phases.pop()
            self._turned()

    def _turned(self) -> None:
        self.turn = object()
        accounts.note_turn()

    def note_built(self) -> None:
        """Look, when the world has been built, at what is in its stores, and for files that it has left open."""
        with self.during("comparison"):
            for key, store in self._stores.items():
                # What the world shows as a whole is not looked at by itself.
                if (key, "*") not in self.shown:
                    store.begin()
        if self.files.has_handles:
            self._stores[_HANDLES] = open_files.additions_of_world(self.files.name_of)

    def remember(self, renaming: Callable[[], Callable[[Any], Any]]) -> None:
        """Remember from now on what is there before its first write, of items that no clean run has written."""
        self._remembers_by = renaming

    def remember_all(self) -> None:
        """Remember it of each item."""
        self._remembers_all = True

    @contextmanager
    def not_remembering(self) -> Generator[None, None, None]:
        """Remember nothing for a block, in which no store may be looked at."""
        before, self._remembers_by = self._remembers_by, None
        try:
            yield
        finally:
            self._remembers_by = before

    def before_writing(self, call: Callable[[str], object]) -> None:
        self._before_writing.append(call)

    # What effect sources report

    def label(self, kind: str, key: object, otherwise: str, *, is_own: bool = False) -> str:
        """Return the label of a store: empty for the first of its kind that the world has made or uses.

        The key is the same for each use of the store in this history, and is kept. Another store has the label
        `otherwise`, or its kind and a number. The world may own a store that it has not used.
        """
        known = self._labels.get((kind, key))
        if known is None:
            count = sum(1 for one, _ in self._labels if one == kind)
            known = otherwise or f"{kind} {count + 1}"
            if not count and (is_own or self.phase in ("world", "snapshot")):
                known = ""
            self._labels[kind, key] = known
        return known

    def labels(self) -> list[str]:
        """Return the labels of all stores, in the order in which the history has come to them."""
        return list(self._labels.values())

    def store(self, key: str, make: Callable[[], Store]) -> str:
        """Return the key of a store, which is made when it is used for the first time."""
        if key not in self._stores:
            self._stores[key] = made = make()
            if self.phase == "delivery" and made.may_be_asked_amid_a_write:
                # Not as another phase: connections that are open would have to ask again, amid a question.
                token = watcher.set(None)
                try:
                    made.begin()
                finally:
                    watcher.reset(token)
        if self.phase in ("world", "snapshot"):
            self._known.add(key)
        return key

    def know(self, key: str) -> None:
        self._known.add(key)

    def is_known(self, key: str) -> bool:
        return key in self._known

    def store_of(self, key: str) -> Any:
        return self._stores[key]

    def wrote(self, store: str, name: str, text: str, way: str = "") -> None:
        """Note that an item of a store was written, by a statement or a call. It counts in a delivery only."""
        if self.phase == "delivery" and not self._settled and not within_compared.get():
            current = watcher.get()
            if current is not None and not current.is_work():
                # The library keeps a book of its deliveries, such as the results of jobs.
                return
            if self._remembers_by is not None and (store, name) not in self._written:
                self._remember(store, name, self._remembers_by)
            # Later histories are not looked at before they begin, so that nobody knows yet what the world shows.
            is_new = self._is_clean and (store, name) not in self._written
            if is_new and self._stores[store].is_refused_at_once:
                self._refuse_unbound(store, name, text)
            _, ways = self._written.setdefault((store, name), (text, set()))
            ways.add(way)

    def _refuse_unbound(self, key: str, name: str, text: str) -> None:
        """Refuse a delivery that is about to write to a store that is the same for all histories."""
        item, store = self._item(key, name), self._stores[key]
        if not (
            key in self._known
            or store.is_bound(name)
            or self._is_shown(key, name)
            or self.ignore.takes(item, store.short)
        ):
            refuse_delivery(_unbound(item, text, store))

    def _remember(
        self, store: str, name: str, renaming: Callable[[], Callable[[Any], Any]]
    ) -> None:
        item = self._item(store, name)
        is_known = self._clean is not None and item in self._clean.compared
        if (is_known and not self._remembers_all) or self._is_shown(store, name):
            return
        if self._stores[store].may_be_asked_amid_a_write:
            with suppress(Exception), self.during("comparison"):
                content = self._stores[store].content(name, renaming())
                self.before.setdefault(item, content)

    def has_written(self, name: str) -> bool:
        """Return whether the work of a delivery wrote an item of this name, rather than its library alone."""
        return any(name == written for _, written in self._written)

    def looked_at(self, is_meant: Callable[[Any], bool]) -> set[str]:
        """Note that a snapshot has looked at all of some stores; return the items that deliveries wrote there."""
        keys = [key for key, store in self._stores.items() if is_meant(store)]
        for key in keys:
            self.read(key, "*")
        return {name for key, name in self._written if key in keys}

    def read(self, store: str, name: str) -> None:
        """Note that an item, or what a pattern stands for, was read. It counts in a snapshot only."""
        if self.phase == "snapshot":
            self.shown.add((store, name))

    def note_event(self, event: str, args: tuple[Any, ...]) -> None:
        """Note what Python's audit hook reports on a file, unless the check itself reads it."""
        phase = self.phase
        if phase in ("world", "snapshot"):
            self.files.note_world(event, args)
        if phase == "snapshot":
            for name in self.files.reads(event, args):
                self.read(_FILES, name)
        # Other threads of this process write files as well: only those of the job have its watcher.
        elif phase == "delivery" and watcher.get() is not None and not within_compared.get():
            for name in self.files.writes(event, args):
                for call in self._before_writing:
                    call(name)
                self.wrote(_FILES, name, f"{event}({PurePath(name).name!r})")

    def wrote_to(self, number: int) -> None:
        """Note that a delivery writes to an open file by its number, of which Python reports nothing."""
        if self.phase == "delivery" and not self._additions.wrote_to(number):
            with suppress(OSError):
                path = str(Path(f"/proc/self/fd/{number}").readlink())
                self.note_event("open", (path, "a"))

    def unshown(self, renamed: Callable[[Any], Any]) -> list[Any]:
        """Return what was written and is not shown, as it is at a point of a delivery."""
        with self.during("comparison"):
            written = [place for place in self._written if not self._is_shown(*place)]
            return [
                (key, name, self._stores[key].content(name, renamed))
                for key, name in (*written, *self._of_open_files())
            ]

    def _of_open_files(self) -> list[tuple[str, str]]:
        """Return what was written to files that were open before: the keys of their stores, and their names."""
        keys = [key for key in (_OPEN_FILES, _HANDLES) if key in self._stores]
        return [(key, name) for key in keys for name in self._stores[key].names()]

    def numbers(self, table: str, keys: Sequence[int], last: int) -> bool:
        """Return whether a database gives numbers to the rows of a table: one after the other, in a clean run.

        Others may be numbers of the application, which mean the same in each history.
        """
        if self._is_clean and keys and keys[0] == last + 1 and keys[-1] == last + len(keys):
            self._numbered.add(table)
        return table in self._numbered

    # The end

    def settle(self, renamed: Callable[[Any], Any]) -> dict[str, Any]:
        """Return what was written and is not shown, by names for a state. Later writes do not count."""
        contents: dict[Item, list[Any]] = {}
        with self.during("comparison"):
            for item, key, name in self._unshown_work():
                self.compared[item] = (key, name)
                contents.setdefault(item, []).append(self._stores[key].content(name, renamed))
            for item, (key, name) in (self._clean.compared if self._clean else {}).items():
                if item in contents:
                    continue
                if key in self._stores:
                    self.compared[item] = (key, name)
                    # A name with a part that is different in each history stands for any number of items.
                    is_one = item.name == name.removeprefix(OWN)
                    contents[item] = [self._stores[key].content(name, renamed)] if is_one else []
                elif self._clean is not None and item in self._clean.before:
                    contents[item] = [self._clean.before[item]]
        return {
            item.state_name: content[0] if len(content) == 1 else tuple(sorted(content, key=repr))
            for item, content in contents.items()
        }

    def _unshown_work(self) -> Generator[tuple[Item, str, str], None, None]:
        """Yield what was written, is not shown and can be compared: the item, its store and its name there."""
        self._settled = True
        for key, name in self._of_open_files():
            if not self._is_shown(_FILES, self.files.name_of(name)):
                self._written.setdefault((key, name), ("write", {""}))
        for (key, name), (text, ways) in self._written.items():
            item = self._item(key, name)
            if not self._is_shown(key, name):
                if self._is_work(item, key, name, text, ways):
                    yield item, key, name
            elif key == _FILES and self._stores[key].left_out(name, ways) == "":
                self.scratch.add(item)
            if key == _FILES and item not in self.scratch:
                self.leaves_files = True

    def _item(self, key: str, name: str) -> Item:
        store = self._stores[key]
        return Item(store.label, store.noun, self._pattern(name).removeprefix(OWN))

    def leaves_out(self, path: str) -> bool:
        """Return whether a file that there is now is no result of the job, and note that."""
        name = self.files.name_of(path)
        item = self._item(_FILES, name)
        if self._clean is not None and item in self._clean.scratch:
            return True
        reason = self.files.left_out(name, ())
        if reason:
            self.not_compared[f"{item} ({reason})"] = None
        return reason is not None

    def _is_shown(self, key: str, name: str) -> bool:
        store = self._stores[key]
        return (key, name) in self.shown or any(
            there == key and store.shows(read, name) for there, read in self.shown
        )

    def _is_work(self, item: Item, key: str, name: str, text: str, ways: Collection[str]) -> bool:
        """Return whether an item is compared, and note it if it is not."""
        store = self._stores[key]
        reason = store.left_out(name, ways)
        if reason == "":
            self.scratch.add(item)
        elif self._clean is not None and item in self._clean.scratch:
            # A killed delivery has left what it would have removed.
            pass
        elif self.ignore.takes(item, store.short):
            self.not_compared[f"{item} (by ignore=)"] = None
        elif reason is not None:
            self.not_compared[f"{item} ({reason})"] = None
        elif key not in self._known and not store.is_bound(name):
            self._unbound.append(_unbound(item, text, store))
        else:
            return True
        return False

    def item_of(self, state_name: str) -> Item | None:
        """Return the item that is compared under a name; None if the world shows that name."""
        return next((item for item in self.compared if item.state_name == state_name), None)

    def check_bound(self) -> None:
        """Check that no delivery wrote to a store that is the same for all histories."""
        if not self._settled:
            with self.during("comparison"):
                list(self._unshown_work())
        for error in self._unbound:
            raise ExplorationError(error)

    def note_bound_to_thread(self, database: str) -> None:
        """Note that a delivery used a connection that was open before, and that other threads may not use."""
        self._bound_to_thread[database] = None

    def check_usable_in_threads(self) -> None:
        for database in self._bound_to_thread:
            raise ExplorationError(
                f"The job uses a connection of sqlite3 to {database} that was opened before the check, and each "
                "delivery has a thread of its own, in which sqlite3 refuses that connection. Close it before the "
                "check (`db.close()` of peewee), so that the job opens its own; open it in the world; or let "
                "other threads use it: sqlite3.connect(..., check_same_thread=False)."
            )

    def when_closed(self, end: Callable[[], object]) -> None:
        """Have something called when the history has ended and its world was left."""
        self._endings.append(end)

    def close(self) -> None:
        """Drop the stores, which end with the world, and what was written to files that were open before."""
        self._remembers_by = None
        while self._endings:
            self._endings.pop()()
        self._additions.cut_off()
        self._stores.clear()
        self._labels.clear()


class Accounts:
    """The accounts of the histories that are open: one may be opened inside another.

    An object rather than a ContextVar: the threads of drivers have contexts of their own.
    """

    def __init__(self) -> None:
        self._open: list[Account] = []
        self._at_turns: list[Callable[[], object]] = []

    def at_each_turn(self, call: Callable[[], object]) -> Callable[[], object]:
        """Have something called whenever another phase begins; return what ends that."""
        self._at_turns.append(call)
        return lambda: self._at_turns.remove(call)

    def note_turn(self) -> None:
        for call in self._at_turns:
            call()

    @property
    def current(self) -> Account | None:
        return self._open[-1] if self._open else None

    def open(self, account: Account, stack: ExitStack) -> None:
        self._open.append(account)
        stack.callback(self._close, account)
        self.note_turn()

    def _close(self, account: Account) -> None:
        self._open.remove(account)
        account.close()


accounts = Accounts()


def _note_event(event: str, args: tuple[Any, ...]) -> None:
    account = accounts.current
    if account is not None and account.phase != "comparison":
        account.note_event(event, args)


def follow_files() -> None:
    """Report what happens to files to the account that is open, from now on."""
    open_files.look()
    audit_hook.call(_note_event, EVENTS, instead_of="stores")
