"""Where a library is intercepted: its classes are patched once for all bridges to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator
from contextvars import ContextVar
from functools import partial, update_wrapper
from inspect import CO_COROUTINE, unwrap
from types import CodeType
from typing import Any, Final, NamedTuple, Protocol
from weakref import WeakSet

from ..errors import BridgeError
from ..harness.records.attributes import derived_from, enclosing_variables
from ..harness.records.patches import Patches

_ABSENT: Final = object()
#: The attribute of a stand-in that says which tree of classes it belongs to, and what it stands for.
_STANDS_IN: Final = "pytest_jobs_stands_in"


class Installed(Protocol):
    """What a seam asks of a bridge."""

    def patch(self, seam: Seam) -> None: ...

    def takes(self, application: object) -> bool: ...


def _itself(owner: Any) -> Any:
    return owner


class Seam:
    """Patches the classes of a library, for all bridges to it that are installed.

    The first bridge that is installed patches them, and they are restored after the last one is uninstalled. A
    session of pytest holds the seam meanwhile, so the library is patched once a session, and a test costs one
    entry in a list, and a look whether everything is in place.

    A patched method looks for the newest bridge that takes the application, and calls it. Without such a bridge it
    does what the library does, so it may stay in place while nobody uses it.
    """

    def __init__(self) -> None:
        #: The installed bridges, the newest last.
        self.bridges: list[Any] = []
        self._patches = Patches()
        self._is_patched = False
        self._holders = 0
        self._done: set[tuple[Any, str]] = set()
        #: Owners of attributes, their names, and what these were and are.
        self._placed: list[tuple[Any, str, Any, Any]] = []
        self._places = _Places()
        self._trees: dict[type, _Tree] = {}

    def enter(self, bridge: Installed) -> None:
        """Add a bridge, which gets the calls from now on."""
        self.bridges.append(bridge)
        if not self._is_patched:
            try:
                bridge.patch(self)
            except BaseException:
                self._restore()
                raise
            self._is_patched = True
        elif len(self.bridges) == 1:
            self._patch_again()

    def _patch_again(self) -> None:
        """Put back what a test has removed: it mocked a method before the library was patched, and ended later."""
        if self._places.have_changed():
            for owner, name, before, value in self._placed:
                if vars(owner).get(name, _ABSENT) is before:
                    setattr(owner, name, value)
        for tree in self._trees.values():
            tree.patch_again()

    def leave(self, bridge: Installed) -> None:
        """Remove a bridge."""
        if bridge in self.bridges:
            self.bridges.remove(bridge)
        self._restore_if_unused()

    def hold(self) -> None:
        """Leave the classes patched also while there is no bridge, until `release`."""
        self._holders += 1

    def release(self) -> None:
        """Undo one `hold`."""
        self._holders -= 1
        self._restore_if_unused()

    def _restore_if_unused(self) -> None:
        if not self.bridges and not self._holders:
            self._restore()

    def _restore(self) -> None:
        self._is_patched = False
        self._done.clear()
        self._placed.clear()
        self._places = _Places()
        self._trees.clear()
        self._patches.restore()

    def bridge_of(self, application: object) -> Any:
        """Return the newest bridge that takes an application; None when there is none."""
        for bridge in reversed(self.bridges):
            if bridge.takes(application):
                return bridge
        return None

    def _finder(self, application: Callable[[Any], object]) -> Callable[[Any], Any]:
        """Return what finds the bridge of an object of the library."""
        if application is _itself:
            return self.bridge_of
        return lambda obj: self.bridge_of(application(obj))

    def has(self, owner: Any, name: str) -> bool:
        """Say whether an attribute is replaced."""
        return (owner, name) in self._done

    def set(self, owner: Any, name: str, value: object) -> None:
        """Replace an attribute of a class or module by a value for every bridge, such as a `PinnedRandom`."""
        if not self.has(owner, name):
            self._done.add((owner, name))
            self._placed.append((owner, name, vars(owner).get(name, _ABSENT), value))
            self._patches.set(owner, name, value)
            self._places.add(owner, name)

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
        own = getattr(owner, name)
        self._place(owner, name, self._stand_in(own, method, application))

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
        own = getattr(owner, name)
        self._place(owner, name, self._stand_in(own, method, application, wraps=True))

    def _place(self, owner: type, name: str, stand_in: Callable[..., Any]) -> None:
        original = getattr(owner, name)
        alike = _alike(stand_in, original)
        # So that `inspect` finds the signature and the annotations of the original.
        self.set(owner, name, update_wrapper(alike, original, assigned=(), updated=()))

    def _stand_in(
        self,
        own: Any,
        method: Callable[..., Any],
        application: Callable[[Any], object] = _itself,
        *,
        wraps: bool = False,
    ) -> Callable[..., Any]:
        """Return what calls a method of the bridge in the place of what a class defines."""
        bridge_of = self._finder(application)

        def stand_in(itself: Any, /, *args: Any, **kwargs: Any) -> Any:
            bridge = bridge_of(itself)
            if bridge is None:
                return _bound(own, itself)(*args, **kwargs)
            if wraps:
                return method(bridge, _bound(own, itself), itself, *args, **kwargs)
            return method(bridge, itself, *args, **kwargs)

        return stand_in

    def overlay(
        self,
        owner: type,
        name: str,
        method: Callable[..., Any],
        *,
        application: Callable[[Any], object] = _itself,
    ) -> None:
        """Let a method of the bridge compute an attribute, also in objects that have a value of their own.

        And in classes that are derived from the class and define the attribute themselves, now or later.

        Args:
            owner: a class of the library.
            name: the name of the attribute or property.
            method: a method of the bridge's class. It is called with the bridge, with a function that returns the
                original value, and with the object of the library.
            application: returns the application of such an object. Default: the object itself.
        """
        bridge_of = self._finder(application)
        inherited = next((vars(c)[name] for c in owner.__mro__ if name in vars(c)), _ABSENT)
        self.set(owner, name, _Overlay(name, bridge_of, method, inherited))

        def in_derived(cls: type, own: Any) -> _Overlay:
            return _Overlay(name, bridge_of, method, own)

        self._tree(owner).replace(name, in_derived, ())

    def replace_below(
        self,
        base: type,
        name: str,
        method: Callable[..., Any],
        *,
        skip: Collection[type] = (),
    ) -> None:
        """Call a method of the bridge instead of a method that classes derived from a class define.

        The classes may be of the library, of another package or of the project, and may be made later.

        Args:
            base: a class of the library. Its own method stays.
            name: the name of the method.
            method: a method of the bridge's class, as for `replace`.
            skip: classes whose method stays.
        """
        self._tree(base).replace(name, lambda cls, own: self._stand_in(own, method), skip)

    def wrap_below(self, base: type, name: str, method: Callable[..., Any]) -> None:
        """Do as `wrap` does, for a method that classes derived from a class define, now or later."""
        self._tree(base).replace(name, lambda cls, own: self._stand_in(own, method, wraps=True), ())

    def replace_sending(
        self,
        base: type,
        name: str,
        method: Callable[..., Any],
        *,
        skip: Collection[type] = (),
    ) -> None:
        """Call a method of the bridge instead of the method that sends a message, in every class that has one.

        For libraries with an abstract method that brokers, queues or backends define, in the library, in other
        packages and in projects, before and after this call. A definition that sends by itself is replaced. One
        that hands the message on, to `super()` or to another broker, runs: what it adds to the message is
        captured, and the message ends in a definition that is replaced. If it returns without that, it raises a
        BridgeError, since the message may have left the process, and the bridge notes that by its `refused`.

        Args:
            base: the class of the library with the abstract method.
            name: the name of the method. It may be a coroutine function.
            method: a method of the bridge's class, as for `replace`.
            skip: classes whose method stays.
        """

        def stand_in_for(cls: type, own: Any) -> Callable[..., Any]:
            definition = _Definition(base, cls, name, own)

            def stand_in(itself: Any, /, *args: Any, **kwargs: Any) -> Any:
                bridge = self.bridge_of(itself)
                if bridge is None:
                    return _bound(own, itself)(*args, **kwargs)
                if definition.hands_on(itself):
                    call = partial(_bound(own, itself), *args, **kwargs)
                    return _HandingOn(cls, name, bridge).run(call)
                _note_arrival()
                return method(bridge, itself, *args, **kwargs)

            return stand_in

        self._tree(base).replace(name, stand_in_for, skip)

    def _tree(self, base: type) -> _Tree:
        tree = self._trees.get(base)
        if tree is None:
            tree = self._trees[base] = _Tree(base, self._patches)
        return tree


class _Overlay:
    """A data descriptor, which Python asks before it looks into the `__dict__` of an object.

    A value that is set still goes to the object. So once the overlay is gone, each object has its own value, also
    one that was set meanwhile.
    """

    def __init__(
        self,
        name: str,
        bridge_of: Callable[[Any], Any],
        method: Callable[..., Any],
        inherited: Any,
    ) -> None:
        self._name, self._inherited = name, inherited
        self._bridge_of, self._method = bridge_of, method

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        if obj is None:
            return self._of_class(obj, owner)
        bridge = self._bridge_of(obj)
        if bridge is None:
            return self._original(obj, owner)
        return self._method(bridge, partial(self._original, obj, owner), obj)

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


class _Places:
    """Attributes, and what they were when they were added. Each test looks at them, so that takes little time."""

    def __init__(self) -> None:
        self._reads: list[tuple[Callable[[str], Any], str]] = []
        self._values: list[Any] = []

    def add(self, owner: Any, name: str) -> None:
        self._reads.append((vars(owner).get, name))
        self._values.append(vars(owner).get(name))

    def have_changed(self) -> bool:
        return self._read() != self._values

    def note(self) -> None:
        """Take the present values for those to expect."""
        self._values = self._read()

    def _read(self) -> list[Any]:
        return [get(name) for get, name in self._reads]


class _Method(NamedTuple):
    """What is replaced in the classes of a tree."""

    name: str
    #: Returns the stand-in for what a class defines.
    stand_in_for: Callable[[type, Any], Any]
    #: The classes that keep what they define.
    skip: Collection[type]


class _Tree:
    """The classes derived from a class, those that are made while it is patched included."""

    def __init__(self, base: type, patches: Patches) -> None:
        self._base: Any = base
        self._existing = derived_from(base)
        #: Weak, since a class of a test may be gone long before the patches are.
        self._later: WeakSet[type] = WeakSet()
        self._methods: list[_Method] = []
        #: What has been put into the existing classes.
        self._placed: list[tuple[type, _Method]] = []
        self._places = _Places()
        self._init_subclass: Any = vars(base).get("__init_subclass__")
        patches.undo_by(self._restore)
        patches.set(base, "__init_subclass__", classmethod(self._made))

    def replace(
        self,
        name: str,
        stand_in_for: Callable[[type, Any], Any],
        skip: Collection[type],
    ) -> None:
        """Replace what each class defines under a name, or has from a class outside of the tree."""
        method = _Method(name, stand_in_for, skip)
        self._methods.append(method)
        for cls in self._existing:
            if self._place(cls, method):
                self._placed.append((cls, method))
                self._places.add(cls, name)

    def patch_again(self) -> None:
        """Replace what has been put into the classes since then."""
        if self._places.have_changed():
            for cls, method in self._placed:
                self._place(cls, method)
            self._places.note()
        # Most often there are none, and asking that is cheaper than the iterator of a WeakSet.
        for cls in self._later if len(self._later) else ():
            for method in self._methods:
                self._place(cls, method)

    def _place(self, cls: type, method: _Method) -> bool:
        """Put a stand-in into a class, if it defines something that is replaced; say whether it does."""
        name = method.name
        before = vars(cls).get(name, _ABSENT)
        own = self._from_outside(cls, name) if before is _ABSENT else before
        if own is None or cls in method.skip or getattr(own, "__isabstractmethod__", False) is True:
            return False
        # `dataclass(slots=True)` and the like make a class anew, with the stand-ins of the first.
        if not _is_mock(own) and self._stands_for(own) is None:
            stand_in = _alike(method.stand_in_for(cls, own), own)
            # `__wrapped__` is where `inspect` looks for the signature and the annotations.
            vars(stand_in).update({"__wrapped__": own, _STANDS_IN: (self, before)})
            setattr(cls, name, stand_in)
        return True

    def _from_outside(self, cls: type, name: str) -> Any:
        """Return the method that a class inherits from a mixin, which is not derived from the base itself."""
        for each in cls.__mro__[1:]:
            if self._base in each.__mro__:
                return None
            if name in vars(each):
                return vars(each)[name]
        return None

    def _made(self, cls: Any, /, **options: Any) -> None:
        if self._init_subclass is None:
            super(self._base, cls).__init_subclass__(**options)
        else:
            self._init_subclass.__get__(None, cls)(**options)
        for method in self._methods:
            self._place(cls, method)
        self._later.add(cls)

    def _stands_for(self, found: Any) -> tuple[Any] | None:
        """Return what a stand-in replaced, in a tuple; None for anything else."""
        tree, before = getattr(found, "__dict__", {}).get(_STANDS_IN, (None, None))
        return (before,) if tree is self else None

    def _restore(self) -> None:
        every = [(cls, method.name) for cls, method in self._placed]
        every += [(cls, method.name) for cls in self._later for method in self._methods]
        for cls, name in every:
            replaced = self._stands_for(vars(cls).get(name))
            if replaced == (_ABSENT,):
                delattr(cls, name)
            elif replaced is not None:
                setattr(cls, name, *replaced)


class _Definition:
    """The method that sends, as one class defines it.

    The names in its code tell an override that hands on from one that sends by itself: their classes do not.
    """

    __slots__ = ("_base", "_cls", "_name", "_own", "_uses")

    def __init__(self, base: type, cls: type, name: str, own: Any) -> None:
        self._base, self._cls, self._name, self._own = base, cls, name, own
        #: The names that it uses, read at the first call.
        self._uses: frozenset[str] | None = None

    def hands_on(self, itself: Any) -> bool:
        """Say whether the message of an object ends in another definition."""
        uses = self._uses
        if uses is None:
            uses = self._uses = _names_in(self._own)
        if self._name not in uses:
            return False
        return ("super" in uses and self._has_parent()) or self._has_another(uses, itself)

    def _has_parent(self) -> bool:
        """Say whether `super()` leads to a definition that is not abstract."""
        every = [vars(each)[self._name] for each in self._cls.__mro__ if self._name in vars(each)]
        # The stand-in of the class, and the mixin that it may stand for.
        last = max(n for n, each in enumerate(every) if self._own in (each, _wrapped(each)))
        after = every[last + 1 : last + 2]
        return bool(after) and not getattr(after[0], "__isabstractmethod__", False)

    def _has_another(self, uses: frozenset[str], itself: Any) -> bool:
        """Say whether it can reach another object of the library, or a class of such objects."""
        base = self._base
        return any(
            value is not itself
            and value is not base
            and base in (value if issubclass(type(value), type) else type(value)).__mro__
            for value in _reachable(self._own, uses, itself)
        )


class _HandingOn:
    """One call of a method that hands a message on."""

    def __init__(self, cls: type, name: str, bridge: Any) -> None:
        self._cls, self._name, self._bridge = cls, name, bridge
        self.has_arrived = False

    def run(self, call: Callable[[], Any]) -> Any:
        """Run it, and raise when no message was captured.

        Raises:
            BridgeError: when it returned and handed nothing on.
        """
        token = _handing_on.set(self)
        try:
            result = call()
        finally:
            _handing_on.reset(token)
        if hasattr(result, "__await__"):
            return self._awaited(result)
        self._check()
        return result

    async def _awaited(self, awaitable: Awaitable[Any]) -> Any:
        token = _handing_on.set(self)
        try:
            result = await awaitable
        finally:
            try:  # noqa: SIM105 - as in `toolkit`
                _handing_on.reset(token)
            except ValueError:
                pass  # A coroutine that is thrown away ends in another context.
        self._check()
        return result

    def _check(self) -> None:
        if not self.has_arrived:
            cls, name = self._cls, self._name
            error = BridgeError(
                f"{cls.__module__}.{cls.__qualname__}.{name} returned and no message was captured: it dropped the "
                "message, sends it later, or sent it in a way that pytest-jobs does not see. Call "
                f"super().{name}() before it returns, or replace {cls.__name__}.{name} in this test."
            )
            # A program may swallow the error, and no assertion may say then that nothing was enqueued.
            self._bridge.refused(str(error))
            raise error
        _note_arrival()


#: The innermost call that hands a message on.
_handing_on: ContextVar[_HandingOn | None] = ContextVar("pytest_jobs_handing_on", default=None)


def _note_arrival() -> None:
    call = _handing_on.get()
    if call is not None:
        call.has_arrived = True


def _alike(stand_in: Any, original: Any) -> Any:
    """Return a function that is a coroutine function if the original is one, which callers may ask."""
    code = getattr(original, "__code__", None)
    if not getattr(code, "co_flags", 0) & CO_COROUTINE:
        return stand_in

    async def awaited(itself: Any, /, *args: Any, **kwargs: Any) -> Any:
        return await stand_in(itself, *args, **kwargs)

    return awaited


def _is_mock(found: Any) -> bool:
    """Say whether a test has put something in the place of a method. It goes on to be called then."""
    return type(found).__module__ == "unittest.mock" or hasattr(found, "mock")


def _wrapped(function: Any) -> Any:
    return getattr(function, "__wrapped__", None)


def _bound(own: Any, itself: Any) -> Any:
    """Return what a class defines under the name of a method, as an object of the class gets it."""
    get = getattr(type(own), "__get__", None)
    return own if get is None else get(own, itself, type(itself))


def _code_of(function: Any) -> CodeType | None:
    code = getattr(unwrap(function), "__code__", None)
    return code if type(code) is CodeType else None


def _names_in(function: Any) -> frozenset[str]:
    """Return the names of globals, attributes and variables of enclosing functions that a function uses."""
    code = _code_of(function)
    names: set[str] = set()
    codes = [] if code is None else [code]
    for each in codes:
        names.update(each.co_names, each.co_freevars)
        codes.extend(inner for inner in each.co_consts if isinstance(inner, CodeType))
    return frozenset(names)


def _reachable(function: Any, names: frozenset[str], itself: Any) -> Iterator[Any]:
    """Yield the attributes of an object, what is in their lists, and the variables that a function names."""
    for value in getattr(itself, "__dict__", {}).values():
        yield value
        # By the type, since a lazy object computes its `__class__`.
        if issubclass(type(value), (list, tuple)):
            yield from value
        elif issubclass(type(value), dict):
            yield from value.values()
    function = unwrap(function)
    variables = getattr(function, "__globals__", {})
    yield from (variables[name] for name in names if name in variables)
    enclosing = enclosing_variables(function)
    enclosing.pop("__class__", None)  # of `super()`
    yield from enclosing.values()
