"""The options: one entry of a table has all of an option, from its names to its row in the page of options.

An entry says where users write the option (flag, ini file, marker), how a value is read and which one is refused,
and what the help and the page say. To add an option or to take one out is one edit. The plugin reads them for
pytest, a `JobsTestCase` reads some without it, and both go through `Option.read`. Every session of pytest imports
this module.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeVar, cast

if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from ..harness.ledger.queues import Queues
    from ..harness.open_harness import Jitter
    from ..harness.running.inline import RaiseAt

    Mode: TypeAlias = Literal["record", "inline", "off"]
    IniType: TypeAlias = Literal["args", "linelist", "bool"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_TRUE: Final = ("1", "true", "t", "yes", "y", "on")
_FALSE: Final = ("0", "false", "f", "no", "n", "off")


# No named tuple and no dataclass in this module: making the class takes ten times as long, at every start-up.
class Given:
    """What somebody wrote for an option."""

    __slots__ = ("folder", "value", "where")

    def __init__(self, value: Any, where: str, folder: Path) -> None:
        self.value = value
        #: Where it was written: `jobs_mode`, `--jobs-mode`, or the place of a marker.
        self.where = where
        #: Where a path in it begins: the folder of the ini file, or for a flag where pytest was started.
        self.folder = folder

    @property
    def is_flag(self) -> bool:
        return self.where.startswith("--")

    def __str__(self) -> str:
        return f"{self.where}={self.value}" if self.is_flag else f"{self.where} = {self.value}"

    def refuse(self, valid: str) -> NoReturn:
        """Refuse the value.

        Raises:
            DeclarationError: always; it says which values are valid.
        """
        from ..errors import DeclarationError

        raise DeclarationError(f"{self.where} is {self.value!r}; {valid}.")


class NamedFile:
    """A file that an option names."""

    __slots__ = ("environment", "path", "where", "written")

    def __init__(self, given: Given, name: str, environment: str | None = None) -> None:
        #: Where it was named: `jobs_recurring`, or the flag.
        self.where = given.where
        self.path = given.folder / name
        #: As the user wrote it.
        self.written = name
        #: The part of the file that is read; None where nobody says which.
        self.environment = environment

    def __str__(self) -> str:
        return self.written


class Option(Generic[T_co]):
    """One option. A kind of options is a class below, which knows how values are written."""

    #: As pytest calls the kind of a line in the ini file; None for text.
    ini_type: IniType | None = None
    #: As argparse calls what a flag does.
    action = "store"
    #: What the page says of valid values.
    values = ""

    def __init__(
        self,
        name: str,
        text: str,
        default: T_co,
        *,
        metavar: str = "",
        by: str = "flag ini",
        keyword: str = "",
        needs: tuple[str, ...] = (),
        header: str | Callable[[T_co], str] = "",
        otherwise: str = "",
        more: str = "",
    ) -> None:
        """Declare an option.

        Args:
            name: as the flag has it, after `--jobs-`.
            text: one sentence for the help and the page, with a period.
            default: its value where nobody says one.
            metavar: what stands for a value in the help.
            by: where it is written: flag, ini, or both.
            keyword: its keyword in the marker `jobs`; empty if it has none.
            needs: names of options of which a run must have one, or the flag is refused.
            header: what the header of a run says of it; {} stands for its value.
            otherwise: the default as the page shows it.
            more: what the page says further, in Markdown.
        """
        self.name = name
        self.text = text
        self.default = default
        self.metavar = metavar
        self.flag = f"--jobs-{name}" if "flag" in by else ""
        self.ini = f"jobs_{name.replace('-', '_')}" if "ini" in by else ""
        self.keyword = keyword
        self.needs = needs
        self.header = header
        self.otherwise = otherwise
        self.more = more

    def read(self, given: Given) -> T_co:
        """Return the value that somebody wrote.

        Raises:
            DeclarationError: when it is not valid.
        """
        return cast(T_co, given.value)

    def taken(self, given: Given) -> T_co:
        """Return the value that code gave: a marker, or an attribute of a class.

        Raises:
            DeclarationError: when it is not valid.
        """
        return self.read(given)

    def parsed(self, raw: Any) -> Any:
        """Return a value of an ini file as pytest returns it, for those who read the file without pytest."""
        return raw


class Switch(Option[bool]):
    ini_type, action, values = "bool", "store_true", "true, false"

    def read(self, given: Given) -> bool:
        if not isinstance(given.value, bool):
            given.refuse("valid are true and false")
        return given.value

    def parsed(self, raw: Any) -> Any:
        word = str(raw).lower()
        return word in _TRUE if word in (*_TRUE, *_FALSE) else raw


class Choice(Option[T_co]):
    """One word of several. Where no word is the default, an empty one is not a choice either."""

    def __init__(self, name: str, valid: tuple[T_co, ...], *args: Any, **kwargs: Any) -> None:
        super().__init__(name, *args, **kwargs)
        self._valid = valid
        self.values = " ".join(f"`{word}`" for word in valid)

    def read(self, given: Given) -> T_co:
        if given.value == "" and self.default is None:
            return self.default
        if given.value not in self._valid:
            given.refuse(f"valid are {', '.join(map(str, self._valid))}")
        return cast(T_co, given.value)


class Names(Option[tuple[str, ...]]):
    """Names with commas or spaces between them."""

    ini_type, values = "args", "names"

    def read(self, given: Given) -> tuple[str, ...]:
        texts = (given.value,) if isinstance(given.value, str) else given.value
        return tuple(word for text in texts for word in text.replace(",", " ").split())

    def parsed(self, raw: Any) -> Any:
        import shlex

        return shlex.split(raw) if isinstance(raw, str) else raw


class Libraries(Names):
    values = "names of libraries"

    def read(self, given: Given) -> tuple[str, ...]:
        names = super().read(given)
        if names:
            from ..bridges.libraries.known import LIBRARIES
            from ..core.foundation.options import nearest
            from ..errors import DeclarationError

            for name in names:
                if name not in LIBRARIES:
                    raise DeclarationError(
                        f"{given.where}: {name!r} is not a job library{nearest(name, LIBRARIES)} "
                        f"The libraries are {', '.join(sorted(LIBRARIES))}."
                    )
        return names


class Effects(Option[tuple[str, ...]]):
    """Names of effects, which may have spaces: one a line, or with commas between them."""

    ini_type, values = "linelist", "names of effects"

    def read(self, given: Given) -> tuple[str, ...]:
        names = (name.strip() for text in given.value for name in text.split(","))
        return tuple(filter(None, names))

    def taken(self, given: Given) -> tuple[str, ...]:
        if isinstance(given.value, str) or not all(isinstance(one, str) for one in given.value):
            given.refuse(
                "it is a collection of names of effects, such as {'mail', 'enqueue shop.ship'}"
            )
        return tuple(given.value)


class Seconds(Option[float]):
    values = "seconds"

    def read(self, given: Given) -> float:
        try:
            seconds = float(given.value)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            given.refuse("valid are numbers of seconds above 0")
        return seconds


class AnyFile(Option[T_co]):
    """A file, and for some the environment of which it speaks."""

    ini_type, values = "args", "a file"

    def named(self, given: Given) -> NamedFile | None:
        import shlex

        words = shlex.split(given.value) if isinstance(given.value, str) else given.value
        if len(words) > 2:
            from ..errors import DeclarationError

            raise DeclarationError(
                f"{given.where} is {' '.join(words)!r}; it is a file, and its environment where it has any."
            )
        return NamedFile(given, *words) if words else None


class File(AnyFile[NamedFile | None]):
    def read(self, given: Given) -> NamedFile | None:
        return self.named(given)


class RecurringFile(File):
    values = "a file, and its environment"

    def read(self, given: Given) -> NamedFile | None:
        file = self.named(given)
        if file is not None and not file.path.is_file():
            from ..errors import DeclarationError

            raise DeclarationError(f"{file.where}: there is no file {file.path}.")
        return file


class QueuesFile(AnyFile["Queues | None"]):
    """The file of the workers, which is read at once; a marker and a class may have `Queues(...)` as well."""

    values = "a file, and its environment"

    def read(self, given: Given) -> Queues | None:
        file = self.named(given)
        return None if file is None else self._loaded(file)

    def taken(self, given: Given) -> Queues | None:
        from ..harness.ledger.queues import Queues

        if given.value is None or isinstance(given.value, Queues):
            return given.value
        if isinstance(given.value, str | Path):
            return self._loaded(NamedFile(given, str(given.value)))
        return given.refuse("it is a file, Queues(...), or None for all queues alike")

    @staticmethod
    def _loaded(file: NamedFile) -> Queues:
        from ..errors import QueuesError
        from ..integrations.queues import load_queues

        try:
            return load_queues(file.path, environment=file.environment)
        except QueuesError as error:
            raise QueuesError(f"{file.where}: {error}") from None


class Reports(Option[tuple[NamedFile, ...]]):
    """The files of reports; the ending of a name says what is written."""

    ini_type, action, values = (
        "linelist",
        "append",
        "files that end in `.html`, `.json` or `.sarif`",
    )
    _ENDINGS: Final = (".html", ".json", ".sarif")

    def read(self, given: Given) -> tuple[NamedFile, ...]:
        files = tuple(NamedFile(given, name) for name in given.value)
        for file in files:
            if file.path.suffix not in self._ENDINGS:
                from ..errors import DeclarationError

                raise DeclarationError(
                    f"{given.where}: {file.written} does not say which report it is: .html is the page, .json has "
                    "all that was found, .sarif is for services that show findings in the code."
                )
        return files


def _of_queues(queues: Queues | None) -> str:
    if queues is None:
        return ""
    counts = {"concurrency": queues.concurrency, "max_retries": queues.max_retries}
    idle = [name for name, count in counts.items() if count is not None] + [*queues.left_out]
    without = f" (not its {', '.join(idle)})" if idle else ""
    return f"queues {queues.described} by {queues.source}{without}"


MODE: Final[Option[Mode | None]] = Choice(
    "mode",
    ("record", "inline", "off"),
    "Open a harness for every test: record keeps jobs until a verb performs them, inline performs each job as "
    "soon as it is due and the running job has ended, off opens none.",
    None,
    metavar="MODE",
    keyword="mode",
    otherwise="none: a test that asks for a harness gets one, which records",
    more="The harness opens before the other fixtures of the test, and the session has one too. `record` also "
    "keeps [background tasks](../how-to/background-tasks.md), which the application performs where nobody says a "
    "mode",
)
INLINE: Final = Switch(
    "inline",
    "The same as --jobs-mode=inline.",
    default=False,
    by="flag",
)
STRICT: Final = Switch(
    "strict",
    "Fail a test that leaves jobs it neither looked at nor performed.",
    default=False,
    keyword="strict",
    header="strict",
)
AUDIT: Final = Switch(
    "audit",
    "After the tests, check the jobs that they reach: kill them, make their effects fail, deliver them twice; "
    "findings fail the session (jobs that use asyncpg need psycopg beside it).",
    default=False,
    header="audited after the tests",
    more="[Audit your suite](../how-to/audit-your-suite.md)",
)
AUDIT_TIME: Final = Seconds(
    "audit-time",
    "Begin no check of --jobs-audit after so many seconds of computing; 600 by default.",
    600.0,
    metavar="SECONDS",
    needs=("audit",),
    otherwise="600",
)
LINT: Final = Switch(
    "lint",
    "Find habits of jobs that will hurt, in the source below the root and in the jobs that tests perform; "
    "findings fail the session.",
    default=False,
    more="[Lint](lint/index.md)",
)
REPORT: Final = Reports(
    "report",
    "Write a report into this file, which may be given several times: .html is one page about the jobs of the "
    "session (it needs Jinja2: pip install 'pytest-jobs[report]'), .json and .sarif have what the audit, the lint "
    "and checks have found.",
    (),
    metavar="FILE",
    header=lambda files: f"report in {', '.join(file.path.name for file in files)}",
    otherwise="none",
    more="[The report](../how-to/report.md)",
)
BASELINE: Final = File(
    "baseline",
    "Accept the findings of --jobs-audit and --jobs-lint that this file lists with a reason: only others fail the "
    "session.",
    None,
    metavar="FILE",
    needs=("audit", "lint"),
    otherwise="none",
    more="[Accept a finding](../how-to/audit-your-suite.md#accept-a-finding)",
)
UPDATE_BASELINE: Final = Switch(
    "update-baseline",
    "Write the file of --jobs-baseline: findings that are gone leave it, and new ones wait there for a reason.",
    default=False,
    by="flag",
    needs=("baseline",),
)
MESSAGES: Final = File(
    "messages",
    "Write what every registered job accepts into this file, for `python -m pytest_jobs compat`.",
    None,
    metavar="FILE",
    otherwise="none",
    more="[Deploy while messages are in flight](../how-to/deploy-while-messages-are-in-flight.md)",
)
REPLAY: Final[Option[str | None]] = Option(
    "replay",
    "Carry out only the history that a report of check_idempotent names in its replay line.",
    None,
    metavar="TOKEN",
    by="flag",
    otherwise="none",
    more="A test fails if none of its checks has this history, and so does a session that replays nothing",
)
APPS: Final = Names(
    "apps",
    "Load these applications, such as celery:proj.celery:app or django, and record their jobs in every test.",
    (),
    by="ini",
    otherwise="none: the libraries that the tests import",
    more="[Job libraries](bridges.md). With it every test has a harness, and the session has one too, so that "
    "nothing reaches a broker",
)
IGNORE: Final = Libraries(
    "ignore",
    "Leave the jobs of these libraries alone, such as celery, so that they reach the real broker.",
    (),
    by="ini",
    otherwise="none",
)
RAISE: Final[Option[RaiseAt]] = Choice(
    "raise",
    ("end", "enqueue"),
    "Raise the error of an inline job at the end of the test, or where the job was enqueued: end or enqueue.",
    "end",
    by="ini",
    keyword="raise_at",
    header="errors raised at {}",
    otherwise="`end`",
)
JITTER: Final[Option[Jitter]] = Choice(
    "jitter",
    ("zero", "seeded", "live"),
    "Add jitter to waits: zero for none, seeded for the same in every run, live for that of production.",
    "zero",
    by="ini",
    keyword="jitter",
    header="jitter {}",
    otherwise="`zero`",
)
QUEUES: Final = QueuesFile(
    "queues",
    "Take jobs in the order of queues that this file of the workers has, such as config/sidekiq.yml (YAML needs "
    "pip install 'pytest-jobs[recurring]').",
    None,
    by="ini",
    keyword="queues",
    header=_of_queues,
    otherwise="none: all queues alike",
    more="[The order of queues](../how-to/schedule-recurring-jobs.md#configure-queues). The marker also takes "
    "`Queues(...)` and `None`, and takes no environment",
)
RECURRING: Final = RecurringFile(
    "recurring",
    "Fire the recurring jobs of this file, such as config/recurring.yml, in tests that ask for the fixture "
    "jobs_recurring (pip install 'pytest-jobs[recurring]').",
    None,
    by="ini",
    header="recurring jobs of {}",
    otherwise="none",
    more="[Recurring jobs](recurring.md). Without an environment `production` is read",
)
REPEATABLE: Final = Effects(
    "repeatable",
    "Let these effects happen again in each check: names or patterns with commas between them, such as "
    "mail, enqueue shop.ship, POST hooks.example/*.",
    (),
    by="ini",
    keyword="repeatable",
    otherwise="none",
    more="[Options of a check](checks.md#options). Names of the ini file, of markers and of a "
    "check are added up",
)
AUDITABLE: Final = Switch(
    "auditable",
    "Let --jobs-audit check the jobs of the test.",
    default=True,
    by="",
    keyword="audit",
    more="A marker with only `audit=` and `repeatable=` opens no harness",
)

OPTIONS: Final[tuple[Option[Any], ...]] = tuple(
    each for each in globals().values() if isinstance(each, Option)
)
#: What the options are called in the ini file.
NAMES: Final = tuple(option.ini for option in OPTIONS if option.ini)
#: The keywords of the marker, each with its option.
KEYWORDS: Final[Mapping[str, Option[Any]]] = {
    option.keyword: option for option in OPTIONS if option.keyword
}


class Settings:
    """The settings in force for a test, or for the session: `settings[STRICT]`."""

    __slots__ = ("_values", "always")

    def __init__(self, values: Mapping[Option[Any], Any], *, always: bool = False) -> None:
        self._values = values
        #: Whether a harness is opened without being asked for.
        self.always = always

    def __getitem__(self, option: Option[T]) -> T:
        return cast(T, self._values.get(option, option.default))

    def changed(self, values: Mapping[Option[Any], Any], *, always: bool) -> Settings:
        """Return these settings with other values for some options."""
        return Settings({**self._values, **values}, always=always)

    @property
    def opens(self) -> bool:
        """Whether a test has a harness although it asks for none."""
        return self.always and self[MODE] != "off"


def is_annotating() -> bool:
    """Say whether GitHub runs this: there lines of a certain form are shown beside the lines of a change."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def nearest_option(name: str, cutoff: float = 0.6) -> str | None:
    """Return the option whose name in the ini file is nearest to another one; None if none is near."""
    import difflib

    # Without what all of them begin with, which would make any two alike.
    word = re.sub("^jobs?[-_]?", "", name).replace("-", "_")
    known = {option.removeprefix("jobs_"): option for option in NAMES}
    alike = difflib.get_close_matches(word, known, n=1, cutoff=cutoff)
    return known[alike[0]] if alike else None
