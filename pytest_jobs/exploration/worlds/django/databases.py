"""Databases for Django's models, where each history finds empty tables, and second ones on a server."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from contextvars import ContextVar
from typing import Any, Final

from django.apps import apps
from django.db import DatabaseError, connections, router
from django.db.models import Model
from django.db.utils import load_backend

from ....errors import ExplorationError
from ...engine.world import kept_for_search
from ..base.postgresql import asked
from ..base.store import limited_waiting

_BLOCKED: Final = (
    "The test may not use the database {using!r} ({error}). With pytest-django mark it "
    "`@pytest.mark.django_db{databases}` or let it ask for the fixture `db`; with unittest derive from "
    "django.test.TestCase and name the database in `databases`. The world has a database of its own all the same."
)


def settings_of(using: str) -> dict[str, Any]:
    known = _all_settings()
    if using not in known:
        raise ExplorationError(
            f"using={using!r} is not a database: DATABASES has {', '.join(known)}."
        )
    settings: dict[str, Any] = known[using]
    return settings


def _all_settings() -> Any:
    # Django's stubs do not know this attribute.
    known: Any = connections
    return known.settings


@contextmanager
def behind_alias(using: str, settings: dict[str, Any]) -> Generator[None, None, None]:
    """Let everyone who opens a connection behind an alias connect by these settings, for a block."""
    known = _all_settings()
    before = known[using]
    known[using] = settings
    try:
        wrapper: Any = connections.create_connection(using)
        with closing(wrapper), in_place(using, wrapper):
            yield
    finally:
        known[using] = before


@contextmanager
def in_place(using: str, wrapper: Any) -> Generator[None, None, None]:
    before = {found.alias: found for found in connections.all(initialized_only=True)}
    connections[using] = wrapper
    try:
        yield
    finally:
        if using in before:
            connections[using] = before[using]
        else:
            del connections[using]


def allowed(using: str, use: Callable[[], Any]) -> Any:
    """Use a database, and say what to do where the test may not."""
    try:
        return use()
    except (RuntimeError, AssertionError) as error:
        # pytest-django raises the first to keep a test from a database, Django's own test cases the second.
        if "atabase" not in str(error):
            raise
        databases = "" if using == "default" else f"(databases=[{using!r}])"
        raise ExplorationError(
            _BLOCKED.format(using=using, error=str(error).rstrip("."), databases=databases)
        ) from error


def with_referred(models: Sequence[type[Any]]) -> list[type[Any]]:
    """Return models, those that they refer to, and those that link them many to many."""
    found: dict[type[Any], None] = {}
    waiting = list(models)
    while waiting:
        model = waiting.pop(0)
        if model in found:
            continue
        found[model] = None
        for field in (*model._meta.local_fields, *model._meta.local_many_to_many):
            if field.remote_field is not None:
                waiting.append(field.remote_field.model)
                through = getattr(field.remote_field, "through", None)
                waiting += [through] if through is not None else []
    return list(filter(_has_table, found))


def models_of(models: Iterable[type[Any]] | None, using: str) -> tuple[type[Any], ...]:
    """Return the models whose rows are shown, and the models that link them many to many."""
    named = apps.get_models() if models is None else list(models)
    for model in named:
        if not (isinstance(model, type) and issubclass(model, Model)):
            raise ExplorationError(
                f"models= names {model!r}, which is not a model: name classes, as in models=[Order]."
            )
    if models is None:
        named = [model for model in named if router.allow_migrate_model(using, model)]
    linking = [
        field.remote_field.through
        for model in named
        for field in model._meta.local_many_to_many
        if field.remote_field.through._meta.auto_created
    ]
    return tuple(dict.fromkeys(model for model in (*named, *linking) if _has_table(model)))


def _has_table(model: type[Any]) -> bool:
    options = model._meta
    return bool(options.managed) and not (options.proxy or options.swapped or options.abstract)


@contextmanager
def opened_connection(using: str) -> Generator[Any, None, None]:
    """Have a connection to a database for a block, which any thread may use."""
    wrapper: Any = connections.create_connection(using)
    wrapper.inc_thread_sharing()
    try:
        allowed(using, wrapper.ensure_connection)
        asked(wrapper, limited_waiting(wrapper.vendor))
        yield wrapper
    finally:
        wrapper.close()


def server_connection(using: str) -> AbstractContextManager[Any]:
    """Return a block with a connection to a server, which all histories of a search share."""
    key = "django", using, *_place(settings_of(using))
    return kept_for_search(key, lambda: opened_connection(using))


class Clones:
    """The databases that were made as copies of test databases."""

    def __init__(self) -> None:
        #: By the place of the test database: the name of the copy, or why the server refused to make one.
        self._found: dict[tuple[str, ...], tuple[str, str]] = {}

    def copy_of(self, settings: dict[str, Any]) -> tuple[str, str]:
        """Return the name of the copy of a database, and why there is none; both are "" if nobody tried."""
        return self._found.get(_place(settings), ("", ""))

    @contextmanager
    def made(self) -> Generator[None, None, None]:
        """Copy the test databases of PostgreSQL for a block, before a test uses them.

        The server refuses to copy a database to which anyone is connected.
        """
        with ExitStack() as stack:
            for using in connections:
                wrapper: Any = connections[using]
                settings = wrapper.settings_dict
                if wrapper.vendor != "postgresql" or _place(settings) in self._found:
                    continue
                wrapper.close()
                name = f"{settings['NAME']}_jobs"
                drop = f'DROP DATABASE IF EXISTS "{name}"'
                create = f'CREATE DATABASE "{name}" TEMPLATE "{settings["NAME"]}"'
                try:
                    _ask_server(settings, using, drop, create)
                except DatabaseError as error:
                    self._found[_place(settings)] = "", str(error).strip().splitlines()[0]
                    continue
                self._found[_place(settings)] = name, ""
                stack.callback(_ask_server, settings, using, drop)
                stack.callback(self._found.pop, _place(settings))
            yield


#: The copies that the plugin of pytest has made; None without it.
clones: ContextVar[Clones | None] = ContextVar("pytest_jobs_clones", default=None)


def _place(settings: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(settings[name]) for name in ("NAME", "HOST", "PORT"))


def _ask_server(settings: dict[str, Any], using: str, *statements: str) -> None:
    """Send statements by a connection to the database of a server that is always there."""
    backend = load_backend(settings["ENGINE"])
    # Without a name, Django connects to the database `postgres`.
    with closing(backend.DatabaseWrapper({**settings, "NAME": None}, using)) as wrapper:
        for statement in statements:
            asked(wrapper, statement)
