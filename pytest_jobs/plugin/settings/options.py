"""The settings in force: flags and ini options for the session, markers and test cases for a test."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, cast

import pytest

from ...integrations.ini_options import CRASH_POINTS, ini_name
from .declared import KEYWORDS, WRONG_MARKER, is_jobs_case
from .misspelt import check_names_in_files

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
_ANNOTATIONS: Final = ("github",)
#: Settings of a marker for attacks and checks only: for these alone no harness is opened.
_OPEN_NONE: Final = frozenset(("idempotent", "crash", "audit", "repeatable"))


class NamedFile(NamedTuple):
    """A file that an option names."""

    #: Where it was named: `jobs_recurring`, or the flag.
    where: str
    path: Path
    #: The part of the file that is read; None where nobody says which.
    environment: str | None
    #: As the user wrote it.
    written: str


class CoverageOptions(NamedTuple):
    """What is done with job coverage."""

    #: The least that does not fail the session, of a hundred, and where that was said.
    fail_under: float
    where: str
    #: Pairs of a format and a file; no file for the terminal.
    reports: tuple[tuple[str, Path | None], ...]
    #: The file of what is known not to be seen; None for none.
    baseline: Path | None = None


class AuditOptions(NamedTuple):
    """How `--jobs-audit` checks the jobs of the tests."""

    #: After how many seconds of computing it begins no further check.
    seconds: float
    #: The file of what it has found; None for none.
    report: Path | None
    #: The file of the findings that are accepted; None for none.
    baseline: NamedFile | None
    #: Whether it writes that file.
    updates: bool


class JobOptions(NamedTuple):
    """The settings in force for a test, or for the session."""

    # No dataclass: one of so many fields takes 2 ms of every start-up, ten times as long.

    #: None where nobody has said one: jobs are recorded, but for what an application performs by itself.
    mode: Mode | None = None
    raise_at: RaiseAt = "end"
    jitter: Jitter = "zero"
    strict: bool = False
    #: The applications to bridge, by name.
    apps: tuple[str, ...] = ()
    #: The libraries whose jobs are left alone, by name.
    ignore: tuple[str, ...] = ()
    #: Whether a harness is opened without being asked for.
    always: bool = False
    #: What is done to the jobs of every test.
    attack: Attack | None = None
    #: Whether the flag asked for the attack, and not the ini file.
    attack_by_flag: bool = False
    #: Whether direct calls of tasks are attacked too.
    attack_calls: bool = False
    #: How many points of a test --jobs-crash tries at most.
    crash_points: int = CRASH_POINTS
    #: The names of modules whose lines are not points.
    crash_atomic: tuple[str, ...] = ()
    #: Whether the jobs of the test may be attacked.
    idempotent: bool = True
    #: Whether they may be killed.
    crash: bool = True
    #: How --jobs-audit checks the jobs of the tests; None if it does not.
    audits: AuditOptions | None = None
    #: Whether it may check the jobs of the test.
    audit: bool = True
    #: The names of effects that may happen again in checks.
    repeatable: tuple[str, ...] = ()
    #: Whether habits of jobs are looked for.
    lint: bool = False
    #: The file of the findings that are known; None for none.
    lint_baseline: Path | None = None
    #: Whether failures are written as annotations of GitHub too.
    annotates: bool = False
    #: How job coverage is measured; None if it is not.
    coverage: CoverageOptions | None = None
    #: The file of the report; None for no report.
    report: Path | None = None
    #: The file of what the jobs accept; None for none.
    messages: Path | None = None
    #: The queues that the workers serve; None for all queues alike.
    queues: Queues | None = None
    #: The file of the recurring jobs, which is read when a test asks for it.
    recurring: NamedFile | None = None

    @property
    def opens(self) -> bool:
        """Whether a test has a harness although it asks for none."""
        return self.always and self.mode != "off"


_options = pytest.StashKey[JobOptions]()


def session_options(config: pytest.Config) -> JobOptions:
    """Return the settings of the session, which are read at first need.

    Raises:
        pytest.UsageError: when one of them has no valid value, or two contradict each other.
    """
    options = config.stash.get(_options, None)
    if options is None:
        options = config.stash[_options] = _read_options(config)
    return options


def item_options(item: pytest.Item) -> JobOptions:
    """Return the settings of a test: those of the session, changed by its markers, the nearest last.

    The attributes of a `JobsTestCase` come before the markers. A wrong marker is noted in the test.
    """
    options = session_options(item.config)
    if is_jobs_case(item):
        options = options._replace(**options_of_case(item), always=True)
    for marker in reversed(list(item.iter_markers("jobs"))):
        try:
            marked = _marked(marker, item)
        except pytest.UsageError as error:
            item.stash[WRONG_MARKER] = str(error)
            continue
        opens = options.always or not marked or not marked.keys() <= _OPEN_NONE
        repeatable = (*options.repeatable, *marked.pop("repeatable", ()))
        options = options._replace(**{**marked, "always": opens, "repeatable": repeatable})
    return options


def _read_options(config: pytest.Config) -> JobOptions:
    check_names_in_files(config)
    mode = _mode(config)
    attack, by_flag = _attack(config)
    if by_flag and mode == "off":
        raise pytest.UsageError(
            f"--jobs-{attack} attacks the jobs of every test, and {_written(config, 'mode')} lets none in: "
            "drop one of the two."
        )
    apps = _words(config, "apps")
    return JobOptions(
        mode=mode,
        raise_at=cast(RaiseAt, _checked("raise_at", *_given(config, "raise"))),
        jitter=cast(Jitter, _checked("jitter", *_given(config, "jitter"))),
        strict=_is_on(config, "strict"),
        apps=apps,
        ignore=_ignored(config),
        always=mode is not None or bool(apps),
        attack=attack,
        attack_by_flag=by_flag,
        attack_calls=_attack_calls(config, attack),
        crash_points=_crash_points(config, attack),
        crash_atomic=_words(config, "crash-atomic"),
        audits=_audits(config, attack, mode),
        repeatable=_effects(config),
        lint=_is_on(config, "lint"),
        lint_baseline=_lint_baseline(config),
        annotates=_annotates(config),
        coverage=_coverage(config),
        report=_report(config),
        messages=_messages(config),
        queues=_queues(config),
        recurring=_recurring(config),
    )


def described_options(options: JobOptions) -> str | None:
    """Return what is in force, for the header of a run; None where all is as it is by default."""
    shown = []
    if options.always:
        shown.append(f"mode {options.mode or 'record'}")
    if options.strict:
        shown.append("strict")
    if options.raise_at != "end":
        shown.append(f"errors raised at {options.raise_at}")
    if options.jitter != "zero":
        shown.append(f"jitter {options.jitter}")
    queues = options.queues
    if queues is not None:
        counts = {"concurrency": queues.concurrency, "max_retries": queues.max_retries}
        idle = [name for name, count in counts.items() if count is not None] + [*queues.left_out]
        without = f" (not its {', '.join(idle)})" if idle else ""
        shown.append(f"queues {queues.described} by {queues.source}{without}")
    if options.recurring is not None:
        shown.append(f"recurring jobs of {options.recurring.written}")
    if options.report is not None:
        shown.append(f"report in {options.report.name}")
    if options.attack == "twice":
        shown.append("every delivery twice")
    if options.attack == "crash":
        shown.append(f"killed at up to {options.crash_points} points of each test")
    if options.audits:
        shown.append("audited after the tests")
    return f"jobs: {', '.join(shown)}" if shown else None


def _given(config: pytest.Config, name: str) -> tuple[Any, str]:
    """Return the value of an option, and where it was given: the flag goes before the ini file."""
    flag = config.getoption(f"--jobs-{name}")
    if flag is None:
        return config.getini(ini_name(name)), ini_name(name)
    return flag, f"--jobs-{name}"


def _written(config: pytest.Config, name: str) -> str:
    """Return an option as it was written in the ini file, or on the command line."""
    given, where = _given(config, name)
    return f"{where}={given}" if where.startswith("--") else f"{where} = {given}"


def _is_on(config: pytest.Config, name: str) -> bool:
    return bool(config.getoption(f"--jobs-{name}") or config.getini(ini_name(name)))


def _words(config: pytest.Config, name: str) -> tuple[str, ...]:
    """Return the names that an option lists, with commas between them or not."""
    given, _ = _given(config, name)
    return tuple(word for text in given for word in text.replace(",", " ").split())


def _effects(config: pytest.Config) -> tuple[str, ...]:
    """Return the names of the effects that may happen again; such a name may have a space in it."""
    given, _ = _given(config, "repeatable")
    names = (name.strip() for text in given for name in text.split(","))
    return tuple(filter(None, names))


def _mode(config: pytest.Config) -> Mode | None:
    """Return the mode that was asked for; None where nobody asked."""
    given, where = _given(config, "mode")
    mode = cast(Mode, _checked("mode", given, where)) if given else None
    if not config.getoption("--jobs-inline"):
        return mode
    if mode == "off" or (where == "--jobs-mode" and mode != "inline"):
        does = "lets none in" if mode == "off" else "keeps them"
        raise pytest.UsageError(
            f"--jobs-inline performs every job, and {_written(config, 'mode')} {does}: drop one of the two."
        )
    return "inline"


def _ignored(config: pytest.Config) -> tuple[str, ...]:
    ignored = _words(config, "ignore")
    if not ignored:
        return ()
    from ...assertions.case_settings import libraries_of
    from ...errors import DeclarationError

    try:
        return libraries_of(ignored, _given(config, "ignore")[1])
    except DeclarationError as error:
        raise pytest.UsageError(str(error)) from None


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


def _attack_calls(config: pytest.Config, attack: Attack | None) -> bool:
    if config.getoption("--jobs-attack-calls") and attack is None:
        raise pytest.UsageError(
            "--jobs-attack-calls says that direct calls of tasks are attacked too, and this run attacks nothing: "
            "add --jobs-twice or --jobs-crash."
        )
    return _is_on(config, "attack-calls")


def _crash_points(config: pytest.Config, attack: Attack | None) -> int:
    given, where = _given(config, "crash-points")
    if where == "--jobs-crash-points" and attack != "crash":
        raise pytest.UsageError(
            f"--jobs-crash-points={given} says how many points --jobs-crash tries, and this run kills no jobs: "
            "add --jobs-crash."
        )
    if not str(given).isdecimal() or int(given) < 1:
        raise pytest.UsageError(f"{where} is {given!r}; valid are whole numbers from 1.")
    return int(given)


def _audits(config: pytest.Config, attack: Attack | None, mode: Mode | None) -> AuditOptions | None:
    if not _is_on(config, "audit"):
        for name in ("audit-time", "audit-report", "audit-baseline", "audit-update"):
            if config.getoption(f"--jobs-{name}"):
                raise pytest.UsageError(
                    f"--jobs-{name} says how --jobs-audit checks, and this run checks nothing: add --jobs-audit."
                )
        return None
    if attack is not None:
        raise pytest.UsageError(
            f"--jobs-audit and --jobs-{attack} each run tests in a way of their own: give one, and the other in "
            "another run."
        )
    if mode == "off":
        raise pytest.UsageError(
            f"--jobs-audit checks the jobs of every test, and {_written(config, 'mode')} lets none in: drop one "
            "of the two."
        )
    given, where = _given(config, "audit-time")
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise pytest.UsageError(f"{where} is {given!r}; valid are numbers of seconds above 0.")
    report, baseline = _file(config, "audit-report"), _file(config, "audit-baseline")
    updates = _is_on(config, "audit-update")
    if updates and baseline is None:
        raise pytest.UsageError(
            "--jobs-audit-update writes the file of the accepted findings, and none is named: add "
            "--jobs-audit-baseline=FILE."
        )
    return AuditOptions(seconds, None if report is None else report.path, baseline, updates)


def _annotates(config: pytest.Config) -> bool:
    given, where = _given(config, "annotations")
    if given and given not in _ANNOTATIONS:
        raise pytest.UsageError(f"{where} is {given!r}; valid is {', '.join(_ANNOTATIONS)}.")
    return bool(given)


#: The formats of job coverage, each with its file where none is named.
_FORMATS: Final = {
    "term": None,
    "term-all": None,
    "json": "job-coverage.json",
}


def _coverage(config: pytest.Config) -> CoverageOptions | None:
    """Return how job coverage is measured; None if it is not.

    Raises:
        pytest.UsageError: when an option has no valid value, or is given without --jobs-cov.
    """
    given, where = _given(config, "cov-fail-under")
    reports, reported = _given(config, "cov-report")
    baseline = _file(config, "cov-baseline")
    if not _is_on(config, "cov"):
        for one in (where, reported, baseline.where if baseline else ""):
            if one.startswith("--"):
                raise pytest.UsageError(
                    f"{one} says what becomes of job coverage, and this run does not measure it: add --jobs-cov."
                )
        return None
    try:
        fail_under = float(given or 0)
    except ValueError:
        fail_under = -1.0
    if not 0 <= fail_under <= 100:
        raise pytest.UsageError(f"{where} is {given!r}; valid are numbers from 0 to 100.")
    found: list[tuple[str, Path | None]] = []
    for text in reports or ("term",):
        name, _, file = text.partition(":")
        if name not in _FORMATS or (file and _FORMATS[name] is None):
            raise pytest.UsageError(
                f"{reported} is {text!r}; valid are term, term-all and json:FILE."
            )
        default = _FORMATS[name]
        path = None if default is None else _folder(config, reported) / (file or default)
        found.append((name, path))
    return CoverageOptions(fail_under, where, tuple(found), baseline and baseline.path)


def _file(config: pytest.Config, name: str) -> NamedFile | None:
    """Return the file that an option names; None where nobody named one."""
    given, where = _given(config, name)
    words = shlex.split(given) if isinstance(given, str) else given
    if len(words) > 2:
        raise pytest.UsageError(
            f"{where} is {' '.join(words)!r}; it is a file, and its environment where it has any."
        )
    if not words:
        return None
    environment = words[1] if len(words) == 2 else None
    return NamedFile(where, _folder(config, where) / words[0], environment, words[0])


def _folder(config: pytest.Config, where: str) -> Path:
    """Return where a path begins: in the folder of the ini file, or for a flag where pytest was started."""
    if where.startswith("--"):
        return config.invocation_params.dir
    return config.rootpath if config.inipath is None else config.inipath.parent


def _report(config: pytest.Config) -> Path | None:
    """Return the file of the report.

    Raises:
        pytest.UsageError: when it cannot be written: that is said now, and not after all tests.
    """
    given, where = _given(config, "report")
    if not given:
        return None
    path: Path = _folder(config, where) / given
    if hasattr(config, "workerinput"):  # The controller of pytest-xdist writes it.
        return path
    from ...integrations.templates import has_templates

    if not has_templates():
        raise pytest.UsageError(f"{where} needs Jinja2: pip install 'pytest-jobs[report]'.")
    is_new = not path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise pytest.UsageError(
            f"{where}: the report cannot be written into {path}: {error.strerror}. Name a file that you may "
            "write, such as jobs.html."
        ) from None
    return path


def _lint_baseline(config: pytest.Config) -> Path | None:
    file = _file(config, "lint-baseline")
    if file is not None and file.where.startswith("--") and not _is_on(config, "lint"):
        raise pytest.UsageError(
            f"{file.where} says which findings are known, and this run does not look for any: add --jobs-lint."
        )
    return None if file is None else file.path


def _messages(config: pytest.Config) -> Path | None:
    file = _file(config, "messages")
    return None if file is None else file.path


def _queues(config: pytest.Config) -> Queues | None:
    file = _file(config, "queues")
    return None if file is None else _load_queues(file.where, file.path, file.environment)


def _recurring(config: pytest.Config) -> NamedFile | None:
    file = _file(config, "recurring")
    if file is not None and not file.path.is_file():
        raise pytest.UsageError(f"{file.where}: there is no file {file.path}.")
    return file


def _load_queues(where: str, path: Path, environment: str | None = None) -> Queues:
    from ...errors import QueuesError
    from ...integrations.queues import load_queues

    try:
        return load_queues(path, environment=environment)
    except QueuesError as error:
        raise pytest.UsageError(f"{where}: {error}") from None


def _marked(marker: pytest.Mark, item: pytest.Item) -> dict[str, Any]:
    where = f"@pytest.mark.jobs of {item.nodeid}"
    if marker.args:
        raise pytest.UsageError(
            f"{where} has positional arguments: write mode=, strict=, raise_at=, jitter=, queues=, "
            "repeatable=, idempotent=, crash= or audit=."
        )
    marked = dict(marker.kwargs)
    for name, value in marker.kwargs.items():
        if name not in KEYWORDS:
            from ...core.foundation.options import nearest

            raise pytest.UsageError(
                f"{where}: {name!r} is not a keyword of the marker{nearest(name, KEYWORDS)} "
                f"It takes {', '.join(KEYWORDS)}."
            )
        if name in _VALUES:
            _checked(name, value, f"{where}: {name}")
        elif name == "queues":
            marked[name] = _marked_queues(value, f"{where}: queues", item)
        elif name == "repeatable":
            if isinstance(value, str) or not all(isinstance(one, str) for one in value):
                raise pytest.UsageError(
                    f"{where}: repeatable is {value!r}; it is a collection of names of effects, such as "
                    "{'mail', 'enqueue shop.ship'}."
                )
        elif not isinstance(value, bool):
            raise pytest.UsageError(f"{where}: {name} is {value!r}; it is True or False.")
    return marked


def _marked_queues(value: object, where: str, item: pytest.Item) -> Queues | None:
    from ...harness.ledger.queues import Queues

    if value is None or isinstance(value, Queues):
        return value
    if isinstance(value, str | Path):
        return _load_queues(where, _folder(item.config, where) / value)
    raise pytest.UsageError(
        f"{where} is {value!r}; it is a file, Queues(...), or None for all queues alike."
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


def options_of_case(item: pytest.Item) -> dict[str, Any]:
    """Return what the class of a test says, by the names that a marker has for it."""
    case = _class_of(item)
    said = {option: getattr(case, name) for name, option in _OPTIONS_OF_CASE.items()}
    said["queues"] = _marked_queues(case.jobs_queues, f"{case.__qualname__}.jobs_queues", item)
    if case.jobs_ignore is not None:
        from ...assertions.case_settings import libraries_of

        said["ignore"] = libraries_of(case.jobs_ignore, f"{case.__qualname__}.jobs_ignore")
    return {option: value for option, value in said.items() if value is not None}


def configure_case(item: pytest.Item) -> None:
    """Tell the class of a test what is in force for the session: its `setUpClass` opens a harness too."""
    from ...assertions.case_settings import CaseSettings

    options = session_options(item.config)
    _class_of(item).jobs_configured = CaseSettings(
        apps=options.apps,
        # A test of the class is refused where no harness is to be open.
        mode="record" if options.mode == "off" else options.mode,
        raise_at=options.raise_at,
        jitter=options.jitter,
        strict=options.strict,
        queues=options.queues,
        ignore=options.ignore,
    )


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
