"""The settings in force: flags and ini options for the session, markers and test cases for a test."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, cast

import pytest

if TYPE_CHECKING:
    from ...harness.jobs import Jobs
    from ...harness.ledger.queues import Queues

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
#: Settings of a marker that only keep attacks away: for these alone no harness is opened.
_AGAINST_ATTACKS: Final = frozenset(("idempotent", "crash"))
#: How many points of one test --jobs-crash tries.
_CRASH_POINTS: Final = 50
MARKER: Final = (
    "jobs(mode='record'|'inline'|'off', strict=bool, raise_at='end'|'enqueue', jitter='zero'|'seeded'|'live', "
    "queues=file, idempotent=bool, crash=bool): open a job harness for the test, with these settings. "
    "idempotent=False keeps --jobs-twice and --jobs-crash away, crash=False the latter; alone they open none."
)


class JobOptions(NamedTuple):
    """The settings in force for a test, or for the session."""

    # No dataclass: one of so many fields takes 2 ms of every start-up, ten times as long.

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
    #: Whether the flag asked for the attack, and not the ini file.
    attack_by_flag: bool = False
    #: How many points of a test --jobs-crash tries at most.
    crash_points: int = _CRASH_POINTS
    #: The names of modules whose lines are not points.
    crash_atomic: tuple[str, ...] = ()
    #: Whether the jobs of the test may be attacked.
    idempotent: bool = True
    #: Whether they may be killed.
    crash: bool = True
    #: The queues that the workers serve; None for all queues alike.
    queues: Queues | None = None

    @property
    def opens(self) -> bool:
        """Whether a test has a harness although it asks for none."""
        return self.always and self.mode != "off"


_options = pytest.StashKey[JobOptions]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the flags and their twins in the ini file."""
    group = parser.getgroup("jobs", "background jobs")

    def flag(name: str, text: str) -> None:
        group.addoption(name, action="store_true", default=False, help=text)

    def ini(name: str, text: str, default: str = "") -> None:
        parser.addini(name, text, default=default)

    def ini_bool(name: str, text: str) -> None:
        parser.addini(name, text, type="bool", default=False)

    def ini_args(name: str, text: str) -> None:
        parser.addini(name, text, type="args", default=[])

    flag(
        "--jobs-inline",
        "Perform each job of every test as soon as it is enqueued: as jobs_mode = inline.",
    )
    flag(
        "--jobs-strict",
        "Fail a test that leaves jobs it neither looked at nor performed: as jobs_strict = true.",
    )
    group.addoption(
        "--jobs-replay",
        metavar="TOKEN",
        default=None,
        help="Carry out only the history that a report of check_idempotent names in its replay line.",
    )
    flag(
        "--jobs-twice",
        "Deliver each job that a test performs once more: as jobs_twice = true.",
    )
    flag(
        "--jobs-crash",
        "Repeat each test that performs jobs, and kill a job at another line each time: jobs_crash.",
    )
    group.addoption(
        "--jobs-crash-points",
        metavar="N",
        default=None,
        help=f"How many points of one test --jobs-crash tries at most, {_CRASH_POINTS} by default.",
    )
    ini_bool("jobs_twice", "Whether each job is delivered once more.")
    ini_bool("jobs_crash", "Whether jobs are killed at each line.")
    ini("jobs_crash_points", "As --jobs-crash-points.", str(_CRASH_POINTS))
    ini_args(
        "jobs_crash_atomic", "Modules whose lines --jobs-crash leaves out, such as fakes: by name."
    )
    ini("jobs_mode", "What becomes of enqueued jobs: record, inline or off.")
    ini_bool("jobs_strict", "Whether a test may leave jobs alone.")
    ini("jobs_raise", "Where the error of an inline job is raised: end or enqueue.", "end")
    ini_args(
        "jobs_apps",
        "The applications whose jobs are recorded, such as celery:proj.celery:app or django.",
    )
    ini("jobs_jitter", "What the jitter of waits is: zero, seeded or live.", "zero")
    ini_args(
        "jobs_queues",
        "The file with the queues of the workers, such as config/sidekiq.yml, and its environment.",
    )


def session_options(config: pytest.Config) -> JobOptions:
    """Return the settings of the session."""
    return config.stash[_options]


def item_options(item: pytest.Item) -> JobOptions:
    """Return the settings of a test: those of the session, changed by its markers, the nearest last.

    The attributes of a `JobsTestCase` come before the markers.

    Raises:
        pytest.UsageError: when a marker says what no marker can.
    """
    options = session_options(item.config)
    if is_jobs_case(item):
        options = options._replace(**options_of_case(item), always=True)
    for marker in reversed(list(item.iter_markers("jobs"))):
        marked = _marked(marker, item)
        opens = options.always or not marked or not marked.keys() <= _AGAINST_ATTACKS
        options = options._replace(**{**marked, "always": opens})
    return options


