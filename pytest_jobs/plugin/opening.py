"""Opening a harness with the settings in force, for a test or for the session."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from ..assertions.options import IGNORE, JITTER, MODE, QUEUES, RAISE, RECURRING, Settings
from ..harness.jobs import Jobs
from .exploring import shows_only_ascii
from .settings.declared import is_verbose
from .settings.options import session_options

if TYPE_CHECKING:
    from ..bridges.libraries.capture import HeldSeams
    from ..harness.records.bridge import Bridge
    from ..harness.records.home import Home
    from ..integrations.recurring.schedule import Schedule

#: What keeps the libraries patched until the session ends.
HELD_SEAMS: pytest.StashKey[HeldSeams] = pytest.StashKey()
_SCHEDULE: pytest.StashKey[Schedule] = pytest.StashKey()


def open_harness(
    config: pytest.Config, options: Settings, nodeid: str, applications: Iterable[object]
) -> Jobs:
    """Return an open harness.

    Args:
        config: its hooks are called.
        options: the settings in force.
        nodeid: the id of the test, empty for the session.
        applications: what is bridged, by name or itself.

    Raises:
        ApplicationError: when an application cannot be found.
        pytest.UsageError: when the mode is off.
    """
    from ..bridges.libraries.capture import LibraryCapture
    from ..bridges.opening import new_bridges, transactions_in_use
    from ..harness.records.texts import Reader

    mode = options[MODE]
    if mode == "off":
        raise pytest.UsageError(
            f"{nodeid} asks for the job harness, and its jobs mode is off: take the fixture out, or set the mode "
            "to record with @pytest.mark.jobs(mode='record')."
            if nodeid
            else "A fixture asks for the harness of the session, and the jobs mode is off: take `session_jobs` "
            "out, or set jobs_mode to record."
        )
    jobs = Jobs(
        new_bridges(applications),
        capture=LibraryCapture(options[IGNORE], _held_seams(config)),
        # After the bridges, which may be the first to set a database library up.
        transactions=transactions_in_use(),
        mode=mode,
        raise_at=options[RAISE],
        jitter=options[JITTER],
        outcomes=(AssertionError, pytest.fail.Exception, pytest.skip.Exception),
    )
    if options[QUEUES] is not None:
        jobs.serve(options[QUEUES])
    jobs.harness.reader = Reader(verbose=is_verbose(config), ascii=shows_only_ascii(config))
    jobs.open()
    if not nodeid:
        # It outlives the test that asked for it first, so what it performs is not of that test.
        jobs.harness.performer.spectator = None
    try:
        hook = config.hook.pytest_jobs_delivered
        if hook.get_hookimpls():
            jobs.harness.performer.when_delivered.append(lambda delivery: hook(delivery=delivery))
        config.hook.pytest_jobs_opened(jobs=jobs, nodeid=nodeid)
    except BaseException:
        jobs.close()
        raise
    return jobs


def bring_in_bridges_of_hook(config: pytest.Config) -> None:
    """Ask the hook `pytest_jobs_bridges` whenever a harness is opened, until the session ends."""
    from ..harness.open_harness import open_harnesses

    def asked() -> list[Bridge]:
        found = config.hook.pytest_jobs_bridges(config=config)
        return [bridge for bridges in found for bridge in bridges]

    before, open_harnesses.further_bridges = open_harnesses.further_bridges, asked

    def restore() -> None:
        open_harnesses.further_bridges = before

    config.add_cleanup(restore)


def home_of(item: pytest.Item) -> Home | None:
    """Return what belongs to a test: its module, its conftest files, and plugins of the project.

    None for a test that has no module, such as one in a text file: everything belongs to it.
    """
    from ..harness.records.home import Home, is_installed

    module = item.getparent(pytest.Module)
    if module is None:
        return None
    plugins = [
        plugin
        for plugin in item.config.pluginmanager.get_plugins()
        if isinstance(plugin, ModuleType) and not is_installed(plugin)
    ]
    above = [
        plugin
        for plugin in plugins
        if plugin.__name__.rpartition(".")[2] != "conftest"
        or item.path.is_relative_to(Path(plugin.__file__ or "").parent)
    ]
    return Home([module.obj, *above])


def _held_seams(config: pytest.Config) -> HeldSeams:
    """Return what keeps the libraries patched until the session ends."""
    from ..bridges.libraries.capture import HeldSeams

    held = config.stash.get(HELD_SEAMS, None)
    if held is None:
        held = config.stash[HELD_SEAMS] = HeldSeams()
        config.add_cleanup(held.close)
    return held


def configured_schedule(config: pytest.Config) -> Schedule:
    """Return the schedule of the option `jobs_recurring`, which is read when it is first asked for.

    It is not read when the session begins: that would import the jobs of the application.

    Raises:
        pytest.UsageError: when no option names a file, or something in it cannot be meant.
    """
    from ..errors import ScheduleError
    from ..integrations.recurring.schedule import load_schedule

    if _SCHEDULE in config.stash:
        return config.stash[_SCHEDULE]
    file = session_options(config)[RECURRING]
    if file is None:
        raise pytest.UsageError(
            "jobs_recurring fires a schedule, and no option names its file: write jobs_recurring = "
            "config/recurring.yml into the ini file, or override the fixture and return "
            "jobs.recurring(Schedule({...}))."
        )
    try:
        schedule = load_schedule(file.path, environment=file.environment)
    except ScheduleError as error:
        raise pytest.UsageError(f"{file.where}: {error}") from None
    config.stash[_SCHEDULE] = schedule
    return schedule
