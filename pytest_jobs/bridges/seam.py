"""Where a library is intercepted: its classes are patched once for all bridges to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any, Final, Protocol

from ..harness.records.patches import Patches

_ABSENT: Final = object()


class Installed(Protocol):
    """What a seam asks of a bridge."""

    def patch(self, seam: Seam) -> None: ...

    def takes(self, application: object) -> bool: ...


def _itself(owner: Any) -> Any:
    return owner


class Seam:
    """Patches the classes of a library, for all bridges to it that are installed.

    The first bridge that is installed patches them, and they are restored after the last one is uninstalled. With
    `jobs_apps` the harness of the session keeps a bridge installed, so the library is patched once a session, and
    a test costs one entry in a list.

    A patched method looks for the newest bridge that takes the application, and calls it. Without such a bridge it
    does what the library does, so it may stay in place while nobody uses it.
    """

    def __init__(self) -> None:
        #: The installed bridges, the newest last.
        self.bridges: list[Any] = []
        self._patches = Patches()
        self._done: set[tuple[Any, str]] = set()

    def enter(self, bridge: Installed) -> None:
        """Add a bridge, which gets the calls from now on."""
        self.bridges.append(bridge)
        if len(self.bridges) == 1:
            bridge.patch(self)

    def leave(self, bridge: Installed) -> None:
        """Remove a bridge."""
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
        """Replace an attribute of a class or module by a value for every bridge, such as a `PinnedRandom`."""
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
            application: returns the application of such an object. Default: the object itself.
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
        """Do as `replace` does, for a method of the bridge that calls the original.

        It is called with the bridge, the original method of the object, the object, and the other arguments.
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
        """Let a method of the bridge compute an attribute, also in objects that have a value of their own.

        Args:
            owner: a class of the library.
            name: the name of the attribute or property.
            method: a method of the bridge's class. It is called with the bridge, with a function that returns the
                original value, and with the object of the library.
            application: returns the application of such an object. Default: the object itself.
        """

        def get(obj: Any, original: Callable[[], Any]) -> Any:
            bridge = self.bridge_of(application(obj))
            return original() if bridge is None else method(bridge, original, obj)

        inherited = next((vars(c)[name] for c in owner.__mro__ if name in vars(c)), _ABSENT)
        self.set(owner, name, _Overlay(name, get, inherited))


class _Overlay:
    """A data descriptor, which Python asks before it looks into the `__dict__` of an object.

    A value that is set still goes to the object. So once the overlay is gone, each object has its own value, also
    one that was set meanwhile.
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
