"""Which effect sources there are, and which are in use."""

from __future__ import annotations

import contextvars
import importlib
import os
import sys
from collections.abc import Callable, Generator, Hashable, Iterable
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import FunctionType, ModuleType
from typing import Any, Final, Protocol

from ...errors import ExplorationError
from ...harness.records.attributes import identity, names_of
from ...harness.records.patches import Patches
from .acts import SourceState, watcher
from .memory.places import Namespace

#: What is being sent to a real server that is not allowed; None if nothing is.
_forbidden: ContextVar[str | None] = ContextVar("pytest_jobs_forbidden_server", default=None)


class RealServers:
    """The hosts that jobs may reach, besides this machine."""

    def __init__(self) -> None:
        self._allowed: list[str] = []

    @contextmanager
    def allowed(self, hosts: tuple[str, ...]) -> Generator[None, None, None]:
        before = list(self._allowed)
        self._allowed += hosts
        try:
            yield
        finally:
            self._allowed = before

    def may_reach(self, host: str) -> bool:
        """Return whether a host is allowed; its port does not matter."""
        return host in self._allowed or host.partition(":")[0] in self._allowed


#: An object rather than a ContextVar: deliveries begin in other contexts than the world.
_real_servers = RealServers()


def reach(*hosts: str) -> AbstractContextManager[None]:
    """Let the requests and mails of jobs reach real servers, for a block: a sandbox of a service.

    Each history sends them again. Servers on this machine need no leave.

    Args:
        hosts: their names, as they stand in the addresses.
    """
    return _real_servers.allowed(hosts)


@contextmanager
def guarded_host(
    host: str, text: str, stand_in: str = "`fake_http` and `fake_mail` stand"
) -> Generator[None, None, None]:
    """Fail the check if a block connects to a host that is neither this machine nor allowed."""
    if watcher.get() is None or _forbidden.get() is not None or _real_servers.may_reach(host):
        yield
        return
    token = _forbidden.set(_far(host, text, stand_in))
    try:
        yield
    finally:
        _forbidden.reset(token)


def check_connection(address: Any) -> None:
    """Fail the check if a socket is about to be connected to a guarded host."""
    text, current = _forbidden.get(), watcher.get()
    if text is not None and current is not None and not _is_near(address):
        # In an empty context, which knows of no effect: what happens within an effect is let through.
        contextvars.Context().run(current.outside, text)


def refuse_far(host: str, text: str, stand_in: str) -> None:
    """Fail the check if a host is neither this machine nor allowed, where Python does not see the connection."""
    current = watcher.get()
    if current is None or _real_servers.may_reach(host):
        return
    if not is_near_name(host, asks_for_address=False):
        contextvars.Context().run(current.outside, _far(host, text, stand_in))


def _far(host: str, text: str, stand_in: str) -> str:
    return f"{text} to the real {host} (which {stand_in} in for; `effects.reach` lets it through)"


def is_near_name(host: Any, *, asks_for_address: bool) -> bool:
    """Return whether a look-up of a host, by its name or by its address with a port, stays on this machine."""
    import ipaddress
    import socket

    if isinstance(host, tuple) or not host:
        return not host or _is_near(host)
    name, own = os.fsdecode(host), socket.gethostname()
    if name == own or name.startswith(f"{own}.") or _is_near((name, None)):
        return True
    try:
        return asks_for_address and bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _is_near(address: Any) -> bool:
    # Late, since the plugin imports this module in every session.
    import ipaddress

    if not isinstance(address, tuple):
        return True
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return bool(address[0] == "localhost")


class EffectSource(Protocol):
    """Patches one library, so that what jobs do through it is reported by `effects.perform_act`.

    A source with a true attribute `idles` patches methods that do nothing else where no delivery is watched. They
    stay patched between the checks of a session.
    """

    #: The name of its module. The source is installed when a program has imported it.
    library: str

    def install(self, patches: Patches) -> None:
        """Patch the functions of the library through which everything goes.

        Args:
            patches: replaces attributes, and puts them back when the exploration ends.
        """
        ...


