"""What jobs do to collections of mongomock, which stands in for pymongo in tests.

pymongo itself connects to a server, and its connections are refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, Final

from ...harness.records.patches import Patches
from ..engine.acts import Act, acting, looking, note_draw, note_look
from ..stores.account import Account, accounts
from ..stores.store import Store
from .doubles.arguments import text_of
from .wrapping import after_calls, surround

library: Final = "mongomock.collection"

_WRITES: Final = (
    *("insert_one", "insert_many", "update_one", "update_many", "replace_one", "bulk_write"),
    *("delete_one", "delete_many", "drop", "rename"),
    *("find_one_and_delete", "find_one_and_replace", "find_one_and_update"),
)
_READS: Final = ("find", "find_one", "count_documents", "estimated_document_count", "distinct")
#: The stages of a pipeline that write what it finds into a collection.
_WRITING_STAGES: Final = ("$out", "$merge")
#: The attribute of a client with the number of the history whose world has made it.
_MADE_IN: Final = "_pytest_jobs_made_in"


class MongoStore(Store):
    """A database, whose collections the calls name."""

    noun = "collection"
    is_refused_at_once = True
    way_in = (
        "Let a world make it, in a function such as `def shop():` with the lines `module.db = "
        "mongomock.MongoClient().shop`, what is in it at first, and `yield lambda: {'payments': "
        "list(module.db.payments.find())}`, and name that: check_idempotent(..., world=shop)"
    )

    def __init__(self, label: str, database: Any) -> None:
        self.label = self.short = label
        self._database = database

    def left_out(self, name: str, ways: Collection[str]) -> str | None:
        # The job has dropped it again.
        return None if name in self._database.list_collection_names() else ""

    def content(self, name: str, renamed: Callable[[Any], Any]) -> Any:
        return tuple(sorted(map(renamed, self._database[name].find()), key=repr))


def install(patches: Patches) -> None:
    """Watch the methods of collections, and recognise the ids that are drawn for documents."""
    collections = import_module("mongomock.collection")
    collection = collections.Collection
    for name in _WRITES:
        surround(patches, collection, name, functools.partial(_writing, name))
    for name in _READS:
        surround(patches, collection, name, _reading)
    surround(patches, collection, "aggregate", _aggregating)
    database = import_module("mongomock.database").Database
    surround(patches, database, "drop_collection", _dropping)
    client = import_module("mongomock").MongoClient
    after_calls(patches, client, "__init__", _note_maker)
    surround(patches, client, "drop_database", _dropping_database)
    # Documents are looked up when a cursor is asked for the first.
    for name in ("__next__", "next"):
        after_calls(patches, collections.Cursor, name, lambda found, cursor: note_look())
    after_calls(patches, import_module("mongomock").ObjectId, "__init__", _note_id)


def _note_id(returned: None, made: Any, oid: Any = None) -> None:
    """Let an id that is drawn be a random text: it is made of the time and of what the process drew once."""
    if oid is None:
        note_draw(str(made))


def _note_maker(returned: None, client: Any, *args: Any, **kwargs: Any) -> None:
    account = accounts.current
    if account is not None and account.phase == "world":
        vars(client)[_MADE_IN] = account.number


def _writing(
    method: str, collection: Any, *args: Any, **kwargs: Any
) -> AbstractContextManager[None]:
    names = [collection.name]
    if method == "rename":
        names.append(str(args[0] if args else kwargs.get("new_name")))
    return _write(collection.database, names, text_of(f"{collection.name}.{method}", args, kwargs))


def _reading(collection: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
    _read(collection)
    return looking()


def _aggregating(
    collection: Any, pipeline: Any, *args: Any, **kwargs: Any
) -> AbstractContextManager[None]:
    _read(collection)
    written = [
        stage[name]
        for stage in (pipeline if isinstance(pipeline, list | tuple) else ())
        for name in _WRITING_STAGES
        if isinstance(stage, Mapping) and name in stage
    ]
    if not written:
        return looking()
    targets = [each.get("into") if isinstance(each, Mapping) else each for each in written]
    names = [str(each.get("coll") if isinstance(each, Mapping) else each) for each in targets]
    text = text_of(f"{collection.name}.aggregate", (pipeline, *args), kwargs)
    return _write(collection.database, names, text)


def _dropping(database: Any, name: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
    name = getattr(name, "name", name)
    return _write(database, [name], text_of("drop_collection", (name, *args), kwargs))


def _dropping_database(
    client: Any, name: Any, *args: Any, **kwargs: Any
) -> AbstractContextManager[None]:
    name = getattr(name, "name", name)
    names = client[name].list_collection_names()
    return _write(client[name], names, text_of("drop_database", (name, *args), kwargs))


def _write(database: Any, collections: Iterable[str], text: str) -> AbstractContextManager[None]:
    account = accounts.current
    if account is not None and account.phase != "comparison":
        for name in collections:
            account.wrote(_store(account, database), name, text)
    return acting(Act("mongo", text, counts=False, refused=_lost, answer_lost=_lost))


def _lost() -> Exception:
    """Return what pymongo raises when a connection breaks; it does not know whether the server has heard it."""
    try:
        kind = import_module("pymongo.errors").AutoReconnect
    except ImportError:
        kind = import_module("mongomock").PyMongoError
    error: Exception = kind("connection closed")
    return error


def _read(collection: Any) -> None:
    account = accounts.current
    if account is not None and account.phase != "comparison":
        account.read(_store(account, collection.database), collection.name)


def _store(account: Account, database: Any) -> str:
    client = database.client
    is_own = vars(client).get(_MADE_IN) == account.number
    label = account.label(
        "mongo", (vars(client)["_store"], database.name), database.name, is_own=is_own
    )
    key = account.store(f"mongo {label}", lambda: MongoStore(label, database))
    if is_own:
        account.know(key)
    return key
