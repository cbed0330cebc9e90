"""What the running libraries know: jobs, their parameters, retries and schedules.

A project may wrap a decorator, derive an application, or put functions into a list: its libraries know the outcome
in each case. What is read here are their own registries, through the bridges, in the process that has imported the
project. So a rule of the lint judges the number that a worker will use, whoever has set it.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from inspect import Parameter, Signature
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from ...bridges.libraries.known import library_named, packages_of
from ...bridges.opening import asking_bridges
from ...bridges.toolkit import LibraryBridge
from ...core.foundation.registry import standing_at
from ...errors import AmbiguousJobError
from ...harness.records.attributes import attributes_of, is_one_of
from ...harness.records.bridge import TakesFunctions
from ...harness.records.home import is_installed
from ...harness.records.record import KnowsNames
from ..messages.accepted import signature_in
from ..seen.recorder import seen_job
from ..seen.session import SeenJob
from .enqueues import VERBS
from .receivers import Call, Each, Passing, Place, known_calls

#: What a task of Celery declares, and the setting of its application that counts where it declares nothing.
_CELERY: Final[Mapping[str, str]] = {
    "default_retry_delay": "",
    "max_retries": "",
    "retry_backoff": "",
    "ignore_result": "task_ignore_result",
    "soft_time_limit": "task_soft_time_limit",
    "time_limit": "task_time_limit",
}
#: Libraries that fill in parameters by what their annotations say.
_INJECTING: Final = ("taskiq",)
_EVERYTHING: Final = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
_WAITS: Final = 5


class RegisteredJob(NamedTuple):
    """A job that a running library knows."""

    job: SeenJob
    #: Whether the first parameter of its function is filled by the library, and not by who enqueues.
    is_bound: bool


class JobFacts(NamedTuple):
    """What a library says of one job. The defaults are those of a job that says nothing."""

    #: The parameters that a message fills, as in `(order_id, retries=None)`. None where nobody knows.
    takes: str | None = None
    #: What a task of Celery declares.
    options: Mapping[str, Any] = {}
    #: How often it is tried, None for ever; and the first waits in between, in seconds.
    attempts: int | None = 1
    waits: list[float] = []  # noqa: RUF012 - a default that nobody changes
    #: Whether the library itself enqueues it, and no method of the project that stands before.
    is_plain: bool = True

    def refusal(self, positional: int, names: list[str]) -> str:
        """Return why a call does not fit the parameters; empty when it does, or nobody knows."""
        try:
            if self.takes is not None:
                signature_in(self.takes).bind(*[None] * positional, **dict.fromkeys(names))
        except TypeError as error:
            return str(error)
        return ""


class Named(NamedTuple):
    """A name of a task in the schedule or in the routes of an application of Celery."""

    name: str
    #: The entry of the schedule; empty for a route.
    key: str
    #: Why the arguments of the entry do not fit the task.
    refusal: str = ""


@dataclass
class Running:
    """What the processes of a test session have imported."""

    jobs: set[RegisteredJob] = field(default_factory=set)
    #: The files of modules that are not of installed packages.
    files: set[str] = field(default_factory=set)
    #: By the places of expressions that may name a job: its library and its name; None for what names none.
    names: dict[Place, tuple[str, str] | None] = field(default_factory=dict)
    #: What bridges say of names that several jobs have, and of jobs that they cannot describe: no verdict about
    #: one of them would be sure.
    shared: set[str] = field(default_factory=set)
    #: What a library says of each job, by the library and the name of the job there.
    facts: dict[tuple[str, str], JobFacts] = field(default_factory=dict)
    #: What the schedules and the routes of Celery name, and the names of all of its tasks.
    named: set[Named] = field(default_factory=set)
    tasks: set[str] = field(default_factory=set)
    #: Whether an application of Celery says how long its broker waits for an acknowledgement.
    has_visibility: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "jobs": [[[*one.job], one.is_bound] for one in sorted(self.jobs)],
            "names": [[[*place], name and [*name]] for place, name in self.names.items()],
            "facts": [[*key, *facts] for key, facts in self.facts.items()],
            "named": sorted(self.named),
            **{name: sorted(getattr(self, name)) for name in ("files", "shared", "tasks")},
            "has_visibility": self.has_visibility,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Running:
        """Return what `to_dict` wrote."""
        return cls(
            {RegisteredJob(SeenJob(*job), is_bound) for job, is_bound in data["jobs"]},
            {*data["files"]},
            {Place(*place): name and (name[0], name[1]) for place, name in data["names"]},
            {*data["shared"]},
            {(library, name): JobFacts(*rest) for library, name, *rest in data["facts"]},
            {Named(*one) for one in data["named"]},
            {*data["tasks"]},
            data["has_visibility"],
        )

    def add(self, other: Running) -> None:
        """Take over what another process has imported."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) | value)


