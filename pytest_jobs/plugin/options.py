"""What the command line, the ini file and the markers say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, cast

import pytest

from . import exploring
from .sources import hand_over_sources

Mode: TypeAlias = Literal["record", "inline", "off"]
RaiseAt: TypeAlias = Literal["end", "enqueue"]
Jitter: TypeAlias = Literal["zero", "seeded", "live"]

_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "mode": ("record", "inline", "off"),
    "raise_at": ("end", "enqueue"),
    "jitter": ("zero", "seeded", "live"),
}
_MARKER = (
    "jobs(mode='record'|'inline'|'off', strict=bool, raise_at='end'|'enqueue', jitter='zero'|'seeded'|'live'): "
    "open a job harness for the test, with these settings."
)


@dataclass(frozen=True, slots=True)
class JobOptions:
    """The settings in force for a test, or for the session."""

    mode: Mode = "record"
    raise_at: RaiseAt = "end"
    jitter: Jitter = "zero"
    strict: bool = False
    #: The applications to bridge, by name.
    apps: tuple[str, ...] = ()
    #: Whether a harness is opened without being asked for.
    always: bool = False

    @property
    def opens(self) -> bool:
        """Whether a test has a harness although it asks for none."""
        return self.always and self.mode != "off"


_options = pytest.StashKey[JobOptions]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the flags and their twins in the ini file."""
    group = parser.getgroup("jobs", "background jobs")
    group.addoption(
        "--jobs-inline",
        action="store_true",
        default=False,
        help="Perform each job of every test as soon as it is enqueued: as jobs_mode = inline.",
    )
    group.addoption(
        "--jobs-strict",
        action="store_true",
        default=False,
        help="Fail a test that leaves jobs it neither looked at nor performed: as jobs_strict = true.",
    )
    exploring.add_option(group)
    parser.addini("jobs_mode", "What becomes of enqueued jobs: record, inline or off.", default="")
    parser.addini("jobs_strict", "Whether a test may leave jobs alone.", type="bool", default=False)
    parser.addini(
        "jobs_raise", "Where the error of an inline job is raised: end or enqueue.", default="end"
    )
    parser.addini(
        "jobs_apps",
        "The applications whose jobs are recorded, such as celery:proj.celery:app or django.",
        type="args",
        default=[],
    )
    parser.addini(
        "jobs_jitter", "What the jitter of waits is: zero, seeded or live.", default="zero"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the options once, and guard the session where a harness is always open."""
    config.addinivalue_line("markers", _MARKER)
    options = _read(config)
    config.stash[_options] = options
    hand_over_sources(config)
    exploring.register(config)
    if options.opens:
        from .guard import SessionGuard

        config.pluginmanager.register(SessionGuard(config), "pytest_jobs_guard")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is in force, where it is not the default."""
    options = session_options(config)
    shown = []
    if options.always:
        shown.append(f"mode {options.mode}")
    if options.strict:
        shown.append("strict")
    if options.raise_at != "end":
        shown.append(f"errors raised at {options.raise_at}")
    if options.jitter != "zero":
        shown.append(f"jitter {options.jitter}")
    return f"jobs: {', '.join(shown)}" if shown else None


def session_options(config: pytest.Config) -> JobOptions:
    """Return the settings of the session."""
    return config.stash[_options]


def item_options(item: pytest.Item) -> JobOptions:
    """Return the settings of a test: those of the session, changed by its markers, the nearest last.

    Raises:
        pytest.UsageError: when a marker says what no marker can.
    """
    options = session_options(item.config)
    for marker in reversed(list(item.iter_markers("jobs"))):
        options = replace(options, always=True, **_marked(marker, item.nodeid))
    return options


def _read(config: pytest.Config) -> JobOptions:
    declared = config.getini("jobs_mode")
    mode = _checked("mode", declared, "jobs_mode") if declared else None
    inline = bool(config.getoption("--jobs-inline"))
    if inline and mode == "off":
        raise pytest.UsageError(
            "--jobs-inline performs every job, and jobs_mode = off lets none in: drop one of the two."
        )
    apps = tuple(config.getini("jobs_apps"))
    return JobOptions(
        mode="inline" if inline else cast(Mode, mode or "record"),
        raise_at=cast(RaiseAt, _checked("raise_at", config.getini("jobs_raise"), "jobs_raise")),
        jitter=cast(Jitter, _checked("jitter", config.getini("jobs_jitter"), "jobs_jitter")),
        strict=bool(config.getoption("--jobs-strict") or config.getini("jobs_strict")),
        apps=apps,
        always=inline or mode is not None or bool(apps),
    )


def _marked(marker: pytest.Mark, nodeid: str) -> dict[str, Any]:
    where = f"@pytest.mark.jobs of {nodeid}"
    if marker.args:
        raise pytest.UsageError(
            f"{where} has positional arguments: write mode=, strict=, raise_at= or jitter=."
        )
    for name, value in marker.kwargs.items():
        if name in _VALUES:
            _checked(name, value, f"{where}: {name}")
        elif name != "strict":
            known = ", ".join((*_VALUES, "strict"))
            raise pytest.UsageError(f"{where} knows no {name!r}: it takes {known}.")
        elif not isinstance(value, bool):
            raise pytest.UsageError(f"{where}: strict is {value!r}; it is True or False.")
    return dict(marker.kwargs)


def _checked(name: str, value: object, where: str) -> str:
    valid = _VALUES[name]
    if value not in valid:
        raise pytest.UsageError(f"{where} is {value!r}; valid are {', '.join(valid)}.")
    return str(value)
