"""A call of a function of the test, as its frame says it: its name, its arguments, and what it may change."""

from __future__ import annotations

import ast
import gc
import inspect
import linecache
import re
import types
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any, Final
from weakref import WeakValueDictionary

from ....harness.records.attributes import enclosing_variables, identity, without_partials
from ...engine.lines import LineTracer
from ...engine.scope import STAND_INS, Scope
from ...engine.sources import is_mock
from ..doubles.judgement import Called, Title
from ..doubles.memory import globals_of

#: What a test may keep calls in, and give a method of.
KEEPS: Final = frozenset((list, dict, set, bytearray))
#: The word with which the name of such a class begins, or of one that does nothing.
_STANDS: Final = re.compile(rf"^_?({STAND_INS}|Memory|Test|Null|Noop)(?=[A-Z])")
_NEXT_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Titles:
    """The names of what the test has put in places, by the identities of objects, classes, containers and code."""

    def __init__(self, scope: Scope, tracer: LineTracer) -> None:
        self._scope, self._tracer = scope, tracer
        self._known: dict[int, list[Title]] = {}
        #: The code that lies in places, which may be of a file with jobs, by its identity.
        self.codes: dict[int, CodeType] = {}
        #: Those of functions inside of others, by their code, since to look for one takes long.
        self._functions: WeakValueDictionary[int, types.FunctionType] = WeakValueDictionary()

    def of(self, *owners: object) -> list[Title]:
        """Return the names of the first of some things that has any."""
        return next(filter(None, (self._known.get(identity(one)) for one in owners)), [])

    def add(self, value: Any, name: str, *, is_of_project: bool, depth: int = 3) -> None:
        """Note the name of what lies in a place, and those of the clients that it has."""
        inner = without_partials(value)
        code = getattr(getattr(inner, "__func__", inner), "__code__", None)
        if isinstance(code, CodeType):
            # A function of ours may stand before one of a library.
            if self._scope.is_of_project(code):
                self._hear_of(code)
                self._note(code, name, is_of_project, value)
        elif type(inner) is types.BuiltinMethodType:
            if type(inner.__self__) in KEEPS:
                self._note(inner.__self__, name, is_of_project, value)
        elif isinstance(inner, types.SimpleNamespace | types.ModuleType):
            self._add_parts(inner, name, is_of_project, depth, callable)
        elif not is_mock(inner):
            kind = inner if isinstance(inner, type) else type(inner)
            if not self._scope.owns(kind):
                return
            self._note(inner, name, is_of_project, value)
            for base in filter(self._scope.owns, kind.__mro__):
                for one in _codes_of(base):
                    self._hear_of(one)
            if inner is not kind:
                self._add_parts(
                    inner, name, is_of_project, depth, lambda one: self._scope.owns(type(one))
                )

    def _hear_of(self, code: CodeType) -> None:
        if identity(code) not in self.codes:
            self.codes[identity(code)] = code
            self._tracer.ask_again(code)

    def _add_parts(
        self,
        owner: Any,
        name: str,
        is_of_project: bool,
        depth: int,
        is_wanted: Callable[[Any], bool],
    ) -> None:
        for attribute, part in list(getattr(owner, "__dict__", {}).items()) if depth else ():
            if not attribute.startswith("_") and is_wanted(part) and not is_mock(part):
                self.add(part, f"{name}.{attribute}", is_of_project=is_of_project, depth=depth - 1)

    def _note(self, key: object, name: str, is_of_project: bool, value: Any) -> None:
        self._known.setdefault(identity(key), []).append(Title(name, is_of_project, value))

    def rename(self, function: Any, name: str, owner: Title | None) -> None:
        """Give a function that an object of the test has made a name for now."""
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            is_of_project = owner is not None and owner.is_of_project
            self._known[identity(code)] = [Title(name, is_of_project, function)]

    def function_of(self, frame: FrameType) -> Any:
        """Return the function that runs, which has variables, defaults and attributes; None if nobody knows."""
        code, variables = frame.f_code, frame.f_locals
        found = frame.f_globals.get(code.co_name)
        if getattr(found, "__code__", None) is code or not code.co_freevars:
            return found

        def runs(one: object) -> bool:
            # Several may have been made by one line, each with variables of its own.
            return (
                type(one) is types.FunctionType
                and one.__code__ is code
                and all(
                    variables.get(name) is value for name, value in enclosing_variables(one).items()
                )
            )

        def near() -> Iterator[Any]:
            # Most often the caller has it as an argument. To ask what refers to its code takes milliseconds.
            if frame.f_back is not None:
                yield from frame.f_back.f_locals.values()
            yield from gc.get_referrers(code)

        known = self._functions.get(identity(code))
        if known is None or not runs(known):
            known = next(filter(runs, near()), None)
            if known is not None:
                self._functions[identity(code)] = known
        return known

    def copy(self) -> Titles:
        """Return the same names, to which those of a world can be added."""
        copied = Titles(self._scope, self._tracer)
        copied._known = {key: [*titles] for key, titles in self._known.items()}
        copied.codes = dict(self.codes)
        copied._functions = self._functions
        return copied


