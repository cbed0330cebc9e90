"""Where a library is intercepted: its classes are patched once for all bridges to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any, Final, Protocol

from ..harness.records.patches import Patches

_ABSENT: Final = object()


class Installed(Protocol):
    """A bridge, as its seam knows it."""

    def patch(self, seam: Seam) -> None: ...

    def takes(self, application: object) -> bool: ...


def _itself(owner: Any) -> Any:
    return owner


class Seam:
    """The place where a library is intercepted, for every bridge to it that is installed.

    Classes are patched, not objects: that catches applications that are made later, and costs a test nothing. They
    are patched when the first bridge is installed, and restored when the last one is uninstalled. Where
    `jobs_apps` names applications, the harness of the session holds a bridge, so that happens once a session.

    At each call the seam looks for the newest bridge that takes the application. It calls that bridge; when there
    is none, it does what the library does.
    """

    def __init__(self) -> None:
        #: Those that are installed, the newest last.
        self.bridges: list[Any] = []
        self._patches = Patches()
        self._done: set[tuple[Any, str]] = set()

    def enter(self, bridge: Installed) -> None:
        """Let a bridge take the calls from now on."""
        self.bridges.append(bridge)
        if len(self.bridges) == 1:
            bridge.patch(self)

    def leave(self, bridge: Installed) -> None:
        """Let the bridge before take the calls, or the library."""
        if bridge in self.bridges:
            self.bridges.remove(bridge)
        if not self.bridges:
            self._done.clear()
            self._patches.restore()

    def bridge_of(self, application: object) -> Any:
        """Return the newest bridge that takes an application; None when there is none."""
        for bridge in reversed(self.bridges):
            if bridge.takes(application):
                return bridge
        return None

    def has(self, owner: Any, name: str) -> bool:
        """Say whether an attribute is replaced."""
        return (owner, name) in self._done

    def set(self, owner: Any, name: str, value: object) -> None:
        """Replace an attribute by a value that itself looks at `current_attempt`, such as a `PinnedRandom`."""
        if not self.has(owner, name):
            self._done.add((owner, name))
            self._patches.set(owner, name, value)

    def replace(
        self,
        owner: type,
        name: str,
        method: Callable[..., Any],
        *,
        application: Callable[[Any], object] = _itself,
    ) -> None:
        """Call a method of the bridge instead of a method of the library.

        Args:
            owner: a class of the library.
            name: the name of its method.
            method: a method of the bridge's class. It is called with the bridge, the object of the library, and
                the other arguments.
            application: returns the application that the object belongs to, which is the object itself by default.
        """
        original = getattr(owner, name)

        def stand_in(itself: Any, /, *args: Any, **kwargs: Any) -> Any:
            bridge = self.bridge_of(application(itself))
            if bridge is None:
                return original(itself, *args, **kwargs)
            return method(bridge, itself, *args, **kwargs)

        # So that `inspect` finds the signature and the annotations of the original.
        self.set(owner, name, update_wrapper(stand_in, original, assigned=(), updated=()))

    def wrap(
        self,
        owner: type,
        name: str,
        method: Callable[..., Any],
        *,
        application: Callable[[Any], object] = _itself,
    ) -> None:
        """Do as `replace` does, with a method that gets the original as well.

        It is called with the bridge, the original bound to the object, the object, and the other arguments.
        """
        original = getattr(owner, name)

        def wrapped(bridge: Any, itself: Any, *args: Any, **kwargs: Any) -> Any:
            return method(bridge, partial(original, itself), itself, *args, **kwargs)

        self.replace(owner, name, wrapped, application=application)

    def overlay(
        self,
        owner: type,
        name: str,
        method: Callable[..., Any],
        *,
        application: Callable[[Any], object] = _itself,
    ) -> None:
        """Ask a method of the bridge for the value of an attribute or property, whatever an object has cached.

        Args:
            owner: a class of the library.
            name: the name of the attribute.
            method: a method of the bridge's class. It is called with the bridge, with what returns the value that
                the attribute has otherwise, and with the object of the library.
            application: returns the application that the object belongs to, which is the object itself by default.
        """

        def get(obj: Any, original: Callable[[], Any]) -> Any:
            bridge = self.bridge_of(application(obj))
            return original() if bridge is None else method(bridge, original, obj)

        inherited = next((vars(c)[name] for c in owner.__mro__ if name in vars(c)), _ABSENT)
        self.set(owner, name, _Overlay(name, get, inherited))


class _Overlay:
    """A data descriptor: it goes before what objects keep in their `__dict__`, in those made long ago as well.

    What is written still reaches the object. So each object has what it had, or was given meanwhile, when the
    overlay is gone.
    """

    def __init__(
        self, name: str, get: Callable[[Any, Callable[[], Any]], Any], inherited: Any
    ) -> None:
        self._name, self._get, self._inherited = name, get, inherited

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        if obj is None:
            return self._of_class(obj, owner)
        return self._get(obj, partial(self._original, obj, owner))

    def __set__(self, obj: Any, value: object) -> None:
        if hasattr(type(self._inherited), "__set__"):
            self._inherited.__set__(obj, value)
        else:
            vars(obj)[self._name] = value

    def __delete__(self, obj: Any) -> None:
        if hasattr(type(self._inherited), "__delete__"):
            self._inherited.__delete__(obj)
        else:
            del vars(obj)[self._name]

    def _original(self, obj: Any, owner: type | None) -> Any:
        if self._name in vars(obj) and not hasattr(type(self._inherited), "__set__"):
            return vars(obj)[self._name]
        return self._of_class(obj, owner)

    def _of_class(self, obj: Any, owner: type | None) -> Any:
        if self._inherited is _ABSENT:
            raise AttributeError(self._name)
        bind = getattr(type(self._inherited), "__get__", None)
        return self._inherited if bind is None else bind(self._inherited, obj, owner)