#: The library, and the module of `effects` that is its source, or has it after a colon.
_OWN: Final = {
    "aiobotocore.client": "botocore:awaited",
    "aiohttp": "http.aiohttp",
    "aiosqlite": "sql.aiosqlite:source",
    "botocore.client": "botocore:blocking",
    "fakeredis": "redis.keys:fake_servers",
    "fcntl": "system.file_locks",
    "http.client": "http.http_client",
    "httpx": "http.httpx",
    "peewee": "peewee",
    "psycopg": "sql.psycopg:source",
    "psycopg_pool": "sql.psycopg:pools",
    "pymysql": "sql.mysql:pymysql",
    "requests": "http.requests",
    "os": "audit",
    "asyncio.runners": "system.tasks",
    "aiomysql": "sql.mysql:aiomysql",
    "asyncmy": "sql.mysql:asyncmy",
    "asyncpg": "sql.asyncpg:source",
    "atexit": "system.unreported:exit_handlers",
    "concurrent.futures.process": "system.processes:executor",
    "ctypes": "system.unreported:foreign_functions",
    "multiprocessing.connection": "system.processes:connection",
    "multiprocessing.pool": "system.processes:pools",
    "multiprocessing.process": "system.processes:process",
    "multiprocessing.queues": "system.processes:queues",
    "multiprocessing.shared_memory": "system.processes:shared_memory",
    "posix": "system.pids",
    "psutil": "system.pids:psutil",
    "socket": "system.open_files",
    "syslog": "system.unreported:syslog",
    "tempfile": "system.unreported:temporary_names",
    "smtplib": "mail",
    "redis": "redis.clients",
    "sqlalchemy": "sqlalchemy",
    "sqlalchemy.orm": "sqlalchemy:sessions",
    "sqlite3": "sql.sqlite3:source",
    "subprocess": "subprocess",
    "unittest.mock": "of_tests.mocks:mocks",
    "mock.mock": "of_tests.mocks:backport",
    "urllib3": "http.urllib3",
    "MySQLdb.connections": "sql.mysql:mysqldb",
    "mongomock.collection": "mongomock",
    "mysql.connector": "sql.mysql:mysql",
    "oracledb": "sql.c_drivers:oracledb",
    "psycopg2": "sql.c_drivers:psycopg2",
    "pymssql": "sql.c_drivers:pymssql",
    "pyodbc": "sql.c_drivers:pyodbc",
    "django.db.backends.utils": "django",
    "django.core.mail": "mail:django",
    "asgiref.sync": "asgiref",
    "anyio.from_thread": "anyio",
}
#: The errors of a source whose library is too old, or too new, for it.
_LACKS: Final = (ImportError, AttributeError)
#: Libraries that keep nothing for each thread, and that never wait for another delivery.
_PLAIN: Final = frozenset(
    (
        *("http.client", "mock.mock", "mongomock.collection", "os", "smtplib", "sqlite3"),
        *("subprocess", "unittest.mock"),
        *(library for library, name in _OWN.items() if name.startswith("system.")),
    )
)


def is_mock(value: object) -> bool:
    """Return whether a value is a mock, or a function that a mock with a specification stands behind."""
    # A check asks this of everything that it replaces: a list costs a third of a generator.
    return bool([kind for kind in type(value).__mro__ if "Mock" in kind.__name__]) or (
        type(value) is FunctionType and is_mock(vars(value).get("mock"))
    )


class BesideMocks(Patches):
    """Replaces nothing where the test has put a mock: the calls of a mock are effects by themselves."""

    __slots__ = ()

    def set(self, owner: Any, name: str, value: object) -> None:
        original = getattr(owner, name, None)
        if not (is_mock(owner) or is_mock(original)):
            self.replace(owner, name, original, value)

    def replace(self, owner: Any, name: str, original: object, value: object) -> None:
        super().set(owner, name, value)


