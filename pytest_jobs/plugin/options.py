"""What the command line, the ini file and the markers say."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, cast

import pytest

from . import exploring
from .cases import is_jobs_case, options_of_case

if TYPE_CHECKING:
    from ..harness.ledger.queues import Queues

Mode: TypeAlias = Literal["record", "inline", "off"]
RaiseAt: TypeAlias = Literal["end", "enqueue"]
Jitter: TypeAlias = Literal["zero", "seeded", "live"]
Attack: TypeAlias = Literal["twice", "crash"]

_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "mode": ("record", "inline", "off"),
    "raise_at": ("end", "enqueue"),
    "jitter": ("zero", "seeded", "live"),
}
#: What a marker says by True or False.
_SWITCHES: Final = ("strict", "idempotent", "crash")
#: What a marker says of attacks alone, for which no harness is opened.
_ATTACKED: Final = frozenset(("idempotent", "crash"))
#: How many points of one test --jobs-crash tries.
_CRASH_POINTS: Final = 50
_MARKER = (
    "jobs(mode='record'|'inline'|'off', strict=bool, raise_at='end'|'enqueue', jitter='zero'|'seeded'|'live', "
    "queues=file, idempotent=bool, crash=bool): open a job harness for the test, with these settings. "
    "idempotent=False keeps --jobs-twice and --jobs-crash away, crash=False the latter; alone they open none."
)


class JobOptions(NamedTuple):
    """The settings in force for a test, or for the session."""

    mode: Mode = "record"
    raise_at: RaiseAt = "end"
    jitter: Jitter = "zero"
    strict: bool = False
    #: The applications to bridge, by name.
    apps: tuple[str, ...] = ()
    #: Whether a harness is opened without being asked for.
    always: bool = False
    #: What is done to the jobs of every test.
    attack: Attack | None = None
    #: Whether the flag asked for it, and not the ini file.
    attack_by_flag: bool = False
    #: How many points of a test are tried at most.
    crash_points: int = _CRASH_POINTS
    #: Modules whose lines are no points, by name.
    crash_atomic: tuple[str, ...] = ()
    #: Whether the jobs of the test may be attacked.
    idempotent: bool = True
    #: Whether they may be killed.
    crash: bool = True
    #: What the workers serve; None for all queues alike.
    queues: Queues | None = None

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
    _add_attacks(parser, group)
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
    parser.addini(
        "jobs_queues",
        "The file with the queues of the workers, such as config/sidekiq.yml, and its environment.",
        type="args",
        default=[],
    )


def _add_attacks(parser: pytest.Parser, group: Any) -> None:
    group.addoption(
        "--jobs-twice",
        action="store_true",
        default=False,
        help="Deliver each job that a test performs once more: as jobs_twice = true.",
    )
    group.addoption(
        "--jobs-crash",
        action="store_true",
        default=False,
        help="Repeat each test that performs jobs, and kill a job at another line each time: jobs_crash.",
    )
    group.addoption(
        "--jobs-crash-points",
        metavar="N",
        default=None,
        help=f"How many points of one test --jobs-crash tries at most, {_CRASH_POINTS} by default.",
    )
    parser.addini(
        "jobs_twice", "Whether each job is delivered once more.", type="bool", default=False
    )
    parser.addini("jobs_crash", "Whether jobs are killed at each line.", type="bool", default=False)
    parser.addini("jobs_crash_points", "As --jobs-crash-points.", default=str(_CRASH_POINTS))
    parser.addini(
        "jobs_crash_atomic",
        "Modules whose lines --jobs-crash leaves out, such as fakes: by name.",
        type="args",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the options once, and guard the session where a harness is always open."""
    config.addinivalue_line("markers", _MARKER)
    options = _read(config)
    config.stash[_options] = options
    exploring.register(config)
    if options.opens:
        from .guard import SessionGuard

        config.pluginmanager.register(SessionGuard(config), "pytest_jobs_guard")
    if options.attack is not None:
        from .adversary.plugin import adversary_plugin

        plugin = adversary_plugin(config, options)
        config.pluginmanager.register(plugin, "pytest_jobs_adversary")


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
    if options.queues is not None:
        from .queues import in_force

        shown.append(in_force(options.queues))
    if options.attack == "twice":
        shown.append("every delivery twice")
    if options.attack == "crash":
        shown.append(f"killed at up to {options.crash_points} points of each test")
    return f"jobs: {', '.join(shown)}" if shown else None