def running_jobs(root: Path) -> Running:
    """Return what this process has imported. Nothing is enqueued for it.

    Args:
        root: the folder whose calls are looked at.
    """
    modules = {
        str(Path(attributes_of(module)["__file__"]).resolve()): module
        for module in list(sys.modules.values())
        if issubclass(type(module), ModuleType) and not is_installed(module)
    }
    found = Running(files={*modules})
    with asking_bridges() as (bridges, _):
        for bridge in bridges:
            for name in bridge.known_names() if isinstance(bridge, KnowsNames) else ():
                _add(bridge, name, found)
        every = [*bridges]
        own = {file: one for file, one in modules.items() if Path(file).is_relative_to(root)}
        passing: dict[Passing, Any] = {}
        for file, module in own.items():
            for call in known_calls(module, file, VERBS):
                _add_call(call, every, found, passing)
        _add_passed(own, passing, found)
        for bridge in every:
            if isinstance(bridge, LibraryBridge):
                _add_facts(bridge, root, found)
    return found


def _add(bridge: Any, name: str, found: Running) -> None:
    try:
        registered = _job(bridge, name)
    except AmbiguousJobError as error:
        found.shared.add(str(error))
    else:
        if registered.job.file:
            found.jobs.add(registered)


def _add_call(
    call: Call, bridges: Sequence[Any], found: Running, passing: dict[Passing, Any]
) -> None:
    """Note what the receiver of a call is, and the function that a queue gets, or who passes one on."""
    found.names[call.place] = None
    for bridge in bridges:
        is_its_own = _is_of(bridge, call.receiver)
        name = bridge.identify(call.receiver) if is_its_own or _is_function(call.receiver) else None
        if name is not None:
            found.names[call.place] = bridge.name, name
        elif is_its_own and call.first is not None:
            _add_given(bridge, *call.first, found)
        elif is_its_own:
            # A queue, and nobody knows here what it gets.
            del found.names[call.place]
            if call.within is not None:
                passing[call.within] = bridge
            return


def _add_given(bridge: Any, place: Place, value: Any, found: Running) -> None:
    """Note what a queue gets, if it is a function."""
    if isinstance(value, Each):
        for one in value.values:
            _add_given(bridge, place, one, found)
        return
    takes: Any = isinstance(bridge, TakesFunctions)
    if takes and isinstance(value, str):
        _import_as_worker(value, found)
    given = bridge.adopt(value) if takes else None
    if given is None and (_is_function(value) or isinstance(value, str)):
        given = bridge.identify(value)
    if given is not None:
        found.names[place] = bridge.name, given
        _add(bridge, given, found)


def _add_passed(
    modules: Mapping[str, ModuleType], passing: dict[Passing, Any], found: Running
) -> None:
    """Note the functions that callers give to functions which pass them on to a queue."""
    new = dict(passing)
    while new:
        known, wanted = dict(passing), {each.name for each in new}
        for file, module in modules.items():
            for call in known_calls(module, file, wanted):
                bridge = None if call.function is None else new.get(call.function)
                if bridge is not None and call.first is not None:
                    _add_given(bridge, *call.first, found)
                elif bridge is not None and call.within is not None:
                    passing.setdefault(call.within, bridge)
        new = {each: passing[each] for each in passing.keys() - known.keys()}


def _import_as_worker(path: str, found: Running) -> None:
    """Import the module of a function that a queue gets by its path, if it lies beside modules of the project."""
    package, _, _ = path.partition(".")
    beside = [module for name, module in sys.modules.items() if name.partition(".")[0] == package]
    if any(getattr(module, "__file__", None) in found.files for module in beside):
        # A worker will say what is wrong with it.
        with suppress(Exception):
            importlib.import_module(path.rpartition(".")[0])


def _is_function(value: Any) -> bool:
    return is_one_of((FunctionType,), value)


def _is_of(bridge: Any, value: Any) -> bool:
    """Say whether an object, or a class, is of a job library, or derives from what is."""
    kind = value if is_one_of((type, FunctionType), value) else type(value)
    own = packages_of(bridge.name)
    kinds = type.mro(kind) if isinstance(kind, type) else [kind]
    return any(
        str(one.__module__).partition(".")[0] in own
        or library_named(str(one.__module__)) == bridge.name
        for one in kinds
    )