def read_options(config: pytest.Config) -> JobOptions:
    """Read the flags and the ini file, and keep them for `session_options`.

    Raises:
        pytest.UsageError: when one of them has no valid value, or two contradict each other.
    """
    declared = config.getini("jobs_mode")
    mode = _checked("mode", declared, "jobs_mode") if declared else None
    inline = bool(config.getoption("--jobs-inline"))
    if inline and mode == "off":
        raise pytest.UsageError(
            "--jobs-inline performs every job, and jobs_mode = off lets none in: drop one of the two."
        )
    attack, by_flag = _attack(config)
    if by_flag and mode == "off":
        raise pytest.UsageError(
            f"--jobs-{attack} attacks the jobs of every test, and jobs_mode = off lets none in: "
            "drop one of the two."
        )
    apps = tuple(config.getini("jobs_apps"))
    options = config.stash[_options] = JobOptions(
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
    return options


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


def _queues(config: pytest.Config) -> Queues | None:
    words = config.getini("jobs_queues")
    if len(words) > 2:
        raise pytest.UsageError(
            f"jobs_queues is {' '.join(words)!r}; it is a file, and its environment where it has any."
        )
    return _load_queues(config, "jobs_queues", *words) if words else None


def _load_queues(
    config: pytest.Config, where: str, name: str | Path, environment: str | None = None
) -> Queues:
    from ...errors import QueuesError
    from ...integrations.queues import load_queues

    directory = config.rootpath if config.inipath is None else config.inipath.parent
    try:
        return load_queues(directory / name, environment=environment)
    except QueuesError as error:
        raise pytest.UsageError(f"{where}: {error}") from None


def _marked(marker: pytest.Mark, item: pytest.Item) -> dict[str, Any]:
    """Return what a marker says, checked."""
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
            marked[name] = _marked_queues(value, where, item.config)
        elif name not in _SWITCHES:
            known = ", ".join((*_VALUES, "queues", *_SWITCHES))
            raise pytest.UsageError(f"{where} knows no {name!r}: it takes {known}.")
        elif not isinstance(value, bool):
            raise pytest.UsageError(f"{where}: {name} is {value!r}; it is True or False.")
    return marked


def _marked_queues(value: object, where: str, config: pytest.Config) -> Queues | None:
    from ...harness.ledger.queues import Queues

    if value is None or isinstance(value, Queues):
        return value
    if isinstance(value, str | Path):
        return _load_queues(config, f"{where}: queues", value)
    raise pytest.UsageError(
        f"{where}: queues is {value!r}; it is a file, Queues(...), or None for all queues alike."
    )


def _checked(name: str, value: object, where: str) -> str:
    valid = _VALUES[name]
    if value not in valid:
        raise pytest.UsageError(f"{where} is {value!r}; valid are {', '.join(valid)}.")
    return str(value)


# Tests that derive from `JobsTestCase`, which need not be imported to be known

#: The options that a class can set, by the names of its attributes.
_OPTIONS_OF_CASE: Final = {
    "jobs_mode": "mode",
    "jobs_raise": "raise_at",
    "jobs_jitter": "jitter",
    "jobs_strict": "strict",
}


def is_jobs_case(item: pytest.Item) -> bool:
    """Say whether a test is a method of such a class."""
    return bool(getattr(_class_of(item), "_is_jobs_case", False))


def options_of_case(item: pytest.Item) -> dict[str, Any]:
    """Return what the class of a test says, by the names that a marker has for it."""
    said = {option: getattr(_class_of(item), name) for name, option in _OPTIONS_OF_CASE.items()}
    return {option: value for option, value in said.items() if value is not None}


def applications_of_case(item: pytest.Item, applications: Sequence[object]) -> Iterable[object]:
    """Return the applications, and further ones that the class of a test names."""
    if not is_jobs_case(item):
        return applications
    own = [app for app in _class_of(item).jobs_apps if app not in applications]
    return [*applications, *own]


def hand_over(item: pytest.Item, harness: Jobs) -> None:
    """Give the harness of a test to its test case, so that the case opens none."""
    if is_jobs_case(item):
        instance: Any = getattr(item, "instance", None)
        instance.jobs = harness


def _class_of(item: pytest.Item) -> Any:
    return getattr(item, "cls", None)