def session_options(config: pytest.Config) -> JobOptions:
    """Return the settings of the session."""
    return config.stash[_options]


def item_options(item: pytest.Item) -> JobOptions:
    """Return the settings of a test: those of the session, changed by its markers, the nearest last.

    Of a `JobsTestCase` the attributes of the class go before the markers.

    Raises:
        pytest.UsageError: when a marker says what no marker can.
    """
    options = session_options(item.config)
    if is_jobs_case(item):
        options = options._replace(**options_of_case(item), always=True)
    for marker in reversed(list(item.iter_markers("jobs"))):
        marked = _marked(marker, item)
        opens = options.always or not marked or not marked.keys() <= _ATTACKED
        options = options._replace(**{**marked, "always": opens})
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
    attack, by_flag = _attack(config)
    if by_flag and mode == "off":
        raise pytest.UsageError(
            f"--jobs-{attack} attacks the jobs of every test, and jobs_mode = off lets none in: "
            "drop one of the two."
        )
    return JobOptions(
        mode="inline" if inline else cast(Mode, mode or "record"),
        raise_at=cast(RaiseAt, _checked("raise_at", config.getini("jobs_raise"), "jobs_raise")),
        jitter=cast(Jitter, _checked("jitter", config.getini("jobs_jitter"), "jobs_jitter")),
        strict=bool(config.getoption("--jobs-strict") or config.getini("jobs_strict")),
        apps=apps,
        always=inline or mode is not None or bool(apps),
        attack=attack,
        attack_by_flag=by_flag,
        crash_points=_crash_points(config),
        crash_atomic=tuple(config.getini("jobs_crash_atomic")),
        queues=_queues(config),
    )


def _queues(config: pytest.Config) -> Queues | None:
    words = config.getini("jobs_queues")
    if not words:
        return None
    from .queues import of_ini

    return of_ini(config, words)


def _attack(config: pytest.Config) -> tuple[Attack | None, bool]:
    """Return what is done to jobs, and whether the flag asked for it, which goes before the ini file."""
    attacks: tuple[Attack, ...] = ("twice", "crash")
    flags: list[Attack] = [attack for attack in attacks if config.getoption(f"--jobs-{attack}")]
    wanted: list[Attack] = flags or [
        attack for attack in attacks if config.getini(f"jobs_{attack}")
    ]
    if len(wanted) > 1:
        given = "--jobs-twice and --jobs-crash" if flags else "jobs_twice and jobs_crash"
        raise pytest.UsageError(
            f"{given} each run tests in a way of their own: give one, and the other in another run."
        )
    if wanted == ["crash"] and sys.version_info < (3, 12):
        raise pytest.UsageError(
            "--jobs-crash needs Python 3.12 or newer: on 3.11 a job that catches everything cannot be killed, and "
            "would go on in the world of the test. Use --jobs-twice here, or check_idempotent."
        )
    return (wanted[0] if wanted else None), bool(flags)


def _crash_points(config: pytest.Config) -> int:
    flag = config.getoption("--jobs-crash-points")
    where = "jobs_crash_points" if flag is None else "--jobs-crash-points"
    given = config.getini("jobs_crash_points") if flag is None else flag
    if not str(given).isdecimal() or int(given) < 1:
        raise pytest.UsageError(f"{where} is {given!r}; valid are whole numbers from 1.")
    return int(given)


def _marked(marker: pytest.Mark, item: pytest.Item) -> dict[str, Any]:
    where = f"@pytest.mark.jobs of {item.nodeid}"
    if marker.args:
        raise pytest.UsageError(
            f"{where} has positional arguments: write mode=, strict=, raise_at=, jitter=, queues=, "
            "idempotent= or crash=."
        )
    marked = dict(marker.kwargs)
    for name, value in marker.kwargs.items():
        if name in _VALUES:
            _checked(name, value, f"{where}: {name}")
        elif name == "queues":
            from .queues import of_marker

            marked[name] = of_marker(item.config, value, where)
        elif name not in _SWITCHES:
            known = ", ".join((*_VALUES, "queues", *_SWITCHES))
            raise pytest.UsageError(f"{where} knows no {name!r}: it takes {known}.")
        elif not isinstance(value, bool):
            raise pytest.UsageError(f"{where}: {name} is {value!r}; it is True or False.")
    return marked


def _checked(name: str, value: object, where: str) -> str:
    valid = _VALUES[name]
    if value not in valid:
        raise pytest.UsageError(f"{where} is {value!r}; valid are {', '.join(valid)}.")
    return str(value)