def called_in(frame: FrameType, titles: Titles) -> Called | None:
    """Return the call that a function begins with; None for one of a mock, which is an effect by itself."""
    code, variables = frame.f_code, frame.f_locals
    names, rest, keywords = inspect.getargs(code)
    if any(name not in variables for name in names):
        # A generator that goes on may have deleted one.
        return None
    args = [variables[name] for name in names[: code.co_argcount]]
    args += variables[rest] if rest else ()
    kwargs = {name: variables[name] for name in names[code.co_argcount :]}
    home, _, method = code.co_qualname.rpartition(".")
    in_place = titles.of(code)
    owner = kind = function = None
    if args and (found := _method_of(args[0], code, in_place)) is not None:
        owner = args.pop(0)
        kind = owner if isinstance(owner, type) else type(owner)
        method, function = found
        names = names[1:]
        if is_mock(owner):
            return None
    function = function or titles.function_of(frame)
    _leave_out_defaults(function, args, kwargs)
    named = {name: variables[name] for name in names}
    if keywords:
        named.update(variables[keywords])
        kwargs.update(variables[keywords])
    roots = (owner, kind, function, *globals_of(code, frame.f_globals))
    title = _fitting(in_place or titles.of(owner, *getattr(kind, "__mro__", ())), frame.f_back)
    if in_place and title is not None:
        name = title.name
    elif kind is not None:
        # A callable object is what it is called.
        name = title.name if title is not None else kind.__qualname__.rpartition(".")[2]
        name = name if method == "__call__" else f"{name}.{method}"
    elif method == "<lambda>" or home.endswith("<locals>"):
        name = expression_of(frame.f_back) or method
    else:
        name = f"{home.rpartition('.')[2]}.{method}".lstrip(".")
    return called_as(name, tuple(args), kwargs, named, roots, title)


def called_in_c(
    frame: FrameType, method: types.BuiltinMethodType, args: tuple[Any, ...], titles: Titles
) -> Called:
    """Return the call of a method of a container of the test, by a line of the project."""
    title = _fitting(titles.of(method.__self__), frame)
    name = title.name if title is not None else expression_of(frame) or method.__name__
    return called_as(name, args, {}, {}, (method.__self__,), title)


def called_as(
    name: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    named: Mapping[str, Any],
    roots: tuple[Any, ...],
    title: Title | None,
) -> Called:
    """Return a call by its whole name: `shop.jobs.FakeMailer.send`."""
    owner, _, method = name.rpartition(".")
    plain = _STANDS.sub("", owner.rpartition(".")[2] or method)
    own = _NEXT_WORD.sub("_", plain).lower()
    own = f"{own}.{method}" if owner else own
    return Called(owner, method, own, args, kwargs, named, roots, title)


def _method_of(first: Any, code: CodeType, in_place: list[Title]) -> tuple[str, Any] | None:
    """Return the name and the function of a method that got its object or its class first; None if it is not."""
    kind = first if isinstance(first, type) else type(first)
    for base in kind.__mro__:
        for name, value in vars(base).items():
            for function in _functions_of(value):
                if getattr(function, "__code__", None) is code:
                    return name, function
    # A function that the test has put into a class.
    names = {base.__qualname__ for base in kind.__mro__}
    homes = {title.name.rpartition(".")[0].rpartition(".")[2] for title in in_place}
    return None if homes.isdisjoint(names) else (code.co_name, None)


def _functions_of(value: Any) -> Iterator[Any]:
    """Yield the functions of a method or a property, those inside of a decorator too."""
    if isinstance(value, property):
        yield from (value.fget, value.fset, value.fdel)
        return
    function = getattr(value, "__func__", value)
    while isinstance(function, types.FunctionType):
        yield function
        function = function.__dict__.get("__wrapped__")


def _leave_out_defaults(function: Any, positional: list[Any], kwargs: dict[str, Any]) -> None:
    """Show a call as it was made, most likely: without what it did not say."""
    defaults = [*(getattr(function, "__defaults__", None) or ())]
    while positional and defaults and positional[-1] is defaults.pop():
        positional.pop()
    for name, default in (getattr(function, "__kwdefaults__", None) or {}).items():
        if kwargs.get(name) is default:
            del kwargs[name]


def _fitting(titles: list[Title], caller: FrameType | None) -> Title | None:
    """Return the name by which something is called, of those that it has in several places."""
    if len(titles) > 1:
        word = expression_of(caller).rpartition(".")[2]
        for title in titles:
            if title.name.rpartition(".")[2] == word:
                return title
    return titles[0] if titles else None


def expression_of(frame: FrameType | None) -> str:
    """Return how the line that makes a call calls it: `publish` for `await self.publish(event)`."""
    if frame is None:
        return ""
    code = frame.f_code
    line, end_line, begin, end = list(code.co_positions())[frame.f_lasti // 2]
    if line is None or end_line is None or begin is None or end is None:
        return ""
    lines = [linecache.getline(code.co_filename, at).encode() for at in range(line, end_line + 1)]
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][begin:]
    try:
        call = ast.parse(b"".join(lines).strip(), mode="eval").body
    except SyntaxError:
        return ""
    call = call.value if isinstance(call, ast.Await) else call
    return ast.unparse(call.func).removeprefix("self.") if isinstance(call, ast.Call) else ""


def _codes_of(kind: type) -> Iterator[CodeType]:
    waiting = [
        getattr(inspect.unwrap(getattr(value, "__func__", value)), "__code__", None)
        for value in vars(kind).values()
    ]
    while waiting:
        code = waiting.pop()
        if isinstance(code, CodeType):
            yield code
            waiting += code.co_consts
