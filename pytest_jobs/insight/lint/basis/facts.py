"""What the running libraries say of each job beside its name: parameters, options, retries and schedules.

A rule that asks them is exact: it judges the number that a worker will use, whoever has set it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import Parameter, Signature
from typing import Any, Final, NamedTuple

from ....bridges.opening import asking_bridges
from ....bridges.toolkit import LibraryBridge
from ...source.running import Running, meant_by

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
#: In the order of their numbers.
_KINDS: Final = (
    Parameter.POSITIONAL_ONLY,
    Parameter.POSITIONAL_OR_KEYWORD,
    Parameter.VAR_POSITIONAL,
    Parameter.KEYWORD_ONLY,
    Parameter.VAR_KEYWORD,
)
_EVERYTHING: Final = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
_WAITS: Final = 5


class JobFacts(NamedTuple):
    """What a library says of one job. The defaults are those of a job that says nothing."""

    #: The parameters that a message fills: name, kind, whether it has a default. None where nobody knows.
    parameters: list[tuple[str, int, bool]] | None = None
    #: What a task of Celery declares.
    options: Mapping[str, Any] = {}
    #: How often it is tried, None for ever; and the first waits in between, in seconds.
    attempts: int | None = 1
    waits: list[float] = []  # noqa: RUF012 - a default that nobody changes
    #: Whether the library itself enqueues it, and no method of the project that stands before.
    is_plain: bool = True

    def refusal(self, positional: int, names: list[str]) -> str:
        """Return why a call does not fit the parameters; empty when it does, or nobody knows."""
        if self.parameters is None:
            return ""
        signature = Signature(
            [
                Parameter(name, _KINDS[kind], default=None if is_optional else Parameter.empty)
                for name, kind, is_optional in self.parameters
            ]
        )
        try:
            signature.bind(*[None] * positional, **dict.fromkeys(names))
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
class Facts:
    """What the processes of a test session know of their jobs."""

    #: By the library and the name of each job.
    jobs: dict[tuple[str, str], JobFacts] = field(default_factory=dict)
    named: set[Named] = field(default_factory=set)
    #: The names of all tasks of Celery.
    tasks: set[str] = field(default_factory=set)
    #: Whether an application of Celery says how long its broker waits for an acknowledgement.
    has_visibility: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "jobs": [[*key, *facts] for key, facts in self.jobs.items()],
            "named": sorted(self.named),
            "tasks": sorted(self.tasks),
            "has_visibility": self.has_visibility,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Facts:
        """Return what `to_dict` wrote."""
        return cls(
            {(library, name): JobFacts(*rest) for library, name, *rest in data["jobs"]},
            {Named(*one) for one in data["named"]},
            {*data["tasks"]},
            data["has_visibility"],
        )

    def add(self, other: Facts) -> None:
        """Take over what another process knows."""
        self.jobs |= other.jobs
        self.named |= other.named
        self.tasks |= other.tasks
        self.has_visibility |= other.has_visibility


def facts_of(running: Running) -> Facts:
    """Return what the libraries of this process say of the jobs that they know."""
    facts = Facts()
    applications: dict[int, Any] = {}
    with asking_bridges() as (bridges, _):
        by_name: dict[str, Any] = {
            bridge.name: bridge for bridge in bridges if isinstance(bridge, LibraryBridge)
        }
        for library, name in sorted((one.job.bridge, one.job.name) for one in running.jobs):
            try:
                bridge = by_name[library]
                facts.jobs[library, name] = _facts(bridge, name)
                if library == "celery":
                    app = bridge.known(name).app
                    applications[id(app)] = app
            except Exception:  # noqa: S112 - a job without a body, and each bridge says so in its own way
                continue
        for app in applications.values():
            _ask(app, by_name["celery"], facts)
    return facts


def _facts(bridge: Any, name: str) -> JobFacts:
    job = meant_by(bridge, name)
    task, policy = bridge.known(job), bridge.retry_policy(job)
    body = bridge.body_of(task)
    # A wrapper that takes everything may fill in, or take away, what it likes.
    own = inspect.signature(body, follow_wrapped=False).parameters.values()
    is_open = hasattr(body, "__wrapped__") and {one.kind for one in own} >= _EVERYTHING
    parameters = [
        (one.name, int(one.kind), one.default is not one.empty or bridge.name in _INJECTING)
        for one in bridge.signature(job).signature.parameters.values()
    ]
    options: dict[str, Any] = {}
    for option, setting in _CELERY.items() if bridge.name == "celery" else ():
        value = getattr(task, option, None)
        options[option] = task.app.conf.get(setting) if value is None and setting else value
    attempts = 1 if policy is None else policy.attempts
    tried = range(1, min(_WAITS, _WAITS if attempts is None else attempts))
    return JobFacts(
        None if is_open else parameters,
        {key: one for key, one in options.items() if isinstance(one, int | float | None)},
        attempts,
        [policy.wait(attempt).total_seconds() for attempt in tried] if policy else [],
        bridge.name != "celery" or type(task).apply_async.__module__.startswith("celery."),
    )


def _ask(app: Any, bridge: Any, facts: Facts) -> None:
    """Note what an application of Celery schedules and routes."""
    facts.tasks |= {*app.tasks}
    facts.has_visibility |= "visibility_timeout" in (app.conf.broker_transport_options or {})
    for key, entry in (app.conf.beat_schedule or {}).items():
        name = str(entry.get("task"))
        refusal = ""
        if name in app.tasks:
            found = bridge.signature(name).signature
            try:
                found.bind(*(entry.get("args") or ()), **(entry.get("kwargs") or {}))
            except TypeError as error:
                refusal = str(error)
        facts.named.add(Named(name, str(key), refusal))
    routes = app.conf.task_routes
    for name in routes if isinstance(routes, Mapping) else ():
        if isinstance(name, str) and not {*"*?["} & {*name}:
            facts.named.add(Named(name, ""))
