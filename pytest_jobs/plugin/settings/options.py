"""The settings in force: flags and ini options for the session, markers and test cases for a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from ...assertions.options import (
    APPS,
    AUDIT,
    AUDITABLE,
    INLINE,
    KEYWORDS,
    MODE,
    OPTIONS,
    REPEATABLE,
    Given,
    Option,
    Settings,
)
from .declared import WRONG_MARKER, is_jobs_case
from .misspelt import check_names_in_files

if TYPE_CHECKING:
    from ...harness.jobs import Jobs

#: Keywords of the marker about checks only: for these alone no harness is opened.
_OPEN_NONE: Final = frozenset((REPEATABLE.keyword, AUDITABLE.keyword))

_options = pytest.StashKey[Settings]()


def session_options(config: pytest.Config) -> Settings:
    """Return the settings of the session, which are read at first need.

    Raises:
        pytest.UsageError: when one of them has no valid value, or two contradict each other.
    """
    options = config.stash.get(_options, None)
    if options is None:
        options = config.stash[_options] = _read_options(config)
    return options


def item_options(item: pytest.Item) -> Settings:
    """Return the settings of a test: those of the session, changed by its markers, the nearest last.

    The attributes of a `JobsTestCase` come before the markers. A wrong marker is noted in the test.
    """
    options = session_options(item.config)
    if is_jobs_case(item):
        from ...assertions.case_settings import settings_of_case

        said = settings_of_case(_class_of(item), _folder(item.config))
        options = options.changed(said, always=True)
    for marker in reversed(list(item.iter_markers("jobs"))):
        try:
            marked = _marked(marker, item)
        except pytest.UsageError as error:
            item.stash[WRONG_MARKER] = str(error)
            continue
        opens = options.always or not marker.kwargs or not marker.kwargs.keys() <= _OPEN_NONE
        if REPEATABLE in marked:
            marked[REPEATABLE] = (*options[REPEATABLE], *marked[REPEATABLE])
        options = options.changed(marked, always=opens)
    return options


def _read_options(config: pytest.Config) -> Settings:
    check_names_in_files(config)
    given = {option: one for option in OPTIONS if (one := _given(config, option)) is not None}
    _check_together(given)
    values = {option: _checked(option.read, one) for option, one in given.items()}
    if values.get(INLINE):
        values[MODE] = "inline"
    return Settings(values, always=bool(values.get(MODE) or values.get(APPS)))


def _given(config: pytest.Config, option: Option[Any]) -> Given | None:
    """Return what somebody wrote for an option: the flag goes before the ini file; None where nobody did."""
    if option.flag:
        value = config.getoption(option.flag)
        if value is not None:
            return Given(value, option.flag, config.invocation_params.dir)
    if not option.ini:
        return None
    try:
        value = config.getini(option.ini)
    except (ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"{option.ini}: {error}.") from None
    return None if value is None else Given(value, option.ini, _folder(config))


def _folder(config: pytest.Config) -> Path:
    """Return where a path of the ini file, or of a marker, begins."""
    return config.rootpath if config.inipath is None else config.inipath.parent


def _checked(read: Callable[[Given], Any], given: Given) -> Any:
    from ...errors import DeclarationError, QueuesError

    try:
        return read(given)
    except (DeclarationError, QueuesError) as error:
        raise pytest.UsageError(str(error)) from None


def _check_together(given: dict[Option[Any], Given]) -> None:
    """Refuse options that contradict each other, and flags that say something of an option which is not there."""
    said = {option.name: option for option, one in given.items() if one.value}
    for option, one in given.items():
        if option.needs and one.is_flag and not any(name in said for name in option.needs):
            flags = " or ".join(f"--jobs-{name}" for name in option.needs)
            raise pytest.UsageError(
                f"{one.where} says something about {flags}, which this run does not have: add {flags}."
            )
    mode = given.get(MODE)
    if mode is None:
        return
    off = mode.value == "off"
    # A mode of the ini file is what tests have without the flag.
    if INLINE in given and (off or (mode.is_flag and mode.value == "record")):
        does = "lets none in" if off else "keeps them"
        raise pytest.UsageError(
            f"--jobs-inline performs every job, and {mode} {does}: drop one of the two."
        )
    if off and AUDIT.name in said:
        raise pytest.UsageError(
            f"--jobs-audit checks the jobs of every test, and {mode} lets none in: drop one of the two."
        )


def described_options(options: Settings) -> str | None:
    """Return what is in force, for the header of a run; None where all is as it is by default."""
    shown = [f"mode {options[MODE] or 'record'}"] if options.always else []
    for option in OPTIONS:
        value, text = options[option], option.header
        if value != option.default and text:
            shown.append(text(value) if callable(text) else text.format(value))
    return f"jobs: {', '.join(shown)}" if shown else None


def _marked(marker: pytest.Mark, item: pytest.Item) -> dict[Option[Any], Any]:
    where = f"@pytest.mark.jobs of {item.nodeid}"
    if marker.args:
        words = [f"{name}=" for name in KEYWORDS]
        raise pytest.UsageError(
            f"{where} has positional arguments: write {', '.join(words[:-1])} or {words[-1]}."
        )
    marked: dict[Option[Any], Any] = {}
    for name, value in marker.kwargs.items():
        if name not in KEYWORDS:
            from ...core.foundation.options import nearest

            raise pytest.UsageError(
                f"{where}: {name!r} is not a keyword of the marker{nearest(name, KEYWORDS)} "
                f"It takes {', '.join(KEYWORDS)}."
            )
        option = KEYWORDS[name]
        marked[option] = _checked(
            option.taken, Given(value, f"{where}: {name}", _folder(item.config))
        )
    return marked


# Tests that derive from `JobsTestCase`, which need not be imported to be known


def configure_case(item: pytest.Item) -> None:
    """Tell the class of a test what is in force for the session: its `setUpClass` opens a harness too."""
    options = session_options(item.config)
    if options[MODE] == "off":
        # A test of the class is refused where no harness is to be open.
        options = options.changed({MODE: "record"}, always=True)
    _class_of(item).jobs_configured = options


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