class _Lasting(Patches):
    """Attributes that stay replaced for many searches."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        super().__init__()
        self.places: list[tuple[Any, str, object]] = []

    def set(self, owner: Any, name: str, value: object) -> None:
        super().set(owner, name, value)
        self.places.append((owner, name, value))


def patch_once(
    kept: SourceState, place: Hashable, patch: Callable[[Patches], object], for_now: Patches
) -> bool:
    """Patch something for as long as a state lasts, the first time that this is asked for.

    When an attribute of a class is set, Python forgets what it knows of all its subclasses, and each mock has a
    class of its own: patching mocks was a tenth of a short check.

    Args:
        kept: the state. It ends with the session, or with the search outside of one.
        place: what is patched, a module or a class.
        patch: patches it. Gets what puts everything back.
        for_now: puts back for this search only what a test has put something else over since.

    Returns:
        Whether it was patched now.
    """
    lasting = kept.of((patch_once, place), _Lasting)
    if not lasting:
        kept.undo_by(lasting.restore)
        patch(lasting)
        return True
    if all(vars(owner).get(name) is value for owner, name, value in lasting.places):
        return False
    patch(for_now)
    return True


class _Noting(BesideMocks):
    """Replaces functions of libraries, also where a module has them under a name of its own.

    Such a name is from `from sqlite3 import connect`, for example.
    """

    __slots__ = ("_patches", "_replaced")

    def __init__(self, patches: Patches) -> None:
        super().__init__()
        self._patches = patches
        # By identity, since not everything that is replaced has a hash; with the original, which keeps its id.
        self._replaced: dict[int, tuple[object, object]] = {}

    def replace(self, owner: Any, name: str, original: object, value: object) -> None:
        if isinstance(owner, ModuleType) and callable(original):
            self._replaced[identity(original)] = original, value
        self._patches.set(owner, name, value)

    def undo_by(self, undo: Callable[[], object]) -> None:
        self._patches.undo_by(undo)

    def replace_in(self, modules: Iterable[Namespace]) -> None:
        """Replace the functions where some modules have them."""
        replaced = self._replaced
        for module in modules:
            for name, value in names_of(replaced.keys(), vars(module)):
                self._patches.set(module, name, replaced[identity(value)][1])


class Sources:
    """The effect sources of one search. Each is installed once its library has been imported."""

    def __init__(
        self,
        patches: Patches,
        kept: SourceState,
        of_project: Iterable[EffectSource],
        modules: Callable[[], Iterable[Namespace]],
    ) -> None:
        """Install none yet.

        The modules of the project may have functions of a library under names of their own.
        """
        self._patches = _Noting(patches)
        self._kept = kept
        self._modules = modules
        self._in_use: set[str] = set()
        #: By library: what stands in `_OWN`, and the sources of the project.
        self._waiting: dict[str, list[str | EffectSource]] = {
            library: [name] for library, name in _OWN.items()
        }
        for source in of_project:
            self._waiting.setdefault(source.library, []).append(source)

    def catch_up(self) -> bool:
        """Install the sources of all libraries imported by now; return whether there were new ones."""
        # A name may stand for None: that forbids its import.
        imported = [name for name in self._waiting if sys.modules.get(name) is not None]
        for library in imported:
            for source in self._waiting.pop(library):
                self._install(source, library)
                self._in_use.add(library)
        self._patches.replace_in(self._modules())
        return bool(imported)

    def _install(self, named: str | EffectSource, library: str) -> None:
        try:
            source = _own(named) if isinstance(named, str) else named
            if getattr(source, "idles", False):
                patch_once(self._kept, sys.modules[library], source.install, self._patches)
            else:
                source.install(self._patches)
        except Exception as error:
            names = vars(sys.modules[library])
            name = next((name for name, value in names.items() if is_mock(value)), None)
            if name is None and isinstance(named, str) and isinstance(error, _LACKS):
                _own("unwatched:Unwatched")(library, error).install(self._patches)
                return
            if name is None:
                raise
            raise ExplorationError(
                f"The test has put a mock in the place of {library}.{name}, so a check would not see what else "
                f"the job does by {library}. Put the mock where the project has the name, as in "
                f"patch('shop.tasks.{name}'), or leave autospec= out."
            ) from error

    def may_bind_to_threads(self) -> bool:
        """Return whether a library in use may keep something for each thread, or wait for a lock."""
        return not self._in_use <= _PLAIN


def _own(name: str) -> Any:
    module, _, attribute = name.partition(":")
    source = importlib.import_module(f"..effects.{module}", __package__)
    return getattr(source, attribute) if attribute else source
