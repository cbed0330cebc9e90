"""The jobs that the running libraries know: apps, brokers, worker settings, schedules, the core.

A project may wrap a decorator, derive an application, or put functions into a list: its libraries know the outcome
in each case. What is read here are their own registries, through the bridges, in the process that has imported the
project.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from ...bridges.libraries.known import packages_of
from ...bridges.opening import asking_bridges
from ...core.foundation.registry import standing_at
from ...errors import AmbiguousJobError
from ...harness.records.attributes import attributes_of, is_one_of
from ...harness.records.bridge import TakesFunctions
from ...harness.records.home import is_installed
from ...harness.records.record import KnowsNames
from ..seen.recorder import seen_job
from ..seen.session import SeenJob
from .enqueues import VERBS
from .receivers import Call, Place, known_calls


class RegisteredJob(NamedTuple):
    """A job that a running library knows."""

    job: SeenJob
    #: Whether the first parameter of its function is filled by the library, and not by who enqueues.
    is_bound: bool
    #: Whether the application schedules it: of Celery, whose schedule the text need not have.
    recurs: bool = False


@dataclass
class Running:
    """What the processes of a test session have imported."""

    jobs: set[RegisteredJob] = field(default_factory=set)
    #: The files of modules that are not of installed packages.
    files: set[str] = field(default_factory=set)
    #: By the places of expressions that may name a job: its library and its name; None for what names none.
    names: dict[Place, tuple[str, str] | None] = field(default_factory=dict)
    #: What bridges say of names that several jobs have: no verdict about one of them would be sure.
    shared: set[str] = field(default_factory=set)

    def to_dict(self) -> dict[str, Any]:
        jobs = [[[*one.job], *one[1:]] for one in sorted(self.jobs)]
        names = [[[*place], name and [*name]] for place, name in self.names.items()]
        files, shared = sorted(self.files), sorted(self.shared)
        return {"jobs": jobs, "files": files, "names": names, "shared": shared}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Running:
        """Return what `to_dict` wrote."""
        jobs = {RegisteredJob(SeenJob(*job), *rest) for job, *rest in data["jobs"]}
        names = {Place(*place): name and (name[0], name[1]) for place, name in data["names"]}
        return cls(jobs, {*data["files"]}, names, {*data["shared"]})

    def add(self, other: Running) -> None:
        """Take over what another process has imported."""
        self.jobs |= other.jobs
        self.files |= other.files
        self.names |= other.names
        self.shared |= other.shared


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
        for file, module in modules.items():
            if Path(file).is_relative_to(root):
                for call in known_calls(module, file, VERBS):
                    _add_call(call, every, found)
    return found


def _add(bridge: Any, name: str, found: Running) -> None:
    try:
        registered = _job(bridge, name)
    except AmbiguousJobError as error:
        found.shared.add(str(error))
    else:
        if registered.job.file:
            found.jobs.add(registered)


def _add_call(call: Call, bridges: Sequence[Any], found: Running) -> None:
    """Note what the receiver of a call is, and the function that a queue gets."""
    found.names[call.place] = None
    for bridge in bridges:
        is_its_own = _is_of(bridge, call.receiver)
        name = bridge.identify(call.receiver) if is_its_own or _is_function(call.receiver) else None
        if name is not None:
            found.names[call.place] = bridge.name, name
        elif is_its_own and call.first is not None:
            place, value = call.first
            takes: Any = isinstance(bridge, TakesFunctions)
            if takes and isinstance(value, str):
                _import_as_worker(value, found)
            given = bridge.adopt(value) if takes else None
            if given is None and (_is_function(value) or isinstance(value, str)):
                given = bridge.identify(value)
            if given is not None:
                found.names[place] = bridge.name, given
                _add(bridge, given, found)
        elif is_its_own:
            # A queue, and nobody knows here what it gets.
            del found.names[call.place]
            return


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
    return any(str(one.__module__).partition(".")[0] in own for one in kinds)


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
        is_bound = first not in ("", *bridge.signature(job).names)
        return RegisteredJob(seen, is_bound, bridge.name == "celery" and _is_in_beat(bridge, job))
    except AmbiguousJobError:
        raise
    except Exception:
        # A job without a body here, and each bridge says so in its own way.
        return RegisteredJob(SeenJob(bridge.name, name), is_bound=False)


def _is_in_beat(bridge: Any, job: object) -> bool:
    with suppress(Exception):  # Of the settings of the application.
        task = bridge.known(job)
        schedule = task.app.conf.beat_schedule or {}
        return any(entry.get("task") == task.name for entry in schedule.values())
    return False
