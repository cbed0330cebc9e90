"""What each registered job accepts, and the file of it."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from inspect import Parameter, Signature
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from ...bridges.libraries.known import packages_of
from ...bridges.toolkit import Bridge, LibraryBridge, path_of
from ...errors import JobsError, MessagesFileError
from ...harness.records.attributes import attributes_of, without_partials
from ...harness.records.home import is_of_tests

#: A file of another layout is refused.
_LAYOUT: Final = 1
#: What stands for a default that is no literal.
_COMPUTED: Final = "..."
_MORE: Final = Parameter.VAR_POSITIONAL
_SINGLE: Final = (
    Parameter.POSITIONAL_ONLY,
    Parameter.POSITIONAL_OR_KEYWORD,
    Parameter.KEYWORD_ONLY,
)


class Accepted(NamedTuple):
    """What one job accepts."""

    #: The parameters that a message has arguments for, as in `(order_id, retries=3)`.
    takes: str
    #: The queue into which a plain enqueue goes; None where the job does not say.
    queue: str | None
    #: The module that a worker imports to have the job.
    module: str


def signature_in(text: str) -> Signature:
    """Return parameters that are written as in `(order_id, retries=3)`; a default is its text.

    Raises:
        MessagesFileError: when the text has none.
    """
    try:
        parsed = ast.parse(f"lambda {text[1:-1]}: 0", mode="eval").body
    except SyntaxError:
        raise MessagesFileError(f"{text!r} are no parameters") from None
    if not isinstance(parsed, ast.Lambda):
        raise MessagesFileError(f"{text!r} are no parameters")
    found = parsed.args
    by_place = [*found.posonlyargs, *found.args]
    defaults = [None] * (len(by_place) - len(found.defaults)) + [*found.defaults]
    first = len(found.posonlyargs)
    named, stars = found.kwonlyargs, (found.vararg, found.kwarg)
    return Signature(
        [
            *map(_parameter(Parameter.POSITIONAL_ONLY), by_place[:first], defaults),
            *map(_parameter(Parameter.POSITIONAL_OR_KEYWORD), by_place[first:], defaults[first:]),
            *(_parameter(Parameter.VAR_POSITIONAL)(each) for each in stars[:1] if each),
            *map(_parameter(Parameter.KEYWORD_ONLY), named, found.kw_defaults),
            *(_parameter(Parameter.VAR_KEYWORD)(each) for each in stars[1:] if each),
        ]
    )


def _parameter(kind: Any) -> Any:
    def parameter(found: ast.arg, default: ast.expr | None = None) -> Parameter:
        text = Parameter.empty if default is None else ast.unparse(default)
        return Parameter(found.arg, kind, default=text)

    return parameter


class Messages:
    """What the jobs of a project accept."""

    def __init__(
        self,
        jobs: Mapping[str, Mapping[str, Accepted]] | None = None,
        served: Sequence[str] | None = None,
    ) -> None:
        #: What each job accepts, by its library and its name.
        self.jobs: dict[str, dict[str, Accepted]] = defaultdict(dict)
        for library, of_library in (jobs or {}).items():
            self.jobs[library].update(of_library)
        #: The queues that the workers serve, as `jobs_queues` lists them; None where it does not.
        self.served = served

    def __len__(self) -> int:
        return sum(map(len, self.jobs.values()))

    def import_modules(self) -> list[str]:
        """Import the modules of the jobs, as a worker would, and return a line for each that has an error."""
        every = chain.from_iterable(of_library.values() for of_library in self.jobs.values())
        return [
            f"{module} was not imported: {why}"
            for module in sorted({one.module for one in every} - {*sys.modules})
            if (why := _import(module))
        ]

    def take(
        self, bridge: Bridge, known: Messages, enqueued: Iterable[str], root: Path
    ) -> list[str]:
        """Add the jobs of a library, and return a line for each whose parameters nobody can tell.

        Args:
            bridge: knows the jobs that are registered.
            known: the file as it was: a job that a worker would still find by its name stays in it.
            enqueued: the names of functions that tests enqueued, where the library takes any function.
            root: the folder of the project, whose tests have jobs of their own.
        """
        if not isinstance(bridge, LibraryBridge):
            return []
        before = known.jobs.get(bridge.name, {})
        untold = []
        registered = {*bridge.known_names(), *enqueued}
        for name in sorted({*registered, *before}):
            try:
                task = bridge.known(name)
                body = bridge.body_of(task)
                module = task.__module__ if isinstance(task, type) else _module_of(body)
                is_own = module.partition(".")[0] in packages_of(bridge.name)
                if not is_own and not _is_of_tests(module, root):
                    takes = _text(bridge.signature(name).signature, named=bridge.names_arguments)
                    self.jobs[bridge.name][name] = Accepted(takes, bridge.queue_of(task), module)
            except Exception as error:  # A router of the project may raise whatever it wants.
                if name in registered or not isinstance(error, JobsError):
                    untold.append(f"{name} ({bridge.name}) is left out: {error}")
        return untold

    def add(self, other: Messages) -> None:
        """Add the jobs that another process has."""
        for library, jobs in other.jobs.items():
            self.jobs[library] |= jobs

    def to_text(self) -> str:
        """Return the text of the file: one that did not change is the same in every run."""
        jobs = {
            library: {name: one._asdict() for name, one in sorted(jobs.items())}
            for library, jobs in sorted(self.jobs.items())
            if jobs
        }
        return f"{json.dumps({'layout': _LAYOUT, 'served': self.served, 'jobs': jobs}, indent=2)}\n"

    @classmethod
    def from_text(cls, text: str) -> Messages:
        """Return what a file says.

        Raises:
            MessagesFileError: when it is none of ours.
        """
        try:
            data = json.loads(text)
            if data["layout"] != _LAYOUT:
                raise MessagesFileError(f"its layout is {data['layout']!r}, and not {_LAYOUT}")
            jobs = {
                library: {name: Accepted(**one) for name, one in jobs.items()}
                for library, jobs in data["jobs"].items()
            }
            served = data["served"]
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise MessagesFileError("`pytest --jobs-messages` did not write it") from error
        for one in chain.from_iterable(of_library.values() for of_library in jobs.values()):
            signature_in(one.takes)  # Raises.
        return cls(jobs, served)


def _text(signature: Signature, *, named: bool) -> str:
    """Return parameters as they are written in the file: no types, and defaults that a file can have.

    Args:
        signature: the parameters of the function.
        named: whether a message has each argument by its name.
    """
    parameters = [
        each.replace(
            kind=Parameter.KEYWORD_ONLY if named and each.kind in _SINGLE else each.kind,
            annotation=Parameter.empty,
            default=each.default if each.default is each.empty else _Shown(each.default),
        )
        for each in signature.parameters.values()
    ]
    return str(Signature([each for each in parameters if not (named and each.kind is _MORE)]))


class _Shown:
    """A default as its text: one that is no literal may have another text in each run."""

    def __init__(self, default: object) -> None:
        self._text = repr(default)
        try:
            ast.literal_eval(self._text)
        except (ValueError, SyntaxError):
            self._text = _COMPUTED
        if isinstance(default, set):
            self._text = _COMPUTED

    def __repr__(self) -> str:
        return self._text


def _module_of(body: Any) -> str:
    body = without_partials(body)
    return path_of(inspect.unwrap(body)).removesuffix(f".{getattr(body, '__qualname__', '')}")


def _is_of_tests(module: str, root: Path) -> bool:
    found = sys.modules.get(module)
    file = attributes_of(found).get("__file__") if isinstance(found, ModuleType) else None
    path = Path(file or "")
    inside = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    return is_of_tests(inside)


def _import(module: str) -> str:
    """Import a module, and return why it could not be; "" if it could, or is not there any more."""
    try:
        importlib.import_module(module)
    except Exception as error:
        is_gone = (
            isinstance(error, ModuleNotFoundError)
            and error.name is not None
            and f"{module}.".startswith(f"{error.name}.")
        )
        return "" if is_gone else f"{type(error).__name__}: {error}"
    return ""