def meant_by(bridge: Any, name: str) -> object:
    """Return the job that a name means: of several the one that its module holds under the name now.

    A module that is imported anew leaves its former jobs in the registries, under the same names.

    Raises:
        AmbiguousJobError: when several jobs have the name, and none of them is there.
    """
    try:
        bridge.matcher(name)
        bridge.resolve(name)
    except AmbiguousJobError:
        standing = standing_at(name)
        if standing is None or bridge.identify(standing) != name:
            raise
        return standing
    return name


def _job(bridge: Any, name: str) -> RegisteredJob:
    """Return a job with the place of its body.

    Raises:
        AmbiguousJobError: when several jobs have this name.
    """
    try:
        job = meant_by(bridge, name)
        seen = seen_job(bridge, name, job)
        first = next(iter(inspect.signature(inspect.unwrap(bridge.resolve(job))).parameters), "")
        return RegisteredJob(seen, first not in ("", *bridge.signature(job).names))
    except AmbiguousJobError:
        raise
    except Exception:
        # A job without a body here, and each bridge says so in its own way.
        return RegisteredJob(SeenJob(bridge.name, name), is_bound=False)


def _add_facts(bridge: Any, root: Path, found: Running) -> None:
    """Note what a library says of its jobs."""
    applications: dict[int, Any] = {}
    for job in sorted(one.job for one in found.jobs if one.job.bridge == bridge.name):
        name = job.name
        try:
            found.facts[bridge.name, name] = _facts(bridge, name)
            if bridge.name == "celery":
                app = bridge.known(meant_by(bridge, name)).app
                applications[id(app)] = app
        except Exception as error:
            # Of the project, such as a policy that it computes: rules would pass the job without a word.
            if Path(job.file).is_relative_to(root):
                found.shared.add(f"{name!r}, since {bridge.name} cannot say what it is: {error!r}.")
    for app in applications.values():
        with suppress(Exception):  # Of the settings of the application.
            _ask(app, bridge, found)


def _facts(bridge: Any, name: str) -> JobFacts:
    job = meant_by(bridge, name)
    task, policy = bridge.known(job), bridge.retry_policy(job)
    body = bridge.body_of(task)
    # A wrapper that takes everything may fill in, or take away, what it likes.
    own = inspect.signature(body, follow_wrapped=False).parameters.values()
    is_open = hasattr(body, "__wrapped__") and {one.kind for one in own} >= _EVERYTHING
    parameters = [
        one.replace(annotation=one.empty, default=None if _is_optional(one, bridge) else one.empty)
        for one in bridge.signature(job).signature.parameters.values()
    ]
    options: dict[str, Any] = {}
    for option, setting in _CELERY.items() if bridge.name == "celery" else ():
        value = getattr(task, option, None)
        options[option] = task.app.conf.get(setting) if value is None and setting else value
    attempts = 1 if policy is None else policy.attempts
    tried = range(1, min(_WAITS, _WAITS if attempts is None else attempts))
    return JobFacts(
        None if is_open else str(Signature(parameters)),
        {key: one for key, one in options.items() if isinstance(one, int | float | None)},
        attempts,
        [policy.wait(attempt).total_seconds() for attempt in tried] if policy else [],
        bridge.name != "celery" or task.__class__.apply_async.__module__.startswith("celery."),
    )


def _is_optional(parameter: Parameter, bridge: Any) -> bool:
    is_filled_in = bridge.name in _INJECTING and parameter.kind not in _EVERYTHING
    return parameter.default is not parameter.empty or is_filled_in


def _ask(app: Any, bridge: Any, found: Running) -> None:
    """Note what an application of Celery schedules and routes."""
    found.tasks |= {*app.tasks}
    found.has_visibility |= "visibility_timeout" in (app.conf.broker_transport_options or {})
    for key, entry in (app.conf.beat_schedule or {}).items():
        name = str(entry.get("task"))
        refusal = ""
        if name in app.tasks:
            with suppress(AmbiguousJobError):  # Which is said of the job itself.
                signature = bridge.signature(name).signature
                try:
                    signature.bind(*(entry.get("args") or ()), **(entry.get("kwargs") or {}))
                except TypeError as error:
                    refusal = str(error)
        found.named.add(Named(name, str(key), refusal))
    routes = app.conf.task_routes
    for name in routes if isinstance(routes, Mapping) else ():
        if isinstance(name, str) and not {*"*?["} & {*name}:
            found.named.add(Named(name, ""))
